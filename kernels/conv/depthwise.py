"""The compiled loops of a depthwise convolution, where a result sees one channel of the source.

There is no sum over channels that would keep a tile busy: nine products for each number that is
read and written. What counts is to touch memory once, so a channel is laid out with its padding (it
fits into the first cache), some lines of results are summed in registers and stored where they
belong. Where a window is 3x3 and dense, its nine weights stay in registers too, and what a line of
the source is loaded for, it is loaded for once: neighbouring lines of results share it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.compiled import compiled
from tinymed.kernels.conv.sum_of_taps import extent, lay_out, to_result
from tinymed.kernels.simd.dots import add_to
from tinymed.kernels.simd.vector import INDEX, VECTOR_BYTES, Code, Vector

__all__ = ["SIDE", "dense_window", "depthwise", "window_products"]

LINES = 4  # of results, at the same time
SIDE = 3  # of a dense window


@functools.cache
def _windows(lines: int, dense: bool) -> Callable[..., None]:
    """Return ``f(y, y_at, y_line, x, x_at, x_line, offsets, weight, weight_at, bias, width)``.

    y[l, i] = bias + sum over t of weight[t] x[l, offsets[t] + i] for ``lines`` lines, i < width. Of
    x whole registers are read: it must go on for lanes - 1 elements. Weights of a ``dense`` window
    are in the order of its lines, SIDE x SIDE of them, and the offsets are not looked at.
    """

    @intrinsic
    def run(
        typing: Any,
        y: Any,
        y_at: Any,
        y_line: Any,
        x: Any,
        x_at: Any,
        x_line: Any,
        offsets: Any,
        taps: Any,
        weight: Any,
        weight_at: Any,
        bias: Any,
        width: Any,
    ) -> Any:
        whole = types.intp
        given = (x, whole, whole, offsets, whole, weight, whole, y.dtype, whole)
        signature = types.void(y, whole, whole, *given)

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, signature.args[0].dtype)
            _emit(code, lines, dense, signature.args, arguments)
            return context.get_dummy_value()

        return signature, generate

    return run


def _emit(code: Code, lines: int, dense: bool, kinds: Any, arguments: Any) -> None:
    """Append a loop over registers along the lines, with the sums over taps inside."""
    build = code.build
    y, y_at, y_line, x, x_at, x_line, offsets, taps, weight, weight_at, bias, width = arguments
    y_start = code.address(code.pointer(kinds[0], y), y_at)
    x_start = code.address(code.pointer(kinds[3], x), x_at)
    first = code.address(code.pointer(kinds[8], weight), weight_at)
    table = build.inttoptr(code.pointer(kinds[6], offsets), INDEX.as_pointer())
    start = code.all_lanes(bias)
    lanes = code.index(code.lanes)
    y_lines, x_lines = (
        [code.address(at, build.mul(line, code.index(number))) for number in range(count)]
        for at, line, count in ((y_start, y_line, lines), (x_start, x_line, lines + SIDE - 1))
    )
    known = [code.load_one(code.ahead(first, t)) for t in range(SIDE * SIDE)] if dense else []

    def register(number: Any, _: Any) -> list[Any]:
        i = build.mul(number, lanes)

        def tap(t: Any, sums: list[Any]) -> list[Any]:
            at = build.add(i, build.load(build.gep(table, [t])))
            w = code.load_one(code.address(first, t))
            loaded = [code.load(code.address(line, at)) for line in x_lines[:lines]]
            both = zip(loaded, sums, strict=True)
            return [code.fma(w, one, Vector(code, total)).value for one, total in both]

        if dense:
            sums = _dense_sums(code, known, [code.address(line, i) for line in x_lines], start)
        else:
            sums = code.loop(taps, [start.value] * lines, tap)
        mask = code.first_lanes(build.sub(width, i))
        for line, total in zip(y_lines, sums, strict=True):
            code.store(Vector(code, total), code.address(line, i), mask)
        return []

    count = build.sdiv(build.add(width, code.index(code.lanes - 1)), lanes)
    code.loop(count, [], register)


def _dense_sums(code: Code, weights: list[Vector], lines: list[Any], start: Vector) -> list[Any]:
    """Append the sums of neighbouring lines of results; ``lines`` of x are two more."""
    sums = [start] * (len(lines) - SIDE + 1)
    for number, line in enumerate(lines):
        loaded = [code.load(code.ahead(line, place)) for place in range(SIDE)]
        for row in range(SIDE):
            result = number - row
            if 0 <= result < len(sums):
                for place, x in enumerate(loaded):
                    sums[result] = code.fma(weights[row * SIDE + place], x, sums[result])
    return [total.value for total in sums]


@intrinsic
def window_products(
    typing: Any,
    y: Any,
    y_at: Any,
    dy: Any,
    dy_at: Any,
    dy_line: Any,
    x: Any,
    x_at: Any,
    x_line: Any,
    lines: Any,
    width: Any,
) -> Any:
    """Add a dense window's gradient: y[3 r + p] += sum over l, i of dy[l, i] x[l + r, i + p].

    Nothing outside of dy[: lines, : width], and of what of x it meets, is read.
    """
    whole = types.intp
    signature = types.void(y, whole, dy, whole, whole, x, whole, whole, whole, whole)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        code = Code(context, build, signature.args[0].dtype)
        y, y_at, dy, dy_at, dy_line, x, x_at, x_line, lines, width = arguments
        starts = [
            code.address(code.pointer(signature.args[i], array), at)
            for i, array, at in ((2, dy, dy_at), (5, x, x_at))
        ]
        together = build.sdiv(lines, code.index(LINES))
        done = build.mul(together, code.index(LINES))
        sums = [code.constant(0).value] * (SIDE * SIDE)
        for begin, count, rows in (
            (code.index(0), together, LINES),
            (done, build.sub(lines, done), 1),
        ):
            at = [
                code.address(start, build.mul(begin, line))
                for start, line in zip(starts, (dy_line, x_line), strict=True)
            ]
            sums = _products_of_lines(code, at, (dy_line, x_line), count, rows, width, sums)
        to = code.address(code.pointer(signature.args[0], y), y_at)
        for t, total in enumerate(sums):
            add_to(code, code.ahead(to, t), Vector(code, total))
        return context.get_dummy_value()

    return signature, generate


def _products_of_lines(
    code: Code, starts: Any, pitches: Any, count: Any, rows: int, width: Any, sums: list[Any]
) -> list[Any]:
    """Append ``count`` rounds of ``rows`` lines of dy, that share the lines of x they meet."""
    build, lanes = code.build, code.index(code.lanes)
    whole = build.sdiv(width, lanes)
    rest = build.sub(width, build.mul(whole, lanes))
    mask, some = (
        code.first_lanes(rest),
        build.zext(build.icmp_signed(">", rest, code.index(0)), INDEX),
    )

    def products(at: Any, mask: Any, sums: list[Any]) -> list[Any]:
        totals = [Vector(code, total) for total in sums]
        dy_at, x_at = at
        dy = [
            code.load(code.address(dy_at, _times(code, pitches[0], r)), mask) for r in range(rows)
        ]
        for number in range(rows + SIDE - 1):
            line = code.address(x_at, _times(code, pitches[1], number))
            loaded = [code.load(code.ahead(line, place), mask) for place in range(SIDE)]
            for row in range(SIDE):
                if 0 <= number - row < rows:
                    for place, x in enumerate(loaded):
                        t = row * SIDE + place
                        totals[t] = code.fma(dy[number - row], x, totals[t])
        return [total.value for total in totals]

    def block(number: Any, sums: list[Any]) -> list[Any]:
        first = build.mul(number, code.index(rows))
        here = [
            code.address(start, build.mul(first, pitch))
            for start, pitch in zip(starts, pitches, strict=True)
        ]

        def register(i: Any, sums: list[Any]) -> list[Any]:
            return products([code.address(at, build.mul(i, lanes)) for at in here], None, sums)

        sums = code.loop(whole, sums, register)
        end = [code.address(at, build.mul(whole, lanes)) for at in here]
        return code.loop(some, sums, lambda _, sums: products(end, mask, sums))

    return code.loop(count, sums, block)


def _times(code: Code, pitch: Any, number: int) -> Any:
    return code.build.mul(pitch, code.index(number))


@compiled
def dense_window(offsets: Any, wide: int, order: Any) -> bool:
    """Return whether taps are a window of SIDE x SIDE neighbours, and put into ``order`` which.

    If they are not, their order is as it is.
    """
    dense = offsets.size == SIDE * SIDE
    for t in range(offsets.size):
        dense &= offsets[t] // wide < SIDE and offsets[t] % wide < SIDE
    for t in range(offsets.size):
        place = offsets[t] // wide * SIDE + offsets[t] % wide if dense else t
        order[place] = t
    return dense


_some, _one = _windows(LINES, False), _windows(1, False)
_some_dense, _one_dense = _windows(LINES, True), _windows(1, True)


@compiled
def depthwise(
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
    """Compute the blocks first to last - 1: images x groups of one channel x blocks of positions.

    There is one pass; ``packed`` is as `pack` leaves it.
    """
    high, wide = grid.lines[1], grid.lines[2]
    depth, height, width = grid.out
    size = grid.size[0] * grid.size[1] * grid.size[2]
    steps, offsets = taps.offsets.size, taps.offsets
    per_channel = taps.planes.shape[0] * grid.lines[0] * high * wide
    source = np.zeros(per_channel + 2 * VECTOR_BYTES // y.itemsize, y.dtype)
    nothing = y.dtype.type(0)
    order, window = np.empty(steps, np.int64), np.empty(steps, y.dtype)
    dense = dense_window(offsets, wide, order)
    padded = -(-grid.results // grid.rows) * grid.rows
    cuts = grid.blocks[0] * grid.blocks[1] * grid.blocks[2]
    for item in range(first, last):
        image, cut = item // cuts, item % cuts  # image and channel
        g = image % grid.groups
        start = (
            cut // (grid.blocks[1] * grid.blocks[2]) * grid.block[0],
            cut // grid.blocks[2] % grid.blocks[1] * grid.block[1],
            cut % grid.blocks[2] * grid.block[2],
        )
        lay_out(x, image * size, grid.channels, start, source, grid, taps.planes)
        begin, there = extent(start, taps.starts[0], grid)
        lines, length = there[1], there[2]
        together = lines if length == width else 1  # lines that lie side by side
        for k in range(grid.results):
            at = (g * padded + k // grid.rows * grid.rows) * steps + k % grid.rows
            for t in range(steps):
                window[t] = packed[at + order[t] * grid.rows]
            y_at = image * grid.results + k
            y_at = ((y_at * depth + begin[0]) * height + begin[1]) * width + begin[2]
            shift = bias[g * grid.results + k]
            _lines(y, y_at, width, source, wide, offsets, window, dense, shift, lines, length)
            if activation:
                for h in range(0, lines, together):
                    to = y_at + h * width
                    to_result(y, to, 1, y, to, length * together, nothing, activation)


@compiled
def _lines(
    y: Any, y_at: int, width: int, x: Any, wide: int, offsets: Any, window: Any, dense: bool,
    bias: float, lines: int, length: int,
) -> None:  # fmt: skip
    """Compute the lines of a block; the last ones begin earlier: some are computed twice."""
    steps, together = offsets.size, LINES if lines >= LINES else 1
    for some in range(0, lines, together):
        h = min(some, lines - together)
        to, line = y_at + h * width, h * wide
        if dense and together == LINES:
            _some_dense(y, to, width, x, line, wide, offsets, steps, window, 0, bias, length)
        elif dense:
            _one_dense(y, to, width, x, line, wide, offsets, steps, window, 0, bias, length)
        elif together == LINES:
            _some(y, to, width, x, line, wide, offsets, steps, window, 0, bias, length)
        else:
            _one(y, to, width, x, line, wide, offsets, steps, window, 0, bias, length)
