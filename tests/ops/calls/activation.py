"""Calls of activations."""

from typing import Any

import numpy as np

from tests.ops.calls.call import EMPTY, SPECIAL, compare, deviates, inf, nan, normal, rounded, whole
from tinymed import ops

KINKS = np.array([-6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 20.0, 21.0])
INPUTS = {
    "ordinary": normal(2, 3),
    "special": SPECIAL,
    "kinks": KINKS,
    "empty": EMPTY,
    "float32": normal(5).astype("f4"),
    "far": np.array([-800, -200, -40, -17, 10, 17, 40, 800], "f4"),
    "float16": normal(4).astype("f2"),
    "integers": whole(5),
    "uint8": np.array([0, 1, 255], "u1"),
    "bools": np.array([True, False]),
    "0-d": np.array(0.5),
}
CALLS: dict[str, Any] = {
    op: lambda m, x, op=op: getattr(m, op)(x)
    for op in (
        "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softsign", "hardtanh",
        "hardsigmoid", "hardswish", "logsigmoid", "relu6", "tanhshrink", "softshrink",
        "hardshrink", "rrelu",
    )
}  # fmt: skip
SET: dict[str, Any] = {
    "leaky_relu 0.3": lambda m, x: m.leaky_relu(x, 0.3),
    "leaky_relu 0": lambda m, x: m.leaky_relu(x, 0.0),
    "leaky_relu -2": lambda m, x: m.leaky_relu(x, negative_slope=-2.0),
    "elu 2.5": lambda m, x: m.elu(x, 2.5),
    "elu -1": lambda m, x: m.elu(x, alpha=-1.0),
    "celu 0.5": lambda m, x: m.celu(x, 0.5),
    "celu -2": lambda m, x: m.celu(x, -2.0),
    "celu 0": lambda m, x: m.celu(x, 0.0),
    "gelu tanh": lambda m, x: m.gelu(x, approximate="tanh"),
    "gelu sigmoid": lambda m, x: m.gelu(x, approximate="sigmoid"),
    "softplus 1": lambda m, x: m.softplus(x, beta=1.0),
    "softplus 3": lambda m, x: m.softplus(x, 3.0),
    "softplus 0.1, 5": lambda m, x: m.softplus(x, 0.1, 5.0),
    "softplus -1": lambda m, x: m.softplus(x, -1.0),
    "hardtanh 0 1": lambda m, x: m.hardtanh(x, 0.0, 1.0),
    "hardtanh 1 1": lambda m, x: m.hardtanh(x, 1.0, 1.0),
    "hardtanh 1 -1": lambda m, x: m.hardtanh(x, 1.0, -1.0),
    "hardtanh -2 0.5": lambda m, x: m.hardtanh(x, -2.0, 0.5),
    "softshrink 0": lambda m, x: m.softshrink(x, 0.0),
    "softshrink 1": lambda m, x: m.softshrink(x, lambd=1.0),
    "softshrink -1": lambda m, x: m.softshrink(x, -1.0),
    "hardshrink 1": lambda m, x: m.hardshrink(x, 1.0),
    "hardshrink 0": lambda m, x: m.hardshrink(x, lambd=0.0),
    "hardshrink -1": lambda m, x: m.hardshrink(x, -1.0),
    "threshold 0.5 2": lambda m, x: m.threshold(x, 0.5, 2.0),
    "threshold 0 0": lambda m, x: m.threshold(x, 0, 0),
    "threshold inf": lambda m, x: m.threshold(x, inf, 7.0),
    "rrelu 0.1 0.9": lambda m, x: m.rrelu(x, 0.1, 0.9),
    "rrelu fixed, training": lambda m, x: m.rrelu(x, 0.25, 0.25, training=True),
    "rrelu 0.9 0.1": lambda m, x: m.rrelu(x, 0.9, 0.1),
}
for name, call in (CALLS | SET).items():
    for kind, x in INPUTS.items():
        if name in CALLS or kind in ("ordinary", "special", "kinks", "far", "integers"):
            compare(f"{name}: {kind}", call, x)

for kind, (x, weight) in {
    "one": (normal(2, 3, 2), np.array([0.2])),
    "0-d weight": (normal(2, 3), np.array(0.2)),
    "one for each": (normal(2, 3, 2), normal(3)),
    "one for each, 2 axes": (normal(2, 3), normal(3)),
    "one axis": (normal(3), np.array([0.2])),
    "one axis, several": (normal(3), normal(3)),
    "0-d": (np.array(-0.5), np.array([0.2])),
    "0-d, several": (np.array(-0.5), normal(2)),
    "both 0-d": (np.array(-0.5), np.array(0.2)),
    "special": (SPECIAL, np.array([0.0])),
    "kinks": (KINKS, np.array([-3.0])),
    "empty": (EMPTY, normal(3)),
    "float32": (normal(2, 3).astype("f4"), normal(3).astype("f4")),
    "too few": (normal(2, 3), normal(2)),
    "too many axes": (normal(2, 3), normal(1, 3)),
    "dtypes": (normal(2, 3), normal(3).astype("f4")),
    "integers": (whole(2, 3), whole(3)),
}.items():
    compare(f"prelu {kind}", lambda m, x, w: m.prelu(x, w), x, weight)
for kind, x in {
    "ordinary": normal(4, 6), "special": np.stack([SPECIAL, SPECIAL[::-1]]), "odd": normal(3, 5),
    "empty": np.zeros((4, 0)), "0-d": np.array(1.0), "float32": normal(4, 2).astype("f4"),
    "integers": whole(2, 2),
}.items():  # fmt: skip
    for dim in (-1, 0, 1, 2):
        compare(f"glu {kind} {dim}", lambda m, x, d=dim: m.glu(x, d), x)
for op in ("softmax", "softmin", "log_softmax"):
    for dtype in ("float32", "float64"):
        for kind, x in {
            "integers": whole(2, 3), "bools": normal(2, 3) > 0, "float16": normal(3).astype("f2"),
        }.items():  # fmt: skip
            compare(
                f"{op} to {dtype}: {kind}",
                lambda m, x, op=op, t=dtype: getattr(m, op)(
                    x, 0, dtype=np.dtype(t) if m is ops else getattr(m, t)
                ),
                x,
            )
for kind, x in {
    "ordinary": normal(2, 3), "large": np.array([[1e4, 0, -1e4]]), "0-d": np.array(2.0),
    "inf": np.array([[inf, 0.0], [-inf, 0.0], [inf, inf], [nan, 0.0]]), "empty": EMPTY,
    "integers": whole(2, 3), "float32": normal(2, 3).astype("f4"),
}.items():  # fmt: skip
    for dim in (0, -1, 2):
        compare(f"softmin {kind} {dim}", lambda m, x, d=dim: m.softmin(x, dim=d), x)

deviates("softsign: bools", "taken, as 0 and 1")
deviates("tanhshrink: bools", "taken, as 0 and 1")
rounded("tanhshrink: float16")  # PyTorch rounds tanh before it is taken off
deviates("softmin to *: bools", "cast first, then negated")
for kind in ("ordinary", "special", "kinks", "0-d"):
    deviates(f"hardsigmoid: {kind}", "PyTorch's derivative is the float32 nearest to 1 / 6")
deviates("gelu tanh: special", "its derivative is 1 and 0 at infinity; PyTorch says NaN")
deviates("gelu tanh: kinks", "small results keep their digits")
deviates("threshold inf: integers", "no integer is above inf; PyTorch refuses")
deviates("rrelu fixed, training: special", "at NaN the slope is the drawn one, as without training")
