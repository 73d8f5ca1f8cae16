"""Losses in CUDA: sums of chunks of a fixed size, which one block adds up; gradients by element."""

from __future__ import annotations

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, Variant, blocks, empty, launch
from tinymed.kernels.cuda.elements import for_elements
from tinymed.kernels.cuda.row_threads import MOST_THREADS, aligned

__all__ = ["VARIANTS", "mean_logistic", "mean_logistic_grad", "mean_squares", "mean_squares_grad"]

CHUNK = 1 << 14  # elements of a block, as losses.cu has it
OF_DTYPE = {
    dtype: Variant(
        f"losses/{dtype}",
        "losses/losses.cu",
        ("squares", "logistics", "mean", "squares_grad", "logistics_grad"),
        (("SCALAR", scalar),),
    )
    for dtype, scalar in (("float32", "float"), ("float64", "double"))
}
VARIANTS = tuple(OF_DTYPE.values())


def mean_squares(x: Array, target: Array) -> Array:
    """Return the mean of (x - target)^2."""
    return _mean("squares", x, target)


def mean_squares_grad(grad_output: Array, x: Array, target: Array) -> Array:
    """Return 2 (x - target) / n * grad_output."""
    return _back("squares_grad", 2 / x.size, grad_output, x, target)


def mean_logistic(x: Array, target: Array) -> Array:
    """Return the mean of log(1 + exp(x)) - target x.

    Whether all targets are in [0, 1] is read from the GPU, which the host waits for.
    """
    outside = array_module(x).zeros(1, np.int32)
    y = _mean("logistics", x, target, outside)
    if outside.any():
        raise ValueError("mean_logistic: target holds values outside [0, 1] or NaN")
    return y


def mean_logistic_grad(grad_output: Array, x: Array, target: Array) -> Array:
    """Return (sigmoid(x) - target) / n * grad_output."""
    return _back("logistics_grad", 1 / x.size, grad_output, x, target)


def _mean(entry: str, x: Array, target: Array, *more: Array) -> Array:
    """Return the mean of what the sums of ``entry`` are sums of."""
    xp, variant = array_module(x), OF_DTYPE[x.dtype.name]
    x, target = xp.ascontiguousarray(x), xp.ascontiguousarray(target)
    chunks = blocks(x.size, CHUNK)
    sums, y = empty((chunks,), x.dtype, x), empty((), x.dtype, x)
    wide = aligned(0, x, target)
    launch(variant, Grid(chunks), x, target, sums, np.int64(x.size), wide, *more, entry=entry)
    count = x.dtype.type(x.size)
    launch(variant, Grid(1), sums, y, chunks, count, entry="mean", threads=MOST_THREADS)
    return y


def _back(entry: str, share: float, grad_output: Array, x: Array, target: Array) -> Array:
    variant, scalar = OF_DTYPE[x.dtype.name], x.dtype.type
    return for_elements(variant, entry, (x, target), grad_output, scalar(share))
