"""Gated recurrent units step by step, for a range of the sequences: see `numba_cpu`.

Here the reset gate comes after the product, in r (U h + b').
"""

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
    """Return r, z, n, the candidate U h + b' of n, and h for the output and the state.

    Given are W x and U h of each gate, b of each and b', and h.
    """
    (xr, xz, xn), (ur, uz, un), (br, bz, bn, bias), h = (
        given[:3],
        given[3:6],
        given[6:10],
        given[10],
    )
    r, z, candidate = sigmoid(code, xr + ur + br), sigmoid(code, xz + uz + bz), un + bias
    new = tanh(code, code.fma(r, candidate, xn + bn))
    h = code.fma(z, h - new, new)
    return r, z, new, candidate, h, h


def _step_back(
    code: Code,
    r: Vector,
    z: Vector,
    new: Vector,
    candidate: Vector,
    h: Vector,
    dh: Vector,
    dy: Vector,
) -> tuple[Vector, ...]:
    """Return the gradients of W x of r, z, n, of U h likewise, and what goes straight to h."""
    dh = dh + dy
    dz = dh * (h - new) * (z * (1 - z))
    dnew = dh * (1 - z) * (1 - new * new)
    dr = dnew * candidate * (r * (1 - r))
    return dr, dz, dnew, dr, dz, dnew * r, dh * z


_forward, _backward = elementwise(_step), elementwise(_step_back)


@compiled
def forward(
    first: int, last: int, x: Any, features: int, panels_x: Any, panels: Any, bias: Any, h: Any,
    output: Any, gates: Any, candidates: Any, order: Any, size: int, training: bool,
) -> None:  # fmt: skip
    """Sequences ``first`` to ``last`` - 1; ``h`` is the initial state and becomes the last one.

    ``bias`` is b of each gate, then b'. Unless training, gates and candidates are left alone.
    """
    gate, row = whole(size, VECTOR_BYTES // h.itemsize), row_of(panels, size)
    wx, end, low = np.empty(max(AHEAD, last - first) * row, h.dtype), 0, 0
    uh = np.empty((last - first) * row, h.dtype)
    unused = np.empty(4 * size, h.dtype)  # where gates and candidates go that nobody asked for
    to_gates, to_candidates = (gates, candidates) if training else (unused, unused[3 * size :])
    for step in range(len(order)):
        if step == end:
            end, low = multiply_ahead(wx, row, x, features, panels_x, order, step, first, last)
        start, n = order[step, 0] + first, min(order[step, 1], last) - first
        uh[: max(0, n) * row] = 0
        multiply(uh, row, h, first * size, size, n, panels, size)
        for i in range(n):
            at_x, at_h, kept = (start + i - low) * row, i * row, (start + i) * size * training
            of_x = (wx, at_x), (wx, at_x + gate), (wx, at_x + 2 * gate)
            of_h = (uh, at_h), (uh, at_h + gate), (uh, at_h + 2 * gate)
            biases = (bias, 0), (bias, size), (bias, 2 * size), (bias, 3 * size)
            r, z = (to_gates, 3 * kept), (to_gates, 3 * kept + size)
            new, state = (to_gates, 3 * kept + 2 * size), (h, (first + i) * size)
            made = (r, z, new, (to_candidates, kept), (output, (start + i) * size), state)
            _forward(made, (*of_x, *of_h, *biases, state), size, ())


@compiled
def backward(
    first: int, last: int, sums: Any, of_state: Any, grad_h: Any, grad_output: Any, grad_row: int,
    gates: Any, candidates: Any, before: Any, panels: Any, order: Any, size: int,
) -> None:  # fmt: skip
    """Write dL/ds of W x to ``sums``, of U h to ``of_state``; ``grad_h`` becomes that of h0."""
    dh_row = row_of(panels, 3 * size)
    dh = np.zeros((last - first) * dh_row, grad_h.dtype)
    for i in range(last - first):
        copy(((dh, i * dh_row),), ((grad_h, (first + i) * size),), size, ())
    for step in range(len(order)):
        start, n = order[step, 0] + first, min(order[step, 1], last) - first
        for i in range(n):
            row, x, state = start + i, 3 * (start + i) * size, (dh, i * dh_row)
            r, z, new = (gates, x), (gates, x + size), (gates, x + 2 * size)
            dr, dz, dnew = (sums, x), (sums, x + size), (sums, x + 2 * size)
            to_state = (of_state, x), (of_state, x + size), (of_state, x + 2 * size)
            rest = (
                (candidates, row * size),
                (before, row * size),
                state,
                (grad_output, row * grad_row),
            )
            _backward((dr, dz, dnew, *to_state, state), (r, z, new, *rest), size, ())
        multiply(dh, dh_row, of_state, 3 * start * size, 3 * size, n, panels, 3 * size)
    for i in range(last - first):
        copy(((grad_h, (first + i) * size),), ((dh, i * dh_row),), size, ())
