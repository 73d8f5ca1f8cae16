"""Convolution of a batch of small maps with many channels: the last layers of a network.

The lanes run along the images of the batch, and no product with the padding is made; see
small_maps.py. A few images, or large maps, are better served by `numba_cpu:direct`.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty, full
from tinymed.kernels.conv.numba_cpu_direct import ACTIVATIONS, WORTH
from tinymed.kernels.conv.reference import Ints, output_size
from tinymed.kernels.conv.small_maps import (
    ROWS,
    channels_side_by_side,
    images_side_by_side,
    sums_of_images,
    sums_of_pairs,
)
from tinymed.kernels.copying import contiguous
from tinymed.kernels.parallel import parallel
from tinymed.kernels.simd.vector import VECTOR_BYTES

MANY = 1 << 14  # numbers laid out that are worth a piece of work of their own


class Pairs(NamedTuple):
    """Which positions of a source meet those of a result, and by which tap."""

    begins: Array  # (positions of the result + 1,): where the pairs of each begin
    sources: Array
    taps: Array


def _meetings(size: Ints, out: Ints, kernel: Ints, *settings: Ints) -> Array:
    """Return (3, pairs): positions of y, positions of x and taps that meet, none in the padding."""
    met = np.zeros((3, 1), np.int64)
    for s, o, k, stride, padding, dilation in zip(size, out, kernel, *settings, strict=True):
        y, tap = (each.ravel() for each in np.indices((o, k)))
        x = y * stride + tap * dilation - padding
        inside = (x >= 0) & (x < s)
        axis = np.stack([y, x, tap])[:, inside]
        lengths = np.array([[o], [s], [k]])
        met = (met * lengths)[:, :, None] + axis[:, None, :]
        met = met.reshape(3, -1)
    return met


@functools.lru_cache(512)
def _pairs(size: Ints, out: Ints, kernel: Ints, settings: tuple[Ints, ...], of_x: bool) -> Pairs:
    """Return the pairs of the positions of y, or ``of_x`` those of x, whose source is y."""
    y, x, taps = _meetings(size, out, kernel, *settings)
    result, source, positions = (x, y, math.prod(size)) if of_x else (y, x, math.prod(out))
    order = np.lexsort((taps, result))
    begins = np.searchsorted(result[order], np.arange(positions + 1))
    return Pairs(begins, source[order], taps[order])


@functools.lru_cache(512)
def _runs(size: Ints, out: Ints, kernel: Ints, settings: tuple[Ints, ...]) -> Array:
    """Return (runs, 4): tap, first position of y and of x, and how many follow each other."""
    y, x, taps = _meetings(size, out, kernel, *settings)
    order = np.lexsort((y, taps))
    y, x, taps = y[order], x[order], taps[order]
    follows = (np.diff(taps) == 0) & (np.diff(y) == 1) & (np.diff(x) == 1)
    begins = np.flatnonzero(np.concatenate([[len(y) > 0], ~follows]))
    lengths = np.diff(np.append(begins, len(y)))
    return np.stack([taps[begins], y[begins], x[begins], lengths], axis=1)


def _width(count: int, itemsize: int) -> int:
    """Return the numbers that lie side by side: a register of ``count``, or two."""
    lanes = VECTOR_BYTES // itemsize
    return lanes if count <= lanes else 2 * lanes


def _products(
    x: Array, weight: Array, turned: bool, bias: Array, activation: int, y: Array, pairs: Pairs
) -> Array:
    """Fill y (N, K, *O) from x (N, C, *S); ``turned``: weight is (C, K, *kernel)."""
    if not y.size:
        return y
    images, channels, results = len(x), x.shape[1], y.shape[1]
    source, positions = math.prod(x.shape[2:]), math.prod(y.shape[2:])
    sizes = (images, channels, results, source, positions, math.prod(weight.shape[2:]))
    width = _width(images, x.itemsize)
    chunks, lanes = -(-images // width), VECTOR_BYTES // x.itemsize
    size = -(-channels * source // lanes) * lanes * width
    laid = empty((chunks * size,), x.dtype)
    if x.size:
        parallel(images_side_by_side, chunks, 1 + MANY // size, x.reshape(-1), laid, images, width)
    least = 1 + WORTH // (1 + ROWS * width * channels * len(pairs.taps))
    given = (laid, weight.reshape(-1), turned, bias, activation, y.reshape(-1), sizes, *pairs)
    parallel(sums_of_pairs, chunks * -(-results // ROWS), least, *given, width)
    return y


def forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
    activation: str | None,
) -> Array:
    """Return f(weight * x + bias), (N, K, *O)."""
    x, weight = contiguous(x), contiguous(weight)
    k, kernel, size = len(weight), weight.shape[2:], x.shape[2:]
    settings = (tuple(stride), tuple(padding), tuple(dilation))
    out = tuple(map(output_size, size, kernel, *settings))
    y = empty((x.shape[0], k, *out), x.dtype)
    shift = full((k,), 0, x.dtype) if bias is None else contiguous(bias)
    pairs = _pairs(size, out, kernel, settings, of_x=False)
    return _products(x, weight, False, shift, ACTIVATIONS[activation], y, pairs)


def grad_input(
    grad_output: Array,
    weight: Array,
    spatial: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Array:
    """Return dL/dx, (N, C, *spatial)."""
    dy, weight = contiguous(grad_output), contiguous(weight)
    c, kernel, out = weight.shape[1], weight.shape[2:], dy.shape[2:]
    dx = empty((dy.shape[0], c, *spatial), dy.dtype)
    settings = (tuple(stride), tuple(padding), tuple(dilation))
    pairs = _pairs(tuple(spatial), out, kernel, settings, of_x=True)
    return _products(dy, weight, True, full((c,), 0, dy.dtype), 0, dx, pairs)


def grad_weight(
    grad_output: Array,
    x: Array,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Array:
    """Return dL/dweight, (K, C, *kernel)."""
    dy, x = contiguous(grad_output), contiguous(x)
    (images, k, *out), (c, *size) = dy.shape, x.shape[1:]
    dw = empty((k, c, *kernel), dy.dtype)
    if not dw.size or not dy.size:
        dw[...] = 0
        return dw
    settings = (tuple(stride), tuple(padding), tuple(dilation))
    runs = _runs(tuple(size), tuple(out), tuple(kernel), settings)
    source, positions = math.prod(size), math.prod(out)
    sizes = (images, c, k, source, positions, math.prod(kernel))
    width = _width(c, x.itemsize)
    chunks, lanes = -(-c // width), VECTOR_BYTES // x.itemsize
    room = -(-source // lanes) * lanes * images * width
    laid = empty((chunks * room,), x.dtype)
    parallel(channels_side_by_side, chunks, 1 + MANY // room, x.reshape(-1), laid, sizes, width)
    least = 1 + WORTH // (1 + ROWS * chunks * width * images * int(runs[:, 3].sum()))
    given = (dy.reshape(-1), laid, dw.reshape(-1), sizes, runs, width)
    parallel(sums_of_images, -(-k // ROWS), least, *given)
    return dw
