"""Functions of one element at a time, and choices between two."""

from __future__ import annotations

from typing import Any

from tinymed.autograd import Function
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Broadcasting, Shape
from tinymed.ops.promotion import floating, promote

__all__ = ["abs", "clamp", "exp", "log", "maximum", "minimum", "sign", "sqrt", "where"]


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


class Abs(Unary):
    """y = |x|;  dL/dx = sign(x) dL/dy, 0 at 0."""

    def forward(self, x: Array) -> Array:
        return abs_of(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output * sign(x),)


class Sign(Unary):
    """y = -1, 0 or 1; its derivative is 0 wherever it exists."""

    differentiable = False

    def forward(self, x: Array) -> Array:
        return array_module(x).sign(x)


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


class Where(Broadcasting):
    """y = a where the condition holds, else b;  each gets dL/dy where it was taken."""

    def forward(self, condition: Array, a: Array, b: Array) -> Array:
        return array_module(condition, a, b).where(condition, a, b)

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


def abs_of(x: Array) -> Array:
    """Return the absolute value of an array (this module's own `abs` hides the builtin)."""
    return array_module(x).abs(x)


def exp(x: Any) -> Any:
    """Return e to the power ``x``."""
    return Exp()(floating(x))


def log(x: Any) -> Any:
    """Return the natural logarithm: -inf at 0, NaN below."""
    return Log()(floating(x))


def sqrt(x: Any) -> Any:
    """Return the square root: NaN below 0; its derivative at 0 is infinite."""
    return Sqrt()(floating(x))


def abs(x: Any) -> Any:
    """Return the absolute value."""
    return Abs()(x)


def sign(x: Any) -> Any:
    """Return -1, 0 or 1 in the dtype of ``x``. Not differentiable."""
    return Sign()(x)


def clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    """Return ``x`` limited to [min, max]: numbers, or tensors that broadcast with ``x``.

    As in PyTorch the upper limit wins where min > max, and NaN stays NaN.
    """
    if min is None and max is None:
        raise ValueError("clamp: min and max are both None; give at least one")
    if isinstance(min, (int, float, type(None))) and isinstance(max, (int, float, type(None))):
        numbers_are_floats = isinstance(min, float) or isinstance(max, float)
        return Clamp(min, max)(floating(x) if numbers_are_floats else x)
    if min is not None:
        x = maximum(x, min)
    return x if max is None else minimum(x, max)


def where(condition: Any, a: Any, b: Any) -> Any:
    """Return ``a`` where ``condition`` (bool) holds, else ``b``; all three broadcast."""
    if not hasattr(condition, "dtype") or condition.dtype.kind != "b":
        raise TypeError(
            f"where: condition is {getattr(condition, 'dtype', type(condition).__name__)}, "
            "expected bool; compare first, as in x != 0"
        )
    return Where()(condition, *promote(a, b))


def maximum(a: Any, b: Any) -> Any:
    """Return the larger of both, element by element; NaN if either is NaN."""
    return Maximum()(*promote(a, b))


def minimum(a: Any, b: Any) -> Any:
    """Return the smaller of both, element by element; NaN if either is NaN."""
    return Minimum()(*promote(a, b))
