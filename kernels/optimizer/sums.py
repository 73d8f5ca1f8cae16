"""The sum of the squares of an array, added up in float64 as it is read: no copy, no overflow."""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.loops import along_row
from tinymed.kernels.simd.vector import Code, Vector

__all__ = ["BLOCK", "sums_of_squares"]

BLOCK = 1 << 14  # elements whose squares are added up together, whatever the number of threads


@intrinsic
def _sum(typing: Any, x: Any, at: Any, count: Any) -> Any:
    """Return the sum of the squares of ``count`` elements of ``x`` from ``at`` on."""
    signature = types.float64(x, types.intp, types.intp)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        wide = Code(context, build, types.float64)
        narrow = Code(context, build, x.dtype, wide.lanes)
        start = narrow.address(narrow.pointer(x, arguments[0]), arguments[1])

        def body(offset: Any, mask: Any, carried: list[Any]) -> list[Any]:
            value = narrow.load(build.add(start, offset), mask).value
            if narrow.size < wide.size:
                value = build.fpext(value, wide.type)
            element = Vector(wide, value)
            return [wide.fma(element, element, Vector(wide, carried[0])).value]

        (total,) = along_row(narrow, arguments[2], [wide.constant(0).value], body)
        return wide.total(Vector(wide, total))

    return signature, generate


@compiled
def sums_of_squares(first: int, last: int, x: Any, sums: Any) -> None:
    """Set the sums of blocks first to last - 1."""
    for block in range(first, last):
        sums[block] = _sum(x, block * BLOCK, min(BLOCK, x.size - block * BLOCK))
