"""The operations: each is a function of arrays, and of Tensors, for which it is also recorded.

>>> import numpy as np
>>> from tinymed import ops
>>> type(ops.relu(np.array([-1.0, 2.0]))).__name__
'ndarray'
"""

from tinymed.autograd import Function
from tinymed.kernels.registry import PREFERENCE
from tinymed.ops.activation import log_softmax, relu, sigmoid, softmax, softplus, tanh
from tinymed.ops.adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from tinymed.ops.arithmetic import add, divide, multiply, negative, power, subtract
from tinymed.ops.broadcasting import expand, sum_to
from tinymed.ops.comparison import (
    bitwise_and,
    bitwise_not,
    bitwise_or,
    eq,
    ge,
    gt,
    isfinite,
    isnan,
    le,
    lt,
    ne,
)
from tinymed.ops.conv import conv1d, conv2d, conv3d
from tinymed.ops.dropout import dropout
from tinymed.ops.elementwise import abs, clamp, exp, log, maximum, minimum, sign, sqrt, where
from tinymed.ops.indexing import getitem, put_along_dim, take_along_dim
from tinymed.ops.losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from tinymed.ops.matmul import linear, matmul
from tinymed.ops.normalization import batch_norm
from tinymed.ops.pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from tinymed.ops.promotion import cast, default_dtype, promote, result_type, set_default_dtype
from tinymed.ops.reduction import argmax, argmin, logsumexp, max, mean, min, std, sum, var
from tinymed.ops.shaping import (
    cat,
    clone,
    flatten,
    pad,
    permute,
    reshape,
    split,
    squeeze,
    stack,
    transpose,
    unsqueeze,
    view,
)

Function.setting = PREFERENCE  # a backward runs on the backend its forward was told to use

__all__ = [
    "abs",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "add",
    "argmax",
    "argmin",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "cast",
    "cat",
    "clamp",
    "clone",
    "conv1d",
    "conv2d",
    "conv3d",
    "cross_entropy",
    "default_dtype",
    "divide",
    "dropout",
    "eq",
    "exp",
    "expand",
    "flatten",
    "ge",
    "getitem",
    "gt",
    "isfinite",
    "isnan",
    "le",
    "linear",
    "log",
    "log_softmax",
    "logsumexp",
    "lt",
    "matmul",
    "max",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mse_loss",
    "multiply",
    "ne",
    "negative",
    "pad",
    "permute",
    "power",
    "promote",
    "put_along_dim",
    "relu",
    "reshape",
    "result_type",
    "set_default_dtype",
    "sigmoid",
    "sign",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "sum_to",
    "take_along_dim",
    "tanh",
    "transpose",
    "unsqueeze",
    "var",
    "view",
    "where",
]
