"""Calls of dropout where nothing is left to chance: off, p of 0 and 1, and what is refused."""

import numpy as np

from tests.ops.calls.call import compare, deviates, inf, nan, normal, whole

SHAPES = {
    "alpha_dropout": [(), (0,), (3,), (2, 3, 4)],
    "feature_alpha_dropout": [(2, 3), (2, 3, 4), (0, 2, 3)],
    "dropout1d": [(3,), (3, 4), (2, 3, 4), (0, 3, 4), (2, 3, 2, 2)],
    "dropout2d": [(2, 3, 4), (2, 3, 2, 2), (0, 3, 2, 2), (2, 3), (2, 3, 2, 2, 2)],
    "dropout3d": [(3, 2, 2, 2), (2, 3, 2, 2, 2), (0, 3, 1, 2, 2), (2, 3, 4)],
}
for op, shapes in SHAPES.items():
    for shape in shapes:
        for p, training in ((0.5, False), (0.0, True), (1.0, True)):
            compare(
                f"{op} {shape} p = {p} {training}",
                lambda m, x, op=op, p=p, t=training: getattr(m, op)(x, p, t),
                normal(*shape),
            )
    x = normal(2, 3, 2, 2) if op != "dropout1d" else normal(2, 3, 2)
    for p in (2.0, -0.1, nan):
        compare(f"{op} p = {p}", lambda m, x, op=op, p=p: getattr(m, op)(x, p, True), x)
    compare(f"{op} default", lambda m, x, op=op: getattr(m, op)(x, training=False), x)
    missing = np.where(x > 1, nan, np.where(x < -1, inf, x))
    compare(f"{op} NaN, all dropped", lambda m, x, op=op: getattr(m, op)(x, 1.0, True), missing)
    for dtype in (np.float32, np.float16):
        compare(
            f"{op} {np.dtype(dtype)}",
            lambda m, x, op=op: getattr(m, op)(x, 1.0, True),
            x.astype(dtype),
        )
    compare(f"{op} integers", lambda m, x, op=op: getattr(m, op)(x, 0.5, True), whole(*x.shape))

AXES = "refused; PyTorch warns that it takes the second axis for the channels"
for shape in ((2, 3), (2, 3, 2, 2, 2)):
    deviates(f"dropout2d {shape} *", AXES)
deviates("dropout3d (2, 3, 4) *", AXES)
