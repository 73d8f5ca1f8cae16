"""The micro-kernel for sums along lines: scalar products of a few rows with a few others.

Where `tile` needs as many numbers side by side as a register has lanes, this one serves results
that are few: the weights of a first layer, of a depthwise one. The lanes run along the sum, each
adds up its share, and they are added to each other once, at the end.

    y[r, c] += sum over l, i of a[r, l, i] * b[c, l, i]
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.simd.vector import INDEX, Code, Vector

__all__ = ["add_to", "dots"]


@functools.cache
def dots(rows: int, columns: int) -> Callable[..., None]:
    """Return ``rows`` x ``columns`` scalar products as a function for compiled code.

    ``f(y, y_at, y_row, a, a_at, a_row, a_line, b, b_at, b_column, b_line, lines, width)``: flat
    arrays and element offsets. a[r, l, i] is at ``a_at + r * a_row + l * a_line + i``, b[c, l, i]
    at ``b_at + b_column[c] + l * b_line + i``, y[r, c] at ``y_at + r * y_row + c``; i < width.
    """

    @intrinsic
    def run(
        typing: Any,
        y: Any,
        y_at: Any,
        y_row: Any,
        a: Any,
        a_at: Any,
        a_row: Any,
        a_line: Any,
        b: Any,
        b_at: Any,
        b_column: Any,
        b_line: Any,
        lines: Any,
        width: Any,
    ) -> Any:
        whole = types.intp
        signature = types.void(
            *(y, whole, whole),
            *(a, whole, whole, whole),
            *(b, whole, b_column, whole),
            *(whole, whole),
        )

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, signature.args[0].dtype)
            _emit(code, rows, columns, signature.args, arguments)
            return context.get_dummy_value()

        return signature, generate

    return run


def _emit(code: Code, rows: int, columns: int, kinds: Any, arguments: Any) -> None:
    """Append the loops over lines and registers, then the sums over lanes."""
    build = code.build
    y, y_at, y_row, a, a_at, a_row, a_line, b, b_at, b_column, b_line, lines, width = arguments
    y_start = code.address(code.pointer(kinds[0], y), y_at)
    a_start = code.address(code.pointer(kinds[3], a), a_at)
    b_start = code.address(code.pointer(kinds[7], b), b_at)
    table = build.inttoptr(code.pointer(kinds[9], b_column), INDEX.as_pointer())
    offsets = [build.load(build.gep(table, [code.index(c)])) for c in range(columns)]
    a_rows = [code.address(a_start, build.mul(a_row, code.index(r))) for r in range(rows)]
    b_columns = [code.address(b_start, offset) for offset in offsets]
    lanes = code.index(code.lanes)
    whole = build.sdiv(width, lanes)
    done = build.mul(whole, lanes)
    rest = build.sub(width, done)
    mask = code.first_lanes(rest)
    some = build.zext(build.icmp_signed(">", rest, code.index(0)), INDEX)

    def products(a_at: Any, b_at: Any, mask: Any, sums: list[Any]) -> list[Any]:
        from_a = [code.load(code.address(row, a_at), mask) for row in a_rows]
        following = list(sums)
        for c, column in enumerate(b_columns):
            from_b = code.load(code.address(column, b_at), mask)
            for r in range(rows):
                total = Vector(code, sums[r * columns + c])
                following[r * columns + c] = code.fma(from_a[r], from_b, total).value
        return following

    def line(number: Any, sums: list[Any]) -> list[Any]:
        a_from, b_from = build.mul(number, a_line), build.mul(number, b_line)

        def register(i: Any, sums: list[Any]) -> list[Any]:
            at = build.mul(i, lanes)
            return products(build.add(a_from, at), build.add(b_from, at), None, sums)

        sums = code.loop(whole, sums, register)
        ends = build.add(a_from, done), build.add(b_from, done)
        return code.loop(some, sums, lambda _, sums: products(*ends, mask, sums))

    sums = code.loop(lines, [code.constant(0).value] * (rows * columns), line)
    for r in range(rows):
        row = code.address(y_start, build.mul(y_row, code.index(r)))
        for c in range(columns):
            add_to(code, code.ahead(row, c), Vector(code, sums[r * columns + c]))


def add_to(code: Code, address: Any, total: Vector) -> None:
    """Append: add the lanes, pair by pair, to the number at ``address``."""
    pointer = code.build.inttoptr(address, code.element.as_pointer())
    before = code.build.load(pointer)
    before.align = code.size
    sums = code.build.fadd(before, code.total(total))
    code.build.store(sums, pointer).align = code.size
