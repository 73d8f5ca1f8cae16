"""tinymed: a deep-learning engine that can be read, trusted and used.

>>> import tinymed as tm
>>> x = tm.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4., 6.])
"""

from tinymed import nn, ops, optim
from tinymed.anomaly import detect_anomaly
from tinymed.autograd import Function, enable_grad, no_grad
from tinymed.backpropagation import grad
from tinymed.errors import AnomalyError, CheckpointError, DataError
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.kernels import explain, use_backend
from tinymed.ops import (
    argmax,
    cat,
    clamp,
    default_dtype,
    exp,
    log,
    logsumexp,
    matmul,
    maximum,
    minimum,
    relu,
    set_default_dtype,
    sigmoid,
    softmax,
    split,
    sqrt,
    stack,
    tanh,
    where,
)
from tinymed.random import default_generator, manual_seed
from tinymed.serialization import load, save
from tinymed.tensor import (
    Tensor,
    arange,
    as_tensor,
    empty,
    eye,
    from_numpy,
    full,
    linspace,
    ones,
    ones_like,
    rand,
    randn,
    tensor,
    zeros,
    zeros_like,
)

__version__ = "0.1.0"

__all__ = [
    "AnomalyError",
    "CheckpointError",
    "DataError",
    "Function",
    "Tensor",
    "arange",
    "argmax",
    "as_tensor",
    "cat",
    "clamp",
    "default_dtype",
    "default_generator",
    "detect_anomaly",
    "empty",
    "enable_grad",
    "exp",
    "explain",
    "eye",
    "from_numpy",
    "full",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "linspace",
    "load",
    "log",
    "logsumexp",
    "manual_seed",
    "matmul",
    "maximum",
    "minimum",
    "nn",
    "no_grad",
    "ones",
    "ones_like",
    "ops",
    "optim",
    "rand",
    "randn",
    "relu",
    "save",
    "set_default_dtype",
    "sigmoid",
    "softmax",
    "split",
    "sqrt",
    "stack",
    "tanh",
    "tensor",
    "use_backend",
    "where",
    "zeros",
    "zeros_like",
]
