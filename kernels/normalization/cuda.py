"""Normalisation in CUDA: rows in registers, channels of a batch in parts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import SCALARS, Grid, Variant, blocks, empty, launch
from tinymed.kernels.cuda.channels import THREADS, across, parts_of
from tinymed.kernels.cuda.row_threads import ALIGNED, MOST_THREADS, aligned, row_threads
from tinymed.precision import of_sums

__all__ = ["VARIANTS", "affine", "batch_norm", "batch_norm_grad", "group_norm", "group_norm_grad"]

ROWS = {
    dtype: Variant(
        f"normalization/rows_{dtype}",
        "normalization/rows.cu",
        ("rows", "rows_grad"),
        (("SCALAR", scalar),),
        threads=MOST_THREADS,
    )
    for dtype, scalar in (("float32", "float"), ("float64", "double"))
}
CHANNELS = {
    dtype: Variant(
        f"normalization/channels_{dtype}",
        "normalization/channels.cu",
        ("channel_statistics", "merge_statistics", "channel_sums", "merge_sums", "every_affine",
         "every_grad"),
        (("SCALAR", scalar), ("SUM", of_sum)),
        threads=THREADS,
    )
    for dtype, (scalar, of_sum) in SCALARS.items()
}  # fmt: skip
VARIANTS = (*ROWS.values(), *CHANNELS.values())


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return y, and the mean and the variance (C,) it was made with."""
    x, weight, bias = _contiguous(x, weight, bias)
    n, c, length = _sizes(x)
    dtype = of_sums(x.dtype)
    mean, variance = empty((c,), dtype, x), empty((c,), dtype, x)
    parts = parts_of(n, c, length)
    partial = empty((c, parts, 3), dtype, x)
    threads, wide = across(length, x)
    sizes = (n, c, np.uint32(length), threads, wide)
    _launch(x, "channel_statistics", Grid(c, parts), x, partial, *sizes)
    _launch(x, "merge_statistics", Grid(blocks(c, THREADS)), partial, mean, variance, c, parts)
    return _every(x, mean, variance, weight, bias, eps), mean, variance


def batch_norm_grad(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, variance: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Return dL/dx, dL/dweight, dL/dbias."""
    given = _contiguous(grad_output, x, weight, mean, variance)
    grad_output, x, weight, mean, variance = given
    n, c, length = _sizes(x)
    along, total = _channel_sums(grad_output, x, mean, variance, 0, eps)
    grad_x = empty(x.shape, x.dtype, x)
    wide = aligned(length, grad_output, x)
    arrays = (grad_output, x, mean, variance, weight, along, total, grad_x)
    share = along.dtype.type(1 / max(1, n * length))
    sizes = (np.uint32(x.size), c, np.uint32(length))
    _launch(x, "every_grad", Grid(_packs(x)), *arrays, *sizes, mean.dtype.type(eps), share, wide)
    return grad_x, along, total


def affine(x: Array, mean: Array, scale: Array, bias: Array | None) -> Array:
    """Return (x - mean) scale + bias with each channel's numbers: batch norm in evaluation mode."""
    x, mean, scale, bias = _contiguous(x, mean, scale, bias)
    return _every(x, mean, scale, None, bias, -1.0)


def group_norm(
    x: Array, weight: Array | None, bias: Array | None, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """Return y (N, C, L), and the mean and the variance (N, G) of each group of C / G channels."""
    x, weight, bias = _contiguous(x, weight, bias)
    n = len(x)
    y = empty(x.shape, x.dtype, x)
    mean, variance = empty((n, groups), x.dtype, x), empty((n, groups), x.dtype, x)
    _rows("rows", x, (x, weight, bias, y, mean, variance), groups, eps, aligned(_row(x, groups), x))
    return y, mean, variance


def group_norm_grad(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, variance: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Return dL/dx, dL/dweight, dL/dbias."""
    given = _contiguous(grad_output, x, weight, mean, variance)
    grad_output, x, weight, mean, variance = given
    groups = mean.shape[1]
    grad_x = empty(x.shape, x.dtype, x)
    wide = aligned(_row(x, groups), grad_output, x)
    arrays = (grad_output, x, weight, mean, variance, grad_x)
    _rows("rows_grad", x, arrays, groups, eps, wide)
    return grad_x, *_channel_sums(grad_output, x, mean, variance, groups, eps)


def _channel_sums(
    grad_output: Array, x: Array, mean: Array, variance: Array, groups: int, eps: float
) -> tuple[Array, Array]:
    """Return the sums of g z and of g over each channel; statistics are of groups, or channels."""
    n, c, length = _sizes(x)
    parts = parts_of(n, c, length)
    dtype = of_sums(x.dtype)
    partial = empty((c, parts, 2), dtype, x)
    along, total = empty((c,), dtype, x), empty((c,), dtype, x)
    threads, wide = across(length, grad_output, x)
    arrays = (grad_output, x, mean, variance, partial)
    sizes = (n, c, np.uint32(length), threads, groups)
    _launch(x, "channel_sums", Grid(c, parts), *arrays, *sizes, dtype.type(eps), wide)
    _launch(x, "merge_sums", Grid(blocks(c, THREADS)), partial, along, total, c, parts)
    return along, total


def _every(
    x: Array, mean: Array, variance: Array, weight: Array | None, bias: Array | None, eps: float
) -> Array:
    """Return (x - mean) weight / sqrt(variance + eps) + bias; a negative eps: times variance."""
    _, c, length = _sizes(x)
    y = empty(x.shape, x.dtype, x)
    sizes = (np.uint32(x.size), c, np.uint32(length))
    arrays = (x, mean, variance, weight, bias, y)
    wide = aligned(length, x)
    _launch(x, "every_affine", Grid(_packs(x)), *arrays, *sizes, mean.dtype.type(eps), wide)
    return y


def _rows(
    entry: str, x: Array, arrays: tuple[Any, ...], groups: int, eps: float, wide: bool
) -> None:
    """Launch a block for each group of each sample."""
    length = _row(x, groups)
    numbers = (length, np.uint32(x.shape[2]), groups, x.dtype.type(eps), wide)
    threads, grid = row_threads(length, x.dtype.itemsize), Grid(len(x) * groups)
    launch(ROWS[x.dtype.name], grid, *arrays, *numbers, entry=entry, threads=threads)


def _launch(x: Array, entry: str, grid: Grid, *given: Any) -> None:
    launch(CHANNELS[x.dtype.name], grid, *given, entry=entry)


def _contiguous(*arrays: Array | None) -> tuple[Any, ...]:
    xp = array_module(*arrays)
    return tuple(None if a is None else xp.ascontiguousarray(a) for a in arrays)


def _sizes(x: Array) -> tuple[int, int, int]:
    """Return N, C and the positions of a channel."""
    return x.shape[0], x.shape[1], math.prod(x.shape[2:])


def _row(x: Array, groups: int) -> int:
    """Return how many elements a group of a sample has."""
    return int(x.shape[1] // groups * x.shape[2])


def _packs(x: Array) -> int:
    """Return how many blocks take all elements, 16 bytes a thread."""
    return blocks(x.size, THREADS * (ALIGNED // x.dtype.itemsize))
