"""Lines with zeros around them and lines of two: what strides and padding ask for.

A strided loop over single numbers is as slow as it looks. Here every other number of a row is read
by loading two registers and keeping the even lanes, and what goes to every other place is written
together with its neighbours: two registers are interleaved. Masks keep what is outside of a row
unread and unwritten; each is a range of bits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.simd.vector import Code

__all__ = ["interleave", "padded_lines"]


def _lanes_between(code: Code, begin: Any, end: Any) -> Any:
    """Return the mask of the lanes begin ... end - 1; both may lie outside of the register."""
    build, none, all_of = code.build, code.index(0), code.index(code.lanes)

    def first(count: Any) -> Any:
        """Return as many bits, from the last one on."""
        count = build.select(build.icmp_signed("<", count, all_of), count, all_of)
        count = build.select(build.icmp_signed(">", count, none), count, none)
        return build.sub(build.shl(code.index(1), count), code.index(1))

    bits = build.and_(first(end), build.not_(first(begin)))
    return build.bitcast(build.trunc(bits, ir.IntType(code.lanes)), code.bools)


def _registers(code: Code, count: Any, body: Callable[[Any], None]) -> None:
    """Append ``body(i)`` for i = 0, lanes, 2 lanes ... below ``count``."""
    build, lanes = code.build, code.index(code.lanes)
    rounds = build.sdiv(build.add(count, code.index(code.lanes - 1)), lanes)

    def one(number: Any, _: Any) -> list[Any]:
        body(build.mul(number, lanes))
        return []

    code.loop(rounds, [], one)


@functools.cache
def padded_lines(step: int) -> Callable[..., None]:
    """Return ``f(y, y_at, x, x_at, x_line, begin, end, wide, lines)`` for step 1 or 2.

    y[y_at + l * wide + i] = x[x_at + l * x_line + step * i] for begin <= i < end, else 0, for i <
    wide. Of a line of x nothing is read but what lies between the first and the last that is
    copied; x_at may be before it.
    """

    @intrinsic
    def run(
        typing: Any,
        y: Any,
        y_at: Any,
        x: Any,
        x_at: Any,
        x_line: Any,
        begin: Any,
        end: Any,
        wide: Any,
        lines: Any,
    ) -> Any:
        signature = types.void(y, types.intp, x, *[types.intp] * 6)

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, signature.args[0].dtype)
            y, y_at, x, x_at, x_line, begin, end, wide, lines = arguments
            target = code.address(code.pointer(signature.args[0], y), y_at)
            source = code.address(code.pointer(signature.args[2], x), x_at)
            lower = build.mul(begin, code.index(step))
            upper = build.sub(build.mul(end, code.index(step)), code.index(step - 1))
            every = [step * lane for lane in range(code.lanes)]

            def column(i: Any) -> None:
                first = build.mul(i, code.index(step))
                at = [build.add(first, code.index(part * code.lanes)) for part in range(step)]
                masks = [
                    _lanes_between(code, build.sub(lower, here), build.sub(upper, here))
                    for here in at
                ]
                stored = _lanes_between(code, code.index(0), build.sub(wide, i))

                def line(number: Any, _: Any) -> list[Any]:
                    start = code.address(source, build.mul(number, x_line))
                    parts = [
                        code.load(code.address(start, here), mask)
                        for here, mask in zip(at, masks, strict=True)
                    ]
                    row = parts[0] if step == 1 else code.shuffle(parts[0], parts[1], every)
                    there = build.add(build.mul(number, wide), i)
                    code.store(row, code.address(target, there), stored)
                    return []

                code.loop(lines, [], line)

            _registers(code, wide, column)
            return context.get_dummy_value()

        return signature, generate

    return run


@intrinsic
def interleave(
    typing: Any, y: Any, y_at: Any, x: Any, even_at: Any, odd_at: Any, count: Any
) -> Any:
    """Write y[y_at + i], i < count: x[even_at + i / 2] for even i, x[odd_at + i // 2] for odd.

    Of x whole registers are read.
    """
    whole = types.intp
    signature = types.void(y, whole, x, whole, whole, whole)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        code = Code(context, build, signature.args[0].dtype)
        y, y_at, x, even_at, odd_at, count = arguments
        target = code.address(code.pointer(signature.args[0], y), y_at)
        source = code.pointer(signature.args[2], x)
        starts = [code.address(source, at) for at in (even_at, odd_at)]
        half = build.sdiv(build.add(count, code.index(1)), code.index(2))

        def body(i: Any) -> None:
            even, odd = (code.load(code.address(start, i)) for start in starts)
            for part in range(2):
                here = build.add(build.add(i, i), code.index(part * code.lanes))
                mask = _lanes_between(code, code.index(0), build.sub(count, here))
                places = range(part * code.lanes, (part + 1) * code.lanes)
                turns = [place // 2 + place % 2 * code.lanes for place in places]
                code.store(code.shuffle(even, odd, turns), code.address(target, here), mask)

        _registers(code, half, body)
        return context.get_dummy_value()

    return signature, generate
