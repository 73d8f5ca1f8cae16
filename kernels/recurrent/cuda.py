"""Recurrent layers in CUDA, for any sizes: W x at once, then a product and one launch each step.

See steps.cu, also for what stays float32 where arrays have 16 bits. Where the recurrent weights fit
into a GPU's shared memory, `cuda_grid` and `cuda_cluster` run all steps in one launch.
"""

from __future__ import annotations

import itertools

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import SCALARS, Grid, Variant, blocks, empty, launch
from tinymed.kernels.matmul.sums import product
from tinymed.kernels.recurrent.reference import Ints, steps
from tinymed.precision import NARROW, SINGLE, as_dtype, rounded, widened

__all__ = ["VARIANTS", "before", "carried", "first_rows", "flat", "for_product", "gru_backward",
           "gru_forward", "input_product", "lstm_backward", "lstm_forward", "own", "rnn_backward",
           "rnn_forward", "stored"]  # fmt: skip

ENTRIES = ("rnn_forward", "rnn_backward", "lstm_forward", "lstm_backward", "gru_forward",
           "gru_gates", "gru_state", "gru_backward", "gru_backward_new", "gru_backward_gates",
           "before")  # fmt: skip
STEPS = {
    dtype: Variant(f"recurrent/steps_{dtype}", "recurrent/steps.cu", ENTRIES,
                   (("SCALAR", scalar), ("SUM", of_sum)))
    for dtype, (scalar, of_sum) in SCALARS.items()
}  # fmt: skip
VARIANTS = tuple(STEPS.values())


def _run(entry: str, *arguments: Array | int | None, like: Array, n: int, size: int) -> None:
    """Launch one of steps.cu's kernels for n rows of a state of ``size``."""
    variant = STEPS[like.dtype.name]
    arguments = (*arguments, n, size)
    launch(variant, Grid(blocks(n * size, variant.threads)), *arguments, entry=entry)


def first_rows(sizes: Ints, like: Array) -> Array:
    """Return (T + 1,) int32: where the rows of each step begin, and where the last ones end."""
    starts = np.array([0, *itertools.accumulate(sizes)], np.int32)
    return array_module(like).asarray(starts)


def input_product(x: Array, weight: Array, bias: Array | None) -> Array:
    """Return W x + b for all steps, not rounded: (R, D)(D, G) + (G,) -> (R, G)."""
    return product(x, weight.T, bias)


def own(x: Array) -> Array:
    """Return a contiguous copy, in which a kernel may leave its results."""
    return array_module(x).array(x, order="C")


def carried(x: Array) -> Array:
    """Return such a copy of what goes from step to step without being rounded."""
    return as_dtype(own(x), SINGLE) if x.dtype.char in NARROW else own(x)


def for_product(state: Array, given: Array) -> Array:
    """Return what of a carried state the product takes: itself, or a rounded copy."""
    return state if state.dtype == given.dtype else own(given)


def stored(sums: Array, like: Array) -> Array:
    """Return where results go that are as many as ``sums``: into these if they are in the dtype."""
    return sums if sums.dtype == like.dtype else empty(sums.shape, like.dtype, like)


def flat(*arrays: Array | None) -> list[Array | None]:
    """Return contiguous arrays, those that are already as they are."""
    return [None if a is None else array_module(a).ascontiguousarray(a) for a in arrays]


def before(states: Array, initial: Array, sizes: Ints, reverse: bool) -> Array:
    """Return the state that each row's step began with: one step earlier, or the initial one."""
    found, size = empty(states.shape, states.dtype, states), states.shape[1]
    variant = STEPS[states.dtype.name]
    each = blocks(max(sizes, default=0) * size, variant.threads)
    states, initial = flat(states, initial)
    launch(variant, Grid(each * len(sizes)), found, states, initial, first_rows(sizes, states),
           len(sizes), size, each, reverse, entry="before")  # fmt: skip
    return found


def rnn_forward(
    x: Array,
    h0: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    sizes: Ints,
    reverse: bool,
    nonlinearity: str,
) -> tuple[Array, Array]:
    """h_t = f(W x_t + U h_{t-1} + b)."""
    sums, h, size = input_product(x, weight_ih, bias_ih), own(h0), h0.shape[1]
    output, (bias,) = stored(sums, x), flat(bias_hh)
    for rows, n in steps(sizes, reverse):
        given = sums[rows], product(h[:n], weight_hh.T), bias, h, output[rows]
        _run("rnn_forward", *given, nonlinearity == "tanh", like=h, n=n, size=size)
    return output, h


def rnn_backward(
    grad_output: Array | None,
    grad_h: Array,
    output: Array,
    weight_hh: Array,
    sizes: Ints,
    reverse: bool,
    nonlinearity: str,
) -> tuple[Array, Array]:
    """dL/ds_t = f'(s_t) dL/dh_t;  dL/dh_{t-1} = U^T dL/ds_t."""
    grad_sums, dh = empty(output.shape, output.dtype, output), carried(grad_h)
    size, (grad_output, output) = grad_h.shape[1], flat(grad_output, output)
    through, known = None, 0  # the product of the step before, and for how many rows it is
    for rows, n in steps(sizes, not reverse):
        _ended(dh, through, slice(n, known))
        given = output[rows], _rows(grad_output, rows), dh, through, known, grad_sums[rows]
        _run("rnn_backward", *given, nonlinearity == "tanh", like=output, n=n, size=size)
        through, known = product(grad_sums[rows], weight_hh), n
    return grad_sums, rounded(_added(dh, through, known), output.dtype)


def _rows(x: Array | None, rows: slice) -> Array | None:
    return None if x is None else x[rows]


def _ended(dh: Array, through: Array | None, rows: slice) -> None:
    """Add the last product to what sequences that end here have in dL/dh."""
    if through is not None and rows.start < rows.stop:
        dh[rows] += through[rows]


def _added(dh: Array, through: Array | None, known: int) -> Array:
    """Return dL/dh0: what came by the last product, and by other ways."""
    if through is not None:
        dh[:known] += through[:known]
    return dh


def lstm_forward(
    x: Array,
    h0: Array,
    c0: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    weight_hr: Array | None,
    peepholes: Array | None,
    sizes: Ints,
    reverse: bool,
    training: bool,
) -> tuple[Array, Array, Array, Array | None, Array | None]:
    """c_t = f c_{t-1} + i g,  h_t = o tanh(c_t), or R (o tanh(c_t))."""
    sums, h, c, size = input_product(x, weight_ih, bias_ih), own(h0), carried(c0), c0.shape[1]
    output, gates = empty((len(x), h0.shape[1]), x.dtype, x), stored(sums, x) if training else None
    cells = empty((len(x), size), x.dtype, x) if training else None
    hidden = h if weight_hr is None else empty(c.shape, x.dtype, c)
    bias, peepholes = flat(bias_hh, peepholes)
    for rows, n in steps(sizes, reverse):
        given = sums[rows], product(h[:n], weight_hh.T), bias, peepholes, c, hidden
        results = None if weight_hr is not None else output[rows]
        kept = _rows(gates, rows), _rows(cells, rows)
        _run("lstm_forward", *given, results, *kept, like=h, n=n, size=size)
        if weight_hr is not None:
            output[rows] = rounded(product(hidden[:n], weight_hr.T), x.dtype)
            h[:n] = output[rows]
    return output, h, rounded(c, x.dtype), gates, cells


def lstm_backward(
    grad_output: Array | None,
    grad_h: Array,
    grad_c: Array,
    gates: Array,
    cells: Array,
    weight_hh: Array,
    weight_hr: Array | None,
    peepholes: Array | None,
    sizes: Ints,
    reverse: bool,
) -> tuple[Array, Array | None, Array, Array]:
    """Each line of `lstm_forward`, the last first."""
    grad_sums, dtype = empty(gates.shape, gates.dtype, gates), gates.dtype
    dh, dc = carried(grad_h), carried(grad_c)
    hidden = None if weight_hr is None else empty((len(gates), dh.shape[1]), gates.dtype, gates)
    grad_output, gates, cells, peepholes = flat(grad_output, gates, cells, peepholes)
    through, known = None, 0  # the product of the step before, and for how many rows it is
    for rows, n in steps(sizes, not reverse):
        _ended(dh, through, slice(n, known))
        come = _rows(grad_output, rows), dh, through, known
        if hidden is not None:  # first back through R
            _added(dh, through, min(n, known))
            of_hidden = dh[:n] if come[0] is None else dh[:n] + widened(come[0])
            hidden[rows] = rounded(of_hidden, dtype)
            come = None, None, product(hidden[rows], weight_hr), n
            dh[:n] = 0
        given = gates[rows], cells[rows], *come, dc, peepholes, grad_sums[rows]
        _run("lstm_backward", *given, like=gates, n=n, size=dc.shape[1])
        through, known = product(grad_sums[rows], weight_hh), n
    dh = _added(dh, through, known)
    return grad_sums, hidden, rounded(dh, dtype), rounded(dc, dtype)


def gru_forward(
    x: Array,
    h0: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    sizes: Ints,
    reverse: bool,
    reset_after: bool,
    training: bool,
) -> tuple[Array, Array, Array | None, Array | None]:
    """h_t = (1 - z) n + z h_{t-1}, the reset gate of n after the product with U, or before it."""
    sums, state, size = input_product(x, weight_ih, bias_ih), carried(h0), h0.shape[1]
    output, gates = empty((len(x), size), x.dtype, x), stored(sums, x) if training else None
    kept = training and reset_after
    candidates = empty((len(x), size), x.dtype, x) if kept else None
    (bias,), h = flat(bias_hh), for_product(state, h0)
    reset = empty(h.shape, h.dtype, h)  # r h
    of_gates, of_new = weight_hh[: 2 * size].T, weight_hh[2 * size :].T
    for rows, n in steps(sizes, reverse):
        to = state, None if h is state else h, output[rows]
        if reset_after:
            given = sums[rows], product(h[:n], weight_hh.T), bias, *to
            kept_rows = _rows(gates, rows), _rows(candidates, rows)
            _run("gru_forward", *given, *kept_rows, like=h, n=n, size=size)
        else:
            first = sums[rows], product(h[:n], of_gates), bias, state, reset
            _run("gru_gates", *first, like=h, n=n, size=size)
            given = sums[rows], product(reset[:n], of_new), bias, *to
            beside = None if gates is sums else _rows(gates, rows)
            _run("gru_state", *given, beside, like=h, n=n, size=size)
    return output, h, gates, candidates


def gru_backward(
    grad_output: Array | None,
    grad_h: Array,
    gates: Array,
    candidates: Array | None,
    before: Array,
    weight_hh: Array,
    sizes: Ints,
    reverse: bool,
) -> tuple[Array, Array, Array]:
    """Each line of `gru_forward`, the last first; ``candidates`` if the reset gate came after."""
    grad_sums, dh = empty(gates.shape, gates.dtype, gates), carried(grad_h)
    size, dtype = grad_h.shape[1], gates.dtype
    of_state = grad_sums if candidates is None else empty(gates.shape, gates.dtype, gates)
    grad_output, gates, candidates, before = flat(grad_output, gates, candidates, before)
    of_new, of_gates = (empty((len(dh), k * size), dtype, dh) for k in (1, 2))
    through, known = None, 0  # the product of the step before, and for how many rows it is
    for rows, n in steps(sizes, not reverse):
        _ended(dh, through, slice(n, known))
        come = before[rows], _rows(grad_output, rows), dh, through, known, grad_sums[rows]
        if candidates is not None:
            given = gates[rows], candidates[rows], *come, of_state[rows]
            _run("gru_backward", *given, like=gates, n=n, size=size)
            through, known = product(of_state[rows], weight_hh), n
        else:
            _run("gru_backward_new", gates[rows], *come, of_new, like=gates, n=n, size=size)
            of_reset = product(of_new[:n], weight_hh[2 * size :])
            found = before[rows], of_reset, dh, grad_sums[rows], of_gates
            _run("gru_backward_gates", gates[rows], *found, like=gates, n=n, size=size)
            through, known = product(of_gates[:n], weight_hh[: 2 * size]), n
    return grad_sums, of_state, rounded(_added(dh, through, known), dtype)
