"""Addition, multiplication, division and powers: the operators of Tensor."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.arrays import Array
from tinymed.ops.broadcasting import Broadcasting
from tinymed.ops.elementwise import Unary, log, where
from tinymed.ops.promotion import floating, promote

__all__ = ["add", "divide", "multiply", "negative", "power", "subtract"]


class Add(Broadcasting):
    """y = a + b;  dL/da = dL/dy, dL/db = dL/dy."""

    def forward(self, a: Array, b: Array) -> Array:
        return a + b

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return grad_output, grad_output


class Subtract(Broadcasting):
    """y = a - b;  dL/da = dL/dy, dL/db = -dL/dy."""

    def forward(self, a: Array, b: Array) -> Array:
        return a - b

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return grad_output, -grad_output if self.edges[1] else None


class Multiply(Broadcasting):
    """y = a b;  dL/da = b dL/dy, dL/db = a dL/dy."""

    def forward(self, a: Array, b: Array) -> Array:
        return a * b

    def backward(self, grad_output: Array, a: Array, b: Array) -> tuple[Any, ...]:
        to_a, to_b = self.edges  # an edge of None: nobody wants that gradient
        return grad_output * b if to_a else None, grad_output * a if to_b else None


class Divide(Broadcasting):
    """y = a / b;  dL/da = dL/dy / b, dL/db = -dL/dy y / b."""

    def forward(self, a: Array, b: Array) -> Array:
        return a / b

    def backward(self, grad_output: Array, b: Array, output: Array) -> tuple[Any, ...]:
        to_a, to_b = self.edges
        share = grad_output / b
        return share if to_a else None, -share * output if to_b else None


class Power(Broadcasting):
    """y = a^b;  dL/da = b a^(b - 1) dL/dy, dL/db = log(a) y dL/dy.

    The first is 0 where b = 0, the second where a = 0 and b >= 0, as the limits are.
    """

    def forward(self, a: Array, b: Array) -> Array:
        return a**b

    def backward(self, grad_output: Array, a: Array, b: Array, output: Array) -> tuple[Any, ...]:
        to_a, to_b = self.edges
        grad_a = grad_b = None
        if to_a:
            is_number = isinstance(b, (int, float))
            if is_number:
                grad_a = grad_output * (b * a ** (b - 1)) if b != 0 else grad_output * 0.0
            else:
                grad_a = where(b == 0, 0.0, grad_output * (b * a ** where(b == 0, 1.0, b - 1)))
        if to_b:
            base = b.dtype.type(a) if isinstance(a, (int, float)) else a
            flat = (base == 0) & (b >= 0)
            grad_b = grad_output * output * log(where(flat, 1.0, base))
        return grad_a, grad_b


class Negative(Unary):
    """y = -x;  dL/dx = -dL/dy."""

    def forward(self, x: Array) -> Array:
        return -x

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (-grad_output,)


def add(a: Any, b: Any, *, alpha: float = 1) -> Any:
    """Return ``a + alpha * b``, with broadcasting."""
    return Add()(*promote(a, b if alpha == 1 else multiply(b, alpha)))


def subtract(a: Any, b: Any, *, alpha: float = 1) -> Any:
    """Return ``a - alpha * b``, with broadcasting. Two bools are refused, as in PyTorch."""
    a, b = promote(a, b if alpha == 1 else multiply(b, alpha))
    if is_bool(a):
        raise TypeError("subtract: bool - bool has no meaning; use != or a cast")
    return Subtract()(a, b)


def multiply(a: Any, b: Any) -> Any:
    """Return ``a * b`` element by element, with broadcasting."""
    return Multiply()(*promote(a, b))


def divide(a: Any, b: Any) -> Any:
    """Return ``a / b``; integers give the default floating dtype. x / 0 is inf or NaN."""
    a, b = promote(a, b)
    # a number stays a number: an array of the default dtype would lose digits of float64
    return Divide()(*(x if isinstance(x, (int, float)) else floating(x) for x in (a, b)))


def power(a: Any, b: Any) -> Any:
    """Return ``a ** b`` element by element, with broadcasting.

    Integers to negative powers are refused, since most of the results are none.
    """
    a, b = promote(a, b)
    if is_bool(a) and is_bool(b):
        raise TypeError("power: bool ** bool has no meaning; cast one of them")
    return Power()(a, b)


def negative(x: Any) -> Any:
    """Return ``-x``. bool is refused, as in PyTorch."""
    if is_bool(x):
        raise TypeError("negative: -bool has no meaning; use ~")
    return Negative()(x)


def is_bool(x: Any) -> bool:
    """Tell whether ``x`` is an array, a Tensor or a number of bools."""
    return isinstance(x, bool) or (hasattr(x, "dtype") and bool(x.dtype.kind == "b"))
