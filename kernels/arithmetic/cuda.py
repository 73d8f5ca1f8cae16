"""Sums and products of two arrays in CUDA."""

from __future__ import annotations

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, Variant, blocks, empty, launch
from tinymed.kernels.cuda.row_threads import ALIGNED, aligned

__all__ = ["VARIANTS", "add", "multiply"]

OF_DTYPE = {
    dtype: Variant(
        f"arithmetic/{dtype}", "arithmetic/pairs.cu", ("add", "multiply"), (("SCALAR", scalar),)
    )
    for dtype, scalar in (("float32", "float"), ("float64", "double"))
}
VARIANTS = tuple(OF_DTYPE.values())


def add(a: Array, b: Array) -> Array:
    """Return a + b, of one shape."""
    return _of_both("add", a, b)


def multiply(a: Array, b: Array) -> Array:
    """Return a b, of one shape."""
    return _of_both("multiply", a, b)


def _of_both(entry: str, a: Array, b: Array) -> Array:
    xp, variant = array_module(a), OF_DTYPE[a.dtype.name]
    y = empty(a.shape, a.dtype, a)
    a, b = xp.ascontiguousarray(a), xp.ascontiguousarray(b)
    each = variant.threads * (ALIGNED // a.dtype.itemsize)
    wide = aligned(0, a, b)  # the last few elements go one by one
    launch(variant, Grid(blocks(y.size, each)), a, b, y, np.int64(y.size), wide, entry=entry)
    return y
