"""Comparisons: bool results, no gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Broadcasting
from tinymed.ops.elementwise import Unary
from tinymed.ops.promotion import promote

__all__ = [
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "eq",
    "ge",
    "gt",
    "isfinite",
    "isnan",
    "le",
    "lt",
    "ne",
]


class Equal(Broadcasting):
    """y = (a == b); false for NaN."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return a == b


class NotEqual(Broadcasting):
    """y = (a != b); true for NaN."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return a != b


class Less(Broadcasting):
    """y = (a < b)."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return a < b


class LessEqual(Broadcasting):
    """y = (a <= b)."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return a <= b


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


class BitwiseNot(Unary):
    """y = not x, bit by bit."""

    differentiable = False

    def forward(self, x: Array) -> Array:
        return ~x


class IsNaN(Unary):
    """y = is x not a number."""

    differentiable = False

    def forward(self, x: Array) -> Array:
        return array_module(x).isnan(x)


class IsFinite(Unary):
    """y = is x neither NaN nor infinite."""

    differentiable = False

    def forward(self, x: Array) -> Array:
        return array_module(x).isfinite(x)


def eq(a: Any, b: Any) -> Any:
    """Return ``a == b`` element by element."""
    return Equal()(*promote(a, b))


def ne(a: Any, b: Any) -> Any:
    """Return ``a != b`` element by element."""
    return NotEqual()(*promote(a, b))


def lt(a: Any, b: Any) -> Any:
    """Return ``a < b`` element by element."""
    return Less()(*promote(a, b))


def le(a: Any, b: Any) -> Any:
    """Return ``a <= b`` element by element."""
    return LessEqual()(*promote(a, b))


def gt(a: Any, b: Any) -> Any:
    """Return ``a > b`` element by element."""
    return Less()(*promote(b, a))


def ge(a: Any, b: Any) -> Any:
    """Return ``a >= b`` element by element."""
    return LessEqual()(*promote(b, a))


def bitwise_and(a: Any, b: Any) -> Any:
    """Return ``a & b`` of bools or integers."""
    return BitwiseAnd()(*without_floats("bitwise_and", *promote(a, b)))


def bitwise_or(a: Any, b: Any) -> Any:
    """Return ``a | b`` of bools or integers."""
    return BitwiseOr()(*without_floats("bitwise_or", *promote(a, b)))


def bitwise_not(x: Any) -> Any:
    """Return ``~x`` of bools or integers."""
    return BitwiseNot()(*without_floats("bitwise_not", x))


def without_floats(name: str, *inputs: Any) -> tuple[Any, ...]:
    """Return ``inputs``, or raise if they have no bits to work on."""
    for x in inputs:
        if getattr(x, "dtype", np.dtype(bool)).kind == "f":
            raise TypeError(f"{name}: the input is {x.dtype}, expected bools or integers")
    return inputs


def isnan(x: Any) -> Any:
    """Return True where ``x`` is NaN."""
    return IsNaN()(x)


def isfinite(x: Any) -> Any:
    """Return True where ``x`` is neither NaN nor infinite."""
    return IsFinite()(x)
