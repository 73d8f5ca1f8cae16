"""Weighted sums along an axis in CUDA, one launch an axis. See taps.cu."""

from __future__ import annotations

import math

import numpy as np

from tinymed.kernels.arrays import Array, array_module, sent
from tinymed.kernels.cuda import Grid, Variant, blocks, empty, launch
from tinymed.kernels.cuda.row_threads import ALIGNED, aligned

__all__ = ["VARIANTS", "forward"]

OF_DTYPE = {
    dtype: Variant(
        f"resampling/{dtype}", "resampling/taps.cu", ("resample",), (("SCALAR", scalar),)
    )
    for dtype, scalar in (("float32", "float"), ("float64", "double"))
}
VARIANTS = tuple(OF_DTYPE.values())


def forward(x: Array, index: Array, weight: Array, dim: int) -> Array:
    """Return y with y_o = sum_k weight_ok x_index_ok along axis ``dim``."""
    outputs, taps = index.shape
    x = array_module(x).ascontiguousarray(x)
    y = empty((*x.shape[:dim], outputs, *x.shape[dim + 1 :]), x.dtype, x)
    inner = math.prod(x.shape[dim + 1 :])
    wide = aligned(inner, x)
    few = y.size // (ALIGNED // x.dtype.itemsize) if wide else y.size
    # Turned before they are sent: neighbours along the last axis read neighbouring taps.
    indices, weights = (array_module(one).ascontiguousarray(one.T) for one in (index, weight))
    given = (x, sent(indices, x, np.int64), sent(weights, x, x.dtype))
    sizes = map(np.uint32, (few, x.shape[dim], outputs, inner))
    variant = OF_DTYPE[x.dtype.name]
    launch(variant, Grid(blocks(few, variant.threads)), *given, y, *sizes, taps, wide)
    return y
