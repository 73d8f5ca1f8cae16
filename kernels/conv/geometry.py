"""What a convolution reads and writes, axis by axis, as tables for the compiled loops.

Both the layer and the gradient of its input are sums of taps. Along one axis,

    layer:     y[i]  = sum over t of w[t] * x[i * stride + t * dilation - padding]
    gradient:  dx[j] = sum over t of w[t] * dy[(j + padding - t * dilation) / stride],

where the division has no remainder. The gradient falls into ``stride`` *passes*: all j = phase +
i * stride use the same taps, and tap t reads dy[i + shift of t]. The layer has one pass, and reads
from ``stride`` *planes*: all x[i * stride + phase] side by side. Then, within a plane, every tap of
every geometry reads at i + a distance, and an image is one flat grid in which a tap is one offset.

A 1-d or 2-d convolution is a 3-d one whose first axes have one position and one tap.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.conv.reference import Ints
from tinymed.kernels.simd.vector import VECTOR_BYTES

__all__ = ["ROWS", "WIDE", "Grid", "Taps", "grid_of_gradient", "grid_of_layer"]

# Bytes of a block of the source: half of a core's second cache, the other half is for weights.
BLOCK = 384 * 1024
# Channels that are summed at the same time, by how many there are: the rows of a tile.
ROWS = (8, 4, 1) if VECTOR_BYTES == 64 else (6, 3, 1)
WIDE = (3, 6, 12) if VECTOR_BYTES == 64 else (2, 4, 8)  # and its registers, for each of them.
POSITIONS = 512  # of a tile's rows that stay in the first cache.

Triple = tuple[int, int, int]


class Tap(NamedTuple):
    """A tap of a pass along one axis: its number, the plane it reads, how far on."""

    number: int
    plane: int
    distance: int


class Axis(NamedTuple):
    """One axis of a sum of taps; output i of a pass reads source[low + i * step + ...]."""

    size: int  # of the source
    out: int  # of the result
    places: int  # results of the longest pass
    step: int  # between what result i and i + 1 read
    low: int  # the first position that result 0 reads; negative in the padding
    planes: tuple[int, ...]  # positions modulo step that are read
    reach: int  # the largest distance of a tap
    passes: tuple[tuple[Tap, ...], ...]


def axis_of_layer(
    size: int, out: int, kernel: int, stride: int, padding: int, dilation: int
) -> Axis:
    """Return an axis of the layer: results are y, the source is x."""
    places = [t * dilation for t in range(kernel)]
    planes = sorted({place % stride for place in places})
    taps = tuple(Tap(t, planes.index(p % stride), p // stride) for t, p in enumerate(places))
    return Axis(size, out, out, stride, -padding, tuple(planes), places[-1] // stride, (taps,))


def axis_of_gradient(
    size: int, out: int, kernel: int, stride: int, padding: int, dilation: int
) -> Axis:
    """Return an axis of the gradient: results are dx of ``size``, the source is dy of ``out``."""
    shifts = [
        [
            (t, shift // stride)
            for t in range(kernel)
            if not (shift := a + padding - t * dilation) % stride
        ]
        for a in range(min(stride, size))
    ]
    low = min((shift for phase in shifts for _, shift in phase), default=0)
    passes = tuple(tuple(Tap(t, 0, shift - low) for t, shift in phase) for phase in shifts)
    reach = max((tap.distance for phase in passes for tap in phase), default=0)
    return Axis(out, size, -(-size // stride), 1, low, (0,), reach, passes)


class Grid(NamedTuple):
    """How a sum of taps is cut into blocks, and a block's source laid out; triples: d, h, w."""

    groups: int
    channels: int  # of the source, per group
    results: int  # channels of the result, per group
    rows: int  # of the tile: results that are summed at the same time
    size: Triple  # of the source
    out: Triple  # of the result
    step: Triple
    low: Triple
    skip: Triple  # between results of a pass
    block: Triple  # results per block
    blocks: Triple  # how many there are
    lines: Triple  # size of the laid out planes of a block
    at_once: int  # lines of a block that are summed before they are stored


class Taps(NamedTuple):
    """The tables of a sum of taps."""

    planes: Array  # (planes, 3): the first position of each, relative to low
    starts: Array  # (passes, 3): where the results of a pass begin
    begins: Array  # (passes + 1,): the steps of each pass; a step is a channel and a tap
    offsets: Array  # (steps,): where in the laid out block a step reads
    weights: Array  # (steps,): and its weight, relative to the first of the group and result


def _cut(axes: tuple[Axis, ...], elements: int) -> tuple[Triple, Triple]:
    """Return how many results per axis make a block whose source has about ``elements``."""
    d, h, w = axes
    depth, per_line = d.reach + 1, max(1, elements // (d.reach + 1))
    across = max(16, per_line // (h.reach + 1) - w.reach)
    wide = -(-w.places // max(1, -(-w.places // across)))
    if wide < w.places:
        wide = min(w.places, -(-wide // 16) * 16)  # blocks begin where registers do
    down = max(1, per_line // (wide + w.reach) - h.reach)
    high = -(-h.places // max(1, -(-h.places // down)))
    lines = (depth, high + h.reach, wide + w.reach)
    return (1, max(1, high), max(1, wide)), lines


def _at_once(high: int, wide: int, line: int, most: int, registers: int, lanes: int) -> int:
    """Return how many of ``high`` lines are summed together: few lanes of a tile shall be idle.

    A line of the result has ``wide`` positions, of the source ``line``; a tile has ``registers``,
    and a register on its own takes half as much again as one of a tile.
    """

    def cost(lines: int) -> float:
        tiles, alone = divmod(-(-((lines - 1) * line + wide) // lanes), registers)
        return tiles * registers + 1.5 * alone if lines else 0.0

    def of_block(lines: int) -> float:
        return high // lines * cost(lines) + cost(high % lines)

    return min(range(min(high, max(1, most // line)), 0, -1), key=of_block)


def _grid(
    axes: tuple[Axis, ...], groups: int, channels: int, results: int, skip: Triple, itemsize: int
) -> Grid:
    planes = math.prod(len(axis.planes) for axis in axes)
    block, lines = _cut(axes, BLOCK // (itemsize * channels * planes))
    kind = 2 if results == 1 else 1 if results <= ROWS[1] else 0
    most = POSITIONS // (1 + (skip[2] == 2))  # where two passes take turns both are kept
    lanes = VECTOR_BYTES // itemsize
    return Grid(
        *(groups, channels, results),
        rows=ROWS[kind],
        size=_triple(axis.size for axis in axes),
        out=_triple(axis.out for axis in axes),
        step=_triple(axis.step for axis in axes),
        low=_triple(axis.low for axis in axes),
        skip=skip,
        block=block,
        blocks=_triple(-(-a.places // b) for a, b in zip(axes, block, strict=True)),
        lines=lines,
        at_once=_at_once(block[1], block[2], lines[2], most, WIDE[kind], lanes),
    )


def _taps(axes: tuple[Axis, ...], grid: Grid, kernel: Triple, channel: int) -> Taps:
    """Return the tables; ``channel`` is the distance of the weights of two source channels."""
    planes = list(itertools.product(*(axis.planes for axis in axes)))
    counts = [len(axis.planes) for axis in axes]
    plane = math.prod(grid.lines)
    starts, begins, offsets, weights = [], [0], [], []
    every = itertools.product(*(range(len(axis.passes)) for axis in axes))
    each = np.arange(grid.channels, dtype=np.int64)[:, None]
    for start in every:
        taps = itertools.product(*(axis.passes[a] for axis, a in zip(axes, start, strict=True)))
        places, numbers = [], []
        for d, h, w in taps:
            number = (d.plane * counts[1] + h.plane) * counts[2] + w.plane
            line = (d.distance * grid.lines[1] + h.distance) * grid.lines[2]
            places.append(number * plane + line + w.distance)
            numbers.append((d.number * kernel[1] + h.number) * kernel[2] + w.number)
        offsets.append((each * (plane * len(planes)) + np.array(places, np.int64)).ravel())
        weights.append((each * channel + np.array(numbers, np.int64)).ravel())
        starts.append(start)
        begins.append(begins[-1] + grid.channels * len(places))
    return Taps(
        *(np.array(planes, np.int64), np.array(starts, np.int64), np.array(begins, np.int64)),
        *(np.concatenate(offsets), np.concatenate(weights)),
    )


def _triple(numbers: Iterable[int]) -> Triple:
    first, second, third = numbers
    return first, second, third


def _three(values: Ints, fill: int) -> Triple:
    return _triple((fill,) * (3 - len(values)) + tuple(values))


def _axes(make: Any, *settings: Ints) -> tuple[Axis, ...]:
    size, out, kernel, stride, padding, dilation = (
        _three(values, fill) for values, fill in zip(settings, (1, 1, 1, 1, 0, 1), strict=True)
    )
    return tuple(map(make, size, out, kernel, stride, padding, dilation))


@functools.lru_cache(512)
def grid_of_layer(
    channels: Ints,
    size: Ints,
    out: Ints,
    kernel: Ints,
    settings: tuple[Ints, Ints, Ints],
    itemsize: int,
) -> tuple[Grid, Taps]:
    """Return the tables of the layer; ``channels``: groups, C and K; settings: stride, ..."""
    groups, c, k = channels
    axes = _axes(axis_of_layer, size, out, kernel, *settings)
    grid = _grid(axes, groups, c // groups, k // groups, (1, 1, 1), itemsize)
    return grid, _taps(axes, grid, _three(kernel, 1), math.prod(kernel))


@functools.lru_cache(512)
def grid_of_gradient(
    channels: Ints,
    size: Ints,
    out: Ints,
    kernel: Ints,
    settings: tuple[Ints, Ints, Ints],
    itemsize: int,
) -> tuple[Grid, Taps]:
    """Return the tables of the gradient of the input, the same arguments."""
    groups, c, k = channels
    axes = _axes(axis_of_gradient, size, out, kernel, *settings)
    grid = _grid(axes, groups, k // groups, c // groups, _three(settings[0], 1), itemsize)
    return grid, _taps(axes, grid, _three(kernel, 1), c // groups * math.prod(kernel))
