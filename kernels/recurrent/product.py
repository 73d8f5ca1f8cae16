"""The product of a few rows of states with a matrix, once in every step of a time loop.

The matrix b (K, N) is laid out once for all steps: in *panels* as wide as a tile, zeros where it
ends, so that tiles need no masks. The results are padded alike. N may be several gates side by
side; then each gate begins at a whole register, where the formulas of the gates expect it.

A row's sums do not depend on the rows that share its tile: each is added up from the first product
to the last.
"""

from __future__ import annotations

from typing import Any

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.loops import elementwise
from tinymed.kernels.simd.tile import tile
from tinymed.kernels.simd.transpose import transpose
from tinymed.kernels.simd.vector import REGISTERS, VECTOR_BYTES

__all__ = [
    "AHEAD",
    "copy",
    "lay_out",
    "multiply",
    "multiply_ahead",
    "panels_size",
    "row_of",
    "whole",
]

AHEAD = 24  # rows at least that share a load of W
VECTORS = 4 if REGISTERS == 32 else 2  # with 6 rows of sums, one of b and a number of a
_tile_6, _tile_4, _tile_2, _tile_1 = (tile(rows, VECTORS) for rows in (6, 4, 2, 1))
copy = elementwise(lambda code, x: x)


@compiled
def whole(size: int, lanes: int) -> int:
    """Return ``size`` rounded up to whole registers: where the next gate begins."""
    return -(-size // lanes) * lanes


def panels_size(gates: int, size: int, depth: int, lanes: int) -> int:
    """Return how many numbers the panels of a matrix (depth, gates * size) have."""
    row: int = whole(gates * whole(size, lanes), VECTORS * lanes)
    return row * int(whole(depth, lanes))


@compiled
def row_of(panels: Any, depth: int) -> int:
    """Return how long a row of results is: all gates, padded to whole panels."""
    return panels.size // whole(depth, VECTOR_BYTES // panels.itemsize)


@compiled
def lay_out(
    first: int,
    last: int,
    panels: Any,
    b: Any,
    b_row: int,
    b_column: int,
    gates: int,
    size: int,
    depth: int,
) -> None:  # fmt: skip
    """Write b (K, gates * size) as panels (P, K in whole registers, width).

    ``b`` is flat, its rows and columns ``b_row`` and ``b_column`` apart, one of which is 1.
    """
    lanes = VECTOR_BYTES // panels.itemsize
    width, gate, rows = VECTORS * lanes, whole(size, lanes), whole(depth, lanes)
    panels[:] = 0  # what is beyond b: slow to multiply with, if it happened to be subnormal
    for which in range(gates):
        for j in range(0, size, lanes):
            place, columns = which * gate + j, min(lanes, size - j)
            to = place // width * rows * width + place % width
            at = (which * size + j) * b_column
            if b_row == 1:
                transpose(panels, to, width, b, at, b_column, columns, depth)
            else:
                for k in range(depth):
                    copy(((panels, to + k * width),), ((b, at + k * b_row),), columns, ())


@compiled
def multiply(
    y: Any, y_row: int, a: Any, a_at: int, a_row: int, rows: int, panels: Any, depth: int
) -> None:
    """Add a b to ``rows`` rows of y, which are ``y_row`` long, as `row_of` the panels says."""
    lanes = VECTOR_BYTES // y.itemsize
    width, steps = VECTORS * lanes, whole(depth, lanes)
    for column in range(0, y_row, width):
        b, r = column * steps, 0
        while r < rows:
            left, to, at = rows - r, r * y_row + column, a_at + r * a_row
            if left >= 6 and left != 8:
                _tile_6(y, to, y_row, a, at, a_row, 1, panels, b, width, depth, True)
                r += 6
            elif left >= 4:
                _tile_4(y, to, y_row, a, at, a_row, 1, panels, b, width, depth, True)
                r += 4
            elif left >= 2:
                _tile_2(y, to, y_row, a, at, a_row, 1, panels, b, width, depth, True)
                r += 2
            else:
                _tile_1(y, to, y_row, a, at, a_row, 1, panels, b, width, depth, True)
                r += 1


@compiled
def multiply_ahead(
    y: Any, y_row: int, x: Any, features: int, panels: Any, order: Any, step: int, first: int,
    last: int,
) -> tuple[int, int]:  # fmt: skip
    """Write x W^T of ``step`` to y, and of steps after it, up to `AHEAD` rows.

    That needs rows that follow each other: later steps are taken along where these sequences are
    all there are. Return (end, low): steps before ``end`` are done, row i of x is row i - low of y.
    """
    low, n = order[step, 0] + first, min(order[step, 1], last) - first
    end = step + 1
    most = max(order[0, 1], order[-1, 1])
    while first == 0 and last >= most and end < len(order) and n + order[end, 1] <= AHEAD:
        low, n = min(low, order[end, 0]), n + order[end, 1]
        end += 1
    y[: max(0, n) * y_row] = 0
    multiply(y, y_row, x, low * features, features, n, panels, features)
    return end, low
