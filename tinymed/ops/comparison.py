"""Comparisons: bool results, no gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.autograd import Variable
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Broadcasting
from tinymed.ops.elementwise import Unary, abs
from tinymed.ops.logic import bitwise_or
from tinymed.ops.promotion import cast, promote, result_type, rounded_once
from tinymed.precision import as_dtype, is_narrow, kind_of

__all__ = [
    "allclose",
    "eq",
    "equal",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "le",
    "less",
    "less_equal",
    "lt",
    "ne",
    "not_equal",
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


class IsInf(Unary):
    """y = is |x| = inf."""

    differentiable = False

    def forward(self, x: Array) -> Array:
        return array_module(x).isinf(x)


def comparable(a: Any, b: Any) -> tuple[Any, Any]:
    """Return both in their common dtype; a number as 16 bits hold it, so that 0.1 equals 0.1."""
    a, b = promote(a, b)
    if isinstance(b, (int, float)) and is_narrow(a):
        return a, as_dtype(np.float32(b), a.dtype).item()
    if isinstance(a, (int, float)) and is_narrow(b):
        return as_dtype(np.float32(a), b.dtype).item(), b
    return a, b


def eq(a: Any, b: Any) -> Any:
    """Return ``a == b`` element by element."""
    return Equal()(*comparable(a, b))


def ne(a: Any, b: Any) -> Any:
    """Return ``a != b`` element by element."""
    return NotEqual()(*comparable(a, b))


def lt(a: Any, b: Any) -> Any:
    """Return ``a < b`` element by element."""
    return Less()(*comparable(a, b))


def le(a: Any, b: Any) -> Any:
    """Return ``a <= b`` element by element."""
    return LessEqual()(*comparable(a, b))


def gt(a: Any, b: Any) -> Any:
    """Return ``a > b`` element by element."""
    return Less()(*comparable(b, a))


def ge(a: Any, b: Any) -> Any:
    """Return ``a >= b`` element by element."""
    return LessEqual()(*comparable(b, a))


def isnan(x: Any) -> Any:
    """Return True where ``x`` is NaN."""
    return IsNaN()(x)


def isfinite(x: Any) -> Any:
    """Return True where ``x`` is neither NaN nor infinite."""
    return IsFinite()(x)


def isinf(x: Any) -> Any:
    """Return True where ``x`` is inf or -inf."""
    return IsInf()(x)


def isposinf(x: Any) -> Any:
    """Return True where ``x`` is inf."""
    return eq(x, math.inf)


def isneginf(x: Any) -> Any:
    """Return True where ``x`` is -inf."""
    return eq(x, -math.inf)


@rounded_once
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Return True where |a - b| <= atol + rtol |b|, or both are the same infinity.

    Parameters
    ----------
    equal_nan : bool
        Whether NaN is close to NaN.
    """
    if not (rtol >= 0 and atol >= 0):
        raise ValueError(f"isclose: rtol={rtol} and atol={atol} must not be negative")
    a, b = promote(a, b)
    if kind_of(result_type(a, b)) != "f":  # uint8 has no differences below 0, int8 none above 127
        a, b = cast(a, np.int64), cast(b, np.int64)
    with np.errstate(invalid="ignore"):  # inf - inf
        difference = abs(a - b)
    near = (difference <= atol + abs(rtol * b)) & (difference < math.inf)
    close = bitwise_or(eq(a, b), near)
    return bitwise_or(close, (a != a) & (b != b)) if equal_nan else close


def allclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Tell whether all elements are close to each other, as by `isclose`."""
    return bool(array_of(isclose(a, b, rtol, atol, equal_nan)).all())


def equal(a: Any, b: Any) -> bool:
    """Tell whether both have the same shape and the same elements; NaN equals nothing."""
    return tuple(a.shape) == tuple(b.shape) and bool(array_of(eq(a, b)).all())


def array_of(x: Any) -> Array:
    """Return the array of a Tensor, or the array itself."""
    return x.data if isinstance(x, Variable) else x


greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
