"""Cases of the first ops: arithmetic, shapes, products, convolution, pooling, losses."""

import numpy as np

from tests.ops.cases.case import RANDOM, any_, backwards, booleans, case, positive, strided
from tinymed.autograd import Function

# ------------------------------------------------------------------ one input, element by element

for op_name in ("Abs", "Exp", "Negative", "ReLU", "Sigmoid", "Softplus", "Tanh", "Clone", "Sign"):
    case(op_name, "matrix", any_(3, 4))
    case(op_name, "no axes", any_())
    case(op_name, "one element", any_(1, 1))
    case(op_name, "nothing", any_(0, 3))
    case(op_name, "not contiguous", strided(3, 2))
    case(op_name, "backwards", backwards(4))
for op_name in ("Log", "Sqrt"):
    case(op_name, "matrix", positive(3, 4))
    case(op_name, "no axes", positive())
    case(op_name, "nothing", positive(2, 0))
    case(op_name, "not contiguous", positive(3, 4).T[::2])
case("Sigmoid", "far out", np.array([-30.0, -5.0, 5.0, 30.0]))
case("Softplus", "far out", np.array([-800.0, -30.0, 30.0, 800.0]))
case("Tanh", "far out", np.array([-20.0, 20.0]))
case("Cast", "to float64", any_(2, 3), settings=(np.dtype(np.float64),))
case("Cast", "to integers", any_(2, 3), settings=(np.dtype(np.int64),), constant=(0,))
case("Cast", "not contiguous", strided(2, 3), settings=(np.dtype(np.float64),))
case("ToDevice", "the host", any_(2, 3), settings=("cpu",))
case("ToDevice", "not contiguous", strided(2, 3), settings=("cpu",))
for low, high in ((-0.55, 0.55), (None, 0.55), (-0.55, None), (0.55, -0.55)):
    case("Clamp", f"{low} to {high}", any_(3, 4), settings=(low, high))
case("Clamp", "nothing", any_(0), settings=(-1, 1))
case("Clamp", "no axes, not contiguous", strided(2), settings=(-1.5, 1))
for op_name in ("IsNaN", "IsFinite"):
    case(op_name, "matrix", np.array([[1.0, np.nan], [np.inf, -np.inf]]))
    case(op_name, "nothing", any_(0, 2))
case("BitwiseNot", "bools", booleans(2, 3))
case("BitwiseNot", "integers", np.arange(4))

# --------------------------------------------------------------------- several inputs, broadcast

PAIRS = {
    "one shape": ((3, 4), (3, 4)),
    "row and column": ((3, 1), (1, 4)),
    "matrix and row": ((2, 3), (3,)),
    "row and matrix": ((3,), (2, 3)),
    "no axes": ((), ()),
    "matrix and no axes": ((2, 2), ()),
    "no axes and matrix": ((), (2, 2)),
    "one and many": ((1, 1, 2), (2, 3, 1)),
    "nothing": ((0, 3), (3,)),
    "nothing from one": ((1, 3), (0, 3)),
}
for op_name in ("Add", "Subtract", "Multiply", "Maximum", "Minimum"):
    for pair, (left, right) in PAIRS.items():
        case(op_name, pair, any_(*left), any_(*right) + 0.013)
    case(op_name, "not contiguous", strided(2, 3), backwards(2, 3) + 0.013)
    case(op_name, "a number", any_(2, 3), 0.017)
    case(op_name, "a number first", 0.017, any_(2, 3))
for pair, (left, right) in PAIRS.items():
    case("Divide", pair, any_(*left), any_(*right))
    case("Power", pair, positive(*left), any_(*right))
    case("Where", pair, booleans(*left), any_(*left), any_(*right))
case("Divide", "by a number", strided(2, 3), 3.0)
case("Divide", "a number by", -2.0, backwards(3))
case("Power", "to a number", any_(2, 3), 3)
case("Power", "to a half", positive(2, 3), 0.5)
case("Power", "to 0", any_(2, 3), 0)
case("Power", "to 1", any_(2, 3), 1)
case("Power", "to a negative number", any_(2, 3), -2)
case("Power", "of a number", 2.5, any_(2, 3))
case("Power", "of negatives to integers", -positive(3), np.array([2.0, 3.0, 0.0]), constant=(1,))
case("Where", "condition broadcasts", booleans(3, 1), any_(2, 1, 4), any_(1))
case("Where", "numbers", booleans(2, 2), any_(2, 2), 1.5)
case("Where", "number first", booleans(2, 2), 1.5, strided(2, 2))
for op_name in ("Equal", "NotEqual", "Less", "LessEqual"):
    for pair, (left, right) in PAIRS.items():
        case(op_name, pair, np.round(any_(*left)), np.round(any_(*right)))
    case(op_name, "a number", any_(2, 3), 0.5)
for op_name in ("BitwiseAnd", "BitwiseOr"):
    for pair, (left, right) in PAIRS.items():
        case(op_name, pair, booleans(*left), booleans(*right))
    case(op_name, "integers", np.arange(6).reshape(2, 3), np.array([1, 2, 4]))
case("Expand", "new axis", any_(3), settings=((2, 3),))
case("Expand", "axis of 1", any_(3, 1), settings=((2, 3, 4),))
case("Expand", "from no axes", any_(), settings=((2, 2),))
case("Expand", "to nothing", any_(1, 2), settings=((0, 2),))
case("Expand", "not contiguous", strided(2, 1), settings=((2, 3),))
case("SumTo", "rows", any_(2, 3), settings=((3,),))
case("SumTo", "axis of 1", any_(2, 3, 4), settings=((3, 1),))
case("SumTo", "all", any_(2, 3), settings=((),))
case("SumTo", "from nothing", any_(0, 3), settings=((3,),))
case("SumTo", "not contiguous", strided(2, 3), settings=((2, 1),))

# ------------------------------------------------------------------------------------ reductions

REDUCED = {
    "all": ((2, 3), (0, 1)),
    "first": ((2, 3), (0,)),
    "last": ((2, 3, 2), (2,)),
    "outer two": ((2, 3, 2), (0, 2)),
    "axis of 1": ((2, 1), (1,)),
    "no axes": ((), ()),
}
for name, (shape, dims) in REDUCED.items():
    for keepdim in (False, True):
        for op_name in ("Sum", "LogSumExp"):
            case(op_name, f"{name} {keepdim}", any_(*shape), settings=(dims, keepdim))
        for largest in (False, True):
            case(
                "Extreme",
                f"{name} {keepdim} {largest}",
                any_(*shape),
                settings=(dims, keepdim, largest),
            )
case("Sum", "of nothing", any_(0, 3), settings=((0,), False))
case("Sum", "nothing left", any_(2, 0), settings=((0,), False))
case("Sum", "not contiguous", strided(3, 2), settings=((1,), False))
case("LogSumExp", "of nothing", any_(0, 3), settings=((0,), False))
case("LogSumExp", "far apart", np.array([[-900.0, 900.0], [901.0, 900.0]]), settings=((1,), False))
case("LogSumExp", "not contiguous", strided(3, 2), settings=((0,), True))
case("Extreme", "not contiguous", strided(3, 2), settings=((0,), True, True))
for keepdim in (False, True):
    for largest in (False, True):
        for dim in (0, 1):
            case(
                "ExtremeAlong",
                f"{dim} {keepdim} {largest}",
                strided(3, 4),
                settings=(dim, keepdim, largest),
            )
            case(
                "ArgExtreme",
                f"{dim} {keepdim} {largest}",
                any_(3, 4),
                settings=(dim, keepdim, largest),
            )
        case("ExtremeAlong", f"no axes {keepdim} {largest}", any_(), settings=(0, keepdim, largest))
        case(
            "ArgExtreme",
            f"all {keepdim} {largest}",
            strided(3, 4),
            settings=(None, keepdim, largest),
        )
case("ExtremeAlong", "nothing left", any_(0, 3), settings=(1, False, True))
case("ExtremeAlong", "axis of 1", any_(2, 1, 2), settings=(1, False, True))
for op_name in ("Softmax", "LogSoftmax"):
    case(op_name, "rows", any_(3, 4), settings=(1,))
    case(op_name, "middle", any_(2, 3, 2), settings=(1,))
    case(op_name, "no axes", any_(), settings=(0,))
    case(op_name, "axis of 1", any_(3, 1), settings=(1,))
    case(op_name, "nothing", any_(0, 3), settings=(1,))
    case(op_name, "nothing along", any_(3, 0), settings=(1,))
    case(op_name, "not contiguous", strided(3, 2), settings=(0,))
    case(op_name, "large", np.array([[1000.0, 1001.0, 999.0]]), settings=(1,))

# ----------------------------------------------------------------------------- shape and indexing

case("Reshape", "flat", any_(2, 3), settings=((6,),))
case("Reshape", "with -1", any_(2, 3, 2), settings=((3, -1),))
case("Reshape", "to no axes", any_(1, 1), settings=((),))
case("Reshape", "nothing", any_(0, 3), settings=((3, 0),))
case("Reshape", "copies", strided(2, 3), settings=((6,),))
case("Reshape", "a view", any_(2, 3), settings=((3, 2), False))
case("Permute", "three axes", any_(2, 3, 4), settings=((2, 0, 1),))
case("Permute", "not contiguous", strided(2, 3), settings=((1, 0),))
case("Permute", "no axes", any_(), settings=((),))
case("Permute", "nothing", any_(0, 3), settings=((1, 0),))
case("Cat", "rows", any_(2, 3), any_(1, 3), settings=(0,))
case("Cat", "columns, one empty", any_(2, 3), any_(2, 0), strided(2, 2), settings=(1,))
case("Cat", "one tensor", any_(2), settings=(0,))
case("Cat", "a constant between", any_(2, 3), np.ones((2, 3)), any_(2, 3), settings=(1,))
case("Pad", "both", any_(2, 3), settings=(((1, 0), (2, 1)), 0.5))
case("Pad", "cut", any_(4, 3), settings=(((-1, -1), (0, -2)), 0.0))
case("Pad", "cut and pad", any_(4), settings=(((-3, 2),), 1.0))
case("Pad", "nothing", any_(0, 2), settings=(((1, 1), (0, 0)), 0.0))
case("Pad", "not contiguous", strided(2, 2), settings=(((0, 0), (1, 1)), 0.0))

INDICES = {
    "an integer": ((3, 2), 1),
    "a negative integer": ((3, 2), (-1, 0)),
    "slices": ((5, 4), (slice(1, None, 2), slice(None, None, -1))),
    "empty slice": ((3,), slice(2, 2)),
    "ellipsis and None": ((2, 3, 2), (..., None, 1)),
    "integers twice": ((3, 2), np.array([0, 2, 2, 0, -1])),
    "integers on two axes": ((3, 4), (np.array([[0, 1], [2, 1]]), np.array([3, 3]))),
    "integers apart": ((2, 3, 4), (np.array([0, 1, 1]), slice(1, None), np.array([3, 0, 0]))),
    "a bool mask": ((2, 3), np.array([[True, False, True], [False, False, True]])),
    "a bool row mask": ((3, 2), np.array([True, False, True])),
    "nothing chosen": ((3, 2), np.zeros(3, bool)),
    "no integers": ((3, 2), np.zeros(0, np.int64)),
    "of nothing": ((0, 3), slice(None)),
    "of no axes": ((), ()),
    "of no axes, masked": ((), np.array(True)),
    "an integer array without axes": ((3, 2), np.array(2)),
}
for name, (shape, index) in INDICES.items():
    x = any_(*shape)
    case("GetItem", name, x, settings=(index,))
    case("AddAt", name, np.array(x[index]), settings=(index, shape))
case(
    "GetItem", "not contiguous", strided(4, 3), settings=((slice(None, None, 2), np.array([1, 1])),)
)
ALONG = np.array([[0, 3], [1, 1], [2, 2]])
case("TakeAlongDim", "rows", any_(3, 4), ALONG, settings=(1,))
case("TakeAlongDim", "columns", strided(4, 2), ALONG, settings=(0,))
case("TakeAlongDim", "nothing", any_(3, 4), np.zeros((3, 0), np.int64), settings=(1,))
case("PutAlongDim", "rows", any_(3, 2), ALONG, settings=(1, (3, 4)))
case("PutAlongDim", "columns", strided(3, 2), ALONG, settings=(0, (4, 2)))
case("PutAlongDim", "nothing", any_(3, 0), np.zeros((3, 0), np.int64), settings=(1, (3, 4)))

# --------------------------------------------------------------------------------------- products

case("MatMul", "matrices", any_(2, 3), any_(3, 4))
case("MatMul", "batches", any_(2, 2, 3), any_(2, 3, 2))
case("MatMul", "batches broadcast", any_(2, 1, 2, 3), any_(3, 3, 2))
case("MatMul", "batch by matrix", any_(3, 2, 3), any_(3, 2))
case("MatMul", "matrix by batch", any_(2, 3), any_(3, 3, 2))
case("MatMul", "no rows", any_(0, 3), any_(3, 2))
case("MatMul", "nothing to add up", any_(2, 0), any_(0, 2))
case("MatMul", "not contiguous", strided(2, 3), backwards(3, 2))
for op_name, settings in (("Linear", ()), ("LinearActivated", ("tanh",))):
    case(op_name, "rows", any_(3, 2), any_(4, 2), any_(4), settings=settings)
    case(op_name, "no bias", any_(3, 2), any_(4, 2), None, settings=settings)
    case(op_name, "batches", any_(2, 2, 3), any_(2, 3), any_(2), settings=settings)
    case(op_name, "one vector", any_(3), any_(2, 3), any_(2), settings=settings)
    case(op_name, "no rows", any_(0, 3), any_(2, 3), any_(2), settings=settings)
    case(op_name, "no features", any_(2, 0), any_(3, 0), any_(3), settings=settings)
    case(op_name, "no outputs", any_(2, 3), any_(0, 3), any_(0), settings=settings)
    case(op_name, "not contiguous", strided(3, 2), strided(2, 2), backwards(2), settings=settings)
case("LinearActivated", "relu", any_(3, 2), any_(4, 2), any_(4), settings=("relu",))
case("LinearActivated", "sigmoid", any_(3, 2), any_(4, 2), any_(4), settings=("sigmoid",))

# ----------------------------------------------------------------------------------- convolutions

# x, weight, stride, padding, dilation, groups; the output worked out by hand
CONVOLUTIONS = {
    "1d": ((2, 2, 5), (3, 2, 3), (1,), (0,), (1,), 1, (3,)),
    "1d even window": ((1, 1, 6), (1, 1, 4), (2,), (1,), (1,), 1, (3,)),
    "1d stride leaves a rest": ((1, 2, 8), (2, 2, 3), (3,), (0,), (1,), 1, (2,)),
    "1d wide padding": ((1, 1, 2), (1, 1, 3), (1,), (4,), (1,), 1, (8,)),
    "2d": ((2, 2, 4, 5), (3, 2, 3, 2), (1, 1), (0, 0), (1, 1), 1, (2, 4)),
    "2d all settings": ((1, 4, 6, 5), (4, 2, 2, 3), (2, 1), (1, 2), (2, 1), 2, (3, 7)),
    "2d depthwise": ((2, 3, 4, 4), (3, 1, 3, 3), (1, 1), (1, 1), (1, 1), 3, (4, 4)),
    "2d pointwise": ((2, 3, 2, 2), (2, 3, 1, 1), (1, 1), (0, 0), (1, 1), 1, (2, 2)),
    "2d stride past the window": ((1, 1, 7, 7), (1, 1, 2, 2), (4, 3), (0, 0), (1, 1), 1, (2, 2)),
    "2d rest and dilation": ((1, 2, 8, 7), (2, 1, 3, 2), (2, 3), (1, 0), (2, 3), 2, (3, 2)),
    "2d no images": ((0, 2, 4, 4), (3, 2, 3, 3), (1, 1), (0, 0), (1, 1), 1, (2, 2)),
    "2d one row": ((1, 1, 1, 5), (1, 1, 1, 2), (1, 1), (0, 0), (1, 1), 1, (1, 4)),
    "3d": ((1, 2, 3, 4, 3), (2, 2, 2, 2, 2), (1, 2, 1), (0, 1, 1), (1, 1, 2), 1, (2, 3, 3)),
    "3d groups": ((1, 4, 2, 2, 2), (2, 2, 2, 1, 2), (1, 1, 1), (1, 0, 0), (1, 1, 1), 2, (3, 2, 1)),
}
for name, (shape, kernel, *settings, out) in CONVOLUTIONS.items():
    x, w, g = any_(*shape), any_(*kernel) / 2, any_(shape[0], kernel[0], *out)
    case("Conv", name, x, w, any_(kernel[0]), settings=tuple(settings))
    case("ConvGradInput", name, g, w, settings=(shape[2:], *settings))
    case("ConvGradWeight", name, g, x, settings=(kernel[2:], *settings))
    case("ConvActivated", name, x / 4, w / 4, any_(kernel[0]), settings=("tanh", *settings))
plain = ((1, 1), (0, 0), (1, 1), 1)
case("Conv", "no bias", any_(1, 2, 3, 3), any_(2, 2, 2, 2), None, settings=plain)
case(
    "Conv", "not contiguous", strided(1, 2, 3, 4), strided(2, 2, 2, 2), backwards(2), settings=plain
)
case(
    "ConvGradInput",
    "not contiguous",
    strided(1, 2, 2, 3),
    strided(2, 2, 2, 2),
    settings=((3, 4), *plain),
)
case(
    "ConvGradWeight",
    "not contiguous",
    strided(1, 2, 2, 3),
    strided(1, 2, 3, 4),
    settings=((2, 2), *plain),
)
case(
    "ConvActivated", "relu", any_(1, 2, 3, 3), any_(2, 2, 2, 2), any_(2), settings=("relu", *plain)
)
case(
    "ConvActivated",
    "sigmoid",
    any_(1, 2, 3, 3),
    any_(2, 2, 2, 2),
    None,
    settings=("sigmoid", *plain),
)

# ---------------------------------------------------------------------------------------- pooling

# x, kernel, stride, padding, dilation, ceil_mode; the output worked out by hand
POOLS = {
    "1d": ((1, 2, 6), (2,), (2,), (0,), (1,), False, (3,)),
    "1d overlapping": ((2, 1, 5), (3,), (1,), (1,), (1,), False, (5,)),
    "1d rest dropped": ((1, 1, 7), (3,), (3,), (0,), (1,), False, (2,)),
    "1d rest kept": ((1, 1, 7), (3,), (3,), (0,), (1,), True, (3,)),
    "1d no window in the far padding": ((1, 1, 4), (2,), (3,), (1,), (1,), True, (2,)),
    "2d": ((2, 2, 4, 5), (2, 3), (2, 1), (1, 1), (1, 1), False, (3, 5)),
    "2d ceil": ((1, 2, 5, 6), (2, 4), (2, 3), (1, 2), (1, 1), True, (3, 3)),
    "2d gaps": ((1, 1, 7, 7), (2, 2), (5, 4), (0, 0), (1, 1), False, (2, 2)),
    "2d no images": ((0, 2, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1), False, (2, 2)),
    "3d": ((1, 1, 3, 4, 3), (2, 2, 3), (1, 2, 2), (1, 0, 1), (1, 1, 1), True, (4, 2, 2)),
}
DILATED = {
    "1d dilated": ((1, 1, 7), (3,), (1,), (1,), (2,), False, (5,)),
    "2d dilated ceil": ((1, 2, 6, 7), (2, 3), (2, 2), (1, 1), (3, 2), True, (3, 3)),
}
for name, (shape, *geometry, ceil, out) in (POOLS | DILATED).items():
    kernel, stride, padding, dilation = geometry
    winner = np.zeros((*shape[:2], *out), np.uint8)
    middle = int(np.prod(kernel)) // 2  # a tap that lies inside at every position
    winner[...] = middle if name in ("1d overlapping", "1d dilated") else 0
    if not any(padding):
        winner = RANDOM.integers(0, middle + 1, winner.shape).astype(np.uint8)
    case("MaxPool", name, strided(*shape), settings=(*geometry, ceil))
    case("MaxPoolGrad", name, any_(*shape[:2], *out), settings=(winner, shape, *geometry))
    case("MaxGather", name, any_(*shape), settings=(winner, shape, *geometry))
AVERAGES = {
    "padding counted": {"count_include_pad": True, "divisor_override": None},
    "padding not counted": {"count_include_pad": False, "divisor_override": None},
    "own divisor": {"count_include_pad": True, "divisor_override": 3},
}
for name, (shape, *geometry, ceil, out) in POOLS.items():
    for which, named in AVERAGES.items():
        case("AvgPool", f"{name} {which}", any_(*shape), settings=(*geometry, ceil), **named)
        pooling = Function.registry["AvgPool"](*geometry, ceil, **named)
        case("AvgPoolGrad", f"{name} {which}", strided(*shape[:2], *out), settings=(pooling, shape))
case("AdaptiveAvgPool", "1d", any_(2, 2, 5), settings=((3,),))
case("AdaptiveAvgPool", "2d", strided(1, 2, 5, 3), settings=((2, 3),))
case("AdaptiveAvgPool", "3d to one", any_(1, 2, 2, 3, 2), settings=((1, 1, 1),))
case("AdaptiveAvgPool", "2d to more", any_(1, 1, 2, 3), settings=((3, 4),))
case("AdaptiveAvgPool", "2d no images", any_(0, 1, 2, 3), settings=((1, 2),))
case("AdaptiveAvgPool", "2d transposed", any_(1, 2, 2, 3), settings=((2, 3), (5, 4)))

# --------------------------------------------------------------------- normalisation and losses

case("BatchNorm", "rows", any_(4, 3), any_(3), any_(3), settings=(1e-5,))
case("BatchNorm", "images", any_(2, 3, 2, 2), any_(3), any_(3), settings=(1e-2,))
case("BatchNorm", "no weight", any_(3, 2), None, any_(2), settings=(1e-5,))
case("BatchNorm", "no bias", any_(3, 2), any_(2), None, settings=(1e-5,))
case("BatchNorm", "neither, not contiguous", strided(2, 3, 4), None, None, settings=(1e-5,))
case("BatchNorm", "volumes", any_(1, 2, 2, 2, 2), any_(2), any_(2), settings=(1e-3,))
case("ChannelAffine", "rows", any_(4, 3), any_(3), any_(3), any_(3))
case("ChannelAffine", "images", any_(2, 3, 2, 2), any_(3), any_(3), any_(3))
case("ChannelAffine", "no bias, not contiguous", strided(2, 3, 4), any_(3), any_(3), None)
case("CrossEntropy", "rows", any_(4, 3), np.array([0, 2, 1, 2]))
case("CrossEntropy", "one class", any_(2, 1), np.array([0, 0]))
case("CrossEntropy", "no rows", any_(0, 3), np.zeros(0, np.int64))
case("CrossEntropy", "not contiguous", strided(3, 4), np.array([3, 0, 0]))
case("MeanCrossEntropy", "rows", any_(4, 3), np.array([0, 2, 1, 2]))
case("MeanCrossEntropy", "one class", any_(2, 1), np.array([0, 0]))
case("MeanCrossEntropy", "not contiguous", strided(3, 4), np.array([3, 0, 0]))
case("MeanCrossEntropy", "one row", any_(1, 3), np.array([1]))
case("CrossEntropy", "large", np.array([[1000.0, 0.0, -1000.0]]), np.array([1]))
