"""Calls of functions element by element: trigonometry, logarithms, rounding, division, logic."""

from typing import Any

import numpy as np

from tests.ops.calls.call import (
    EMPTY,
    SPECIAL,
    Constant,
    compare,
    deviates,
    inf,
    nan,
    normal,
    whole,
)

LEFT, RIGHT = (a.reshape(-1) for a in np.meshgrid(SPECIAL, SPECIAL))
INPUTS = {
    "ordinary": normal(2, 3),
    "within 1": np.array([-1.0, -0.9, -0.3, 0.0, 0.2, 0.75, 1.0]),
    "special": SPECIAL,
    "halves": np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999999999999994, 1e17]),
    "empty": EMPTY,
    "float32": normal(5).astype(np.float32),
    "float16": np.array([-1.5, -0.25, 0.1, 0.9], np.float16),
    "integers": whole(5),
    "uint8": np.array([0, 1, 255], np.uint8),
    "bools": np.array([True, False]),
    "0-d": np.array(0.5),
    "0-d integer": np.array(2),
}
UNARY = (
    "rsqrt", "square", "reciprocal", "positive", "neg", "nan_to_num", "exp2", "expm1", "log1p",
    "log2", "log10", "logit", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh",
    "acosh", "atanh", "deg2rad", "rad2deg", "floor", "ceil", "round", "trunc", "frac", "erf",
    "erfc", "erfinv", "logical_not", "isinf", "isposinf", "isneginf",
)  # fmt: skip
for op in UNARY:
    for kind, x in INPUTS.items():
        if kind == "halves" and op not in ("floor", "ceil", "round", "trunc", "frac"):
            continue
        compare(f"{op} {kind}", lambda m, x, op=op: getattr(m, op)(x), x)
FAR = np.array([-27.0, -9.0, -6.1, -3.9, -0.47, 0.46, 3.0, 4.1, 5.9, 12.0, 26.0])
for op in ("erf", "erfc", "asinh"):
    compare(f"{op} far out", lambda m, x, op=op: getattr(m, op)(x), FAR)
    compare(f"{op} far out, float32", lambda m, x, op=op: getattr(m, op)(x), FAR.astype("f4"))
NEAR = np.array([1e-300, -1e-20, 1e-9, -3e-5])
for op in ("expm1", "log1p", "erf", "erfinv", "sinh", "asinh", "atanh", "tan"):
    compare(f"{op} near 0", lambda m, x, op=op: getattr(m, op)(x), NEAR)
for decimals in (1, 3, -1, -2):
    for kind, x in {
        "ordinary": 100 * normal(6), "halves": np.array([0.25, 0.35, 15.0, 25.0, -250.0, 2.5]),
        "special": SPECIAL, "float32": (100 * normal(6)).astype("f4"), "integers": whole(3),
        "float16": np.array([123.25, 0.0625], np.float16),
    }.items():  # fmt: skip
        compare(f"round {decimals} {kind}", lambda m, x, n=decimals: m.round(x, decimals=n), x)
for eps in (0.0, 0.1, 0.5):
    compare(f"logit eps {eps}", lambda m, x, e=eps: m.logit(x, e), SPECIAL)
compare("logit eps integers", lambda m, x: m.logit(x, eps=0.1), whole(3))
compare("nan_to_num numbers", lambda m, x: m.nan_to_num(x, 1.0, 2.0, -3.0), SPECIAL)
compare(
    "nan_to_num number, float32", lambda m, x: m.nan_to_num(x, posinf=9.0), SPECIAL.astype("f4")
)

# --------------------------------------------------------------------------------- two inputs

PAIRS: dict[str, Any] = {
    "ordinary": (normal(2, 3), normal(3)),
    "special": (LEFT, RIGHT),
    "ties": (np.array([1.0, 2.0, -3.0]), np.array([1.0, 3.0, -3.0])),
    "empty": (EMPTY, normal(3)),
    "float32 and float64": (normal(3).astype("f4"), normal(3)),
    "float32 and 0-d float64": (normal(3).astype("f4"), np.array(0.1)),
    "float16": (np.array([1.5, -0.25], "f2"), np.array([0.5, 0.75], "f2")),
    "int64 and float32": (whole(4), normal(4).astype("f4")),
    "int32 and int64": (np.array([7, -7, 5, -9], "i4"), np.array([2, 2, -3, -4])),
    "integers and 0": (np.array([1, 2]), np.array([1, 0])),
    "uint8 and int8": (np.array([200, 3], "u1"), np.array([5, -3], "i1")),
    "uint8 and 0-d int64": (np.array([200, 3], "u1"), np.array(5)),
    "bool and float16": (np.array([True, False]), np.array([1, 0.5], "f2")),
    "bool and int64": (np.array([True, False]), np.array([1, 2])),
    "bools": (np.array([True, True, False]), np.array([True, True, True])),
    "shapes that do not fit": (normal(2, 3), normal(2)),
}
BINARY = (
    "atan2", "hypot", "logaddexp", "xlogy", "copysign", "fmax", "fmin", "remainder", "fmod",
    "true_divide", "logical_and", "logical_or", "logical_xor",
)  # fmt: skip
CONSTANT = ("floor_divide", "heaviside", "isclose", "bitwise_xor")  # PyTorch has no derivative
SHIFTS = ("bitwise_left_shift", "bitwise_right_shift")
for op in (*BINARY, *CONSTANT, *SHIFTS):
    for kind, (a, b) in PAIRS.items():
        if op not in BINARY:
            a, b = Constant(a), Constant(b)
        compare(f"{op} {kind}", lambda m, a, b, op=op: getattr(m, op)(a, b), a, b)
        if a.shape != b.shape:
            compare(f"{op} {kind} turned", lambda m, a, b, op=op: getattr(m, op)(a, b), b, a)
for op in SHIFTS:
    for kind, (a, b) in {
        "integers": (np.array([5, -5, 1]), np.array([2, 1, 62])),
        "by all bits": (np.array([5, -5, 5, -5]), np.array([64, 64, 100, 63])),
        "by less than 0": (np.array([5, -5]), np.array([-1, -2])),
        "uint8": (np.array([255, 3], "u1"), np.array([3, 7], "u1")),
    }.items():
        compare(f"{op} of {kind}", lambda m, a, b, op=op: getattr(m, op)(a, b), a, b)
NUMBERS: dict[str, Any] = {
    "float64 and 2": (normal(3), 2),
    "float64 and -0.3": (normal(3), -0.3),
    "float32 and 0.1": (normal(3).astype("f4"), 0.1),
    "float32 and 0": (normal(3).astype("f4"), 0),
    "int64 and 2.5": (whole(4), 2.5),
    "int64 and 2": (np.array([-3, -2, 2, 3]), 2),
    "int64 and 0": (np.array([-3, 2]), 0),
    "int64 and 0.0": (np.array([-3, 2]), 0.0),
    "uint8 and 2": (np.array([201, 3], "u1"), 2),
    "bool and 2": (np.array([True, False]), 2),
    "float16 and 0.3": (np.array([1.1, -0.7], "f2"), 0.3),
}
for op in ("xlogy", "copysign", "remainder", "fmod", "floor_divide", "bitwise_xor", *SHIFTS):
    for kind, (a, number) in NUMBERS.items():
        a = Constant(a) if op == "floor_divide" else a
        compare(f"{op} {kind}", lambda m, a, op=op, n=number: getattr(m, op)(a, n), a)
        if op not in ("copysign", "fmod"):  # PyTorch takes no number first
            compare(f"{op} number, {kind}", lambda m, a, op=op, n=number: getattr(m, op)(n, a), a)
for mode in (None, "trunc", "floor", "round"):
    for kind, (a, b) in PAIRS.items():
        compare(f"div {mode} {kind}", lambda m, a, b, r=mode: m.div(a, b, rounding_mode=r), a, b)
    for kind, (a, number) in NUMBERS.items():
        compare(
            f"div {mode} {kind}", lambda m, a, r=mode, n=number: m.div(a, n, rounding_mode=r), a
        )
for op in ("sub", "mul", "pow", "clip"):
    compare(f"{op} under its short name", lambda m, a, op=op: getattr(m, op)(a, 2), normal(3))
    compare(f"{op} shapes", lambda m, a, b, op=op: getattr(m, op)(a, b), normal(3), normal(2))

# ------------------------------------------------------------------------------- three inputs

for weight in (0, 0.3, 0.5, 1, 1.5, -2.0):
    compare(
        f"lerp {weight}", lambda m, a, b, w=weight: m.lerp(a, b, w), np.array([1.0, inf, 1e308]),
        np.array([0.1, 1.0, 1e-300]),
    )  # fmt: skip
LERP: dict[str, Any] = {
    "ordinary": (normal(2, 3), normal(3), normal(2, 1)),
    "at the ends": (normal(3), normal(3), np.array([0.0, 1.0, 0.5])),
    "float32": (normal(3).astype("f4"), normal(3).astype("f4"), normal(3).astype("f4")),
    "empty": (EMPTY, normal(3), normal(3)),
    "dtypes": (normal(3), normal(3).astype("f4"), normal(3)),
    "dtype of the weight": (normal(3), normal(3), normal(3).astype("f4")),
    "integers": (whole(3), whole(3), whole(3)),
    "shapes": (normal(3), normal(2), normal(3)),
}
for kind, inputs in LERP.items():
    compare(f"lerp {kind}", lambda m, a, b, w: m.lerp(a, b, w), *inputs)
compare("lerp integers, number", lambda m, a, b: m.lerp(a, b, 0.5), whole(3), whole(3))
for op in ("addcmul", "addcdiv"):
    for kind, inputs in {
        "ordinary": (normal(2, 3), normal(3), normal(2, 1)),
        "float32": (normal(3).astype("f4"), normal(3).astype("f4"), normal(3).astype("f4")),
        "integers": (np.array([1, 2]), np.array([3, -4]), np.array([2, 2])),
        "integers among floats": (normal(3), whole(3), normal(3)),
        "two integers": (normal(2), np.array([3, -4]), np.array([2, 2])),
        "by 0": (normal(2), normal(2), np.array([0.0, 1.0])),
        "empty": (EMPTY, normal(3), normal(1)),
        "shapes": (normal(3), normal(2), normal(3)),
    }.items():
        compare(f"{op} {kind}", lambda m, x, a, b, op=op: getattr(m, op)(x, a, b), *inputs)
        compare(
            f"{op} {kind} value",
            lambda m, x, a, b, op=op: getattr(m, op)(x, a, b, value=2),
            *inputs,
        )

# -------------------------------------------------------------------------------------- close

CLOSE = (np.array([1.0, 1.0, nan, inf, -inf, 0.0]), np.array([1.00001, 1.1, nan, inf, inf, 1e-9]))
for op in ("isclose", "allclose"):
    for settings in ({}, {"equal_nan": True}, {"rtol": 0.2}, {"rtol": 0.0, "atol": 0.0}):
        compare(
            f"{op} {settings}",
            lambda m, a, b, op=op, s=settings: getattr(m, op)(a, b, **s),
            *map(Constant, CLOSE),
        )
    for kind, (a, b) in {
        "integers": (np.array([10, 20]), np.array([11, 20])), "bools": (np.eye(2) > 0,) * 2,
        "other bools": (np.array([True, False]), np.array([True, True])), "empty": (EMPTY, EMPTY),
        "shapes": (np.ones(3), np.ones(2)), "broadcast": (np.ones((2, 1)), np.ones(3)),
    }.items():  # fmt: skip
        compare(
            f"{op} of {kind}",
            lambda m, a, b, op=op: getattr(m, op)(a, b, rtol=0.1),
            Constant(a),
            Constant(b),
        )
    compare(f"{op} rtol below 0", lambda m, a, op=op: getattr(m, op)(a, a, rtol=-1.0), normal(2))
    compare(f"{op} atol below 0", lambda m, a, op=op: getattr(m, op)(a, a, atol=-1.0), normal(2))
for kind, (a, b) in {
    "itself": (normal(3),) * 2, "shapes": (np.ones(3), np.ones(1)), "empty": (EMPTY, EMPTY),
    "NaN": (np.array([nan]), np.array([nan])), "zeros": (np.array([0.0]), np.array([-0.0])),
    "integers": (whole(3), whole(3)),
}.items():  # fmt: skip
    compare(f"equal {kind}", lambda m, a, b: m.equal(a, b), Constant(a), Constant(b))

deviates("heaviside *[0-9] and *", "dtypes are promoted; PyTorch refuses")
deviates("heaviside bool and *", "dtypes are promoted; PyTorch refuses")
deviates("isclose *[0-9] and *", "dtypes are promoted; PyTorch refuses")
deviates("isclose bool and *", "dtypes are promoted; PyTorch refuses")
deviates("atan2 bool and float16", "PyTorch's derivative fails for bools")
deviates("logaddexp bool and float16", "PyTorch's derivative fails for bools")
deviates("copysign special", "its derivative is 1 or -1 at infinity; PyTorch says NaN")
deviates("remainder number, float*", "differentiable; PyTorch refuses")
deviates("atan2 special", "no square underflows in its derivative")
for kind in ("ordinary", "within 1", "special", "float32", "float16"):
    deviates(f"acosh {kind}", "below 1 its derivative is NaN as its value")

# Products and quotients that their own dtype cannot hold are computed in that of the sum.
for op, a, b in (
    ("addcmul", np.array([200, 4], np.uint8), np.array([200, 4], np.uint8)),
    ("addcmul", np.array([300, 2], np.float16), np.array([300, 2], np.float16)),
    ("addcdiv", np.array([300, 2], np.float16), np.array([1e-3, 2], np.float16)),
):
    compare(
        f"{op} float64 and {a.dtype}",
        lambda m, x, a, b, op=op: getattr(m, op)(x, a, b),
        np.array([0.5, 1.0]), a, b,
    )  # fmt: skip
compare(
    "isclose int8 far apart", lambda m, a, b: m.isclose(a, b, 0.1, 0.0),
    np.array([1, 127, -128], np.int8), np.array([1, -128, 127], np.int8),
)  # fmt: skip
compare(
    "clamp int32 between float64 0-d and float32", lambda m, x, a, b: m.clamp(x, a, b),
    np.array([1, -1], np.int32), np.array(-2.0), np.array([0.5], np.float32),
)  # fmt: skip

for op in ("absolute", "arccos", "arcsin", "arcsinh", "arctan", "arctanh", "fix"):
    compare(f"{op} special", lambda m, x, op=op: getattr(m, op)(x), SPECIAL)
compare("arccosh above 1", lambda m, x: m.arccosh(x), 1 + abs(normal(4)))
for op in ("greater", "greater_equal", "less", "less_equal", "not_equal", "arctan2"):
    a, b = PAIRS["ordinary"]
    compare(f"{op} ordinary", lambda m, a, b, op=op: getattr(m, op)(a, b), a, b)
for op in ("clamp_min", "clamp_max"):
    for kind, (a, number) in NUMBERS.items():
        compare(f"{op} {kind}", lambda m, a, op=op, n=number: getattr(m, op)(a, n), a)
    ties = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 5.0])
    for kind, (a, b) in {"ties": ties, "ordinary": PAIRS["ordinary"]}.items():
        compare(f"{op} {kind}", lambda m, a, b, op=op: getattr(m, op)(a, b), a, b)
