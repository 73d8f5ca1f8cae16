"""Convolution by its definition: sums of taps in registers, any geometry.

The layer and the gradient of the input are the same loops over other tables (geometry.py says why,
sum_of_taps.py how), the gradient of the weight has its own (sum_of_positions.py). Every result is
summed in the same order whatever the threads; nothing is approximated.
"""

from __future__ import annotations

import math

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty, full
from tinymed.kernels.conv.depthwise import depthwise
from tinymed.kernels.conv.geometry import Grid, Taps, grid_of_gradient, grid_of_layer
from tinymed.kernels.conv.reference import Ints, output_size
from tinymed.kernels.conv.sum_of_positions import (
    COLUMNS,
    FEW,
    collect,
    outer_products,
    scalar_products,
)
from tinymed.kernels.conv.sum_of_taps import pack, sum_of_taps
from tinymed.kernels.conv.windows import (
    BLOCK,
    CHANNELS,
    WINDOW,
    add_parts,
    window_gradients,
    windows,
)
from tinymed.kernels.copying import contiguous
from tinymed.kernels.parallel import parallel
from tinymed.kernels.simd.vector import VECTOR_BYTES

ACTIVATIONS = {None: 0, "relu": 1, "tanh": 2, "sigmoid": 3}
WORTH = 1_000_000  # multiply-adds that are worth a piece of work of their own, some 20 us
ITEMS = 8  # that the sums of a gradient of the weight are cut into, at most,
SUMS = 1 << 21  # and how many numbers these may be


def _run(
    x: Array,
    weight: Array,
    row: int,
    bias: Array,
    activation: int,
    y: Array,
    grid: Grid,
    taps: Taps,
) -> Array:
    """Fill ``y`` with a sum of taps; ``row`` is the distance of the weights of two results."""
    if not y.size:
        return y
    blocks, steps = -(-grid.results // grid.rows), taps.offsets.size
    packed = empty((grid.groups * blocks * grid.rows * steps,), y.dtype)
    flat, group = weight.reshape(-1), weight.size // grid.groups
    least = 1 + WORTH // (4 * grid.rows * max(1, steps))
    parallel(pack, grid.groups * blocks, least, flat, packed, group, row, grid, taps)
    items = y.shape[0] * grid.groups * math.prod(grid.blocks)
    least = 1 + WORTH // (1 + grid.results * steps * math.prod(grid.block))
    given = (x.reshape(-1), packed, bias, activation, y.reshape(-1), grid, taps)
    alone = grid.channels == grid.results == len(taps.starts) == 1
    parallel(depthwise if alone else sum_of_taps, items, least, *given)
    return y


def _dense(kernel: Ints, stride: Ints, dilation: Ints) -> bool:
    """Return whether windows are 3x3 neighbours around each position."""
    return tuple(kernel) == (3, 3) and tuple(stride) == tuple(dilation) == (1, 1)


def _window_sizes(
    channels: int, results: int, size: Ints, out: Ints, padding: Ints, itemsize: int
) -> tuple[int, ...]:
    """Return what the loops of `windows` take: BLOCK bytes of lines at a time."""
    at_once = max(8, BLOCK // (itemsize * max(1, size[1])))
    return (channels, results, *size, *out, *padding, at_once)


def _windows(
    x: Array, weight: Array, turned: bool, bias: Array, activation: int, y: Array, padding: Ints
) -> Array:
    """Fill ``y`` with sums of dense windows of one channel, ``turned`` by 180 degrees or not."""
    if not y.size:
        return y
    channels = x.shape[1]
    sizes = _window_sizes(
        channels, y.shape[1] // channels, x.shape[2:], y.shape[2:], padding, x.itemsize
    )
    items = len(x) * channels * -(-y.shape[2] // sizes[-1])
    least = 1 + WORTH * items // (4 * WINDOW * y.size)
    given = (x.reshape(-1), weight.reshape(-1), turned, bias, activation, y.reshape(-1), sizes)
    parallel(windows, items, least, *given)
    return y


def _window_gradients(dy: Array, x: Array, dw: Array, padding: Ints) -> Array:
    """Fill ``dw`` with the gradient of dense windows of one channel."""
    c, k = x.shape[1], dy.shape[1]
    sizes = _window_sizes(c, k // c, x.shape[2:], dy.shape[2:], padding, x.itemsize)
    parts = min(len(x) * -(-dy.shape[2] // sizes[-1]), ITEMS)
    items = parts * -(-c // CHANNELS)
    partial = empty((parts, dw.size), x.dtype)
    least = 1 + WORTH * items // (4 * WINDOW * dy.size)
    given = (dy.reshape(-1), x.reshape(-1), partial.reshape(-1), parts, sizes)
    parallel(window_gradients, items, least, *given)
    parallel(add_parts, 1, 2, partial, dw.reshape(-1))
    return dw


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
    k, kernel, size = weight.shape[0], weight.shape[2:], x.shape[2:]
    out = tuple(map(output_size, size, kernel, stride, padding, dilation))
    y = empty((x.shape[0], k, *out), x.dtype)
    shift = full((k,), 0, x.dtype) if bias is None else contiguous(bias)
    if groups == x.shape[1] and _dense(kernel, stride, dilation):
        return _windows(x, weight, False, shift, ACTIVATIONS[activation], y, padding)
    settings = (tuple(stride), tuple(padding), tuple(dilation))
    channels = (groups, x.shape[1], k)
    grid, taps = grid_of_layer(channels, size, out, kernel, settings, x.itemsize)
    row = weight.size // k if k else 0
    return _run(x, weight, row, shift, ACTIVATIONS[activation], y, grid, taps)


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
    k, kernel, out = weight.shape[0], weight.shape[2:], dy.shape[2:]
    c = weight.shape[1] * groups
    dx = empty((dy.shape[0], c, *spatial), dy.dtype)
    if groups == c == k and _dense(kernel, stride, dilation):
        around = tuple(2 - p for p in padding)
        return _windows(dy, weight, True, full((c,), 0, dy.dtype), 0, dx, around)
    settings = (tuple(stride), tuple(padding), tuple(dilation))
    grid, taps = grid_of_gradient(
        (groups, c, k), tuple(spatial), out, kernel, settings, dy.itemsize
    )
    return _run(dy, weight, math.prod(kernel), full((c,), 0, dy.dtype), 0, dx, grid, taps)


def grad_weight(
    grad_output: Array,
    x: Array,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Array:
    """Return dL/dweight, (K, C / groups, *kernel)."""
    dy, x = contiguous(grad_output), contiguous(x)
    c, k, out = x.shape[1], dy.shape[1], dy.shape[2:]
    dw = empty((k, c // groups, *kernel), dy.dtype)
    if not dw.size or not dy.size:
        dw[...] = 0
        return dw
    if groups == c and _dense(kernel, stride, dilation):
        return _window_gradients(dy, x, dw, padding)
    settings = (tuple(stride), tuple(padding), tuple(dilation))
    grid, taps = grid_of_layer(
        (groups, c, k), x.shape[2:], out, tuple(kernel), settings, x.itemsize
    )
    images, columns = dy.shape[0], taps.offsets.size
    parts = min(images * math.prod(grid.blocks), max(1, min(ITEMS, SUMS // dw.size)))
    least = 1 + WORTH * parts * groups // (dw.size * dy.size // k)
    lanes = VECTOR_BYTES // x.itemsize
    given = (dy.reshape(-1), x.reshape(-1))
    if columns <= 3 * FEW or 2 * grid.results < lanes:
        pitch, chunk = -(-columns // FEW) * FEW, 0
        partial = empty((parts * k * pitch,), x.dtype)
        parallel(scalar_products, parts * groups, least, *given, partial, parts, grid, taps)
    else:
        pitch, chunk = -(-columns // COLUMNS) * COLUMNS, lanes * (1 + (grid.results > lanes))
        chunks = -(-grid.results // chunk)
        splits = min(chunks, -(-ITEMS // (parts * groups)))
        partial = empty((parts * groups * chunks * pitch * chunk,), x.dtype)
        items = parts * groups * splits
        parallel(outer_products, items, least, *given, partial, parts, splits, grid, taps)
    parallel(collect, 1, 2, partial, parts, dw.reshape(-1), grid, chunk, pitch)
    return dw
