"""Long short-term memory step by step, for a range of the sequences: see `numba_cpu`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.recurrent.product import AHEAD, copy, multiply, multiply_ahead, row_of, whole
from tinymed.kernels.simd.functions import sigmoid, tanh
from tinymed.kernels.simd.loops import elementwise
from tinymed.kernels.simd.vector import VECTOR_BYTES, Code, Vector

__all__ = ["backward", "forward"]


def _step(code: Code, *given: Vector) -> tuple[Vector, ...]:
    """Return the gates i, f, g, o, the cell before and after, and h for the output and the state.

    Given are W x + U h and b of each gate, and the cell.
    """
    sums, biases, c = given[:4], given[4:8], given[8]
    i, f, g, o = (a + b for a, b in zip(sums, biases, strict=True))
    i, f, g, o = sigmoid(code, i), sigmoid(code, f), tanh(code, g), sigmoid(code, o)
    after = code.fma(f, c, i * g)
    h = o * tanh(code, after)
    return i, f, g, o, c, after, h, h


def _step_back(
    code: Code,
    i: Vector,
    f: Vector,
    g: Vector,
    o: Vector,
    c: Vector,
    dh: Vector,
    dc: Vector,
    dy: Vector,
) -> tuple[Vector, ...]:
    """Return dL/ds of i, f, g, o, dL/dc of the cell before, c, and what goes straight to h: 0."""
    squashed = tanh(code, code.fma(f, c, i * g))
    dh = dh + dy
    dc = code.fma(dh * o, 1 - squashed * squashed, dc)
    of_sums = (
        dc * g * (i * (1 - i)),
        dc * c * (f * (1 - f)),
        dc * i * (1 - g * g),
        dh * squashed * (o * (1 - o)),
    )
    return *of_sums, dc * f, code.constant(0)


_forward, _backward = elementwise(_step), elementwise(_step_back)


@compiled
def forward(
    first: int, last: int, x: Any, features: int, panels_x: Any, panels: Any, bias: Any, h: Any,
    c: Any, output: Any, gates: Any, cells: Any, order: Any, size: int, training: bool,
) -> None:  # fmt: skip
    """Sequences ``first`` to ``last`` - 1; ``h`` and ``c`` are the initial states, then the last.

    Unless training, gates and cells are left alone.
    """
    gate, row = whole(size, VECTOR_BYTES // h.itemsize), row_of(panels, size)
    sums, end, low = np.empty(max(AHEAD, last - first) * row, h.dtype), 0, 0
    unused = np.empty(5 * size, h.dtype)  # where gates and cells go that nobody asked for
    to_gates, to_cells = (gates, cells) if training else (unused, unused[4 * size :])
    for step in range(len(order)):
        if step == end:
            end, low = multiply_ahead(sums, row, x, features, panels_x, order, step, first, last)
        start, n = order[step, 0] + first, min(order[step, 1], last) - first
        top = (start - low) * row
        multiply(sums[top:], row, h, first * size, size, n, panels, size)
        for r in range(n):
            at, own, kept = top + r * row, (first + r) * size, (start + r) * size * training
            of_sums = (sums, at), (sums, at + gate), (sums, at + 2 * gate), (sums, at + 3 * gate)
            biases = (bias, 0), (bias, size), (bias, 2 * size), (bias, 3 * size)
            i, f = (to_gates, 4 * kept), (to_gates, 4 * kept + size)
            g, o = (to_gates, 4 * kept + 2 * size), (to_gates, 4 * kept + 3 * size)
            states = (to_cells, kept), (c, own), (output, (start + r) * size), (h, own)
            _forward((i, f, g, o, *states), (*of_sums, *biases, (c, own)), size, ())


@compiled
def backward(
    first: int, last: int, sums: Any, grad_h: Any, grad_c: Any, grad_output: Any, grad_row: int,
    gates: Any, cells: Any, panels: Any, order: Any, size: int,
) -> None:  # fmt: skip
    """Write dL/ds to ``sums``; ``grad_h`` and ``grad_c`` become those of the initial states."""
    dh_row = row_of(panels, 4 * size)
    dh = np.zeros((last - first) * dh_row, grad_h.dtype)
    for r in range(last - first):
        copy(((dh, r * dh_row),), ((grad_h, (first + r) * size),), size, ())
    for step in range(len(order)):
        start, n = order[step, 0] + first, min(order[step, 1], last) - first
        for r in range(n):
            row, x = start + r, 4 * (start + r) * size
            i, f, g, o = (gates, x), (gates, x + size), (gates, x + 2 * size), (gates, x + 3 * size)
            di, df, dg, do = (sums, x), (sums, x + size), (sums, x + 2 * size), (sums, x + 3 * size)
            dc, state = (grad_c, (first + r) * size), (dh, r * dh_row)
            rest = (cells, row * size), state, dc, (grad_output, row * grad_row)
            _backward((di, df, dg, do, dc, state), (i, f, g, o, *rest), size, ())
        multiply(dh, dh_row, sums, 4 * start * size, 4 * size, n, panels, 4 * size)
    for r in range(last - first):
        copy(((grad_h, (first + r) * size),), ((dh, r * dh_row),), size, ())
