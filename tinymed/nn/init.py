"""Starting values of parameters. Each function writes into the tensor and returns it.

An array, such as ``layer.weight.data``, is filled as well.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymed.grad_mode import no_grad
from tinymed.kernels.arrays import is_array
from tinymed.ops.special import erfinv
from tinymed.precision import kind_of
from tinymed.random import or_default
from tinymed.tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

if TYPE_CHECKING:
    from tinymed.random import Generator


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
        **{f"conv{n}d": 1.0 for n in (1, 2, 3)},
        **{f"conv_transpose{n}d": 1.0 for n in (1, 2, 3)},
        "sigmoid": 1.0,
        "tanh": 5.0 / 3,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2.0 / (1 + slope**2)),
        "selu": 3.0 / 4,
    }
    if nonlinearity not in gains:
        raise ValueError(f"init: nonlinearity {nonlinearity!r} is not one of {', '.join(gains)}")
    return gains[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> Tensor:
    """Draw from U(a, b)."""
    return _write(tensor, or_default(generator).uniform(a, b, tensor.shape))


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator = None
) -> Tensor:
    """Draw from N(mean, std^2)."""
    return _write(tensor, or_default(generator).normal(mean, std, tensor.shape))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator = None,
) -> Tensor:
    """Draw from N(mean, std^2), only numbers in [a, b].

    The inverse of the normal distribution is taken at uniform numbers between its values at the
    two bounds.
    """
    low, high = (math.erf((bound - mean) / (std * math.sqrt(2))) for bound in (a, b))
    if not high - low > 1e-12:
        raise ValueError(
            f"trunc_normal_: N({mean}, {std}^2) has no numbers in [{a}, {b}]; bounds around the "
            "mean are expected"
        )
    drawn = erfinv(or_default(generator).uniform(low, high, tensor.shape))
    return _write(tensor, np.clip(mean + std * math.sqrt(2) * drawn, a, b))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator = None
) -> Tensor:
    """Draw a matrix from N(0, std^2) with the fraction ``sparsity`` of each column set to 0.

    References
    ----------
    Martens (2010), Deep learning via Hessian-free optimization.
    """
    rows, _ = _matrix("sparse_", tensor)
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: sparsity {sparsity} is not in [0, 1]")
    source = or_default(generator)
    values = source.normal(0.0, std, tensor.shape)
    zeros = math.ceil(sparsity * rows)
    places = source.random(tensor.shape).argsort(axis=0)[:zeros]  # so many of each column
    np.put_along_axis(values, places, 0.0, axis=0)
    return _write(tensor, values)


def eye_(tensor: Tensor) -> Tensor:
    """Set a matrix to the identity: a linear layer that hands its input on."""
    return _write(tensor, np.eye(*_matrix("eye_", tensor)))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Set the weight (out, in, *kernel) of a convolution to hand its input on, as far as it can.

    Output channel i of each group is its input channel i; what is left over gives 0.
    """
    if tensor.ndim not in (3, 4, 5) or groups < 1 or tensor.shape[0] % groups:
        raise ValueError(
            f"dirac_: a tensor {tensor.shape} in {groups} groups; (out, in, *kernel) with out "
            "divisible by groups is expected"
        )
    values = np.zeros(tensor.shape)
    size, center = tensor.shape[0] // groups, tuple(n // 2 for n in tensor.shape[2:])
    for group, channel in itertools.product(range(groups), range(min(size, tensor.shape[1]))):
        values[(group * size + channel, channel, *center)] = 1.0
    return _write(tensor, values)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Set every element to ``val``."""
    with no_grad():
        _on(tensor).fill_(val)
    return tensor


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
    drawn = or_default(generator).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q *= np.sign(np.diag(r))  # makes the distribution uniform over orthogonal matrices
    return _write(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def _matrix(name: str, tensor: Tensor) -> tuple[int, int]:
    """Return the sizes of a matrix, or raise `ValueError`."""
    if tensor.ndim != 2:
        raise ValueError(f"{name}: a tensor {tensor.shape} is not a matrix")
    return tensor.shape[0], tensor.shape[1]


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"init: mode={mode!r} is not 'fan_in' or 'fan_out'")
    return fans(tensor)[mode == "fan_out"]


def _write(tensor: Tensor, values: Any) -> Tensor:
    if kind_of(tensor.dtype) != "f":
        raise TypeError(f"init: random numbers do not fit a tensor of {tensor.dtype}")
    into = _on(tensor)
    with no_grad():
        into.copy_(Tensor(np.asarray(values)).to(into.dtype, into.device).data)
    return tensor


def _on(tensor: Any) -> Tensor:
    """Return a Tensor on the memory of an array; a Tensor as it is."""
    return Tensor(tensor) if is_array(tensor) else tensor
