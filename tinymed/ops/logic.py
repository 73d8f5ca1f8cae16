"""Logic: of truth values (anything but 0 is true), and of the bits of integers. No gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Broadcasting
from tinymed.ops.elementwise import Unary
from tinymed.ops.promotion import promote
from tinymed.precision import kind_of

__all__ = [
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
]


class LogicalAnd(Broadcasting):
    """y = (a != 0 and b != 0)."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).logical_and(a, b)


class LogicalOr(Broadcasting):
    """y = (a != 0 or b != 0)."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).logical_or(a, b)


class LogicalXor(Broadcasting):
    """y = (exactly one of a and b != 0)."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).logical_xor(a, b)


class LogicalNot(Unary):
    """y = (x == 0)."""

    differentiable = False

    def forward(self, x: Array) -> Array:
        return array_module(x).logical_not(x)


class BitwiseAnd(Broadcasting):
    """y = a and b, bit by bit; the logical "and" of bools."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return a & b


class BitwiseOr(Broadcasting):
    """y = a or b, bit by bit; the logical "or" of bools."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return a | b


class BitwiseXor(Broadcasting):
    """y = one of a and b but not both, bit by bit."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return a ^ b


class BitwiseNot(Unary):
    """y = not x, bit by bit."""

    differentiable = False

    def forward(self, x: Array) -> Array:
        return ~x


class LeftShift(Broadcasting):
    """y = a 2^b: the bits of a moved up; what leaves the integer is lost."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return a << b


class RightShift(Broadcasting):
    """y = floor(a / 2^b): the bits of a moved down; the sign stays."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return a >> b


def logical_and(a: Any, b: Any) -> Any:
    """Return True where ``a`` and ``b`` are not 0. NaN is not 0."""
    return LogicalAnd()(*promote(a, b))


def logical_or(a: Any, b: Any) -> Any:
    """Return True where ``a`` or ``b`` is not 0."""
    return LogicalOr()(*promote(a, b))


def logical_xor(a: Any, b: Any) -> Any:
    """Return True where one of ``a`` and ``b`` is not 0, the other is."""
    return LogicalXor()(*promote(a, b))


def logical_not(x: Any) -> Any:
    """Return True where ``x`` is 0."""
    return LogicalNot()(x)


def bitwise_and(a: Any, b: Any) -> Any:
    """Return ``a & b`` of bools or integers."""
    return BitwiseAnd()(*without_floats("bitwise_and", *promote(a, b)))


def bitwise_or(a: Any, b: Any) -> Any:
    """Return ``a | b`` of bools or integers."""
    return BitwiseOr()(*without_floats("bitwise_or", *promote(a, b)))


def bitwise_xor(a: Any, b: Any) -> Any:
    """Return ``a ^ b`` of bools or integers."""
    return BitwiseXor()(*without_floats("bitwise_xor", *promote(a, b)))


def bitwise_not(x: Any) -> Any:
    """Return ``~x`` of bools or integers."""
    return BitwiseNot()(*without_floats("bitwise_not", x))


def bitwise_left_shift(a: Any, b: Any) -> Any:
    """Return ``a << b`` of integers: 0 for as many bits as there are, or for ``b`` < 0."""
    return LeftShift()(*integers("bitwise_left_shift", *promote(a, b)))


def bitwise_right_shift(a: Any, b: Any) -> Any:
    """Return ``a >> b`` of integers: 0 or -1 for as many bits as there are, or for ``b`` < 0."""
    return RightShift()(*integers("bitwise_right_shift", *promote(a, b)))


def without_floats(name: str, *inputs: Any) -> tuple[Any, ...]:
    """Return ``inputs``, or raise if they have no bits to work on."""
    for x in inputs:
        if kind_of(getattr(x, "dtype", np.dtype(bool))) == "f":
            raise TypeError(f"{name}: the input is {x.dtype}, expected bools or integers")
    return inputs


def integers(name: str, *inputs: Any) -> tuple[Any, ...]:
    """Return ``inputs``, or raise if they are not integers."""
    for x in inputs:
        if getattr(x, "dtype", np.dtype(int)).kind not in "iu":
            raise TypeError(f"{name}: the input is {x.dtype}, expected integers")
    return inputs
