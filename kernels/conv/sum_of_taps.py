"""The compiled loops of the direct convolution, its layer and the gradient of its input.

For a block of positions the source is laid out as flat planes with zeros around (see geometry.py),
small enough for the second cache. Then a tile of results, ``rows`` channels x some registers of
neighbouring positions, sums over all steps (channel and tap): a step's weights are broadcast, its
source is one contiguous vector. Where a row of the plane is wider than the result, a few positions
are computed that nobody wants; they are not stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.conv.geometry import ROWS
from tinymed.kernels.simd.functions import sigmoid, tanh
from tinymed.kernels.simd.loops import elementwise
from tinymed.kernels.simd.prefetch import prefetch_to_write
from tinymed.kernels.simd.strided import padded_row, spread_row
from tinymed.kernels.simd.tile import tile
from tinymed.kernels.simd.transpose import transpose
from tinymed.kernels.simd.vector import VECTOR_BYTES

__all__ = ["extent", "lay_out", "pack", "sum_of_taps", "to_result"]

MOST, SOME, ONE = ROWS
MOST_WIDE, SOME_WIDE, ONE_WIDE = (3, 6, 12) if VECTOR_BYTES == 64 else (2, 4, 8)
POSITIONS = 512  # of a tile's rows that stay in the first cache, and
STEPS = 288  # at a time, so that their weights stay in the first cache

_most, _most_end = tile(MOST, MOST_WIDE), tile(MOST, 1)
_some, _some_end = tile(SOME, SOME_WIDE), tile(SOME, 1)
_one, _one_end = tile(ONE, ONE_WIDE), tile(ONE, 1)

_row, _every_other = padded_row(1), padded_row(2)
_into_every_other = spread_row(2)

_plus = elementwise(lambda code, y, bias: y + bias)
_relu = elementwise(lambda code, y, bias: code.maximum(y + bias, 0))
_tanh = elementwise(lambda code, y, bias: tanh(code, y + bias))
_sigmoid = elementwise(lambda code, y, bias: sigmoid(code, y + bias))


@compiled
def pack(
    first: int, last: int, weight: Any, packed: Any, group: int, row: int, grid: Any, taps: Any
) -> None:
    """Put the weights of a block of rows side by side, step by step; items: groups x blocks.

    packed holds [group][pass][block of rows][step][row]; ``group`` and ``row`` are the distances of
    the weights of two groups and two results. Rows that do not exist get copies.
    """
    rows, steps, lanes = grid.rows, taps.offsets.size, VECTOR_BYTES // packed.itemsize
    blocks = -(-grid.results // rows)
    for item in range(first, last):
        g, block = item // blocks, item % blocks
        real = min(rows, grid.results - block * rows)
        source = g * group + block * rows * row
        for p in range(taps.starts.shape[0]):
            begin, end = taps.begins[p], taps.begins[p + 1]
            target = ((g * steps + begin) * blocks + block * (end - begin)) * rows
            turned = begin
            spare = lanes // rows + 1  # steps whose place the last register stored reaches into
            together = end - begin > spare and taps.weights[end - 1] == end - 1 - begin
            if together and rows <= lanes:  # the weights of a row lie side by side
                turned += (end - begin - spare) // lanes * lanes
                transpose(packed, target, rows, weight, source, row, real, turned - begin)
            for step in range(turned, end):
                for r in range(rows):
                    at = source + taps.weights[step] + min(r, real - 1) * row
                    packed[target + (step - begin) * rows + r] = weight[at]


@compiled
def lay_out(x: Any, at: int, channels: int, start: Any, y: Any, grid: Any, planes: Any) -> None:
    """Lay out the block of the source whose results begin at ``start``: [channel][plane][d][h][w].

    x[at] is the first element of the first channel.
    """
    d0, h0, w0 = start
    deep, high, wide = grid.lines
    depth, height, width = grid.size
    target = 0
    for c in range(channels):
        source = at + c * depth * height * width
        for p in range(planes.shape[0]):
            left = grid.low[2] + planes[p, 2] + w0 * grid.step[2]
            step = grid.step[2]
            begin = min(wide, max(0, -(left // step)))
            end = max(begin, min(wide, -((left - width) // step)))
            for i in range(deep):
                d = grid.low[0] + planes[p, 0] + (d0 + i) * grid.step[0]
                for j in range(high):
                    h = grid.low[1] + planes[p, 1] + (h0 + j) * grid.step[1]
                    inside = 0 <= d < depth and 0 <= h < height
                    line = source + (d * height + h) * width + left
                    stop = end if inside else begin
                    if step == 1:
                        _row(y, target, x, line, begin, stop, wide)
                    elif step == 2:
                        _every_other(y, target, x, line, begin, stop, wide)
                    else:
                        y[target : target + wide] = 0
                        for w in range(begin, stop):
                            y[target + w] = x[line + w * step]
                    target += wide


@compiled
def lines_at_once(grid: Any) -> int:
    """Return how many lines are summed before they are stored, from the first cache."""
    return max(1, min(grid.block[1], POSITIONS // grid.lines[2]))


@compiled
def _sums(
    y: Any, y_row: int, a: Any, a_at: int, rows: int, b: Any, b_at: int, offsets: Any, length: int
) -> None:
    """Sum all steps for ``length`` positions of one block of rows."""
    lanes = VECTOR_BYTES // y.itemsize
    registers = -(-length // lanes)
    end = registers * lanes
    for begin in range(0, max(1, offsets.size), STEPS):
        table = offsets[begin : begin + STEPS]
        weights, add, n = a_at + begin * rows, begin > 0, table.size
        if rows == MOST:
            whole = registers // MOST_WIDE * MOST_WIDE * lanes
            for q in range(0, whole, MOST_WIDE * lanes):
                _most(y, q, y_row, a, weights, 1, MOST, b, b_at + q, table, n, add)
            for q in range(whole, end, lanes):
                _most_end(y, q, y_row, a, weights, 1, MOST, b, b_at + q, table, n, add)
        elif rows == SOME:
            whole = registers // SOME_WIDE * SOME_WIDE * lanes
            for q in range(0, whole, SOME_WIDE * lanes):
                _some(y, q, y_row, a, weights, 1, SOME, b, b_at + q, table, n, add)
            for q in range(whole, end, lanes):
                _some_end(y, q, y_row, a, weights, 1, SOME, b, b_at + q, table, n, add)
        else:
            whole = registers // ONE_WIDE * ONE_WIDE * lanes
            for q in range(0, whole, ONE_WIDE * lanes):
                _one(y, q, y_row, a, weights, 1, ONE, b, b_at + q, table, n, add)
            for q in range(whole, end, lanes):
                _one_end(y, q, y_row, a, weights, 1, ONE, b, b_at + q, table, n, add)


@compiled
def to_result(
    y: Any, y_at: int, skip: int, sums: Any, at: int, count: int, bias: float, activation: int
) -> None:
    """Store a row of sums, ``skip`` apart: with bias and activation 1 relu, 2 tanh, 3 sigmoid."""
    if skip == 2:
        _into_every_other(y, y_at, sums, at, count)
    elif skip > 2:
        for i in range(count):
            y[y_at + i * skip] = sums[at + i]
    elif activation == 1:
        _relu(((y, y_at),), ((sums, at),), count, (bias,))
    elif activation == 2:
        _tanh(((y, y_at),), ((sums, at),), count, (bias,))
    elif activation == 3:
        _sigmoid(((y, y_at),), ((sums, at),), count, (bias,))
    else:
        _plus(((y, y_at),), ((sums, at),), count, (bias,))


@compiled
def _one_pass(
    y: Any,
    y_at: int,
    begin: Any,
    there: Any,
    packed: Any,
    packed_at: int,
    offsets: Any,
    bias: Any,
    activation: int,
    grid: Any,
    source: Any,
    sums: Any,
) -> None:
    """Compute a pass of a block: ``begin`` its first result, ``there`` how many, per axis."""
    wide, at_once = grid.lines[2], lines_at_once(grid)
    depth, height, width = grid.out
    rows, plane, pitch = grid.rows, depth * height * width, sums.size // grid.rows
    for k in range(0, grid.results, rows):
        real, weights = min(rows, grid.results - k), packed_at + k * offsets.size
        for some in range(0, there[1], at_once):
            high = min(at_once, there[1] - some)
            line = begin[0] * height + begin[1] + some * grid.skip[1]
            at = y_at + k * plane + line * width + begin[2]
            if grid.skip[2] == 1 and there[2] == width:
                for r in range(real):
                    prefetch_to_write(y, at + r * plane, high * width)
            length = (high - 1) * wide + there[2]
            _sums(sums, pitch, packed, weights, rows, source, some * wide, offsets, length)
            for r in range(real):
                for h in range(high):
                    to, summed = at + r * plane + h * grid.skip[1] * width, r * pitch + h * wide
                    to_result(y, to, grid.skip[2], sums, summed, there[2], bias[k + r], activation)


@compiled
def sum_of_taps(
    first: int,
    last: int,
    x: Any,
    packed: Any,
    bias: Any,
    activation: int,
    y: Any,
    grid: Any,
    taps: Any,
) -> None:
    """Compute the blocks first to last - 1: images x groups x blocks of positions.

    bias has one number for each channel of the result.
    """
    lanes = VECTOR_BYTES // y.itemsize
    deep, high, wide = grid.lines
    source_size = grid.size[0] * grid.size[1] * grid.size[2]
    result_size = grid.out[0] * grid.out[1] * grid.out[2]
    per_channel = taps.planes.shape[0] * deep * high * wide
    source = np.empty(grid.channels * per_channel + 2 * lanes, y.dtype)
    source[grid.channels * per_channel :] = 0
    pitch = (lines_at_once(grid) - 1) * wide + grid.block[2] + lanes
    sums = np.empty(grid.rows * pitch, y.dtype)
    padded = -(-grid.results // grid.rows) * grid.rows
    cuts = grid.blocks[0] * grid.blocks[1] * grid.blocks[2]
    for item in range(first, last):
        image, cut = item // cuts, item % cuts  # image and group
        g = image % grid.groups
        start = (
            cut // (grid.blocks[1] * grid.blocks[2]) * grid.block[0],
            cut // grid.blocks[2] % grid.blocks[1] * grid.block[1],
            cut % grid.blocks[2] * grid.block[2],
        )
        lay_out(
            x, image * grid.channels * source_size, grid.channels, start, source, grid, taps.planes
        )
        for p in range(taps.starts.shape[0]):
            begin, there = extent(start, taps.starts[p], grid)
            if min(there) > 0:
                steps = taps.offsets[taps.begins[p] : taps.begins[p + 1]]
                packed_at = (g * taps.offsets.size + taps.begins[p]) * padded
                shift = bias[g * grid.results : (g + 1) * grid.results]
                result = image * grid.results * result_size
                _one_pass(
                    *(y, result, begin, there, packed, packed_at, steps, shift, activation),
                    *(grid, source, sums),
                )


@compiled
def extent(start: Any, phase: Any, grid: Any) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return where in the result a pass of a block begins, and how many results it has."""
    d, h, w = start
    begin = (
        phase[0] + d * grid.skip[0],
        phase[1] + h * grid.skip[1],
        phase[2] + w * grid.skip[2],
    )
    there = (
        min(grid.block[0], -((begin[0] - grid.out[0]) // grid.skip[0])),
        min(grid.block[1], -((begin[1] - grid.out[1]) // grid.skip[1])),
        min(grid.block[2], -((begin[2] - grid.out[2]) // grid.skip[2])),
    )
    return begin, there
