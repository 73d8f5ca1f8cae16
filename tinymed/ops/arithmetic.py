"""Addition, multiplication and powers: the operators of Tensor, and sums of products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from tinymed.kernels import arithmetic as kernels
from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.recording import active
from tinymed.kernels.registry import Kernel
from tinymed.ops.broadcasting import Broadcasting
from tinymed.ops.elementwise import Unary, log, select, where
from tinymed.ops.promotion import cast, promote, result_type, rounded_once, same_dtype
from tinymed.precision import is_narrow, kind_of

__all__ = [
    "add",
    "addcmul",
    "lerp",
    "mul",
    "multiply",
    "neg",
    "negative",
    "pow",
    "power",
    "square",
    "sub",
    "subtract",
]


class OfPairs(Broadcasting):
    """The family of what has a kernel for two arrays of one shape and dtype."""

    kernel: ClassVar[Kernel]

    def in_float32(self, arrays: Sequence[Any]) -> Any:
        """Leave pairs to the kernel, which widens one number at a time; others are widened here."""
        a, b = arrays
        pair = getattr(a, "dtype", None) == getattr(b, "dtype", None) and a.shape == b.shape
        return self.kernel(a, b) if pair else super().in_float32(arrays)


class Add(OfPairs):
    """y = a + b;  dL/da = dL/dy, dL/db = dL/dy."""

    kernel = kernels.add

    def forward(self, a: Array, b: Array) -> Array:
        return a + b if active() is None else self.kernel(a, b)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return grad_output, grad_output


class Subtract(Broadcasting):
    """y = a - b;  dL/da = dL/dy, dL/db = -dL/dy."""

    def forward(self, a: Array, b: Array) -> Array:
        return a - b

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return grad_output, -grad_output if self.edges[1] else None


class Multiply(OfPairs):
    """y = a b;  dL/da = b dL/dy, dL/db = a dL/dy."""

    kernel = kernels.multiply

    def forward(self, a: Array, b: Array) -> Array:
        return a * b if active() is None else self.kernel(a, b)

    def backward(self, grad_output: Array, a: Array, b: Array) -> tuple[Any, ...]:
        to_a, to_b = self.edges  # an edge of None: nobody wants that gradient
        if active() is not None or is_narrow(grad_output):
            return (
                Multiply()(grad_output, b) if to_a else None,
                Multiply()(grad_output, a) if to_b else None,
            )
        return grad_output * b if to_a else None, grad_output * a if to_b else None


class Power(Broadcasting):
    """y = a^b;  dL/da = b a^(b - 1) dL/dy, dL/db = log(a) y dL/dy.

    The first is 0 where b = 0, the second where a = 0 and b >= 0, as the limits are.
    """

    def forward(self, a: Array, b: Array) -> Array:
        if isinstance(b, (int, float)) and b == 3:
            return a * a * a  # as PyTorch does; NumPy's power takes a hundred times as long
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


class Square(Unary):
    """y = x^2;  dL/dx = 2 x dL/dy."""

    def forward(self, x: Array) -> Array:
        return x * x

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output * (x * 2),)


class Lerp(Broadcasting):
    """y = a + w (b - a);  dL/da = (1 - w) dL/dy, dL/db = w dL/dy, dL/dw = (b - a) dL/dy.

    Written from the nearer end, so that w = 0 gives a and w = 1 gives b to the last bit.
    """

    def forward(self, a: Array, b: Array, weight: Array) -> Array:
        way = b - a
        if isinstance(weight, (int, float)):
            return a + weight * way if -0.5 < weight < 0.5 else b - way * (1 - weight)
        near_a = array_module(weight).abs(weight) < 0.5
        return select(near_a, a + weight * way, b - way * (1 - weight))

    def backward(self, grad_output: Array, a: Array, b: Array, weight: Array) -> tuple[Any, ...]:
        to_a, to_b, to_weight = self.edges
        return (
            grad_output * (1 - weight) if to_a else None,
            grad_output * weight if to_b else None,
            grad_output * (b - a) if to_weight else None,
        )


class Negative(Unary):
    """y = -x;  dL/dx = -dL/dy."""

    def forward(self, x: Array) -> Array:
        return -x

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (-grad_output,)


def add(a: Any, b: Any, *, alpha: float = 1) -> Any:
    """Return ``a + alpha * b``, with broadcasting."""
    return Add()(*(promote(a, b) if alpha == 1 else promote(*_scaled(a, b, alpha))))


def subtract(a: Any, b: Any, *, alpha: float = 1) -> Any:
    """Return ``a - alpha * b``, with broadcasting. Two bools are refused, as in PyTorch."""
    a, b = promote(a, b) if alpha == 1 else promote(*_scaled(a, b, alpha))
    if is_bool(a):
        raise TypeError("subtract: bool - bool has no meaning; use != or a cast")
    return Subtract()(a, b)


def _scaled(a: Any, b: Any, alpha: float) -> tuple[Any, Any]:
    """Return ``a`` and ``alpha * b``, multiplied in the dtype of the sum: uint8 would wrap."""
    a, b = promote(a, b)
    return a, multiply(b, alpha)


def multiply(a: Any, b: Any) -> Any:
    """Return ``a * b`` element by element, with broadcasting."""
    return Multiply()(*promote(a, b))


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


def square(x: Any) -> Any:
    """Return ``x * x``; bools count as 0 and 1."""
    return Square()(cast(x, np.int64) if is_bool(x) else x)


def lerp(a: Any, b: Any, weight: Any) -> Any:
    """Return ``a + weight * (b - a)``: from ``a`` at weight 0 to ``b`` at 1.

    Parameters
    ----------
    a, b : floating, of one dtype
    weight : number, or of the same dtype
    """
    same_dtype("lerp", a=a, b=b, weight=None if isinstance(weight, (int, float)) else weight)
    if kind_of(a.dtype) != "f":
        raise TypeError(f"lerp: a is {a.dtype}, expected a floating dtype; use a.float() first")
    return Lerp()(a, b, weight)


@rounded_once
def addcmul(x: Any, a: Any, b: Any, *, value: float = 1) -> Any:
    """Return ``x + value * a * b``, with broadcasting, computed in the dtype of the sum."""
    dtype = result_type(x, a, b)
    return add(x, multiply(cast(a, dtype), cast(b, dtype)), alpha=value)


# PyTorch has each under two names.
sub, mul, neg, pow = subtract, multiply, negative, power
