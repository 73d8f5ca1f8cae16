"""Calls of the bilinear form."""

import numpy as np

from tests.ops.calls.call import compare, normal

SHAPES = {
    "rows": ((4, 3), (4, 2), (5, 3, 2), (5,)),
    "one output": ((4, 3), (4, 2), (1, 3, 2), (1,)),
    "one feature": ((4, 1), (4, 1), (2, 1, 1), (2,)),
    "vectors": ((3,), (2,), (5, 3, 2), (5,)),
    "more axes": ((2, 4, 3), (2, 4, 2), (5, 3, 2), (5,)),
    "no rows": ((0, 3), (0, 2), (5, 3, 2), (5,)),
    "other batches": ((4, 3), (3, 2), (5, 3, 2), (5,)),
    "a batch of one": ((1, 3), (4, 2), (5, 3, 2), (5,)),
    "other axes": ((4, 3), (2,), (5, 3, 2), (5,)),
    "turned weight": ((4, 3), (4, 2), (5, 2, 3), (5,)),
    "weight without outputs": ((4, 3), (4, 2), (3, 2), (3,)),
    "other bias": ((4, 3), (4, 2), (5, 3, 2), (4,)),
}
for name, shapes in SHAPES.items():
    arrays = [normal(*shape) for shape in shapes]
    compare(f"bilinear {name}", lambda m, *inputs: m.bilinear(*inputs), *arrays)
    if "other" not in name:
        compare(f"bilinear {name}, no bias", lambda m, *inputs: m.bilinear(*inputs), *arrays[:3])
compare(
    "bilinear dtypes",
    lambda m, *inputs: m.bilinear(*inputs),
    normal(4, 3),
    normal(4, 2).astype(np.float32),
    normal(5, 3, 2),
)
