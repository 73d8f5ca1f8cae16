"""The compiled loops of the gradient of the weight: sums over images and positions.

    dw[k, c, t] = sum over n, i of dy[n, k, i] * x[n, c, i * stride + t * dilation - padding]

The source is laid out block by block as for the layer (geometry.py), so that a pair (c, t), called
a column here, is one offset. Many columns: a tile holds some of them for neighbouring channels k
and runs over the positions, with dy turned in registers so that its channels lie side by side
(`outer_products`). Few columns, or few channels: the lanes run along the positions, dy is read as
it lies (`scalar_products`).

Images and blocks are added up in *parts* whose number depends on sizes alone, and the parts in
order (`collect`): the bits are the same with any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.conv.sum_of_taps import lay_out
from tinymed.kernels.simd.dots import dots
from tinymed.kernels.simd.loops import elementwise
from tinymed.kernels.simd.tile import tile
from tinymed.kernels.simd.transpose import transpose
from tinymed.kernels.simd.vector import VECTOR_BYTES

__all__ = ["COLUMNS", "FEW", "collect", "outer_products", "scalar_products"]

WIDE = 2  # registers of channels
COLUMNS = 8 if VECTOR_BYTES == 64 else 6  # of a tile
FEW = 9 if VECTOR_BYTES == 64 else 3  # columns of scalar products, for two channels at a time
POSITIONS = 128  # at a time, so that their channels stay in the first cache

_outer, _narrow = tile(COLUMNS, WIDE), tile(COLUMNS, 1)
_two, _one = dots(2, FEW), dots(1, FEW)
_add = elementwise(lambda code, y, x: y + x)


@compiled
def _block(number: int, grid: Any) -> tuple[int, tuple[int, int, int], int, int]:
    """Return image, first position and size of a block, by its number."""
    cuts = grid.blocks[0] * grid.blocks[1] * grid.blocks[2]
    cut = number % cuts
    start = (
        cut // (grid.blocks[1] * grid.blocks[2]) * grid.block[0],
        cut // grid.blocks[2] % grid.blocks[1] * grid.block[1],
        cut % grid.blocks[2] * grid.block[2],
    )
    high, wide = (
        min(grid.block[1], grid.out[1] - start[1]),
        min(grid.block[2], grid.out[2] - start[2]),
    )
    return number // cuts, start, high, wide


@compiled
def _padded(offsets: Any, columns: int) -> Any:
    """Return the offsets with the last one repeated up to a multiple of ``columns``."""
    table = np.empty(-(-offsets.size // columns) * columns, np.int64)
    for i in range(table.size):  # copying a slice would compile NumPy's message about shapes too
        table[i] = offsets[min(i, offsets.size - 1)]
    return table


@compiled
def _empty_source(like: Any, grid: Any, taps: Any) -> Any:
    planes = grid.channels * taps.planes.shape[0]
    size = planes * grid.lines[0] * grid.lines[1] * grid.lines[2]
    return np.empty(size + VECTOR_BYTES // like.itemsize, like.dtype)


@compiled
def outer_products(
    first: int,
    last: int,
    dy: Any,
    x: Any,
    partial: Any,
    parts: int,
    splits: int,
    grid: Any,
    taps: Any,
) -> None:
    """Sum the items first to last - 1: parts x groups x splits of the channels of dy.

    partial is [part][group][chunk of channels][column, padded][channel in the chunk].
    """
    lanes = VECTOR_BYTES // x.itemsize
    chunk = WIDE * lanes if grid.results > lanes else lanes
    table = _padded(taps.offsets, COLUMNS)
    chunks = -(-grid.results // chunk)
    source = _empty_source(x, grid, taps)
    size = grid.block[1] * grid.block[2]
    turned = np.empty((size + lanes * grid.block[1]) * chunk, x.dtype)
    places = np.empty(size, np.int64)
    size_in = grid.size[0] * grid.size[1] * grid.size[2]
    plane = grid.out[0] * grid.out[1] * grid.out[2]
    total = (
        dy.size
        // (grid.groups * grid.results * plane)
        * (grid.blocks[0] * grid.blocks[1] * grid.blocks[2])
    )
    for item in range(first, last):
        part, g, split = item // (grid.groups * splits), item // splits % grid.groups, item % splits
        mine = split * chunks // splits, (split + 1) * chunks // splits
        sums = ((part * grid.groups + g) * chunks) * table.size * chunk
        partial[sums + mine[0] * table.size * chunk : sums + mine[1] * table.size * chunk] = 0
        for number in range(part * total // parts, (part + 1) * total // parts):
            n, start, high, wide = _block(number, grid)
            image = n * grid.groups + g
            at = image * grid.channels * size_in
            lay_out(x, at, grid.channels, start, source, grid, taps.planes)
            for h in range(high):
                for w in range(wide):
                    places[h * wide + w] = h * grid.lines[2] + w
            for k in range(mine[0] * chunk, mine[1] * chunk, chunk):
                real = min(chunk, grid.results - k)
                from_dy = (image * grid.results + k) * plane
                _turn(dy, from_dy, real, start, high, wide, turned, chunk, grid)
                _add_block(
                    partial,
                    sums + k * table.size,
                    source,
                    table,
                    turned,
                    places[: high * wide],
                    chunk,
                )


@compiled
def _turn(
    dy: Any,
    at: int,
    real: int,
    start: Any,
    high: int,
    wide: int,
    turned: Any,
    chunk: int,
    grid: Any,
) -> None:
    """Put the channels of each position of a block of dy side by side."""
    lanes = VECTOR_BYTES // dy.itemsize
    depth, height, width = grid.out
    plane = depth * height * width
    lines, length = (1, high * wide) if wide == width else (high, wide)  # lines that lie together
    at += (start[0] * height + start[1]) * width + start[2]
    for line in range(lines):
        for k in range(0, real, lanes):
            there, here = line * length * chunk + k, at + k * plane + line * width
            transpose(turned, there, chunk, dy, here, plane, min(lanes, real - k), length)


@compiled
def _add_block(
    partial: Any, at: int, source: Any, table: Any, turned: Any, places: Any, chunk: int
) -> None:
    """Add the products of a block of positions to the sums of a chunk of channels."""
    wide = chunk > VECTOR_BYTES // source.itemsize
    for q in range(0, places.size, POSITIONS):
        some = places[q : q + POSITIONS]
        n, b = some.size, q * chunk
        for column in range(0, table.size, COLUMNS):
            rows, y = table[column : column + COLUMNS], at + column * chunk
            if wide:
                _outer(partial, y, chunk, source, 0, rows, some, turned, b, chunk, n, True)
            else:
                _narrow(partial, y, chunk, source, 0, rows, some, turned, b, chunk, n, True)


@compiled
def scalar_products(
    first: int, last: int, dy: Any, x: Any, partial: Any, parts: int, grid: Any, taps: Any
) -> None:
    """Sum the items first to last - 1: parts x groups; partial is [part][k][column, padded]."""
    table = _padded(taps.offsets, FEW)
    source = _empty_source(x, grid, taps)
    size_in = grid.size[0] * grid.size[1] * grid.size[2]
    depth, height, width = grid.out
    plane = depth * height * width
    total = (
        dy.size
        // (grid.groups * grid.results * plane)
        * (grid.blocks[0] * grid.blocks[1] * grid.blocks[2])
    )
    for item in range(first, last):
        part, g = item // grid.groups, item % grid.groups
        sums = item * grid.results * table.size
        partial[sums : sums + grid.results * table.size] = 0
        for number in range(part * total // parts, (part + 1) * total // parts):
            n, start, high, wide = _block(number, grid)
            image = n * grid.groups + g
            at = image * grid.channels * size_in
            lay_out(x, at, grid.channels, start, source, grid, taps.planes)
            line = (start[0] * height + start[1]) * width + start[2]
            from_dy, step = image * grid.results * plane + line, grid.lines[2]
            for column in range(0, table.size, FEW):
                some, y = table[column : column + FEW], sums + column
                pairs = grid.results // 2 * 2
                for k in range(0, pairs, 2):
                    to, at = y + k * table.size, from_dy + k * plane
                    given = (partial, to, table.size, dy, at, plane, width)
                    _two(*given, source, 0, some, step, high, wide)
                for k in range(pairs, grid.results):
                    to, at = y + k * table.size, from_dy + k * plane
                    given = (partial, to, table.size, dy, at, plane, width)
                    _one(*given, source, 0, some, step, high, wide)


@compiled
def collect(
    first: int, last: int, partial: Any, parts: int, dw: Any, grid: Any, chunk: int, pitch: int
) -> None:
    """Add the parts in order: dw [k][column] from [part][group][chunk][column][k] of ``pitch``.

    With a chunk of 0 they lie as scalar products do, [part][k][column].
    """
    lanes = VECTOR_BYTES // dw.itemsize
    columns = dw.size // (grid.groups * grid.results)
    dw[:] = 0
    if not chunk:
        for part in range(parts):
            for k in range(grid.groups * grid.results):
                row = (part * grid.groups * grid.results + k) * pitch
                to = (dw, k * columns)
                _add((to,), (to, (partial, row)), columns, ())
        return
    chunks = -(-grid.results // chunk)
    square = np.empty(lanes * lanes, dw.dtype)
    for part in range(parts):
        for g in range(grid.groups):
            for k in range(0, grid.results, lanes):
                at = ((part * grid.groups + g) * chunks + k // chunk) * pitch * chunk + k % chunk
                for column in range(0, columns, lanes):
                    some = min(lanes, columns - column)
                    transpose(square, 0, lanes, partial, at + column * chunk, chunk, some, lanes)
                    for r in range(min(lanes, grid.results - k)):
                        to = (dw, (g * grid.results + k + r) * columns + column)
                        _add((to,), (to, (square, r * lanes)), some, ())
