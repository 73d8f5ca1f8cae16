"""Group, layer and batch norm in numba-cuda: a block for a row, the numbers that share a mean.

A row is the channels of a group in one sample or, ``across`` the samples, one channel of all of
them. Counted: it is read three times, twice from the cache if it fits there, and written once.
Bound: memory, if there are as many rows as the GPU has multiprocessors.
"""

from __future__ import annotations

import math
from typing import Any

from numba import cuda

from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda import Grid, empty, launch_python
from tinymed.kernels.cuda.numba_parts import block_sum

__all__ = ["batch_norm", "batch_norm_grad", "group_norm", "group_norm_grad"]

THREADS = 128  # of a block; a power of 2


@cuda.jit(device=True)
def place(x: Array, row: int, count: int, number: int, across: bool) -> tuple[int, int, int]:
    """Return where element ``number`` of a row of ``count`` stands in x (N, C, L)."""
    channels, length = x.shape[1], x.shape[2]
    if across:
        return number // length, row, number % length
    channel = row * (count // length) + number // length  # counted through all samples
    return channel // channels, channel % channels, number % length


@cuda.jit
def normalized(
    x: Array, weight: Array | None, bias: Array | None, count: int, across: bool, eps: Any,
    y: Array, mean: Array, variance: Array,
) -> None:  # fmt: skip
    """Write y = (x - mean) / sqrt(variance + eps) weight + bias."""
    partial = cuda.shared.array(THREADS, y.dtype)
    row = cuda.blockIdx.x
    total, size = y.dtype.type(0), y.dtype.type(count)
    for i in range(cuda.threadIdx.x, count, THREADS):
        n, c, position = place(x, row, count, i, across)
        total += x[n, c, position]
    middle = block_sum(partial, total) / size
    total = y.dtype.type(0)
    for i in range(cuda.threadIdx.x, count, THREADS):
        n, c, position = place(x, row, count, i, across)
        deviation = x[n, c, position] - middle
        total += deviation * deviation
    spread = block_sum(partial, total) / size
    scale = y.dtype.type(1) / math.sqrt(spread + eps)
    for i in range(cuda.threadIdx.x, count, THREADS):
        n, c, position = place(x, row, count, i, across)
        z = (x[n, c, position] - middle) * scale
        if weight is not None:
            z *= weight[c]
        if bias is not None:
            z += bias[c]
        y[n, c, position] = z
    if cuda.threadIdx.x == 0:
        mean[row], variance[row] = middle, spread


@cuda.jit
def returned(
    dy: Array, x: Array, weight: Array | None, mean: Array, variance: Array, count: int,
    across: bool, eps: Any, dx: Array,
) -> None:  # fmt: skip
    """Write dx = (g - mean(g) - z mean(g z)) / sqrt(variance + eps), g = weight dy."""
    partial = cuda.shared.array(THREADS, dx.dtype)
    row = cuda.blockIdx.x
    middle, scale = mean[row], dx.dtype.type(1) / math.sqrt(variance[row] + eps)
    total = along = dx.dtype.type(0)
    for i in range(cuda.threadIdx.x, count, THREADS):
        n, c, position = place(x, row, count, i, across)
        g = dy[n, c, position]
        if weight is not None:
            g *= weight[c]
        total += g
        along += g * ((x[n, c, position] - middle) * scale)
    total = block_sum(partial, total) / dx.dtype.type(count)
    along = block_sum(partial, along) / dx.dtype.type(count)
    for i in range(cuda.threadIdx.x, count, THREADS):
        n, c, position = place(x, row, count, i, across)
        g = dy[n, c, position]
        if weight is not None:
            g *= weight[c]
        z = (x[n, c, position] - middle) * scale
        dx[n, c, position] = (g - total - z * along) * scale


@cuda.jit
def sums(
    dy: Array, x: Array, mean: Array, variance: Array, eps: Any, dweight: Array, dbias: Array
) -> None:
    """Write the sums of dy z and dy over a channel; mean and variance are (N, G), or (1, C)."""
    partial = cuda.shared.array(THREADS, dweight.dtype)
    channel, length = cuda.blockIdx.x, x.shape[2]
    group = channel // (x.shape[1] // mean.shape[1])
    total = along = dweight.dtype.type(0)
    for i in range(cuda.threadIdx.x, x.shape[0] * length, THREADS):
        n, position = i // length, i % length
        row = n if mean.shape[0] > 1 else 0
        scale = dweight.dtype.type(1) / math.sqrt(variance[row, group] + eps)
        g = dy[n, channel, position]
        total += g
        along += g * ((x[n, channel, position] - mean[row, group]) * scale)
    total = block_sum(partial, total)
    along = block_sum(partial, along)
    if cuda.threadIdx.x == 0:
        dweight[channel], dbias[channel] = along, total


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return y, and the mean and the variance (C,) it was made with."""
    y, mean, variance = (empty(s, x.dtype, x) for s in (x.shape, x.shape[1:2], x.shape[1:2]))
    rows, count = x.shape[1], x.size // x.shape[1]
    given = _flat(x), weight, bias, count, True, x.dtype.type(eps)
    launch_python(normalized, Grid(rows), THREADS, *given, _flat(y), mean, variance)
    return y, mean, variance


def batch_norm_grad(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, variance: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Return dL/dx, dL/dweight, dL/dbias."""
    count = x.size // x.shape[1]
    return _gradients(grad_output, x, weight, mean[None], variance[None], count, True, eps)


def group_norm(
    x: Array, weight: Array | None, bias: Array | None, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """Return y (N, C, L), and the mean and the variance (N, G) of each group of C / G channels."""
    each = len(x), groups
    y, mean, variance = (empty(shape, x.dtype, x) for shape in (x.shape, each, each))
    count = x.shape[1] // groups * x.shape[2]
    given = x, weight, bias, count, False, x.dtype.type(eps)
    launch_python(
        normalized, Grid(mean.size), THREADS, *given, y, mean.reshape(-1), variance.reshape(-1)
    )
    return y, mean, variance


def group_norm_grad(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, variance: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Return dL/dx, dL/dweight, dL/dbias: as in batch norm, with weight g in the place of g."""
    count = x.shape[1] // mean.shape[1] * x.shape[2]
    return _gradients(grad_output, x, weight, mean, variance, count, False, eps)


def _gradients(
    dy: Array, x: Array, weight: Array | None, mean: Array, variance: Array, count: int,
    across: bool, eps: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Return the three gradients; mean and variance are (N, G), or (1, C) across the samples."""
    channels = (x.shape[1],)
    dx, dweight, dbias = (empty(shape, x.dtype, x) for shape in (x.shape, channels, channels))
    small, dy, x = x.dtype.type(eps), _flat(dy), _flat(x)
    statistics = mean.reshape(-1), variance.reshape(-1)
    given = dy, x, weight, *statistics, count, across, small
    launch_python(returned, Grid(mean.size), THREADS, *given, _flat(dx))
    launch_python(sums, Grid(*channels), THREADS, dy, x, mean, variance, small, dweight, dbias)
    return dx, dweight, dbias


def _flat(x: Array) -> Array:
    """Return (N, C, *S) as (N, C, L)."""
    return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
