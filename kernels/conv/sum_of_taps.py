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
from tinymed.kernels.conv.geometry import ROWS, WIDE
from tinymed.kernels.conv.rows import interleave, padded_lines
from tinymed.kernels.simd.functions import sigmoid, tanh
from tinymed.kernels.simd.loops import elementwise
from tinymed.kernels.simd.prefetch import prefetch_to_write
from tinymed.kernels.simd.tile import tile
from tinymed.kernels.simd.transpose import transpose
from tinymed.kernels.simd.vector import VECTOR_BYTES

__all__ = ["extent", "lay_out", "pack", "sum_of_taps", "to_result"]

MOST, SOME, ONE = ROWS
MOST_WIDE, SOME_WIDE, ONE_WIDE = WIDE
STEPS = 288  # at a time, so that their weights stay in the first cache

_most, _most_end = tile(MOST, MOST_WIDE), tile(MOST, 1)
_some, _some_end = tile(SOME, SOME_WIDE), tile(SOME, 1)
_one, _one_end = tile(ONE, ONE_WIDE), tile(ONE, 1)

_lines, _every_other = padded_lines(1), padded_lines(2)

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
        for p in range(planes.shape[0]):
            top = grid.low[1] + planes[p, 1] + h0 * grid.step[1]
            left = grid.low[2] + planes[p, 2] + w0 * grid.step[2]
            upper, lower = _inside(top, grid.step[1], height, high)
            begin, end = _inside(left, grid.step[2], width, wide)
            for i in range(deep):
                d = grid.low[0] + planes[p, 0] + (d0 + i) * grid.step[0]
                first, last = (upper, lower) if 0 <= d < depth else (high, high)
                y[target : target + first * wide] = 0
                source = at + ((c * depth + d) * height + top + first * grid.step[1]) * width + left
                to, line, lines = target + first * wide, grid.step[1] * width, last - first
                if grid.step[2] == 1:
                    _lines(y, to, x, source, line, begin, end, wide, lines)
                elif grid.step[2] == 2:
                    _every_other(y, to, x, source, line, begin, end, wide, lines)
                else:
                    y[to : to + lines * wide] = 0
                    for j in range(lines):
                        for w in range(begin, end):
                            y[to + j * wide + w] = x[source + j * line + w * grid.step[2]]
                y[target + last * wide : target + high * wide] = 0
                target += high * wide


@compiled
def _inside(low: int, step: int, size: int, count: int) -> tuple[int, int]:
    """Return which of ``count`` places low + i * step lie in 0 ... size - 1: from, up to."""
    begin = min(count, max(0, -(low // step)))
    return begin, max(begin, min(count, -((low - size) // step)))


@compiled
def _sums(
    y: Any, y_at: int, y_row: int, a: Any, a_at: int, rows: int, b: Any, b_at: int, offsets: Any,
    length: int,
) -> None:  # fmt: skip
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
                _most(y, y_at + q, y_row, a, weights, 1, MOST, b, b_at + q, table, n, add)
            for q in range(whole, end, lanes):
                _most_end(y, y_at + q, y_row, a, weights, 1, MOST, b, b_at + q, table, n, add)
        elif rows == SOME:
            whole = registers // SOME_WIDE * SOME_WIDE * lanes
            for q in range(0, whole, SOME_WIDE * lanes):
                _some(y, y_at + q, y_row, a, weights, 1, SOME, b, b_at + q, table, n, add)
            for q in range(whole, end, lanes):
                _some_end(y, y_at + q, y_row, a, weights, 1, SOME, b, b_at + q, table, n, add)
        else:
            whole = registers // ONE_WIDE * ONE_WIDE * lanes
            for q in range(0, whole, ONE_WIDE * lanes):
                _one(y, y_at + q, y_row, a, weights, 1, ONE, b, b_at + q, table, n, add)
            for q in range(whole, end, lanes):
                _one_end(y, y_at + q, y_row, a, weights, 1, ONE, b, b_at + q, table, n, add)


@compiled
def to_result(
    y: Any, y_at: int, skip: int, sums: Any, at: int, count: int, bias: float, activation: int
) -> None:
    """Store a row of sums, ``skip`` apart: with bias and activation 1 relu, 2 tanh, 3 sigmoid."""
    if skip > 1:
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
def _passes(
    first: int, last: int, start: Any, y: Any, image: int, packed: Any, bias: Any, activation: int,
    grid: Any, taps: Any, source: Any, sums: Any,
) -> None:  # fmt: skip
    """Compute a pass of a block, or two whose results take turns along a line.

    ``image`` is an image and a group, ``start`` where the block begins.
    """
    begin, there = extent(start, taps.starts[first], grid)
    depth, height, width = grid.out
    rows, plane, pitch = grid.rows, depth * height * width, sums.size // (2 * grid.rows)
    wide, blocks, g = grid.lines[2], -(-grid.results // grid.rows), image % grid.groups
    both = extent(start, taps.starts[last - 1], grid)[1][2] + there[2]  # results in a line of two
    y_at = image * grid.results * plane + begin[0] * height * width + begin[2]
    for k in range(0, grid.results, rows):
        real = min(rows, grid.results - k)
        for some in range(0, there[1], grid.at_once):
            high = min(grid.at_once, there[1] - some)
            at = y_at + k * plane + (begin[1] + some * grid.skip[1]) * width
            if grid.skip[2] == 1 and there[2] == width:
                for r in range(real):
                    prefetch_to_write(y, at + r * plane, high * width)
            length = (high - 1) * wide + there[2]
            for p in range(first, last):
                offsets = taps.offsets[taps.begins[p] : taps.begins[p + 1]]
                weights = (g * taps.offsets.size + taps.begins[p]) * blocks * rows
                weights += k * offsets.size
                given = (sums, (p - first) * rows * pitch, pitch, packed, weights, rows)
                _sums(*given, source, some * wide, offsets, length)
            for r in range(real):
                for h in range(high):
                    to, summed = at + r * plane + h * grid.skip[1] * width, r * pitch + h * wide
                    if last - first == 2:
                        interleave(y, to, sums, summed, rows * pitch + summed, both)
                        continue
                    shift = bias[g * grid.results + k + r]
                    to_result(y, to, grid.skip[2], sums, summed, there[2], shift, activation)


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
    per_channel = taps.planes.shape[0] * deep * high * wide
    source = np.empty(grid.channels * per_channel + 2 * lanes, y.dtype)
    source[grid.channels * per_channel :] = 0
    pitch = (grid.at_once - 1) * wide + grid.block[2] + lanes
    sums = np.empty(2 * grid.rows * pitch, y.dtype)
    passes = taps.starts.shape[0]
    cuts = grid.blocks[0] * grid.blocks[1] * grid.blocks[2]
    for item in range(first, last):
        image, cut = item // cuts, item % cuts  # image and group
        start = (
            cut // (grid.blocks[1] * grid.blocks[2]) * grid.block[0],
            cut // grid.blocks[2] % grid.blocks[1] * grid.block[1],
            cut % grid.blocks[2] * grid.block[2],
        )
        lay_out(
            x, image * grid.channels * source_size, grid.channels, start, source, grid, taps.planes
        )
        p = 0
        while p < passes:
            turns = grid.skip[2] == 2 and p + 1 < passes and taps.starts[p + 1, 2] == 1
            following = p + 1 + turns
            if min(extent(start, taps.starts[p], grid)[1]) > 0:
                given = (p, following, start, y, image, packed, bias, activation)
                _passes(*given, grid, taps, source, sums)
            p = following


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
