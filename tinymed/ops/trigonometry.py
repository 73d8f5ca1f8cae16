"""Angles: circular and hyperbolic functions and their inverses. Angles are in radians."""

from __future__ import annotations

import math
from typing import Any

from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.arithmetic import multiply
from tinymed.ops.broadcasting import Broadcasting
from tinymed.ops.elementwise import Unary, floating_pair, rsqrt, sqrt, where
from tinymed.ops.promotion import floating, promote
from tinymed.ops.reduction import check_floating

__all__ = [
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "deg2rad",
    "hypot",
    "rad2deg",
    "sin",
    "sinh",
    "tan",
]


class Sin(Unary):
    """y = sin(x);  dL/dx = cos(x) dL/dy."""

    def forward(self, x: Array) -> Array:
        return array_module(x).sin(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output * cos(x),)


class Cos(Unary):
    """y = cos(x);  dL/dx = -sin(x) dL/dy."""

    def forward(self, x: Array) -> Array:
        return array_module(x).cos(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (-grad_output * sin(x),)


class Tan(Unary):
    """y = tan(x);  dL/dx = (1 + y^2) dL/dy."""

    def forward(self, x: Array) -> Array:
        return array_module(x).tan(x)

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        return (grad_output * (output * output + 1),)


class ASin(Unary):
    """y = arcsin(x);  dL/dx = dL/dy / sqrt(1 - x^2)."""

    def forward(self, x: Array) -> Array:
        return array_module(x).arcsin(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output * rsqrt((1 - x) * (1 + x)),)


class ACos(Unary):
    """y = arccos(x);  dL/dx = -dL/dy / sqrt(1 - x^2)."""

    def forward(self, x: Array) -> Array:
        return array_module(x).arccos(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (-grad_output * rsqrt((1 - x) * (1 + x)),)


class ATan(Unary):
    """y = arctan(x);  dL/dx = dL/dy / (1 + x^2)."""

    def forward(self, x: Array) -> Array:
        return array_module(x).arctan(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        length = hypot(x, 1.0)
        return (grad_output / length / length,)


class ATan2(Broadcasting):
    """y = the angle of (b, a) from the b axis;  dL/da = b / (a^2 + b^2) dL/dy, dL/db = -a / ..."""

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).arctan2(a, b)

    def backward(self, grad_output: Array, a: Array, b: Array) -> tuple[Any, ...]:
        to_a, to_b = self.edges
        length = hypot(a, b)
        length = where(length == 0, 1.0, length)  # no direction, and a derivative of 0
        share = grad_output / length
        return share * (b / length) if to_a else None, -share * (a / length) if to_b else None


class Sinh(Unary):
    """y = (exp(x) - exp(-x)) / 2;  dL/dx = cosh(x) dL/dy."""

    def forward(self, x: Array) -> Array:
        return array_module(x).sinh(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output * cosh(x),)


class Cosh(Unary):
    """y = (exp(x) + exp(-x)) / 2;  dL/dx = sinh(x) dL/dy."""

    def forward(self, x: Array) -> Array:
        return array_module(x).cosh(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output * sinh(x),)


class ASinh(Unary):
    """y = log(x + sqrt(x^2 + 1));  dL/dx = dL/dy / sqrt(x^2 + 1)."""

    def forward(self, x: Array) -> Array:
        return array_module(x).arcsinh(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output / hypot(x, 1.0),)


class ACosh(Unary):
    """y = log(x + sqrt(x^2 - 1));  dL/dx = dL/dy / sqrt(x^2 - 1)."""

    def forward(self, x: Array) -> Array:
        return array_module(x).arccosh(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output / (sqrt(x - 1) * sqrt(x + 1)),)


class ATanh(Unary):
    """y = log((1 + x) / (1 - x)) / 2;  dL/dx = dL/dy / (1 - x^2)."""

    def forward(self, x: Array) -> Array:
        return array_module(x).arctanh(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output / ((1 - x) * (1 + x)),)


class Hypot(Broadcasting):
    """y = sqrt(a^2 + b^2);  dL/da = a / y dL/dy, dL/db = b / y dL/dy.  No square overflows."""

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).hypot(a, b)

    def backward(self, grad_output: Array, a: Array, b: Array, output: Array) -> tuple[Any, ...]:
        to_a, to_b = self.edges
        return (
            grad_output * (a / output) if to_a else None,
            grad_output * (b / output) if to_b else None,
        )


def sin(x: Any) -> Any:
    """Return the sine."""
    return Sin()(floating(x))


def cos(x: Any) -> Any:
    """Return the cosine."""
    return Cos()(floating(x))


def tan(x: Any) -> Any:
    """Return the tangent."""
    return Tan()(floating(x))


def asin(x: Any) -> Any:
    """Return the angle in [-pi/2, pi/2] whose sine is ``x``: NaN outside [-1, 1]."""
    return ASin()(floating(x))


def acos(x: Any) -> Any:
    """Return the angle in [0, pi] whose cosine is ``x``: NaN outside [-1, 1]."""
    return ACos()(floating(x))


def atan(x: Any) -> Any:
    """Return the angle in [-pi/2, pi/2] whose tangent is ``x``."""
    return ATan()(floating(x))


def atan2(a: Any, b: Any) -> Any:
    """Return the angle in [-pi, pi] of the point (x = ``b``, y = ``a``)."""
    return ATan2()(*floating_pair(a, b))


def sinh(x: Any) -> Any:
    """Return the hyperbolic sine."""
    return Sinh()(floating(x))


def cosh(x: Any) -> Any:
    """Return the hyperbolic cosine."""
    return Cosh()(floating(x))


def asinh(x: Any) -> Any:
    """Return the inverse of `sinh`."""
    return ASinh()(floating(x))


def acosh(x: Any) -> Any:
    """Return the inverse of `cosh`: NaN below 1."""
    return ACosh()(floating(x))


def atanh(x: Any) -> Any:
    """Return the inverse of `tanh`: infinite at -1 and 1, NaN beyond."""
    return ATanh()(floating(x))


def hypot(a: Any, b: Any) -> Any:
    """Return sqrt(a^2 + b^2), the length of the longest side, without overflow."""
    a, b = promote(a, b)
    check_floating("hypot", b if isinstance(a, (int, float)) else a)
    return Hypot()(a, b)


def deg2rad(x: Any) -> Any:
    """Return degrees as radians."""
    return multiply(floating(x), math.pi / 180)


def rad2deg(x: Any) -> Any:
    """Return radians as degrees."""
    return multiply(floating(x), 180 / math.pi)


arccos, arcsin, arctan, arctan2 = acos, asin, atan, atan2
arccosh, arcsinh, arctanh = acosh, asinh, atanh
