"""Rows with zeros around them and rows with gaps: what strides and padding ask for.

A strided loop over single numbers is as slow as it looks. Here every other number of a row is read
by loading two registers and keeping the even lanes, and written by spreading one register over two
and storing the even lanes. Masks keep what is outside of the row untouched and unread.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.simd.vector import INDEX, Code, Vector

__all__ = ["padded_row", "spread_row"]


def _lane_numbers(code: Code, first: Any, step: int, skip: int) -> Any:
    """Return for each lane j which element of the row, first + (skip + j) / step, it stands for.

    Lanes between two elements get -1, which is in no row.
    """
    kind = ir.VectorType(INDEX, code.lanes)
    inside = [(skip + j) // step if (skip + j) % step == 0 else None for j in range(code.lanes)]
    start = code.build.insert_element(ir.Constant(kind, ir.Undefined), first, ir.Constant(INDEX, 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), code.lanes), [0] * code.lanes)
    start = code.build.shuffle_vector(start, ir.Constant(kind, ir.Undefined), zeros)
    numbers = code.build.add(start, ir.Constant(kind, [i or 0 for i in inside]))
    real = ir.Constant(code.bools, [i is not None for i in inside])
    return code.build.select(real, numbers, ir.Constant(kind, [-1] * code.lanes))


def _between(code: Code, numbers: Any, begin: Any, end: Any) -> Any:
    """Return the mask of the lanes whose number is in begin ... end - 1."""
    build, kind = code.build, numbers.type
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), code.lanes), [0] * code.lanes)
    nothing = ir.Constant(kind, ir.Undefined)

    def repeat(value: Any) -> Any:
        first = build.insert_element(nothing, value, ir.Constant(INDEX, 0))
        return build.shuffle_vector(first, nothing, zeros)

    above = build.icmp_signed(">=", numbers, repeat(begin))
    return build.and_(above, build.icmp_signed("<", numbers, repeat(end)))


def _registers(code: Code, count: Any, body: Callable[[Any], None]) -> None:
    """Append ``body(i)`` for i = 0, lanes, 2 lanes ... below ``count``."""
    build, lanes = code.build, code.index(code.lanes)
    rounds = build.sdiv(build.add(count, code.index(code.lanes - 1)), lanes)

    def one(i: Any, _: Any) -> list[Any]:
        body(build.mul(i, lanes))
        return []

    code.loop(rounds, [], one)


@functools.cache
def padded_row(step: int) -> Callable[..., None]:
    """Return ``f(y, y_at, x, x_at, begin, end, count)`` for step 1 or 2.

    y[y_at + i] = x[x_at + step * i] for begin <= i < end, else 0, for i < count. Whole registers
    are stored: up to lanes - 1 elements of y after the row are overwritten with zeros. Of x nothing
    is read but what is copied; x_at may lie before the array.
    """

    @intrinsic
    def run(
        typing: Any, y: Any, y_at: Any, x: Any, x_at: Any, begin: Any, end: Any, count: Any
    ) -> Any:
        whole = types.intp
        signature = types.void(y, whole, x, whole, whole, whole, whole)

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, signature.args[0].dtype)
            y, y_at, x, x_at, begin, end, count = arguments
            target = code.address(code.pointer(signature.args[0], y), y_at)
            source = code.address(code.pointer(signature.args[2], x), x_at)

            def body(i: Any) -> None:
                here = code.address(source, build.mul(i, code.index(step)))
                parts = []
                for skip in range(0, step * code.lanes, code.lanes):
                    mask = _between(code, _lane_numbers(code, i, step, skip), begin, end)
                    parts.append(code.load(code.ahead(here, skip), mask))
                every = [step * lane for lane in range(code.lanes)]
                row = parts[0] if step == 1 else code.shuffle(parts[0], parts[1], every)
                code.store(row, code.address(target, i))

            _registers(code, count, body)
            return context.get_dummy_value()

        return signature, generate

    return run


@functools.cache
def spread_row(step: int) -> Callable[..., None]:
    """Return ``f(y, y_at, x, x_at, count)`` for step 1 or 2: y[y_at + step * i] = x[x_at + i].

    What lies between is not touched, and nothing else is read.
    """

    @intrinsic
    def run(typing: Any, y: Any, y_at: Any, x: Any, x_at: Any, count: Any) -> Any:
        signature = types.void(y, types.intp, x, types.intp, types.intp)

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, signature.args[0].dtype)
            y, y_at, x, x_at, count = arguments
            target = code.address(code.pointer(signature.args[0], y), y_at)
            source = code.address(code.pointer(signature.args[2], x), x_at)

            def body(i: Any) -> None:
                there = code.address(target, build.mul(i, code.index(step)))
                mask = code.first_lanes(build.sub(count, i))
                row = code.load(code.address(source, i), mask)
                for skip in range(0, step * code.lanes, code.lanes):
                    wide = [(skip + lane) // step for lane in range(code.lanes)]
                    numbers = _lane_numbers(code, i, step, skip)
                    mask = _between(code, numbers, code.index(0), count)
                    part: Vector = code.shuffle(row, row, wide)
                    code.store(part, code.ahead(there, skip), mask)

            _registers(code, count, body)
            return context.get_dummy_value()

        return signature, generate

    return run
