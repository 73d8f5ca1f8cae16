"""Elman's network step by step, for a range of the sequences: see `numba_cpu`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.recurrent.product import AHEAD, copy, multiply, multiply_ahead, row_of
from tinymed.kernels.simd.functions import tanh
from tinymed.kernels.simd.loops import elementwise
from tinymed.kernels.simd.vector import Code, Vector

__all__ = ["backward", "forward"]


def _tanh(code: Code, s: Vector, b: Vector) -> tuple[Vector, Vector]:
    """Return h_t, for the output and for the state."""
    h = tanh(code, s + b)
    return h, h


def _relu(code: Code, s: Vector, b: Vector) -> tuple[Vector, Vector]:
    h = code.maximum(s + b, 0)
    return h, h


def _tanh_back(code: Code, h: Vector, dh: Vector, dy: Vector) -> tuple[Vector, Vector]:
    """Return dL/ds_t from h_t and the gradients that reach it, and what goes straight to h: 0."""
    return (dh + dy) * (1 - h * h), code.constant(0)


def _relu_back(code: Code, h: Vector, dh: Vector, dy: Vector) -> tuple[Vector, Vector]:
    return (dh + dy) * code.select(h > 0, 1.0, 0.0), code.constant(0)


_tanh_step, _relu_step = elementwise(_tanh), elementwise(_relu)
_tanh_back_step, _relu_back_step = elementwise(_tanh_back), elementwise(_relu_back)


@compiled
def forward(
    first: int, last: int, x: Any, features: int, panels_x: Any, panels: Any, bias: Any, h: Any,
    output: Any, order: Any, size: int, is_tanh: bool,
) -> None:  # fmt: skip
    """Sequences ``first`` to ``last`` - 1; ``h`` is the initial state and becomes the last one."""
    row = row_of(panels, size)
    sums, end, low = np.empty(max(AHEAD, last - first) * row, h.dtype), 0, 0
    for step in range(len(order)):
        if step == end:
            end, low = multiply_ahead(sums, row, x, features, panels_x, order, step, first, last)
        start, n = order[step, 0] + first, min(order[step, 1], last) - first
        at = (start - low) * row
        multiply(sums[at:], row, h, first * size, size, n, panels, size)
        for r in range(n):
            known = (sums, at + r * row), (bias, 0)
            made = (output, (start + r) * size), (h, (first + r) * size)
            if is_tanh:
                _tanh_step(made, known, size, ())
            else:
                _relu_step(made, known, size, ())


@compiled
def backward(
    first: int, last: int, sums: Any, grad_h: Any, grad_output: Any, grad_row: int, output: Any,
    panels: Any, order: Any, size: int, is_tanh: bool,
) -> None:  # fmt: skip
    """Write dL/ds to ``sums``; ``grad_h`` is that of the last state and becomes that of h0."""
    dh_row = row_of(panels, size)
    dh = np.zeros((last - first) * dh_row, grad_h.dtype)
    for r in range(last - first):
        copy(((dh, r * dh_row),), ((grad_h, (first + r) * size),), size, ())
    for step in range(len(order)):
        start, n = order[step, 0] + first, min(order[step, 1], last) - first
        for r in range(n):
            h, state = (output, (start + r) * size), (dh, r * dh_row)
            made = (sums, (start + r) * size), state
            dy = (grad_output, (start + r) * grad_row)
            if is_tanh:
                _tanh_back_step(made, (h, state, dy), size, ())
            else:
                _relu_back_step(made, (h, state, dy), size, ())
        multiply(dh, dh_row, sums, start * size, size, n, panels, size)
    for r in range(last - first):
        copy(((grad_h, (first + r) * size),), ((dh, r * dh_row),), size, ())
