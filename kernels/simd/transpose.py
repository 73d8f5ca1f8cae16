"""Turning a square of numbers in registers: rows become columns.

A column of a matrix lies one number here, one there, each in another cache line. Loading a square
of lanes x lanes numbers row by row and exchanging halves, quarters, eighths ... between pairs of
registers turns it with lanes * log2(lanes) shuffles and no access to single numbers.

Source: Eklundh (1972), "A fast computer method for matrix transposing".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.simd.vector import Code, Vector

__all__ = ["transpose", "transposed"]


def transposed(code: Code, rows: Sequence[Vector]) -> list[Vector]:
    """Return the columns of a square of registers."""
    columns, lanes = list(rows), code.lanes
    distance = 1
    while distance < lanes:
        stay = [i if not i & distance else lanes + i - distance for i in range(lanes)]
        move = [i + distance if not i & distance else lanes + i for i in range(lanes)]
        for i in range(lanes):
            if not i & distance:
                a, b = columns[i], columns[i | distance]
                columns[i] = code.shuffle(a, b, stay)
                columns[i | distance] = code.shuffle(a, b, move)
        distance *= 2
    return columns


@intrinsic
def transpose(
    typing: Any, y: Any, y_at: Any, y_row: Any, x: Any, x_at: Any, x_row: Any, rows: Any, count: Any
) -> Any:
    """Copy x[i, j] to y[j, i], i < rows (at most lanes), j < count (any number).

    x[i, j] is at ``x_at + i * x_row + j``, y[j, i] at ``y_at + j * y_row + i``. Whole registers are
    stored, and rows j up to the next multiple of lanes: they hold copies, or zeros, where x has
    nothing. Of x nothing else is read.
    """
    whole = types.intp
    signature = types.void(y, whole, whole, x, whole, whole, whole, whole)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        code = Code(context, build, signature.args[0].dtype)
        y, y_at, y_row, x, x_at, x_row, rows, count = arguments
        target = code.address(code.pointer(signature.args[0], y), y_at)
        source = code.address(code.pointer(signature.args[3], x), x_at)
        last, lanes = build.sub(rows, code.index(1)), code.index(code.lanes)
        starts = []
        for i in range(code.lanes):
            number = code.index(i)
            row = build.select(build.icmp_signed("<", number, last), number, last)
            starts.append(code.address(source, build.mul(row, x_row)))

        def square(number: Any, _: Any) -> list[Any]:
            j = build.mul(number, lanes)
            mask = code.first_lanes(build.sub(count, j))
            columns = transposed(code, [code.load(code.address(s, j), mask) for s in starts])
            for i, column in enumerate(columns):
                at = build.mul(build.add(j, code.index(i)), y_row)
                code.store(column, code.address(target, at))
            return []

        code.loop(build.sdiv(build.add(count, code.index(code.lanes - 1)), lanes), [], square)
        return context.get_dummy_value()

    return signature, generate
