"""Copies, and chains of multiply-adds, in CUDA."""

from __future__ import annotations

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, Variant, blocks, empty, launch
from tinymed.kernels.cuda.row_threads import ALIGNED, aligned

__all__ = ["VARIANTS", "copy", "multiply_add"]

COPY = Variant("ceilings/copy", "ceilings/copy.cu", ("copy",))
MULTIPLY_ADD = {
    dtype: Variant(
        f"ceilings/multiply_add_{dtype}",
        "ceilings/multiply_add.cu",
        ("multiply_add",),
        (("SCALAR", scalar),),
    )
    for dtype, scalar in (("float32", "float"), ("float64", "double"))
}
VARIANTS = (COPY, *MULTIPLY_ADD.values())


def copy(x: Array) -> Array:
    """Return x."""
    x = array_module(x).ascontiguousarray(x)
    y = empty(x.shape, x.dtype, x)
    grid = Grid(blocks(x.nbytes, COPY.threads * ALIGNED))
    launch(COPY, grid, x, y, np.int64(x.nbytes), aligned(0, x))
    return y


def multiply_add(x: Array, rounds: int) -> Array:
    """Return the sum of 8 chains s <- s / 2 + x, from s = 1, 2, ... 8, after ``rounds`` steps."""
    x, variant = array_module(x).ascontiguousarray(x), MULTIPLY_ADD[x.dtype.name]
    y = empty(x.shape, x.dtype, x)
    launch(variant, Grid(blocks(x.size, variant.threads)), x, y, np.int64(x.size), rounds)
    return y
