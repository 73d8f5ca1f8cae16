"""Winograd convolution on the CPU: 3x3 and 3x3x3 windows, stride 1, no dilation or groups, float32.

With tiles of 4x4 outputs a layer takes 36 / 16 = 2.25 products per output and channel instead of 9.
A block of tiles at a time goes through three steps that stay in a core's second cache; registers
run along the tiles of all images, row by row, so that few lanes are idle however small the maps:

    V = B^T d B      each channel's tiles      x (N, C, H, W)  -> v (frequencies, C, tiles)
    P = U V          one product a frequency   u (K, C) v (C, tiles) -> p (frequencies, K, tiles)
    Y = A^T P A      bias and activation too   p               -> y (N, K, H', W')

The gradient of the input is the same with windows turned by 180 degrees, C and K changing places.
The gradient of the weight turns all factors around and sums over tiles: see winograd_gradient.py.

Volumes are slices. A window of 3x3x3 is three layers of 3x3, and a slice of the result is the sum
over layers and channels of what a layer makes of the slice it sees: three times as many channels.

The price is rounding: the points 2 and -2 make the terms of a sum larger than the sum. Measured on
normal numbers, the largest error is 2.5 sqrt(9 C) eps times the largest result with 4x4 tiles (4e-6
for C = 16, 1.2e-5 for C = 256; of the direct sum 5e-7), and that of the direct sum with 2x2 tiles,
which run where they need no more products: on maps of 1, 2, 5 or 6 positions along an axis. An inf
or nan in x makes all outputs of the tiles that see it nan, where the direct sum keeps it to 3x3.

Of the gradient of the weight the largest error is 2e-5 times the largest result or less, 4 to 10
times that of the direct sum (1e-5 against 2e-6 for sums over 160,000 positions, 3e-6 against 4e-7
over 144); where all terms have one sign it is not larger. An inf or nan in a channel of x or dy
makes all nine taps of its windows nan.

Source: Lavin, Gray (2016), "Fast algorithms for convolutional neural networks"; see winograd.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty, full
from tinymed.kernels.compiled import compiled
from tinymed.kernels.conv.reference import Ints
from tinymed.kernels.conv.winograd import TAPS, input_columns, input_rows, outputs, weights
from tinymed.kernels.conv.winograd_gradient import FREQUENCIES, SIDE, sum_of_tiles, total
from tinymed.kernels.copying import contiguous
from tinymed.kernels.parallel import parallel
from tinymed.kernels.simd import functions
from tinymed.kernels.simd.loops import elementwise
from tinymed.kernels.simd.prefetch import prefetch_to_read, prefetch_to_write
from tinymed.kernels.simd.tile import tile
from tinymed.kernels.simd.transpose import transpose
from tinymed.kernels.simd.vector import REGISTERS, lanes_of
from tinymed.kernels.threads import get_num_threads

LANES = lanes_of(np.dtype(np.float32))
ROWS, VECTORS = 8 if REGISTERS == 32 and LANES >= 8 else 4, 3
WIDE = VECTORS * LANES
WINDOW = TAPS * TAPS
BLOCK = 900_000  # bytes of V and P together, nearly all of a second cache of 1 MB
WORTH = 1_000_000  # multiply-adds that are worth a piece of work of their own, some 20 us
CHANNELS = 64  # of x and of dy, whose sums stay in the second cache
GRADIENT_BLOCK = 600_000  # bytes of both transformed arrays, beside them
PARTS = 8  # that the tiles of all images are summed in, at most
ACTIVATIONS = {None: 0, "relu": 1, "tanh": 2, "sigmoid": 3}

wide, narrow = tile(ROWS, VECTORS), tile(ROWS, 1)
copy = elementwise(lambda code, x: x)
tanh, sigmoid = elementwise(functions.tanh), elementwise(functions.sigmoid)


@compiled
def transform_weights(
    first: int, last: int, size: Any, u: Any, w: Any, steps: Any, deep: int, count: int,
    backwards: bool,
) -> None:  # fmt: skip
    """Transform windows ``first`` to ``last`` - 1, each for LANES output channels at once.

    u is (frequencies, blocks of LANES output channels, layers, LANES). The ``deep`` windows of
    (o, c) begin at o * steps[0] + c * steps[1] of w, flat; they and their taps are taken in order
    or ``backwards``. Of the ``count`` output channels the last is repeated to fill its block.
    """
    layers = u.shape[2]
    plane = u.shape[1] * layers * LANES
    g = np.empty((WINDOW + LANES) * LANES, w.dtype)
    flat = u.reshape(-1)
    tap, step = ((WINDOW - 1) * LANES, -LANES) if backwards else (0, LANES)
    for number in range(first, last):
        o, layer = number // layers * LANES, number % layers
        start = o * steps[0] + layer // deep * steps[1]
        start += WINDOW * (deep - 1 - layer % deep if backwards else layer % deep)
        transpose(g, 0, LANES, w, start, steps[0], min(LANES, count - o), WINDOW)
        weights(size, flat, number * LANES, plane, g, tap, step)


@compiled
def transform_rows(
    size: Any, t: Any, t_row: int, x: Any, c: int, z: int, tiles: Any, grid: Any, padding: Any
) -> None:
    """Write B^T d of the tiles from tiles[0] up to tiles[1], one row of tiles each, of channel c.

    ``z`` is the layer of the window that they belong to. What the next layer or channel reads is
    asked for.
    """
    m, (slices, down, across), (front, top, left) = len(size), grid, padding
    channels, depth, height, width = x.shape[1:]
    flat = x.reshape(-1)
    q, last = tiles
    while q < last:
        line = q // across
        j, image, i = q - line * across, line // down, line % down
        end = min(last, (line + 1) * across)
        row, column = m * i - top, m * j - left
        d = image % slices + z - front
        at = (((image // slices * channels + c) * depth + d) * height + row) * width + column
        place, columns = m * (q - tiles[0]), m * (end - q) + TAPS - 1
        edges = (width, height if 0 <= d < depth else 0, row, column, columns)
        prefetch_to_read(flat, at + height * width, m * width)
        input_rows(size, t, m + place, t_row, (m + 2) * t_row, flat, at, edges)
        q = end


@compiled
def multiply(
    u: Any, v: Any, v_plane: int, p: Any, p_plane: int, block: int, out: int, tiles: int
) -> None:
    """Write p = u v for each frequency: (K, C)(C, tiles) -> (K, tiles), rows ``block`` apart."""
    frequencies, blocks, channels, _ = u.shape  # in 3-D a channel for each layer of the windows
    flat = u.reshape(-1)
    for f in range(frequencies):
        for k in range(0, out, ROWS):
            a = (f * blocks + k // LANES) * channels * LANES + k % LANES
            to, b = f * p_plane + k * block, f * v_plane
            q = 0
            while q + WIDE <= tiles:
                wide(p, to + q, block, flat, a, 1, LANES, v, b + q, block, channels, False)
                q += WIDE
            while q < tiles:
                narrow(p, to + q, block, flat, a, 1, LANES, v, b + q, block, channels, False)
                q += LANES


@compiled
def write_rows(size: Any, y: Any, k: int, tiles: Any, grid: Any, rows: Any, rows_row: int) -> None:
    """Copy what lies inside of the image from the rows of tiles to channel k of y.

    Where the next channel's go is asked for.
    """
    m, (slices, down, across) = len(size), grid
    channels, _, height, width = y.shape[1:]
    flat = y.reshape(-1)
    q, last = tiles
    while q < last:
        line = q // across
        j, image, i = q - line * across, line // down, line % down
        end = min(last, (line + 1) * across)
        columns = min(m * (end - q), width - m * j)
        plane = (image // slices * channels + k) * slices + image % slices
        at = (plane * height + m * i) * width + m * j
        prefetch_to_write(flat, at + slices * height * width, m * width)
        for r in range(min(m, height - m * i)):
            place = r * rows_row + m * (q - tiles[0])
            copy(((flat, at + r * width),), ((rows, place),), columns, ())
        q = end


@compiled
def tile_blocks(
    first: int, last: int, size: Any, x: Any, u: Any, bias: Any, activation: int, y: Any,
    padding: Any, block: int,
) -> None:  # fmt: skip
    """Convolve blocks ``first`` to ``last`` - 1 of ``block`` tiles each."""
    m, channels, out = len(size), u.shape[2], y.shape[1]
    deep = channels // x.shape[1]
    grid = y.shape[2], (y.shape[3] + m - 1) // m, (y.shape[4] + m - 1) // m
    count = y.shape[0] * grid[0] * grid[1] * grid[2]
    # Planes an odd number of registers apart: a power of two would put all of them into the same
    # few places of the first cache.
    v_plane = channels * block + LANES * (1 - channels * block // LANES % 2)
    padded = (out + ROWS - 1) // ROWS * ROWS
    p_plane = padded * block + LANES * (1 - padded * block // LANES % 2)
    t_row, rows_row = m * block + 2 * LANES + m, m * block
    ahead = (m + 2) * t_row
    t = np.empty(2 * ahead, x.dtype)
    v = np.empty((m + 2) ** 2 * v_plane, x.dtype)
    p = np.empty((m + 2) ** 2 * p_plane, x.dtype)
    rows = np.empty(m * rows_row, x.dtype)
    least = 0.0 if activation == 1 else -np.inf
    for number in range(first, last):
        tiles = number * block, min(count, (number + 1) * block)
        vectors = (tiles[1] - tiles[0] + LANES - 1) // LANES
        for c in range(channels):
            transform_rows(size, t, t_row, x, c // deep, c % deep, tiles, grid, padding)
            input_columns(size, v, c * block, v_plane, t, m, t_row, ahead, vectors)
        multiply(u, v, v_plane, p, p_plane, block, out, vectors * LANES)
        for k in range(out):
            outputs(size, rows, 0, rows_row, p, k * block, p_plane, vectors, bias[k], least)
            if activation == 2:
                tanh(((rows, 0),), ((rows, 0),), m * rows_row, ())
            elif activation == 3:
                sigmoid(((rows, 0),), ((rows, 0),), m * rows_row, ())
            write_rows(size, y, k, tiles, grid, rows, rows_row)


def products(positions: int, m: int) -> int:
    """Return how many products of F(m x m, 3 x 3) a line of ``positions`` outputs takes."""
    return (m + 2) * -(-positions // m)


def block_size(numbers: int, tiles: int) -> int:
    """Return the tiles of a block: ``numbers`` of V and P for each, and work for all threads."""
    fitting = max(1, BLOCK // (4 * numbers * WIDE)) * WIDE
    share = -(-tiles // (get_num_threads() * LANES)) * LANES
    return max(LANES, min(fitting, 4 * WIDE, share))


def convolve(
    x: Array, windows: Array, bias: Array | None, spatial: Ints, padding: Ints, turned: bool,
    activation: str | None,
) -> Array:  # fmt: skip
    """Return f(windows * x + bias) at the positions ``spatial``; zeros surround x.

    windows (K, C, *kernel), or ``turned``: (C, K, *kernel), rotated by 180 degrees.
    """
    x, windows = contiguous(x), contiguous(windows)
    out, channels = windows.shape[1::-1] if turned else windows.shape[:2]
    high, wide = spatial[-2:]
    few = products(high, 2) * products(wide, 2) <= products(high, 4) * products(wide, 4)
    m = 2 if few else 4
    size = (0,) * m
    y = empty((x.shape[0], out, *spatial), x.dtype)
    deep = math.prod(windows.shape[2:-2])
    u = empty(((m + 2) ** 2, -(-out // LANES), channels * deep, LANES), x.dtype)
    one = deep * WINDOW
    steps = (one, out * one) if turned else (channels * one, one)
    least = 1 + WORTH // (400 * LANES)  # windows, each some 400 operations
    given = (size, u, windows.reshape(-1), steps, deep, out, turned)
    parallel(transform_weights, u.shape[1] * channels * deep, least, *given)
    shift = full((out,), 0, x.dtype) if bias is None else contiguous(bias)
    tiles = x.shape[0] * math.prod(spatial[:-2]) * -(-high // m) * -(-wide // m)
    block = block_size((m + 2) ** 2 * (channels * deep + out), tiles)
    least = 1 + WORTH // ((m + 2) ** 2 * channels * deep * out * block)
    volumes = as_volumes(x), u, shift, ACTIVATIONS[activation], as_volumes(y)
    around = (*(0,) * (3 - len(padding)), *padding)
    parallel(tile_blocks, -(-tiles // block), least, size, *volumes, around, block)
    return y


def as_volumes(x: Array) -> Array:
    """Return images (N, C, H, W) as volumes with a depth of 1, volumes as they are."""
    return x.reshape(*x.shape[:2], 1, *x.shape[2:]) if x.ndim == 4 else x


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
    """Return f(weight * x + bias), (N, K, *O); stride, dilation and groups are 1."""
    sizes = zip(x.shape[2:], padding, weight.shape[2:], strict=True)
    spatial = tuple(s + 2 * p - k + 1 for s, p, k in sizes)
    return convolve(x, weight, bias, spatial, tuple(padding), False, activation)


def grad_input(
    grad_output: Array,
    weight: Array,
    spatial: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Array:
    """Return dL/dx, (N, C, *spatial): what a position sees it is seen by, from the other side."""
    around = tuple(k - 1 - p for k, p in zip(weight.shape[2:], padding, strict=True))
    return convolve(grad_output, weight, None, tuple(spatial), around, True, None)


def chunk(channels: int) -> int:
    """Return how many channels are summed at a time, in whole registers: equal shares."""
    pieces = -(-channels // CHANNELS)
    return -(-channels // (pieces * LANES)) * LANES


def grad_weight(
    grad_output: Array,
    x: Array,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Array:
    """Return dL/dweight, (K, C, *kernel); stride, dilation and groups are 1."""
    dy, x = as_volumes(contiguous(grad_output)), as_volumes(contiguous(x))
    (images, k, slices, *out), c = dy.shape, x.shape[1]
    dw = empty((k, c, *kernel), x.dtype)
    if not dw.size or not dy.size:
        dw[...] = 0
        return dw
    deep, front = (kernel[0], padding[0]) if len(kernel) == 3 else (1, 0)
    pitches = chunk(k), chunk(c)
    down, across = (-(-size // SIDE) for size in out)
    fitting = max(1, GRADIENT_BLOCK // (4 * FREQUENCIES * sum(pitches) * across))  # rows of tiles
    band = -(-down // -(-down // fitting))
    all_bands = images * slices * -(-down // band)
    bands = min(all_bands, max(1, fitting // band))
    squares = -(-k // pitches[0]) * -(-c // pitches[1])
    blocks = -(-all_bands // bands)
    parts = min(blocks, -(-PARTS // (squares * deep)))
    shape = (-(-k // pitches[0]) * pitches[0], -(-c // pitches[1]) * pitches[1])
    partial = empty((deep * parts, WINDOW, *shape), x.dtype)
    products = FREQUENCIES * pitches[0] * pitches[1] * images * slices * down * across
    given = (dy, x, partial, (front, *padding[-2:]), pitches, parts, band, bands)
    parallel(sum_of_tiles, deep * parts * squares, 1 + WORTH * parts // products, *given)
    taps = dw.reshape(k, c, deep, WINDOW)
    parallel(total, k, 1 + WORTH // (8 * deep * parts * c * WINDOW), partial, taps)
    return dw
