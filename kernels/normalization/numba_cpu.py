"""Normalisation in vector code: see `batch` and `group` for how the sums are made."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty, full
from tinymed.kernels.copying import contiguous
from tinymed.kernels.matmul.layer_gradients import column_sums
from tinymed.kernels.normalization import batch, group
from tinymed.kernels.parallel import parallel

WORTH = 1 << 15  # elements that are worth a thread
NARROW = 64  # channels that stay together, so that rows of them fill registers


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return y, and the mean and the variance (divided by the count) it was made with."""
    y, sizes = empty(x.shape, x.dtype), _sizes(x)
    channels = sizes[1]
    mean, variance = (empty((channels,), x.dtype) for _ in range(2))
    core, least = _for_channels(sizes, batch.columns, batch.planes)
    parallel(
        core, channels, least, y.reshape(-1), mean, variance, _flat(x),
        *_affine(weight, bias, channels, x.dtype), sizes, eps,
    )  # fmt: skip
    return y, mean, variance


def batch_norm_grad(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, variance: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Return dL/dx, dL/dweight, dL/dbias."""
    grad_x, sizes = empty(x.shape, x.dtype), _sizes(x)
    channels = sizes[1]
    grad_weight, grad_bias = (empty((channels,), x.dtype) for _ in range(2))
    core, least = _for_channels(sizes, batch.columns_grad, batch.planes_grad)
    parallel(
        core, channels, least, grad_x.reshape(-1), grad_weight, grad_bias, _flat(grad_output),
        _flat(x), _per_channel(weight, 1, channels, x.dtype), _flat(mean), _flat(variance), sizes,
        eps,
    )  # fmt: skip
    return grad_x, grad_weight, grad_bias


def affine(x: Array, mean: Array, scale: Array, bias: Array | None) -> Array:
    """Return (x - mean) scale + bias with each channel's numbers: batch norm in evaluation mode."""
    y, (samples, channels, length) = empty(x.shape, x.dtype), _sizes(x)
    parallel(
        batch.affine, samples, 1 + WORTH // max(1, channels * length), y.reshape(-1), _flat(x),
        _flat(mean), _flat(scale), _per_channel(bias, 0, channels, x.dtype), length,
    )  # fmt: skip
    return y


def group_norm(
    x: Array, weight: Array | None, bias: Array | None, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """Return y (N, C, L), and the mean and the variance (N, G) of each group of C / G channels."""
    samples, channels, length = x.shape
    y = empty(x.shape, x.dtype)
    mean, variance = (empty((samples, groups), x.dtype) for _ in range(2))
    parallel(
        group.columns if length == 1 else group.planes, samples,
        1 + WORTH // max(1, channels * length), y.reshape(-1), mean.reshape(-1),
        variance.reshape(-1), _flat(x), *_affine(weight, bias, channels, x.dtype),
        (channels, length, groups), eps,
    )  # fmt: skip
    return y, mean, variance


def group_norm_grad(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, variance: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Return dL/dx, dL/dweight, dL/dbias."""
    samples, channels, length = x.shape
    grad_x, groups, worth = empty(x.shape, x.dtype), mean.shape[1], max(1, channels * length)
    if length == 1:  # a thread adds up whole blocks of samples
        core, count = group.columns_grad, -(-samples // group.BLOCK)
        least, sizes = 1 + WORTH // (worth * group.BLOCK), (samples, channels, groups)
    else:
        core, count = group.planes_grad, samples
        least, sizes = 1 + WORTH // worth, (channels, length, groups)
    products, totals = (empty((count, channels), x.dtype) for _ in range(2))
    parallel(
        core, count, least, grad_x.reshape(-1), products.reshape(-1), totals.reshape(-1),
        _flat(grad_output), _flat(x), _per_channel(weight, 1, channels, x.dtype), _flat(mean),
        _flat(variance), sizes, eps,
    )  # fmt: skip
    return grad_x, _added(products), _added(totals)


def _added(rows: Array) -> Array:
    """Return the sum of the rows (n, C)."""
    count, channels = rows.shape
    total, part = empty((channels,), rows.dtype), empty((channels,), rows.dtype)
    parallel(column_sums, channels, channels + 1, total, rows.reshape(-1), part, count, channels)
    return total


def _sizes(x: Array) -> tuple[int, int, int]:
    """Return N, C and L of x (N, C, *spatial)."""
    samples, channels = x.shape[:2]
    return samples, channels, x.size // max(1, samples * channels)


def _for_channels(sizes: tuple[int, int, int], columns: Any, planes: Any) -> tuple[Any, int]:
    """Return which code works on channels, and how many are worth a thread."""
    samples, _, length = sizes
    least = 1 + WORTH // max(1, samples * length)
    return (columns, max(NARROW, least)) if length == 1 else (planes, least)


def _affine(
    weight: Array | None, bias: Array | None, channels: int, dtype: Any
) -> tuple[Array, Array]:
    return _per_channel(weight, 1, channels, dtype), _per_channel(bias, 0, channels, dtype)


def _per_channel(values: Array | None, other: int, channels: int, dtype: Any) -> Array:
    """Return ``values`` (C,) contiguous, or ``other`` for each channel if there are none."""
    return full((channels,), other, dtype) if values is None else contiguous(values)


def _flat(array: Array) -> Array:
    return contiguous(array).reshape(-1)
