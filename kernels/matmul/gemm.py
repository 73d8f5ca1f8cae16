"""A general matrix product y = a b for compiled code, from tiles that stay in registers.

Tiles read b along its rows. So b (K, N) is laid out anew in *panels* of one tile's width, zeros
where N ends: the steps of a tile then follow each other in memory, and a panel's block of DEPTH
steps stays in the first cache while rows of a pass by. Blocks of ROWS rows of a stay in the second
cache. Bias and activation join a block of y while it is still in the cache. Where a panel is wider
than what is left of y, a strip beside y takes its sums.

Any strides of a and b are taken: a transposed matrix is just another pair of strides.

Source: Goto, van de Geijn (2008), "Anatomy of high-performance matrix multiplication".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.functions import sigmoid, tanh
from tinymed.kernels.simd.loops import elementwise
from tinymed.kernels.simd.tile import tile
from tinymed.kernels.simd.transpose import transpose
from tinymed.kernels.simd.vector import REGISTERS, lanes_of

__all__ = ["ACTIVATIONS", "HEIGHT", "finish", "multiply", "pack", "packed_size", "panel_width"]

# A tile of HEIGHT x VECTORS sums, a row of b, and a number of a have to fit into the registers.
HEIGHT, VECTORS = (8, 3) if REGISTERS == 32 else (4, 2)
ROWS = 12 * HEIGHT  # of a, in a block
DEPTH = 256  # steps in a block
ACTIVATIONS = {None: 0, "relu": 1, "tanh": 2, "sigmoid": 3}

# Tiles by width: a panel that is not full takes those that are only as wide as it needs.
_full, _full_half, _full_row = (tile(rows, VECTORS) for rows in (HEIGHT, HEIGHT // 2, 1))
_one, _one_half, _one_row = (tile(rows, 1) for rows in (HEIGHT, HEIGHT // 2, 1))
_two, _two_half, _two_row = (tile(rows, 2) for rows in (HEIGHT, HEIGHT // 2, 1))
_add = elementwise(lambda code, x, b: x + b)
_relu = elementwise(lambda code, x: code.maximum(x, 0))
_tanh, _sigmoid = elementwise(tanh), elementwise(sigmoid)
_copy = elementwise(lambda code, x: x)


def panel_width(dtype: Any) -> int:
    """Return the columns of a panel: what a tile is wide."""
    return VECTORS * lanes_of(np.dtype(dtype))


def packed_size(dtype: Any, depth: int, columns: int) -> int:
    """Return the numbers in all panels of a matrix (depth, columns)."""
    width, lanes = panel_width(dtype), lanes_of(np.dtype(dtype))
    return -(-columns // width) * width * -(-depth // lanes) * lanes  # rows in whole registers


@compiled
def pack(
    first: int,
    last: int,
    panels: Any,
    width: int,
    b: Any,
    b_row: int,
    b_column: int,
    depth: int,
    columns: int,
) -> None:
    """Lay out panels ``first`` to ``last`` - 1 of b (K, N), flat, its strides in elements.

    A panel has ``depth`` rows of ``width`` numbers, and room for whole registers of rows. What is
    beyond b is anything: it meets no sum that is kept.
    """
    lanes = width // VECTORS
    rows = -(-depth // lanes) * lanes
    for panel in range(first, last):
        start, base = panel * width, panel * rows * width
        there = min(width, columns - start)
        if b_row == 1 and b_column != 1:  # b lies column by column
            for j in range(0, there, lanes):
                some, at = min(lanes, there - j), (start + j) * b_column
                transpose(panels, base + j, width, b, at, b_column, some, depth)
            continue
        for k in range(depth):
            at, source = base + k * width, k * b_row + start * b_column
            if b_column == 1:
                _copy(((panels, at),), ((b, source),), there, ())
            else:
                for j in range(there):
                    panels[at + j] = b[source + j * b_column]


@compiled
def multiply(
    first: int,
    last: int,
    y: Any,
    y_row: int,
    a: Any,
    a_row: int,
    a_column: int,
    panels: Any,
    width: int,
    depth: int,
    columns: int,
    bias: Any,
    activation: int,
) -> None:
    """Rows ``first`` to ``last`` - 1 of y = f(a b + bias); flat arrays, strides in elements.

    ``bias`` has one number per column, or none at all; ``activation`` is one of `ACTIVATIONS`.
    """
    strip = np.empty(ROWS * width, y.dtype)
    lanes = width // VECTORS
    panel_rows = -(-depth // lanes) * lanes
    for top in range(first, last, ROWS):
        rows = min(ROWS, last - top)
        for start in range(0, columns, width):
            there, out = min(width, columns - start), top * y_row + start
            vectors = -(-there // lanes)
            to, to_at, to_row = (y, out, y_row)
            if there < vectors * lanes:
                to, to_at, to_row = (strip, 0, width)
            for k in range(0, max(1, depth), DEPTH):  # no steps at all still make zeros
                steps = min(DEPTH, depth - k)
                base, at = start * panel_rows + k * width, top * a_row + k * a_column
                _block(
                    to,
                    to_at,
                    to_row,
                    a,
                    at,
                    a_row,
                    a_column,
                    panels,
                    base,
                    width,
                    steps,
                    rows,
                    k > 0,
                    vectors,
                )
            for r in range(rows):
                if there < vectors * lanes:
                    _copy(((y, out + r * y_row),), ((strip, r * width),), there, ())
                _finish(y, out + r * y_row, bias, start, there, activation)


@compiled
def _block(
    y: Any, y_at: int, y_row: int, a: Any, a_at: int, a_row: int, a_column: int,
    panels: Any, base: int, width: int, steps: int, rows: int, add: bool, vectors: int,
) -> None:  # fmt: skip
    """Begin ``rows`` rows of sums with a block of steps, or add it; ``vectors`` wide."""
    r = 0
    while r < rows:
        to, at = y_at + r * y_row, a_at + r * a_row
        if rows - r >= HEIGHT:
            if vectors == 1:
                _one(y, to, y_row, a, at, a_row, a_column, panels, base, width, steps, add)
            elif vectors == 2:
                _two(y, to, y_row, a, at, a_row, a_column, panels, base, width, steps, add)
            else:
                _full(y, to, y_row, a, at, a_row, a_column, panels, base, width, steps, add)
            r += HEIGHT
        elif rows - r >= HEIGHT // 2:
            if vectors == 1:
                _one_half(y, to, y_row, a, at, a_row, a_column, panels, base, width, steps, add)
            elif vectors == 2:
                _two_half(y, to, y_row, a, at, a_row, a_column, panels, base, width, steps, add)
            else:
                _full_half(y, to, y_row, a, at, a_row, a_column, panels, base, width, steps, add)
            r += HEIGHT // 2
        else:
            if vectors == 1:
                _one_row(y, to, y_row, a, at, a_row, a_column, panels, base, width, steps, add)
            elif vectors == 2:
                _two_row(y, to, y_row, a, at, a_row, a_column, panels, base, width, steps, add)
            else:
                _full_row(y, to, y_row, a, at, a_row, a_column, panels, base, width, steps, add)
            r += 1


@compiled
def _finish(y: Any, at: int, bias: Any, start: int, count: int, activation: int) -> None:
    """Replace a piece of a row of y by f(y + bias), or by f(y) if there is no bias."""
    row = ((y, at),)
    if bias.size:
        _add(row, ((y, at), (bias, start)), count, ())
    if activation == 1:
        _relu(row, row, count, ())
    elif activation == 2:
        _tanh(row, row, count, ())
    elif activation == 3:
        _sigmoid(row, row, count, ())


@compiled
def finish(first: int, last: int, y: Any, columns: int, bias: Any, activation: int) -> None:
    """Rows ``first`` to ``last`` - 1 of y = f(y + bias), in place."""
    for row in range(first, last):
        _finish(y, row * columns, bias, 0, columns, activation)
