"""Whole numbers near a number. Integers are whole already and stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.arithmetic import subtract
from tinymed.ops.elementwise import Unary
from tinymed.ops.reduction import check_floating

__all__ = [
    "ceil",
    "fix",
    "floor",
    "frac",
    "round",
    "trunc",
]


class Floor(Unary):
    """y = the largest whole number <= x; its derivative is 0 wherever it exists."""

    differentiable = False

    def forward(self, x: Array) -> Array:
        return array_module(x).floor(x) if x.dtype.kind == "f" else x.copy()


class Ceil(Unary):
    """y = the smallest whole number >= x."""

    differentiable = False

    def forward(self, x: Array) -> Array:
        return array_module(x).ceil(x) if x.dtype.kind == "f" else x.copy()


class Trunc(Unary):
    """y = x without the digits behind the point."""

    differentiable = False

    def forward(self, x: Array) -> Array:
        return array_module(x).trunc(x) if x.dtype.kind == "f" else x.copy()


class Round(Unary):
    """y = x to so many decimals: the nearest, of two equally near ones the even."""

    differentiable = False

    def __init__(self, decimals: int) -> None:
        self.decimals = decimals

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        if x.dtype.kind != "f":
            return x.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            y = xp.round(x, self.decimals)
        # x 10^decimals overflowed: such an x has no decimals to round
        return y if self.decimals <= 0 else xp.where(xp.isfinite(y), y, x)


def floor(x: Any) -> Any:
    """Return the largest whole number <= ``x``. Not differentiable."""
    return Floor()(without_bools("floor", x))


def ceil(x: Any) -> Any:
    """Return the smallest whole number >= ``x``. Not differentiable."""
    return Ceil()(without_bools("ceil", x))


def trunc(x: Any) -> Any:
    """Return ``x`` without the digits behind the point. Not differentiable."""
    return Trunc()(without_bools("trunc", x))


def round(x: Any, *, decimals: int = 0) -> Any:
    """Return ``x`` to ``decimals`` digits behind the point. Not differentiable.

    Halves go to the even neighbour, 0.5 to 0 and 1.5 to 2. Negative ``decimals`` round to tens,
    hundreds ..., of floating dtypes only.
    """
    if decimals != 0:
        check_floating("round", x)
    return Round(decimals)(without_bools("round", x))


def frac(x: Any) -> Any:
    """Return ``x - trunc(x)``, the digits behind the point."""
    check_floating("frac", x)
    return subtract(x, trunc(x))


def without_bools(name: str, x: Any) -> Any:
    """Return ``x``, or raise where there is no number to round."""
    if x.dtype.kind == "b":
        raise TypeError(f"{name}: x is bool, expected numbers")
    return x


fix = trunc
