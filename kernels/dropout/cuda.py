"""Dropout in CUDA: the mask is drawn in registers, forward and back, and never stored."""

from __future__ import annotations

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import SCALARS, Grid, Variant, blocks, empty, launch
from tinymed.kernels.cuda.row_threads import ALIGNED, aligned
from tinymed.kernels.dropout.reference import threshold
from tinymed.precision import of_sums

__all__ = ["VARIANTS", "forward", "uniform"]

WORDS = 4  # elements that a thread of `elements` and `uniform` takes
OF_DTYPE = {
    dtype: Variant(
        f"dropout/{dtype}",
        "dropout/dropout.cu",
        ("elements", "channels", "uniform"),
        (("SCALAR", scalar), ("SUM", of_sum)),
    )
    for dtype, (scalar, of_sum) in SCALARS.items()
}
VARIANTS = tuple(OF_DTYPE.values())


def forward(
    x: Array, inner: int, p: float, seed: int, scale: float, shift: float, floor: float
) -> Array:
    """Return scale x + shift where an element is kept, 0 x + floor where it is not."""
    variant, y = OF_DTYPE[x.dtype.name], empty(x.shape, x.dtype, x)
    x = array_module(x).ascontiguousarray(x)
    line = map(of_sums(x.dtype).type, (scale, shift, floor))
    drawn = np.uint64(seed), np.uint64(threshold(p)), *line
    if inner == 1:
        grid = Grid(blocks(x.size, variant.threads * WORDS))
        launch(variant, grid, x, y, np.uint32(x.size), aligned(0, x), *drawn, entry="elements")
    else:
        grid = Grid(blocks(x.size, variant.threads * ALIGNED // x.dtype.itemsize))
        sizes = np.uint32(x.size), np.uint32(inner), aligned(inner, x)
        launch(variant, grid, x, y, *sizes, *drawn, entry="channels")
    return y


def uniform(like: Array, seed: int, low: float, high: float) -> Array:
    """Return numbers from U(low, high), of the shape and dtype of ``like``."""
    variant, y = OF_DTYPE[like.dtype.name], empty(like.shape, like.dtype, like)
    line = map(of_sums(like.dtype).type, (low, high - low))
    grid = Grid(blocks(y.size, variant.threads * WORDS))
    launch(variant, grid, y, np.uint32(y.size), np.uint64(seed), *line, entry="uniform")
    return y
