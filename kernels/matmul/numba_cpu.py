"""Matrix products in vector code; bias and activation join in the last step."""

from __future__ import annotations

import math
from typing import Any

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty
from tinymed.kernels.copying import contiguous
from tinymed.kernels.matmul.few_rows import multiply_few
from tinymed.kernels.matmul.gemm import (
    ACTIVATIONS,
    HEIGHT,
    finish,
    multiply,
    pack,
    packed_size,
    panel_width,
)
from tinymed.kernels.matmul.layer_gradients import channel_sums, column_sums
from tinymed.kernels.parallel import parallel

# What is worth a thread: some 10 us, as to wake one takes 50.
WORTH = 1 << 20  # multiply-adds
MANY = 1 << 17  # elements that are added up
FEW = 96  # rows: fewer do not pay for laying out the other matrix


def linear(x: Array, weight: Array, bias: Array | None, activation: str | None) -> Array:
    """Return f(x weight^T + bias), (M, D)(D, H) + (H,) -> (M, H)."""
    return _product(x, weight.T, bias, activation)


def product(a: Array, b: Array) -> Array:
    """Return a b, (M, K)(K, N) -> (M, N)."""
    return _product(a, b, None, None)


def bias_grad(grad_output: Array) -> Array:
    """Return dL/dbias (C,), the sum of dL/dy (N, C, *S) over all axes but the channels'."""
    images, channels = grad_output.shape[:2]
    size = math.prod(grad_output.shape[2:])
    total, x = empty((channels,), grad_output.dtype), contiguous(grad_output).reshape(-1)
    if size == 1:
        part = empty((channels,), grad_output.dtype)
        # One thread: it keeps up with memory, and several would write to the same cache lines.
        parallel(column_sums, channels, channels + 1, total, x, part, images, channels)
    else:
        least = 1 + MANY // max(1, images * size)
        parallel(channel_sums, channels, least, total, x, images, channels, size)
    return total


def _product(a: Array, b: Array, bias: Array | None, activation: str | None) -> Array:
    """Return f(a b + bias), by dot products or by tiles, on all threads."""
    (rows, depth), columns = a.shape, b.shape[1]
    y = empty((rows, columns), a.dtype)
    if not y.size:
        return y
    flat, (a, a_row, a_column), (b, b_row, b_column) = y.reshape(-1), _flat(a), _flat(b)
    bias = flat[:0] if bias is None else contiguous(bias)
    kind = ACTIVATIONS[activation]
    if rows < FEW and depth >= 16 and a_column == 1 == b_row:
        least = 1 + WORTH // (rows * depth)
        parallel(multiply_few, columns, least, flat, columns, rows, a, a_row, b, b_column, depth)
        if kind or bias.size:
            parallel(finish, rows, 1 + MANY // columns, flat, columns, bias, kind)
        return y
    width = panel_width(a.dtype)
    count = -(-columns // width)
    panels: Any = empty((packed_size(a.dtype, depth, columns),), a.dtype)
    least = 1 + WORTH // (width * max(1, depth))
    parallel(pack, count, least, panels, width, b, b_row, b_column, depth, columns)
    least = HEIGHT * (1 + WORTH // (HEIGHT * columns * max(1, depth)))
    parallel(
        multiply, rows, least, flat, columns, a, a_row, a_column, panels, width, depth, columns,
        bias, kind,
    )  # fmt: skip
    return y


def _flat(matrix: Array) -> tuple[Array, int, int]:
    """Return a matrix as a flat array and the distances, in elements, of its rows and columns."""
    rows, columns = matrix.shape
    if matrix.flags.c_contiguous:
        return matrix.reshape(-1), columns, 1
    if matrix.flags.f_contiguous:
        return matrix.T.reshape(-1), 1, rows
    return contiguous(matrix).reshape(-1), columns, 1
