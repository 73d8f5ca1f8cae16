"""y = f(a b^T + bias) where a has few rows: dot products, b read once and laid out nowhere.

Packing b pays when many rows of a share it. A layer of a small batch has few, and both x (M, D) and
the weight (H, D) run along the sum already. Threads take outputs, not rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.dots import dots

__all__ = ["SIDE", "multiply_few"]

SIDE = 4  # rows and columns of a tile: 16 registers of sums

_tile, _wide, _tall, _one = dots(SIDE, SIDE), dots(1, SIDE), dots(SIDE, 1), dots(1, 1)


@compiled
def multiply_few(
    first: int, last: int, y: Any, y_row: int, rows: int, a: Any, a_row: int, b: Any, b_row: int,
    depth: int,
) -> None:  # fmt: skip
    """Columns ``first`` to ``last`` - 1 of y = a b^T; flat arrays, strides in elements."""
    sides = np.arange(SIDE) * b_row  # where the rows of b begin
    column = first
    while column < last:
        wide = last - column >= SIDE
        for r in range(rows):
            y[r * y_row + column : r * y_row + min(last, column + SIDE)] = 0  # the tiles add
        row = 0
        while row < rows:
            tall = rows - row >= SIDE
            at, from_a, from_b = row * y_row + column, row * a_row, column * b_row
            if tall and wide:
                _tile(y, at, y_row, a, from_a, a_row, 0, b, from_b, sides, 0, 1, depth)
            elif wide:
                _wide(y, at, y_row, a, from_a, a_row, 0, b, from_b, sides, 0, 1, depth)
            elif tall:
                _tall(y, at, y_row, a, from_a, a_row, 0, b, from_b, sides, 0, 1, depth)
            else:
                _one(y, at, y_row, a, from_a, a_row, 0, b, from_b, sides, 0, 1, depth)
            row += SIDE if tall else 1
        column += SIDE if wide else 1
