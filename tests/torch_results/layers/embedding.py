"""Cases of embeddings, alone and in bags. Sparse ones are in `tests/nn/test_embedding.py`."""

from typing import Any

from tests.torch_results.layers.case import Drawn, case

ids = Drawn("classes", (3, 4), 7)
table: dict[str, Any] = {"num_embeddings": 7, "embedding_dim": 3}
case("Embedding: default", ids, **table)
case("Embedding: one id", Drawn("classes", (), 7), **table)
case("Embedding: padding", ids, **table, padding_idx=2)
case("Embedding: padding from the end", ids, **table, padding_idx=-3)
case("Embedding: by frequency", ids, **table, scale_grad_by_freq=True)
case("Embedding: max_norm", ids, **table, max_norm=1.0)
case("Embedding: max_norm, another norm", ids, **table, max_norm=1.5, norm_type=1.0)
case("Embedding: zero batch", Drawn("classes", (0, 4), 7), **table)

flat = Drawn("classes", (9,), 7)
for mode in ("mean", "sum", "max"):
    settings: dict[str, Any] = {**table, "mode": mode}
    case(f"EmbeddingBag: {mode}", ids, **settings)
    case(f"EmbeddingBag: {mode}, padding", ids, **settings, padding_idx=2)
    case(f"EmbeddingBag: {mode}, one bag", flat, Drawn("classes", (1,), 1), **settings)
    case(f"EmbeddingBag: {mode}, max_norm", ids, **settings, max_norm=1.0)
    case(f"EmbeddingBag: {mode}, zero batch", Drawn("classes", (0, 4), 7), **settings)
case("EmbeddingBag: factors", ids, None, (3, 4), **table, mode="sum")
