"""Functions of one element at a time, and choices between two."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.autograd import Function
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Broadcasting, Shape
from tinymed.ops.promotion import cast, floating, promote, result_type

__all__ = [
    "abs",
    "absolute",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "copysign",
    "exp",
    "fmax",
    "fmin",
    "heaviside",
    "log",
    "maximum",
    "minimum",
    "nan_to_num",
    "positive",
    "rsqrt",
    "sign",
    "sqrt",
    "where",
]

LARGE = 4096  # elements from which on `select` is worth its passes


class Unary(Function):
    """The family of ops on one input that keep its shape."""

    def output_shape(self, x: Shape) -> Shape:
        return x


class Exp(Unary):
    """y = exp(x);  dL/dx = y dL/dy."""

    def forward(self, x: Array) -> Array:
        return array_module(x).exp(x)

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        return (grad_output * output,)


class Log(Unary):
    """y = log(x);  dL/dx = dL/dy / x."""

    def forward(self, x: Array) -> Array:
        return array_module(x).log(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output / x,)


class Sqrt(Unary):
    """y = sqrt(x);  dL/dx = dL/dy / (2 y)."""

    def forward(self, x: Array) -> Array:
        return array_module(x).sqrt(x)

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        return (grad_output / (output * 2),)


class RSqrt(Unary):
    """y = 1 / sqrt(x);  dL/dx = -y^3 / 2 dL/dy."""

    def forward(self, x: Array) -> Array:
        return 1 / array_module(x).sqrt(x)

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        return (grad_output * (output * output * output * -0.5),)


class Abs(Unary):
    """y = |x|;  dL/dx = sign(x) dL/dy, 0 at 0."""

    def forward(self, x: Array) -> Array:
        return array_module(x).abs(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output * sign(x),)


class Sign(Unary):
    """y = (x > 0) - (x < 0): -1, 0 or 1; 0 for NaN. Its derivative is 0 wherever it exists."""

    differentiable = False

    def forward(self, x: Array) -> Array:
        return ((x > 0).astype(np.int8) - (x < 0)).astype(x.dtype)


class Clamp(Unary):
    """y = min(max(x, low), high);  dL/dx = dL/dy where low <= x <= high, else 0."""

    def __init__(self, low: float | None, high: float | None) -> None:
        self.low, self.high = low, high

    def forward(self, x: Array) -> Array:
        return array_module(x).clip(x, self.low, self.high)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        if self.low is not None:
            grad_output = where(x >= self.low, grad_output, 0.0)
        if self.high is not None:
            grad_output = where(x <= self.high, grad_output, 0.0)
        return (grad_output,)


class NanToNum(Unary):
    """y = x, or a number in place of NaN, inf and -inf;  dL/dx = dL/dy where x is finite."""

    def __init__(self, nan: float, posinf: float | None, neginf: float | None) -> None:
        self.nan, self.posinf, self.neginf = nan, posinf, neginf

    def forward(self, x: Array) -> Array:
        return array_module(x).nan_to_num(x, True, self.nan, self.posinf, self.neginf)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (where(abs(x) < math.inf, grad_output, 0.0),)


class CopySign(Broadcasting):
    """y = |a| with the sign of b, that of -0.0 too;  dL/da = sign(a) sign(b) dL/dy, 0 at a = 0."""

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).copysign(a, b)

    def backward(self, grad_output: Array, a: Array, output: Array) -> tuple[Any, ...]:
        return (grad_output * (sign(a) * sign(output)) if self.edges[0] else None), None


class Where(Broadcasting):
    """y = a where the condition holds, else b;  each gets dL/dy where it was taken."""

    def forward(self, condition: Array, a: Array, b: Array) -> Array:
        return select(condition, a, b)

    def backward(self, grad_output: Array, condition: Array) -> tuple[Any, ...]:
        _, to_a, to_b = self.edges
        return (
            None,
            where(condition, grad_output, 0.0) if to_a else None,
            where(condition, 0.0, grad_output) if to_b else None,
        )


class Maximum(Broadcasting):
    """y = max(a, b);  dL/dy goes to the larger, half to each where they are equal."""

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).maximum(a, b)

    def backward(self, grad_output: Array, a: Array, b: Array) -> tuple[Any, ...]:
        return _to_winner(grad_output, a < b, a > b, a == b)


class Minimum(Broadcasting):
    """y = min(a, b);  dL/dy goes to the smaller, half to each where they are equal."""

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).minimum(a, b)

    def backward(self, grad_output: Array, a: Array, b: Array) -> tuple[Any, ...]:
        return _to_winner(grad_output, a > b, a < b, a == b)


def _to_winner(gradient: Any, a_lost: Any, b_lost: Any, tie: Any) -> tuple[Any, Any]:
    """Split a gradient between two inputs: all to one, or half to each; with NaN all to each."""
    share = where(tie, gradient * 0.5, gradient)
    return where(a_lost, 0.0, share), where(b_lost, 0.0, share)


def select(mask: Array, a: Array, b: Array) -> Array:
    """Return ``where(mask, a, b)`` of arrays of one dtype; one of them may be a Python number.

    NumPy's own branches at every element, which on random masks costs five times as much as
    arithmetic without branches on the bits: (a ^ b) mask ^ b.
    """
    xp = array_module(mask, a, b)
    dtype: Any = a.dtype if hasattr(a, "dtype") else getattr(b, "dtype", np.dtype(bool))
    if xp is not np or mask.size < LARGE or dtype.kind == "b":
        return xp.where(mask, a, b)
    integers = f"i{dtype.itemsize}"
    a, b = (np.asarray(x, dtype).view(integers) for x in (a, b))
    if a.ndim == 0 and a == 0:
        return (b * ~mask).view(dtype)
    if b.ndim == 0 and b == 0:
        return (a * mask).view(dtype)
    bits = (a ^ b) * mask
    bits ^= b
    return bits.view(dtype)


def floating_pair(a: Any, b: Any) -> tuple[Any, Any]:
    """Return both in their common dtype, which for integers and bools is the default floating one.

    A number stays a number: an array of the default dtype would lose digits of float64.
    """
    a, b = promote(a, b)
    a = a if isinstance(a, (int, float)) else floating(a)
    b = b if isinstance(b, (int, float)) else floating(b)
    return a, b


def exp(x: Any) -> Any:
    """Return e to the power ``x``."""
    return Exp()(floating(x))


def log(x: Any) -> Any:
    """Return the natural logarithm: -inf at 0, NaN below."""
    return Log()(floating(x))


def sqrt(x: Any) -> Any:
    """Return the square root: NaN below 0; its derivative at 0 is infinite."""
    return Sqrt()(floating(x))


def rsqrt(x: Any) -> Any:
    """Return 1 / sqrt(x): infinite at 0, NaN below."""
    return RSqrt()(floating(x))


def abs(x: Any) -> Any:
    """Return the absolute value."""
    return Abs()(x)


def sign(x: Any) -> Any:
    """Return -1, 0 or 1 in the dtype of ``x``, 0 for NaN. Not differentiable."""
    return Sign()(x)


def positive(x: Any) -> Any:
    """Return ``x`` itself. bool is refused, as in PyTorch."""
    if x.dtype.kind == "b":
        raise TypeError("positive: +bool has no meaning; cast it")
    return x


def copysign(a: Any, b: Any) -> Any:
    """Return the size of ``a`` with the sign of ``b``, that of -0.0 too."""
    return CopySign()(*floating_pair(a, b))


def nan_to_num(
    x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """Return ``x`` with numbers in place of NaN, inf and -inf.

    None stands for the largest and the smallest number of the dtype.
    """
    return NanToNum(nan, posinf, neginf)(x)


def heaviside(x: Any, values: Any) -> Any:
    """Return 0 where ``x`` < 0, 1 where ``x`` > 0, and ``values`` where ``x`` = 0; 0 for NaN."""
    x, values = promote(x, values)
    return where(x == 0, values, cast(x > 0, x.dtype))


def clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    """Return ``x`` limited to [min, max]: numbers, or tensors that broadcast with ``x``.

    As in PyTorch the upper limit wins where min > max, and NaN stays NaN.
    """
    if min is None and max is None:
        raise ValueError("clamp: min and max are both None; give at least one")
    if isinstance(min, (int, float, type(None))) and isinstance(max, (int, float, type(None))):
        numbers_are_floats = isinstance(min, float) or isinstance(max, float)
        return Clamp(min, max)(floating(x) if numbers_are_floats else x)
    x = cast(x, result_type(x, *(limit for limit in (min, max) if limit is not None)))
    if min is not None:  # a limit that x meets leaves the gradient to x; NaN in it is passed on
        x = where((x < min) | (min != min), min, x)
    return x if max is None else where((x > max) | (max != max), max, x)


def clamp_min(x: Any, min: Any) -> Any:
    """Return ``x``, where it is smaller ``min``: a number, or a tensor that broadcasts with it."""
    return clamp(x, min=min)


def clamp_max(x: Any, max: Any) -> Any:
    """Return ``x``, where it is larger ``max``: a number, or a tensor that broadcasts with it."""
    return clamp(x, max=max)


def where(condition: Any, a: Any, b: Any) -> Any:
    """Return ``a`` where ``condition`` (bool) holds, else ``b``; all three broadcast."""
    if not hasattr(condition, "dtype") or condition.dtype.kind != "b":
        raise TypeError(
            f"where: condition is {getattr(condition, 'dtype', type(condition).__name__)}, "
            "expected bool; compare first, as in x != 0"
        )
    if not hasattr(a, "dtype") and not hasattr(b, "dtype"):
        a = array_module(condition).full((), a, result_type(a, b))  # NumPy's own would be float64
    return Where()(condition, *promote(a, b))


def maximum(a: Any, b: Any) -> Any:
    """Return the larger of both, element by element; NaN if either is NaN."""
    return Maximum()(*promote(a, b))


def minimum(a: Any, b: Any) -> Any:
    """Return the smaller of both, element by element; NaN if either is NaN."""
    return Minimum()(*promote(a, b))


def fmax(a: Any, b: Any) -> Any:
    """Return the larger of both, element by element; NaN only if both are NaN.

    Its derivative goes to ``a`` where they are equal, as in PyTorch.
    """
    a, b = promote(a, b)
    return where((a >= b) | (b != b), a, b)


def fmin(a: Any, b: Any) -> Any:
    """Return the smaller of both, element by element; NaN only if both are NaN."""
    a, b = promote(a, b)
    return where((a <= b) | (b != b), a, b)


clip = clamp  # PyTorch has it under both names


absolute = abs
