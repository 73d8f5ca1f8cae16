"""Convolution, bias, ReLU and pooling without the image in between ever reaching memory.

Some pooled rows at a time: the image's rows they see are split into even and odd places (quads.py),
then all output channels are computed from them, four outputs for each pooled position. What would
be written and read again, H' x W' numbers per channel, is four registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty
from tinymed.kernels.compiled import compiled
from tinymed.kernels.conv_pool.quads import TAPS, quad_gradients, quads, split_row
from tinymed.kernels.copying import contiguous
from tinymed.kernels.matmul.layer_gradients import column_sums
from tinymed.kernels.parallel import parallel
from tinymed.kernels.simd.vector import VECTOR_BYTES

Ints = tuple[int, ...]
ROWS = 32  # pooled rows of an item of work: the order of sums depends on it
WINDOW = TAPS * TAPS
WORTH = 1_000_000  # multiply-adds that are worth a piece of work of their own, some 20 us
one, two = quads(1), quads(2)


@compiled
def split_rows(
    parts: Any, pitch: int, lines: int, x: Any, n: int, first: int, padding: Any
) -> None:
    """Split ``lines`` rows of image n, all channels, from row ``first`` of its padded form on."""
    _, channels, height, width = x.shape
    flat = x.reshape(-1)
    lanes = VECTOR_BYTES // x.itemsize
    for c in range(channels):
        for r in range(lines):
            row = first + r - padding[0]
            at = ((n * channels + c) * height + row) * width - padding[1]
            length = width if 0 <= row < height else -padding[1]
            to = (c * lines + r) * 2 * pitch
            split_row(parts, to, pitch, pitch // lanes, flat, at, -padding[1], length)


@compiled
def forward_rows(
    first: int, last: int, x: Any, weight: Any, bias: Any, padding: Any, y: Any, winner: Any
) -> None:
    """Compute blocks ``first`` to ``last`` - 1 of ROWS pooled rows each."""
    n, channels, height, width = y.shape
    depth, lanes = x.shape[1], VECTOR_BYTES // x.itemsize
    blocks = (height + ROWS - 1) // ROWS
    pitch = ((width + lanes - 1) // lanes + 1) * lanes
    parts = np.empty(depth * 2 * (ROWS + 1) * 2 * pitch, x.dtype)
    flat, taken, w = y.reshape(-1), winner.reshape(-1), weight.reshape(-1)
    plane = height * width
    for number in range(first, last):
        n, start = number // blocks, number % blocks * ROWS
        rows = min(ROWS, height - start)
        lines = 2 * (rows + 1)
        split_rows(parts, pitch, lines, x, n, 2 * start, padding)
        apart = lines * 2 * pitch
        for k in range(0, channels, 2):
            for i in range(rows):
                at = ((n * channels + k) * height + start + i) * width
                given = (parts, 4 * i * pitch, pitch, apart, depth, w, k * depth * WINDOW, bias, k)
                if k + 1 < channels:
                    two(flat, at, taken, plane, width, *given)
                else:
                    one(flat, at, taken, plane, width, *given)


@compiled
def gradient_rows(
    first: int, last: int, grad_output: Any, winner: Any, x: Any, padding: Any, sums: Any
) -> None:
    """Compute the sums of blocks ``first`` to ``last`` - 1: (blocks, K, C, 9 taps and bias)."""
    n, channels, height, width = grad_output.shape
    depth, lanes = x.shape[1], VECTOR_BYTES // x.itemsize
    blocks = (height + ROWS - 1) // ROWS
    pitch = ((width + lanes - 1) // lanes + 1) * lanes
    parts = np.empty(depth * 2 * (ROWS + 1) * 2 * pitch, x.dtype)
    g, taken, flat = grad_output.reshape(-1), winner.reshape(-1), sums.reshape(-1)
    for number in range(first, last):
        n, start = number // blocks, number % blocks * ROWS
        rows = min(ROWS, height - start)
        lines = 2 * (rows + 1)
        split_rows(parts, pitch, lines, x, n, 2 * start, padding)
        for k in range(channels):
            at = ((n * channels + k) * height + start) * width
            for c in range(depth):
                to = ((number * channels + k) * depth + c) * (WINDOW + 1)
                begin = c * lines * 2 * pitch
                quad_gradients(flat, to, g, at, taken, rows, width, parts, begin, pitch)


def forward(x: Array, weight: Array, bias: Array, padding: Ints) -> tuple[Array, Array]:
    """Return the pooled outputs and which of four each of them is."""
    x, weight, bias = (contiguous(given) for given in (x, weight, bias))
    height, width = ((s + 2 * p) // 2 - 1 for s, p in zip(x.shape[2:], padding, strict=True))
    shape = (x.shape[0], weight.shape[0], height, width)
    y, winner = empty(shape, x.dtype), empty(shape, np.uint8)
    work = 4 * WINDOW * x.shape[1] * weight.shape[0] * min(ROWS, height) * width
    given = (x, weight, bias, tuple(padding), y, winner)
    parallel(forward_rows, x.shape[0] * -(-height // ROWS), 1 + WORTH // (1 + work), *given)
    return y, winner


def grad_weight(grad_output: Array, winner: Array, x: Array, padding: Ints) -> tuple[Array, Array]:
    """Return the gradients of weight and bias."""
    g, winner, x = (contiguous(given) for given in (grad_output, winner, x))
    (n, channels, height, width), depth = g.shape, x.shape[1]
    blocks = n * -(-height // ROWS)
    sums = empty((blocks, channels, depth, WINDOW + 1), x.dtype)
    work = 4 * WINDOW * depth * channels * min(ROWS, height) * width
    parallel(gradient_rows, blocks, 1 + WORTH // (1 + work), g, winner, x, tuple(padding), sums)
    total, part = (empty(sums.shape[1:], x.dtype) for _ in range(2))
    flat = total.reshape(-1), sums.reshape(-1), part.reshape(-1)
    parallel(column_sums, total.size, total.size + 1, *flat, blocks, total.size)
    to_weight = contiguous(total[..., :WINDOW]).reshape(channels, depth, TAPS, TAPS)
    return to_weight, contiguous(total[:, 0, WINDOW])
