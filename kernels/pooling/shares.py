"""The gradient of pooling, a register of neighbouring windows at a time: `windows` backwards.

Place i of a row belongs to the windows j = (i + padding - tap) / stride, for the taps that divide.
With a stride of 2, even and odd places meet different taps: their sums are made apart and shuffled
together when they are stored. Each place is written once, and windows may overlap.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.pooling.windows import (
    ROWS,
    WHOLE,
    Carried,
    in_all_lanes,
    numbers,
    over_rows,
    within,
)
from tinymed.kernels.simd.vector import Code, Vector

__all__ = ["shares"]


class _Share:
    """What a register of places gets from windows along one row of taps.

    Parameters
    ----------
    code : Code
    g, other : (type, array, offset)
        The gradients of the windows; which tap won in each, or their divisors.
    window, windows : number
        The window that lane 0 takes its first tap from, and how many there are: None if all that
        is asked for is there.
    """

    def __init__(self, code: Code, g: Any, other: Any, window: Any, windows: Any) -> None:
        self.code, self.window, self.windows = code, window, windows
        kind, array, self.at = g
        self.gradients = code.pointer(kind, array)
        self.kind, self.other, self.other_at = other
        self.divides = isinstance(self.kind.dtype, types.Float)

    def of(self, ahead: Any, shift: Any, number: Any) -> Vector:
        """Return what lane j gets from window j - shift, for which it is tap ``number``."""
        code, build = self.code, self.code.build
        first = build.sub(self.window, shift)
        mask = None if self.windows is None else within(code, first, self.windows)
        here = build.add(ahead, first)
        value = code.load(code.address(self.gradients, build.add(self.at, here)), mask)
        where = build.add(self.other_at, here)
        if self.divides:
            divisors = code.address(code.pointer(self.kind, self.other), where)
            return value / code.load(divisors, mask, code.constant(1))
        won = numbers(code, self.kind, self.other, where, mask)
        tap = in_all_lanes(code, number, won.type.element.width)
        return code.select(Vector(code, build.icmp_signed("==", won, tap)), value, 0)

    def in_step(self, ahead: Any, number: Any, totals: Carried, taps: Any) -> Carried:
        """Add up ``taps`` shares: every place meets every tap."""

        def add(tap: Any, totals: Carried) -> Carried:
            part = self.of(ahead, tap, self.code.build.add(number, tap))
            return [(Vector(self.code, totals[0]) + part).value]

        return self.code.loop(taps, totals, add)

    def in_turn(self, ahead: Any, number: Any, totals: Carried, taps: int) -> Carried:
        """Add up the shares of even and of odd places, which meet every second tap."""
        totals, index = list(totals), self.code.index
        for tap in range(taps):
            part = self.of(ahead, index(tap // 2), self.code.build.add(number, index(tap)))
            totals[tap % 2] = (Vector(self.code, totals[tap % 2]) + part).value
        return totals


@functools.cache
def shares(stride: int, kernel: int, edge: bool) -> Callable[..., None]:
    """Return the gradient of ``stride`` registers of places, as a function for compiled code.

    ``f(grad_x, at, place, length, g, g_at, rows, window, windows, taps, other, other_at)``: lane 0
    is ``place`` of a row of ``length`` that begins at ``at``, and takes its first tap from
    ``window`` of ``windows`` that begin at ``g_at``. ``other`` is an array of whole numbers, the
    winning taps, or one of divisors. Windows of stride 2 have ``kernel`` taps along the row, those
    of stride 1 have ``taps``.
    """

    @intrinsic
    def run(
        typing: Any,
        grad_x: Any,
        at: Any,
        place: Any,
        length: Any,
        g: Any,
        g_at: Any,
        rows: Any,
        window: Any,
        windows: Any,
        taps: Any,
        other: Any,
        other_at: Any,
    ) -> Any:
        whole = WHOLE, WHOLE, WHOLE
        kinds = grad_x, *whole, g, WHOLE, ROWS, *whole, other, WHOLE

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, grad_x.dtype)
            to, at, place, length, source, g_at, rows, window, windows, taps, more, more_at = (
                arguments
            )
            share = _Share(
                code, (g, source, g_at), (other, more, more_at), window, windows if edge else None
            )

            def row(ahead: Any, number: Any, totals: Carried) -> Carried:
                if stride == 1:
                    return share.in_step(ahead, number, totals, taps)
                return share.in_turn(ahead, number, totals, kernel)

            totals = over_rows(code, rows, [code.constant(0).value] * stride, row)
            parts = [Vector(code, total) for total in totals]
            if stride == 2:
                order = [code.lanes * (i % 2) + i // 2 for i in range(2 * code.lanes)]
                even, odd = parts
                halves = order[: code.lanes], order[code.lanes :]
                parts = [code.shuffle(even, odd, half) for half in halves]
            address = code.address(code.pointer(grad_x, to), build.add(at, place))
            for i, part in enumerate(parts):
                here = build.add(place, code.index(i * code.lanes))
                mask = within(code, here, length) if edge else None
                code.store(part, code.ahead(address, i * code.lanes), mask)
            return context.get_dummy_value()

        return types.void(*kinds), generate

    return run
