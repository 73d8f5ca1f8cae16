"""Recurrent layers in vector code: each thread takes some of the sequences through all of time.

W x is one product for all steps, as in the reference. The rest of a step needs the state of its own
sequence only, not those of others. So the threads share out the sequences, not the steps, and never
wait for each other: one call runs the whole time loop, a small product and one pass over the gates
in each step. While it lasts, U stays in the cache, laid out for the product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty, full
from tinymed.kernels.copying import contiguous, copy
from tinymed.kernels.parallel import parallel
from tinymed.kernels.recurrent import gru_loop, lstm_loop, rnn_loop
from tinymed.kernels.recurrent.biases import add_biases, gru_biases
from tinymed.kernels.recurrent.earlier import states_before
from tinymed.kernels.recurrent.product import lay_out, panels_size
from tinymed.kernels.recurrent.reference import Ints
from tinymed.kernels.simd.vector import lanes_of
from tinymed.kernels.threads import get_num_threads

# Multiply-adds that are worth a thread: some 500 us. To hand over work and to wait for its end can
# take as long where cores are busy; and with fewer sequences to a thread, fewer share a load of U.
WORTH = 1 << 25
FORMULA = 64  # multiply-adds that take as long as one gate's formula
COPY = 32  # and as one number, read and written
ROWS = 6  # sequences that share a load of U at least


def in_order(sizes: Ints, reverse: bool) -> Array:
    """Return (T, 2): the first row and the number of rows of each step, in the order they run."""
    order = np.empty((len(sizes), 2), np.int64)
    starts, counts = order[:, 0], order[:, 1]
    counts[:] = sizes
    np.cumsum(counts, out=starts)
    starts -= counts
    return order[::-1].copy() if reverse else order


def share(sizes: Ints, batch: int, gates: int, terms: int) -> int:
    """Return how many sequences to give a thread at least.

    In a step, a sequence has so many ``gates``: a formula and ``terms`` multiply-adds each.
    """
    work = gates * (terms + FORMULA) * sum(sizes) // max(1, batch)
    least = 1 + WORTH // max(1, work)
    even = not sizes or sizes[-1] == batch  # if not, those that are done early take more
    return max(least, batch // get_num_threads() if even else ROWS)


def flat(x: Array) -> Array:
    """Return the numbers of an array, one after the other."""
    return contiguous(x).reshape(-1)


def copied(x: Array) -> Array:
    """Return a contiguous copy."""
    return copy(x)


def transposed(weight: Array, gates: int) -> Array:
    """Lay out U^T, for h U^T: (gates H, P) -> panels."""
    size, depth = weight.shape[0] // gates, weight.shape[1]
    numbers = panels_size(gates, size, depth, lanes_of(weight.dtype))
    panels = empty((numbers,), weight.dtype)
    parallel(lay_out, 1, 2, panels, flat(weight), 1, depth, gates, size, depth)
    return panels


def straight(weight: Array) -> Array:
    """Lay out U, for dL/ds U: (gates H, P) -> panels."""
    depth, size = weight.shape
    panels = empty((panels_size(1, size, depth, lanes_of(weight.dtype)),), weight.dtype)
    parallel(lay_out, 1, 2, panels, flat(weight), size, 1, 1, size, depth)
    return panels


def added(biases: tuple[Array | None, ...], length: int, dtype: Any) -> Array:
    """Return the sum of the biases that there are."""
    total, parts = empty((length,), dtype), bias_parts(biases, dtype)
    parallel(add_biases, 1, 2, total, *parts)
    return total


def bias_parts(biases: tuple[Array | None, ...], dtype: Any) -> tuple[Array, ...]:
    """Return biases, one of no elements for None."""
    return tuple(full((0,), 0, dtype) if bias is None else flat(bias) for bias in biases)


def rows_of(grad_output: Array | None, like: Array) -> tuple[Array, int]:
    """Return dL/dy, flat, and how far apart its rows are: 0 if all are one row of zeros."""
    size = like.shape[1]
    return (full((size,), 0, like.dtype), 0) if grad_output is None else (flat(grad_output), size)


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
    (batch, size), features = h0.shape, x.shape[1]
    output, h = empty((len(x), size), x.dtype), copied(h0)
    parallel(
        rnn_loop.forward, batch, share(sizes, batch, size, size + features), flat(x), features,
        transposed(weight_ih, 1), transposed(weight_hh, 1),
        added((bias_ih, bias_hh), size, x.dtype), h.reshape(-1), output.reshape(-1),
        in_order(sizes, reverse), size, nonlinearity == "tanh",
    )  # fmt: skip
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
    sums, dh = empty(output.shape, output.dtype), copied(grad_h)
    (batch, size), panels = grad_h.shape, straight(weight_hh)
    parallel(
        rnn_loop.backward, batch, share(sizes, batch, size, size), sums.reshape(-1),
        dh.reshape(-1), *rows_of(grad_output, grad_h), flat(output), panels,
        in_order(sizes, not reverse), size, nonlinearity == "tanh",
    )  # fmt: skip
    return sums, dh


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
    """c_t = f c_{t-1} + i g,  h_t = o tanh(c_t), without projection and peepholes."""
    (batch, size), features = h0.shape, x.shape[1]
    output, h, c = empty((len(x), size), x.dtype), copied(h0), copied(c0)
    kept = len(x) if training else 0
    gates, cells = empty((kept, 4 * size), x.dtype), empty((kept, size), x.dtype)
    parallel(
        lstm_loop.forward, batch, share(sizes, batch, 4 * size, size + features), flat(x),
        features, transposed(weight_ih, 4), transposed(weight_hh, 4),
        added((bias_ih, bias_hh), 4 * size, x.dtype), h.reshape(-1), c.reshape(-1),
        output.reshape(-1), gates.reshape(-1), cells.reshape(-1), in_order(sizes, reverse), size,
        training,
    )  # fmt: skip
    return output, h, c, gates if training else None, cells if training else None


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
    sums, dh, dc = empty(gates.shape, gates.dtype), copied(grad_h), copied(grad_c)
    (batch, size), panels = grad_h.shape, straight(weight_hh)
    parallel(
        lstm_loop.backward, batch, share(sizes, batch, 4 * size, size), sums.reshape(-1),
        dh.reshape(-1), dc.reshape(-1), *rows_of(grad_output, grad_h), flat(gates), flat(cells),
        panels, in_order(sizes, not reverse), size,
    )  # fmt: skip
    return sums, None, dh, dc


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
    """h_t = (1 - z) n + z h_{t-1}, n = tanh(W x + b + r (U h + b')): the reset gate after U h."""
    (batch, size), features = h0.shape, x.shape[1]
    bias = empty((4 * size,), x.dtype)  # of r, z, n in W x, and of n in U h, which r is to reach
    parallel(gru_biases, 1, 2, bias, *bias_parts((bias_ih, bias_hh), x.dtype))
    output, h = empty((len(x), size), x.dtype), copied(h0)
    kept = len(x) if training else 0
    gates, candidates = empty((kept, 3 * size), x.dtype), empty((kept, size), x.dtype)
    parallel(
        gru_loop.forward, batch, share(sizes, batch, 3 * size, size + features), flat(x),
        features, transposed(weight_ih, 3), transposed(weight_hh, 3), bias, h.reshape(-1),
        output.reshape(-1), gates.reshape(-1), candidates.reshape(-1), in_order(sizes, reverse),
        size, training,
    )  # fmt: skip
    return output, h, gates if training else None, candidates if training else None


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
    """Each line of `gru_forward`, the last first."""
    sums, of_state = empty(gates.shape, gates.dtype), empty(gates.shape, gates.dtype)
    (batch, size), panels, dh = grad_h.shape, straight(weight_hh), copied(grad_h)
    parallel(
        gru_loop.backward, batch, share(sizes, batch, 3 * size, size), sums.reshape(-1),
        of_state.reshape(-1), dh.reshape(-1), *rows_of(grad_output, grad_h), flat(gates),
        flat(candidates), flat(before), panels, in_order(sizes, not reverse), size,
    )  # fmt: skip
    return sums, of_state, dh


def before(states: Array, initial: Array, sizes: Ints, reverse: bool) -> Array:
    """Return the state that each row's step began with: one step earlier, or the initial one."""
    found, state, (batch, size) = empty(states.shape, states.dtype), copied(initial), initial.shape
    given = found, contiguous(states), state, in_order(sizes, reverse)
    parallel(states_before, batch, 1 + WORTH // (COPY * max(1, size * len(sizes))), *given)
    return found
