"""The compiled loops of 3x3 windows of one channel: depthwise layers, first layers of grey images.

Nine products for each number that is read and written leave nothing to save but memory's time, so
nothing is laid out and each line is read once. A column of registers goes down the lines of a
channel: three loads of a line (what lies left of each result, at it, and right of it), nine
products that belong to three lines of results, one of them complete. The weights stay in registers.
Masks put zeros where the padding is; a line of it is a line of zeros. What the next lines read is
asked for before, see `prefetch`.

The gradient of the weight goes down the same way, with nine sums in registers and the nine loads of
three lines, of which six are still there from the result before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.compiled import compiled
from tinymed.kernels.conv.sum_of_taps import to_result
from tinymed.kernels.simd.prefetch import prefetch_to_read
from tinymed.kernels.simd.vector import REGISTERS, VECTOR_BYTES, Code, Vector

__all__ = ["BLOCK", "CHANNELS", "WINDOW", "add_parts", "window_gradients", "windows"]

SIDE = 3  # of a window
WINDOW = SIDE * SIDE
TOGETHER = 2 if REGISTERS == 32 else 1  # neighbouring columns, whose sums do not wait for another
CHANNELS = 16  # whose sums over images stay in the first cache
BLOCK = 16 * 1024  # bytes of lines that go through the first cache at a time


class _Source:
    """A channel of the source: its lines from the one that the first result reads."""

    def __init__(self, code: Code, start: Any, zeros: Any, geometry: Any) -> None:
        self.code, self.start, self.zeros = code, start, zeros
        self.height, self.width, self.top, self.left = geometry

    def masks(self, i: Any, count: int, stored: list[Any]) -> list[list[Any]]:
        """Return the masks of ``count`` registers from result ``i`` on, for each place."""
        both = self.code.build.and_
        return [
            [both(mine, self._inside(i, v, p)) for p in range(SIDE)]
            for v, mine in enumerate(stored)
        ]

    def _index(self, v: int, place: int = 0) -> Any:
        return self.code.index(v * self.code.lanes + place)

    def _inside(self, i: Any, v: int, place: int) -> Any:
        """Return the mask of what lies between the edges of the channel."""
        code, build = self.code, self.code.build
        at = build.add(build.sub(i, self.left), self._index(v, place))
        before = build.not_(code.first_lanes(build.neg(at)))
        return build.and_(before, code.first_lanes(build.sub(self.width, at)))

    def are_inside(self, i: Any, count: int, results: Any) -> Any:
        """Return whether ``count`` registers from ``i`` on need no mask."""
        build, at = self.code.build, self.code.build.sub(i, self.left)
        end = build.add(at, self._index(count, SIDE - 1))
        inside = build.icmp_signed(">=", at, self.code.index(0))
        inside = build.and_(inside, build.icmp_signed("<=", end, self.width))
        last = build.add(i, self._index(count))
        return build.and_(inside, build.icmp_signed("<=", last, results))

    def load(self, i: Any, line: Any, masks: Any, count: int) -> list[list[Vector]]:
        """Load line ``line`` of the results' first line's window: registers x places."""
        code, build = self.code, self.code.build
        h = build.sub(line, self.top)
        there = build.add(build.mul(h, self.width), build.sub(i, self.left))
        inside = build.icmp_unsigned("<", h, self.height)
        at = build.select(inside, code.address(self.start, there), self.zeros)
        return [
            [
                code.load(code.ahead(at, v * code.lanes + p), masks and masks[v][p])
                for p in range(SIDE)
            ]
            for v in range(count)
        ]

    def along(
        self, count: Any, together: int, carried: list[Any], column: Callable[..., list[Any]]
    ) -> list[Any]:
        """Append ``column(i, registers, masks, masks of results, carried)`` for all results.

        ``together`` registers at a time, then one by one. Masks are None where none is needed.
        """
        code, build, lanes = self.code, self.code.build, self.code.lanes

        def registers(some: int, first: Any) -> Callable[[Any, list[Any]], list[Any]]:
            def body(number: Any, carried: list[Any]) -> list[Any]:
                i = build.add(first, build.mul(number, code.index(some * lanes)))

                def masked() -> list[Any]:
                    ends = [build.sub(count, build.add(i, self._index(v))) for v in range(some)]
                    stored = [code.first_lanes(end) for end in ends]
                    return column(i, some, self.masks(i, some, stored), stored, carried)

                if VECTOR_BYTES == 64:  # masks cost nothing
                    return masked()
                inside = self.are_inside(i, some, count)
                return _either(code, inside, lambda: column(i, some, None, None, carried), masked)

            return body

        total = build.sdiv(build.add(count, code.index(lanes - 1)), code.index(lanes))
        groups = build.sdiv(total, code.index(together))
        carried = code.loop(groups, carried, registers(together, code.index(0)))
        if together == 1:
            return carried
        done = build.mul(groups, code.index(together))
        single = registers(1, build.mul(done, code.index(lanes)))
        return code.loop(build.sub(total, done), carried, single)


def _either(
    code: Code, condition: Any, first: Callable[[], list[Any]], second: Callable[[], list[Any]]
) -> list[Any]:
    """Append both, run one of them, and return its values."""
    build, ends, found = code.build, [], []
    with build.if_else(condition) as branches:
        for branch, append in zip(branches, (first, second), strict=True):
            with branch:
                found.append(append())
                ends.append(build.block)
    phis = [build.phi(value.type) for value in found[0]]
    for values, end in zip(found, ends, strict=True):
        for phi, value in zip(phis, values, strict=True):
            phi.add_incoming(value, end)
    return phis


@intrinsic
def _sums(
    typing: Any,
    y: Any,
    y_at: Any,
    x: Any,
    x_at: Any,
    zeros: Any,
    weight: Any,
    bias: Any,
    least: Any,
    lines: Any,
    count: Any,
    geometry: Any,
) -> Any:
    """Write y[l, i] = max(least, bias + sum of weight[r, p] x[l + r - top, i + p - left]).

    geometry: height and width of x, top and left. Lines of y and x follow each other, x is 0 where
    it ends; zeros are TOGETHER * lanes + SIDE numbers, least is 0 or -inf.
    """
    whole, number = types.intp, y.dtype
    given = (y, whole, x, whole, zeros, weight, number, number)
    signature = types.void(*given, whole, whole, types.UniTuple(whole, 4))

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        code = Code(context, build, signature.args[0].dtype)
        _emit_sums(code, signature.args, arguments)
        return context.get_dummy_value()

    return signature, generate


def _emit_sums(code: Code, kinds: Any, arguments: Any) -> None:
    """Append the columns of registers, with and without masks."""
    build = code.build
    y, y_at, x, x_at, zeros, weight, bias, least, lines, count, geometry = arguments
    first = code.pointer(kinds[5], weight)
    weights = [code.load_one(code.ahead(first, t)) for t in range(WINDOW)]
    target = code.address(code.pointer(kinds[0], y), y_at)
    start, floor = code.all_lanes(bias), code.all_lanes(least)
    source = _Source(
        code,
        code.address(code.pointer(kinds[2], x), x_at),
        code.pointer(kinds[4], zeros),
        [build.extract_value(geometry, i) for i in range(4)],
    )

    def line(sums: list[Vector], loaded: list[Vector], row: int) -> list[Vector]:
        """Return what ``sums`` become by a line of x that is line ``row`` of their windows."""
        for p, part in enumerate(loaded):
            sums = [code.fma(weights[row * SIDE + p], part, total) for total in sums]
        return sums

    def add(loaded: list[list[Vector]], rows: list[tuple[int, list[Any]]]) -> list[list[Vector]]:
        """Return per row of the window the sums of each register, begun with ``rows``."""
        return [
            [
                line([Vector(code, total)], parts, row)[0]
                for total, parts in zip(sums, loaded, strict=True)
            ]
            for row, sums in rows
        ]

    def column(i: Any, registers: int, masks: Any, stored: Any, carried: list[Any]) -> list[Any]:
        begun = [start.value] * registers
        (early,) = add(source.load(i, code.index(0), masks, registers), [(0, begun)])
        second = source.load(i, code.index(1), masks, registers)
        late, fresh = add(second, [(1, [t.value for t in early]), (0, begun)])

        def result(number: Any, carried: list[Any]) -> list[Any]:
            there = build.add(number, code.index(2))
            loaded = source.load(i, there, masks, registers)
            old, new = carried[:registers], carried[registers:]
            done, older, newer = add(loaded, [(2, old), (1, new), (0, begun)])
            at = code.address(target, build.add(build.mul(number, count), i))
            for v, total in enumerate(done):
                to = code.ahead(at, v * code.lanes)
                code.store(code.maximum(total, floor), to, stored and stored[v])
            return [total.value for total in (*older, *newer)]

        code.loop(lines, [total.value for total in (*late, *fresh)], result)
        return carried

    source.along(count, TOGETHER, [], column)


@compiled
def windows(
    first: int, last: int, x: Any, weight: Any, turned: bool, bias: Any, activation: int, y: Any,
    sizes: Any,
) -> None:  # fmt: skip
    """Compute the blocks first to last - 1: channels of all images x ``at_once`` lines.

    sizes: channels, results of each, height and width of x and of y, top, left, at_once.
    """
    channels, results, height, width, lines, count, top, left, at_once = sizes
    cuts = -(-lines // at_once)
    zeros = np.zeros(TOGETHER * VECTOR_BYTES // y.itemsize + SIDE, y.dtype)
    window, nothing = np.empty(WINDOW, y.dtype), y.dtype.type(0)
    least = nothing if activation == 1 else y.dtype.type(-np.inf)
    for item in range(first, last):
        channel, h = item // cuts, item % cuts * at_once
        g, some = channel % channels, min(at_once, lines - h)
        prefetch_to_read(x, (channel * height + h + some) * width, some * width)
        for k in range(results):
            number = g * results + k
            for t in range(WINDOW):
                window[t] = weight[number * WINDOW + (WINDOW - 1 - t if turned else t)]
            y_at = ((channel * results + k) * lines + h) * count
            given = (x, channel * height * width, zeros, window, bias[number], least)
            _sums(y, y_at, *given, some, count, (height, width, top - h, left))
            if activation > 1:
                to_result(y, y_at, 1, y, y_at, some * count, nothing, activation)


@intrinsic
def _products(
    typing: Any,
    sums: Any,
    at: Any,
    dy: Any,
    dy_at: Any,
    x: Any,
    x_at: Any,
    zeros: Any,
    lines: Any,
    count: Any,
    geometry: Any,
) -> Any:
    """Add dy[l, i] x[l + r - top, i + p - left] to sums[r, p, lane], for all l and i.

    Arguments as of `_sums`; no product is made with what is outside of dy.
    """
    whole = types.intp
    given = (sums, whole, dy, whole, x, whole, zeros)
    signature = types.void(*given, whole, whole, types.UniTuple(whole, 4))

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        code = Code(context, build, signature.args[0].dtype)
        _emit_products(code, signature.args, arguments)
        return context.get_dummy_value()

    return signature, generate


def _emit_products(code: Code, kinds: Any, arguments: Any) -> None:
    """Append the columns of registers, with and without masks."""
    build = code.build
    sums, at, dy, dy_at, x, x_at, zeros, lines, count, geometry = arguments
    from_dy = code.address(code.pointer(kinds[2], dy), dy_at)
    to = code.address(code.pointer(kinds[0], sums), at)
    source = _Source(
        code,
        code.address(code.pointer(kinds[4], x), x_at),
        code.pointer(kinds[6], zeros),
        [build.extract_value(geometry, i) for i in range(4)],
    )

    def column(i: Any, _: int, masks: Any, stored: Any, totals: list[Any]) -> list[Any]:
        def load(line: Any) -> list[Any]:
            return [part.value for part in source.load(i, line, masks, 1)[0]]

        def result(number: Any, carried: list[Any]) -> list[Any]:
            at = code.address(from_dy, build.add(build.mul(number, count), i))
            gradient = code.load(at, stored and stored[0])
            lines = [*carried[WINDOW:], *load(build.add(number, code.index(SIDE - 1)))]
            products = [
                code.fma(gradient, Vector(code, part), Vector(code, total)).value
                for part, total in zip(lines, carried[:WINDOW], strict=True)
            ]
            return [*products, *lines[SIDE:]]

        begun = [part for line in range(SIDE - 1) for part in load(code.index(line))]
        return code.loop(lines, [*totals, *begun], result)[:WINDOW]

    places = [code.ahead(to, t * code.lanes) for t in range(WINDOW)]
    totals = source.along(count, 1, [code.load(place).value for place in places], column)
    for place, total in zip(places, totals, strict=True):
        code.store(Vector(code, total), place)


@compiled
def window_gradients(
    first: int, last: int, dy: Any, x: Any, partial: Any, parts: int, sizes: Any
) -> None:
    """Sum the items first to last - 1: parts of images and lines x CHANNELS of x at a time.

    partial is [part][channel of dy][row, place]; sizes as of `windows`.
    """
    channels, results, height, width, lines, count, top, left, at_once = sizes
    lanes = VECTOR_BYTES // x.itemsize
    zeros = np.zeros(lanes + SIDE, x.dtype)
    sums = np.empty(CHANNELS * results * WINDOW * lanes, x.dtype)
    cuts, pieces = -(-lines // at_once), -(-channels // CHANNELS)
    total = dy.size // (channels * results * lines * count) * cuts
    for item in range(first, last):
        part, c = item // pieces, item % pieces * CHANNELS
        some = min(CHANNELS, channels - c)
        sums[:] = 0
        for number in range(part * total // parts, (part + 1) * total // parts):
            n, h = number // cuts, number % cuts * at_once
            high, geometry = min(at_once, lines - h), (height, width, top - h, left)
            for g in range(some):
                plane = n * channels + c + g
                prefetch_to_read(x, ((plane + 1) * height + h) * width, high * width)
                for k in range(results):
                    at = (g * results + k) * WINDOW * lanes
                    from_dy = ((plane * results + k) * lines + h) * count
                    prefetch_to_read(dy, from_dy + lines * count, high * count)
                    given = (sums, at, dy, from_dy, x, plane * height * width, zeros)
                    _products(*given, high, count, geometry)
        to = (part * channels + c) * results * WINDOW
        for t in range(some * results * WINDOW):
            all_lanes = x.dtype.type(0)
            for lane in range(lanes):
                all_lanes += sums[t * lanes + lane]
            partial[to + t] = all_lanes


@compiled
def add_parts(first: int, last: int, partial: Any, dw: Any) -> None:
    """Add the parts up, in order."""
    for t in range(dw.size):
        total = partial[0, t]
        for part in range(1, partial.shape[0]):
            total += partial[part, t]
        dw[t] = total
