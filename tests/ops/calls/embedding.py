"""Calls of embedding and embedding_bag."""

from itertools import product
from typing import Any

import numpy as np

from tests.ops.calls.call import Constant, compare, deviates, inf, nan, normal

IDS = np.array([[2, 0, 5], [5, 5, 1]])
FLAT = np.array([4, 4, 2, 1, 2, 5, 4, 0])
OFFSETS = np.array([0, 2, 2, 7])
TABLE = normal(6, 3)


def embedding(name: str, ids: np.ndarray, table: np.ndarray = TABLE, **settings: Any) -> None:
    compare(f"embedding {name}", lambda m, x, w: m.embedding(x, w, **settings), ids, table)


def bag(
    name: str, ids: np.ndarray, *others: Any, table: np.ndarray = TABLE, **settings: Any
) -> None:
    """Others: offsets, then factors, or None in the place of either."""
    given = [x for x in others if x is not None]

    def call(m: Any, x: Any, w: Any, *arrays: Any) -> Any:
        named = dict(zip(("offsets", "per_sample_weights"), others, strict=False))
        left = iter(arrays)
        named = {key: None if x is None else next(left) for key, x in named.items()}
        return m.embedding_bag(x, w, **named, **settings)

    compare(f"embedding_bag {name}", call, ids, table, *given)


embedding("ordinary", IDS)
embedding("one id", np.array(3))
embedding("no ids", np.zeros((2, 0), np.int64))
embedding("int32", IDS.astype(np.int32))
embedding("float32", IDS, TABLE.astype(np.float32))
embedding("float16", IDS, TABLE.astype(np.float16))
embedding("special", np.array([0, 2]), np.array([[nan, inf], [1.0, 2.0], [-inf, -0.0]]))
embedding("of integers", IDS, Constant(np.arange(12).reshape(6, 2)))
embedding("no features", IDS, normal(6, 0))
embedding("padding", IDS, padding_idx=5)
embedding("padding from the end", IDS, padding_idx=-1)
embedding("padding that is not read", IDS, padding_idx=3)
embedding("by frequency", IDS, scale_grad_by_freq=True)
embedding("by frequency, padding", IDS, scale_grad_by_freq=True, padding_idx=5)
for norm_type in (2.0, 1.0, 0.5, 3.0, inf):
    embedding(f"max_norm {norm_type}", IDS, Constant(TABLE), max_norm=0.8, norm_type=norm_type)
embedding("max_norm of many", IDS, Constant(TABLE), max_norm=2.0)
embedding("max_norm 0", IDS, Constant(TABLE), max_norm=0.0)
embedding("max_norm float32", IDS, Constant(TABLE.astype(np.float32)), max_norm=0.7)
compare(
    "embedding max_norm changes the table",
    lambda m, x, w: (m.embedding(x, w, max_norm=0.5), w),
    IDS,
    Constant(TABLE),
)
embedding("an id too large", np.array([1, 6]))
embedding("a negative id", np.array([-1, 2]))
embedding("ids of floats", np.array([1.0, 2.0]))
embedding("ids of bools", np.array([True, False]))
embedding("a table of one axis", IDS, normal(6))
embedding("a table of three axes", IDS, normal(6, 2, 2))
embedding("padding out of range", IDS, padding_idx=6)
embedding("padding below range", IDS, padding_idx=-7)

for mode, padding in product(("sum", "mean", "max"), (None, 4, -1)):
    which = f"{mode}, padding {padding}"
    settings: dict[str, Any] = {"mode": mode, "padding_idx": padding}
    bag(f"{which}, rows", IDS, **settings)
    bag(f"{which}, offsets", FLAT, OFFSETS, **settings)
    bag(f"{which}, last offset", FLAT, np.array([0, 3, 3, 8]), include_last_offset=True, **settings)
    if mode != "max":
        bag(f"{which}, by frequency", FLAT, OFFSETS, scale_grad_by_freq=True, **settings)
    if mode == "sum":
        bag(f"{which}, factors", FLAT, OFFSETS, normal(8), **settings)
        bag(f"{which}, constant factors", FLAT, OFFSETS, Constant(normal(8)), **settings)
        bag(f"{which}, rows with factors", IDS, None, normal(2, 3), **settings)
        bag(
            f"{which}, factors, by frequency",
            *(FLAT, OFFSETS, normal(8)),
            scale_grad_by_freq=True,
            **settings,
        )
    bag(f"{which}, float32", FLAT, OFFSETS, table=TABLE.astype(np.float32), **settings)
    bag(f"{which}, float16", FLAT, OFFSETS, table=TABLE.astype(np.float16), **settings)
    bag(f"{which}, no ids", FLAT[:0], np.array([0, 0]), **settings)
    bag(f"{which}, no bags", FLAT[:0], FLAT[:0], **settings)
deviates(
    "embedding_bag *, by frequency",
    "each sum is divided by how often its own id was read, as in embedding; PyTorch's code for the "
    "CPU divides by how often another one was, the i-th of all for the i-th of those that differ",
)
bag("default", FLAT, OFFSETS)
bag("int32", FLAT.astype(np.int32), OFFSETS.astype(np.int32))
bag("all at the end", FLAT, np.array([0, 8, 8]))
bag("ties", np.array([0, 1, 2]), np.array([0]), table=np.ones((3, 2)), mode="max")
bag("infinite", np.array([0, 1]), np.array([0]), table=np.array([[-inf, inf], [-inf, 1.0]]),
    mode="max")  # fmt: skip
bag("max_norm", FLAT, OFFSETS, table=Constant(TABLE), max_norm=0.6, mode="sum")
bag("no rows of ids", IDS[:0])

bag("an id too large", np.array([1, 6]), np.array([0]))
bag("a negative id", np.array([-1]), np.array([0]))
bag("ids of floats", np.array([1.0]), np.array([0]))
bag("offsets do not begin with 0", FLAT, np.array([1, 3]))
bag("offsets decrease", FLAT, np.array([0, 4, 2]))
bag("last offset too small", FLAT, np.array([0, 2, 5]), include_last_offset=True)
deviates("embedding_bag offsets decrease", "refused; PyTorch reads such bags without an order")
deviates("embedding_bag last offset too small", "refused; PyTorch divides by the ids behind it")
bag("offsets beyond", FLAT, np.array([0, 9]))
bag("offsets of floats", FLAT, np.array([0.0, 3.0]))
bag("offsets of two axes", FLAT, np.array([[0, 3]]))
bag("offsets missing", FLAT)
bag("offsets and rows", IDS, np.array([0]))
bag("ids of three axes", IDS[None])
bag("ids of no axes", np.array(1))
bag("a mode that is none", FLAT, OFFSETS, mode="min")
bag("factors of another shape", FLAT, OFFSETS, normal(7), mode="sum")
bag("factors of another dtype", FLAT, OFFSETS, normal(8).astype(np.float32), mode="sum")
bag("factors of integers", FLAT, OFFSETS, np.ones(8, np.int64), mode="sum")
bag("factors and a mean", FLAT, OFFSETS, normal(8))
bag("max with a scale", FLAT, OFFSETS, mode="max", scale_grad_by_freq=True)
bag("max of rows only", FLAT, OFFSETS, mode="max", sparse=True)
bag("a table of integers", FLAT, OFFSETS, table=np.ones((6, 2), np.int64))
bag("padding out of range", FLAT, OFFSETS, padding_idx=6)
bag("no last offset", FLAT, FLAT[:0], include_last_offset=True)
