"""Cases of functions element by element: trigonometry, logarithms, division, rounding, logic."""

import numpy as np

from tests.ops.cases.case import any_, booleans, case, positive, strided

# ------------------------------------------------------------------ one input, element by element

ANYWHERE = (
    "Square", "Reciprocal", "Exp2", "ExpM1", "Sin", "Cos", "Tan", "ATan", "Sinh", "Cosh", "ASinh",
    "Erf", "Erfc", "NormalDistribution",
)  # fmt: skip
POSITIVE = ("RSqrt", "Log1P", "Log2", "Log10")
WITHIN = ("ASin", "ACos", "ATanh", "ErfInv")  # within -1 and 1
for op_name in (*ANYWHERE, *POSITIVE, *WITHIN, "ACosh", "Logit"):
    scale = 0.4 if op_name in WITHIN else 0.7 if op_name == "Tan" else 1.0
    shift = 1.2 if op_name == "ACosh" else 0.0
    if op_name == "Logit":
        scale = 0.3
    draw = any_ if op_name in (*ANYWHERE, *WITHIN) else positive
    given = {"settings": (None,)} if op_name == "Logit" else {}
    case(op_name, "matrix", draw(2, 3) * scale + shift, **given)
    case(op_name, "no axes", draw() * scale + shift, **given)
    case(op_name, "nothing", draw(0, 3) * scale + shift, **given)
    case(op_name, "not contiguous", draw(4, 3).T[::2] * scale + shift, **given)
case("Logit", "limited", np.array([0.05, 0.2, 0.5, 0.7, 0.95]), settings=(0.1,))
for op_name in ("Erf", "Erfc", "NormalDistribution"):
    case(op_name, "in each piece", np.array([-7.0, -4.3, -2.0, -0.4, 0.3, 0.6, 4.5, 8.0]))
case("ErfInv", "in each piece", np.array([-0.999, -0.9, -0.84, 0.1, 0.86, 0.99]))
case("ASinh", "far out", np.array([-1e4, 1e4]))
case("NanToNum", "none", any_(2, 3), settings=(0.0, None, None))
case("NanToNum", "some", np.array([1.0, -2.0]), settings=(0.5, 2.0, -2.0))
for op_name in ("Floor", "Ceil", "Trunc", "LogicalNot", "IsInf"):
    case(op_name, "matrix", any_(2, 3))
    case(op_name, "integers", np.arange(-2, 2))
    case(op_name, "no axes", any_())
    case(op_name, "nothing", any_(0, 2))
for decimals in (0, 1, -1):
    case("Round", f"{decimals}", 20 * any_(2, 3), settings=(decimals,))

# --------------------------------------------------------------------- several inputs, broadcast

PAIRS = {
    "one shape": ((2, 3), (2, 3)),
    "row and column": ((3, 1), (1, 2)),
    "row and matrix": ((3,), (2, 3)),
    "no axes": ((), ()),
    "nothing": ((0, 3), (3,)),
}
for pair, (left, right) in PAIRS.items():
    for op_name in ("ATan2", "Hypot", "LogAddExp", "Remainder", "FMod"):
        case(op_name, pair, any_(*left), any_(*right) + 0.013)
    case("CopySign", pair, any_(*left), any_(*right), constant=(1,))
    case("XLogY", pair, any_(*left), positive(*right))
    case("Lerp", pair, any_(*left), any_(*right), any_(1))
    for op_name in ("FloorDivide", "TruncDivide"):
        case(op_name, pair, 3 * any_(*left), any_(*right))
    for op_name in ("LogicalAnd", "LogicalOr", "LogicalXor", "BitwiseXor"):
        case(op_name, pair, booleans(*left), booleans(*right))
for op_name in ("ATan2", "Hypot", "LogAddExp", "Remainder", "FMod"):
    case(op_name, "a number", strided(2, 2), 0.717)
    case(op_name, "a number first", 0.717, strided(2, 2))
case("CopySign", "a number", any_(4), -1.0)
case("XLogY", "a number", any_(4), 0.3)
case("XLogY", "a number first", 0.3, positive(4))
case("Lerp", "a number", any_(2, 2), strided(2, 2), 0.3)
case("Lerp", "a number beyond 1/2", any_(2, 2), strided(2, 2), 0.8)
case("Lerp", "three shapes", any_(2, 1), any_(3), any_(2, 3))
for op_name in ("FloorDivide", "TruncDivide", "LeftShift", "RightShift", "BitwiseXor"):
    case(op_name, "integers", np.array([7, -7, 3]), np.array([2, 3, 1]))
    case(op_name, "a number", np.array([[7, -7]]), 2)
