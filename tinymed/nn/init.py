"""Starting values of parameters. Each function writes into the tensor and returns it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymed.autograd import no_grad
from tinymed.random import default_generator
from tinymed.tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

if TYPE_CHECKING:
    Generator = np.random.Generator | None  # loading numpy.random takes 8 ms


def fans(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs feed an output of a weight (out, in, *kernel), and the reverse."""
    if tensor.ndim < 2:
        raise ValueError(
            f"init: a tensor {tensor.shape} has no fan-in; it needs (out, in, *kernel)"
        )
    taps = math.prod(tensor.shape[2:])
    return tensor.shape[1] * taps, tensor.shape[0] * taps


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that keeps the variance through ``nonlinearity``, as PyTorch has it.

    ``param`` is the slope of "leaky_relu" below 0; None stands for 0.01.
    """
    slope = 0.01 if param is None else param
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5.0 / 3,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2.0 / (1 + slope**2)),
    }
    if nonlinearity not in gains:
        raise ValueError(f"init: nonlinearity {nonlinearity!r} is not one of {', '.join(gains)}")
    return gains[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> Tensor:
    """Draw from U(a, b)."""
    return _write(tensor, _source(generator).uniform(a, b, tensor.shape))


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator = None
) -> Tensor:
    """Draw from N(mean, std^2)."""
    return _write(tensor, _source(generator).normal(mean, std, tensor.shape))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Set every element to ``val``."""
    with no_grad():
        return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Set every element to 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Set every element to 1."""
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator = None) -> Tensor:
    """Draw from U(-b, b), b = gain sqrt(6 / (fan_in + fan_out)). Glorot, Bengio (2010), eq. 16."""
    bound = gain * math.sqrt(6.0 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator = None) -> Tensor:
    """Draw from N(0, gain^2 2 / (fan_in + fan_out)). Glorot, Bengio (2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(fans(tensor))), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> Tensor:
    """Draw from U(-b, b), b = gain sqrt(3 / fan). He, Zhang, Ren, Sun (2015), eq. 10."""
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> Tensor:
    """Draw from N(0, gain^2 / fan). He, Zhang, Ren, Sun (2015), eq. 10."""
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator = None) -> Tensor:
    """Draw a matrix with orthonormal rows or columns, times ``gain``. Saxe et al. (2014)."""
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: a tensor {tensor.shape} is not a matrix")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    drawn = _source(generator).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q *= np.sign(np.diag(r))  # makes the distribution uniform over orthogonal matrices
    return _write(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"init: mode={mode!r} is not 'fan_in' or 'fan_out'")
    return fans(tensor)[mode == "fan_out"]


def _source(generator: Generator) -> np.random.Generator:
    return default_generator() if generator is None else generator


def _write(tensor: Tensor, values: Any) -> Tensor:
    if tensor.dtype.kind != "f":
        raise TypeError(f"init: random numbers do not fit a tensor of {tensor.dtype}")
    with no_grad():
        return tensor.copy_(Tensor(np.asarray(values)).to(tensor.dtype, tensor.device).data)
