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
            from_g, from_other = code.pointer(g, source), None
            if isinstance(other.dtype, types.Float):
                from_other = code.pointer(other, more)

            def share(ahead: Any, shift: Any, number: Any) -> Vector:
                """Return what lane j gets from window j - shift, for which it is tap number."""
                first = build.sub(window, shift)
                mask = within(code, first, windows) if edge else None
                here = build.add(ahead, first)
                value = code.load(code.address(from_g, build.add(g_at, here)), mask)
                where = build.add(more_at, here)
                if from_other is not None:
                    one = code.constant(1)
                    return value / code.load(code.address(from_other, where), mask, one)
                won = numbers(code, other, more, where, mask)
                tap = in_all_lanes(code, number, won.type.element.width)
                mine = Vector(code, build.icmp_signed("==", won, tap))
                return code.select(mine, value, 0)

            def row(ahead: Any, number: Any, totals: Carried) -> Carried:
                if stride == 1:
                    return code.loop(
                        taps,
                        totals,
                        lambda t, totals: [
                            (Vector(code, totals[0]) + share(ahead, t, build.add(number, t))).value
                        ],
                    )
                for tap in range(kernel):
                    total = Vector(code, totals[tap % 2])
                    part = share(ahead, code.index(tap // 2), build.add(number, code.index(tap)))
                    totals = list(totals)
                    totals[tap % 2] = (total + part).value
                return totals

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
