"""Sums and products of two arrays in CUDA."""

from __future__ import annotations

from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda import SCALARS, Variant
from tinymed.kernels.cuda.elements import for_elements

__all__ = ["VARIANTS", "add", "multiply"]

OF_DTYPE = {
    dtype: Variant(
        f"arithmetic/{dtype}",
        "arithmetic/pairs.cu",
        ("add", "multiply"),
        (("SCALAR", scalar), ("SUM", of_sum)),
    )
    for dtype, (scalar, of_sum) in SCALARS.items()
}
VARIANTS = tuple(OF_DTYPE.values())


def add(a: Array, b: Array) -> Array:
    """Return a + b, of one shape."""
    return _of_both("add", a, b)


def multiply(a: Array, b: Array) -> Array:
    """Return a b, of one shape."""
    return _of_both("multiply", a, b)


def _of_both(entry: str, a: Array, b: Array) -> Array:
    return for_elements(OF_DTYPE[a.dtype.name], entry, (a, b))
