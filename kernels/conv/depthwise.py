"""The compiled loops of a depthwise convolution, where a result sees one channel of the source.

There is no sum over channels that would keep a tile busy: nine products for each number that is
read and written. What counts is to touch memory once, so a channel is laid out with its padding (it
fits into the first cache), some lines of results are summed in registers and stored where they
belong. Dense windows of 3x3 have loops of their own, in windows.py.
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
from tinymed.kernels.simd.vector import INDEX, VECTOR_BYTES, Code, Vector

__all__ = ["depthwise"]

LINES = 4  # of results, at the same time


@functools.cache
def _windows(lines: int) -> Callable[..., None]:
    """Return ``f(y, y_at, y_line, x, x_at, x_line, offsets, weight, weight_at, bias, width)``.

    y[l, i] = bias + sum over t of weight[t] x[l, offsets[t] + i] for ``lines`` lines, i < width. Of
    x whole registers are read: it must go on for lanes - 1 elements.
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
            _emit(code, lines, signature.args, arguments)
            return context.get_dummy_value()

        return signature, generate

    return run


def _emit(code: Code, lines: int, kinds: Any, arguments: Any) -> None:
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
        [code.address(at, build.mul(line, code.index(number))) for number in range(lines)]
        for at, line in ((y_start, y_line), (x_start, x_line))
    )

    def register(number: Any, _: Any) -> list[Any]:
        i = build.mul(number, lanes)

        def tap(t: Any, sums: list[Any]) -> list[Any]:
            at = build.add(i, build.load(build.gep(table, [t])))
            w = code.load_one(code.address(first, t))
            loaded = [code.load(code.address(line, at)) for line in x_lines]
            both = zip(loaded, sums, strict=True)
            return [code.fma(w, one, Vector(code, total)).value for one, total in both]

        sums = code.loop(taps, [start.value] * lines, tap)
        mask = code.first_lanes(build.sub(width, i))
        for line, total in zip(y_lines, sums, strict=True):
            code.store(Vector(code, total), code.address(line, i), mask)
        return []

    count = build.sdiv(build.add(width, code.index(code.lanes - 1)), lanes)
    code.loop(count, [], register)


_some, _one = _windows(LINES), _windows(1)


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

    There is one pass and one result of each channel; ``packed`` is as `pack` leaves it.
    """
    high, wide = grid.lines[1], grid.lines[2]
    depth, height, width = grid.out
    size = grid.size[0] * grid.size[1] * grid.size[2]
    steps, offsets = taps.offsets.size, taps.offsets
    per_channel = taps.planes.shape[0] * grid.lines[0] * high * wide
    source = np.zeros(per_channel + 2 * VECTOR_BYTES // y.itemsize, y.dtype)
    nothing = y.dtype.type(0)
    window = np.empty(steps, y.dtype)
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
        for t in range(steps):
            window[t] = packed[g * steps + t]
        y_at = ((image * depth + begin[0]) * height + begin[1]) * width + begin[2]
        _lines(y, y_at, width, source, wide, offsets, window, bias[g], lines, length)
        if activation:
            for h in range(0, lines, together):
                to = y_at + h * width
                to_result(y, to, 1, y, to, length * together, nothing, activation)


@compiled
def _lines(
    y: Any, y_at: int, width: int, x: Any, wide: int, offsets: Any, window: Any, bias: float,
    lines: int, length: int,
) -> None:  # fmt: skip
    """Compute the lines of a block; the last ones begin earlier: some are computed twice."""
    steps, together = offsets.size, LINES if lines >= LINES else 1
    for some in range(0, lines, together):
        h = min(some, lines - together)
        to, line = y_at + h * width, h * wide
        given = (y, to, width, x, line, wide, offsets, steps, window, 0, bias, length)
        if together == LINES:
            _some(*given)
        else:
            _one(*given)
