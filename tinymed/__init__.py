"""tinymed: a deep-learning engine that can be read, trusted and used.

>>> import tinymed as tm
>>> x = tm.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4., 6.])

Every operation of `tinymed.ops` has its name here too, as PyTorch's are in `torch`: ``tm.exp`` is
``tm.ops.exp``. They are handed on by `__getattr__` below, not listed once more.

>>> tm.gather is tm.ops.gather
True
"""

import importlib
from math import e, inf, nan, pi
from typing import TYPE_CHECKING, Any

from numpy import iinfo

from tinymed import ops, precision
from tinymed.anomaly import detect_anomaly
from tinymed.autograd import Function
from tinymed.backpropagation import grad
from tinymed.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    tensor,
    tril_indices,
    triu_indices,
    zeros,
    zeros_like,
)
from tinymed.dtypes import (
    bool,
    double,
    float,
    float16,
    float32,
    float64,
    half,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    short,
    uint8,
)
from tinymed.errors import AnomalyError, CheckpointError, CompileError, DataError
from tinymed.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.kernels import autotune, explain, use_backend
from tinymed.kernels.arrays import Device as device  # noqa: N813 - PyTorch's name
from tinymed.kernels.threads import get_num_threads, set_num_threads
from tinymed.precision import finfo
from tinymed.random import default_generator, manual_seed
from tinymed.sampling import (
    bernoulli,
    multinomial,
    normal,
    poisson,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
)
from tinymed.serialization import load, save
from tinymed.tensor import Tensor, is_tensor

__version__ = "0.1.0"

__all__ = [
    "AnomalyError",
    "CheckpointError",
    "CompileError",
    "DataError",
    "Function",
    "Tensor",
    "amp",
    "arange",
    "as_tensor",
    "autocast",
    "autotune",
    "bernoulli",
    "bool",
    "compile",
    "cuda",
    "data",
    "default_generator",
    "detect_anomaly",
    "device",
    "double",
    "e",
    "empty",
    "empty_like",
    "enable_grad",
    "explain",
    "eye",
    "finfo",
    "float",
    "float16",
    "float32",
    "float64",
    "from_numpy",
    "full",
    "full_like",
    "get_num_threads",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "half",
    "iinfo",
    "inf",
    "inference_mode",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "is_grad_enabled",
    "is_tensor",
    "linspace",
    "load",
    "logspace",
    "long",
    "manual_seed",
    "metrics",
    "multinomial",
    "nan",
    "nn",
    "no_grad",
    "normal",
    "ones",
    "ones_like",
    "ops",
    "optim",
    "pi",
    "poisson",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "save",
    "set_grad_enabled",
    "set_num_threads",
    "short",
    "tensor",
    "tril_indices",
    "triu_indices",
    "uint8",
    "use_backend",
    "zeros",
    "zeros_like",
]

PARTS = (
    "amp",
    "cuda",
    "data",
    "metrics",
    "nn",
    "optim",
)  # loaded when first named: half the time of the import

if TYPE_CHECKING:  # editors and type checkers read it as what it comes to
    from tinymed import amp, cuda, data, metrics, nn, optim
    from tinymed.amp import autocast
    from tinymed.compilation import compile
    from tinymed.dtypes import bfloat16 as bfloat16
    from tinymed.ops import *  # noqa: F403
else:

    def __getattr__(name: str) -> Any:
        """Return a part of the package or an operation."""
        if name in PARTS:
            return importlib.import_module(f"{__name__}.{name}")
        if name == "bfloat16":
            return precision.bfloat16()
        if name == "autocast":
            return importlib.import_module(f"{__name__}.amp").autocast
        if name == "compile":  # it needs nn
            return importlib.import_module(f"{__name__}.compilation").compile
        if name in ops.__all__:
            return getattr(ops, name)
        raise AttributeError(f"module 'tinymed' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what `dir` and completion show."""
    return [*__all__, "bfloat16", *ops.__all__]
