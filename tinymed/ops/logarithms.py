"""Exponentials and logarithms to other bases, near 0 and 1, and of sums."""

from __future__ import annotations

import math
from typing import Any

from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.activation import sigmoid
from tinymed.ops.broadcasting import Broadcasting
from tinymed.ops.elementwise import Unary, floating_pair, where
from tinymed.ops.promotion import floating, promote
from tinymed.ops.reduction import check_floating

__all__ = ["exp2", "expm1", "log1p", "log2", "log10", "logaddexp", "logit", "xlogy"]


class Exp2(Unary):
    """y = 2^x;  dL/dx = log(2) y dL/dy."""

    def forward(self, x: Array) -> Array:
        return array_module(x).exp2(x)

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        return (grad_output * (output * math.log(2)),)


class ExpM1(Unary):
    """y = exp(x) - 1, with all its digits near 0;  dL/dx = (y + 1) dL/dy."""

    def forward(self, x: Array) -> Array:
        return array_module(x).expm1(x)

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        return (grad_output * (output + 1),)


class Log1P(Unary):
    """y = log(1 + x), with all its digits near 0;  dL/dx = dL/dy / (1 + x)."""

    def forward(self, x: Array) -> Array:
        return array_module(x).log1p(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output / (x + 1),)


class Log2(Unary):
    """y = log(x) / log(2);  dL/dx = dL/dy / (log(2) x)."""

    def forward(self, x: Array) -> Array:
        return array_module(x).log2(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output / (x * math.log(2)),)


class Log10(Unary):
    """y = log(x) / log(10);  dL/dx = dL/dy / (log(10) x)."""

    def forward(self, x: Array) -> Array:
        return array_module(x).log10(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output / (x * math.log(10)),)


class LogAddExp(Broadcasting):
    """y = log(exp(a) + exp(b));  dL/da = sigmoid(a - b) dL/dy, dL/db = sigmoid(b - a) dL/dy."""

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).logaddexp(a, b)

    def backward(self, grad_output: Array, a: Array, b: Array) -> tuple[Any, ...]:
        to_a, to_b = self.edges
        return (
            grad_output * sigmoid(a - b) if to_a else None,
            grad_output * sigmoid(b - a) if to_b else None,
        )


class XLogY(Broadcasting):
    """y = a log(b), 0 where a = 0;  dL/da = log(b) dL/dy, dL/db = a / b dL/dy."""

    def forward(self, a: Array, b: Array) -> Array:
        xp = array_module(a, b)
        dtype = xp.result_type(a, b)
        b = b.astype(dtype, copy=False) if hasattr(b, "dtype") else xp.full((), b, dtype)
        return a * xp.log(xp.where((a == 0) & (b == b), dtype.type(1), b))

    def backward(self, grad_output: Array, a: Array, b: Array) -> tuple[Any, ...]:
        to_a, to_b = self.edges
        nothing = (a == 0) & (b <= 0)
        return (
            where(nothing, 0.0, xlogy(grad_output, b)) if to_a else None,
            grad_output * (a / b) if to_b else None,
        )


class Logit(Unary):
    """y = log(x / (1 - x)), x limited to [eps, 1 - eps];  dL/dx = dL/dy / (x (1 - x)), else 0."""

    def __init__(self, eps: float | None) -> None:
        self.eps = eps

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        if self.eps is not None:
            x = xp.clip(x, self.eps, 1 - self.eps)
        return xp.log(x / (1 - x))

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        low, beyond = (0.0, math.nan) if self.eps is None else (self.eps, 0.0)
        slope = 1 / (x * (1 - x) + 0.0)  # + 0.0: inf at -0.0 too
        return (where((x < low) | (x > 1 - low), beyond, grad_output * slope),)


def exp2(x: Any) -> Any:
    """Return 2 to the power ``x``."""
    return Exp2()(floating(x))


def expm1(x: Any) -> Any:
    """Return exp(x) - 1, exact also near 0."""
    return ExpM1()(floating(x))


def log1p(x: Any) -> Any:
    """Return log(1 + x), exact also near 0."""
    return Log1P()(floating(x))


def log2(x: Any) -> Any:
    """Return the logarithm to base 2."""
    return Log2()(floating(x))


def log10(x: Any) -> Any:
    """Return the logarithm to base 10."""
    return Log10()(floating(x))


def logaddexp(a: Any, b: Any) -> Any:
    """Return log(exp(a) + exp(b)), without overflow."""
    a, b = promote(a, b)
    check_floating("logaddexp", b if isinstance(a, (int, float)) else a)
    return LogAddExp()(a, b)


def xlogy(a: Any, b: Any) -> Any:
    """Return ``a * log(b)``, and 0 where ``a`` = 0 unless ``b`` is NaN: the term of an entropy."""
    return XLogY()(*floating_pair(a, b))


def logit(x: Any, eps: float | None = None) -> Any:
    """Return log(x / (1 - x)), the inverse of sigmoid: NaN outside [0, 1].

    Parameters
    ----------
    eps : float in [0, 0.5] or None
        With it, ``x`` is first limited to [eps, 1 - eps].
    """
    if eps is not None and not 0 <= eps <= 0.5:
        raise ValueError(f"logit: eps={eps} is not in [0, 0.5]")
    return Logit(eps)(floating(x))
