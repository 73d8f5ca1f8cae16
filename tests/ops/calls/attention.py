"""Calls of scaled_dot_product_attention."""

from typing import Any

import numpy as np

from tests.ops.calls.call import Constant, compare, inf, normal

SHAPES = {
    "heads": ((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 3)),
    "batch": ((2, 3, 4), (2, 5, 4), (2, 5, 4)),
    "plain": ((3, 4), (5, 4), (5, 2)),
    "one key": ((2, 3, 4), (2, 1, 4), (2, 1, 4)),
    "no batch": ((0, 3, 4), (0, 5, 4), (0, 5, 4)),
    "square": ((2, 4, 3), (2, 4, 3), (2, 4, 3)),
    "features": ((2, 4, 3), (2, 4, 2), (2, 4, 3)),
    "lengths": ((2, 4, 3), (2, 5, 3), (2, 4, 3)),
    "one axis": ((3,), (3,), (3,)),
}
for kind, shapes in SHAPES.items():
    for given in ({}, {"is_causal": True}, {"scale": 0.3}):

        def attend(m: Any, q: Any, k: Any, v: Any, given: Any = given) -> Any:
            return m.scaled_dot_product_attention(q, k, v, **given)

        compare(f"attention {kind} {given}", attend, *(normal(*shape) for shape in shapes))
MASKS = {
    "bool": np.array([[True, False, True, True, False]] * 3),
    "bool, a row nowhere": np.array([[True] * 5, [False] * 5, [True, False] * 2 + [True]]),
    "added": Constant(normal(3, 5)),
    "added to each": Constant(normal(2, 2, 3, 5)),
    "-inf": Constant(np.where(normal(3, 5) > 0.5, -inf, 0.0)),
    "float32": Constant(normal(3, 5).astype(np.float32)),
    "shape": Constant(normal(3, 4)),
}
for kind, mask in MASKS.items():
    compare(
        f"attention mask {kind}",
        lambda m, q, k, v, mask: m.scaled_dot_product_attention(q, k, v, mask),
        *(normal(*shape) for shape in SHAPES["heads"]),
        mask,
    )
compare(
    "attention shared heads",
    lambda m, q, k, v: m.scaled_dot_product_attention(q, k, v, enable_gqa=True),
    normal(2, 4, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 4),
)  # fmt: skip
compare(
    "attention mask and causal",
    lambda m, q, k, v, mask: m.scaled_dot_product_attention(q, k, v, mask, is_causal=True),
    *(normal(*shape) for shape in SHAPES["square"]),
    np.ones((4, 4), bool),
)
