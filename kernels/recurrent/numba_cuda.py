"""RNN, LSTM and GRU in numba-cuda: a launch for each time step, U h and the gates in one.

W x is one matrix product for all steps. Then a thread has one unit of one sequence: it adds up the
products of its gates and squashes them in registers. Going back, a kernel for the gates of a step
and a matrix product for the state take turns.

Counted, for a step: U is read once from the cache for each row of threads, 8 FLOPs for 20 bytes of
LSTM. Bound: the cache; and for small layers the launches, which resident.cu does without.
"""

from __future__ import annotations

import math
from typing import Any

from numba import cuda

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, blocks, empty, launch_python
from tinymed.kernels.cuda.epilogue import ACTIVATIONS
from tinymed.kernels.cuda.numba_parts import activated, sigmoid
from tinymed.kernels.matmul.numba_cuda import multiply, product
from tinymed.kernels.recurrent.reference import Ints, steps

__all__ = [
    "gru_backward",
    "gru_forward",
    "lstm_backward",
    "lstm_forward",
    "rnn_backward",
    "rnn_forward",
]

UNITS, SEQUENCES = 32, 4  # that a block has, with a thread for each pair
TANH = ACTIVATIONS["tanh"]


def _step(kernel: Any, sequences: int, units: int, *arguments: Any) -> None:
    """Launch a step's kernel for each unit of each sequence."""
    grid = Grid(blocks(units, UNITS), blocks(sequences, SEQUENCES))
    launch_python(kernel, grid, (UNITS, SEQUENCES), *arguments)


def _weighted(x: Array, weight: Array, *biases: Array | None) -> Array:
    """Return W x + b for all rows, (R, D)(D, G) + (G,) -> (R, G)."""
    given = [bias for bias in biases if bias is not None]
    return multiply(x, weight.T, sum(given[1:], start=given[0]) if given else None, None)


def _turned(weight: Array) -> Array:
    """Return U^T (H, G): neighbouring threads, which have neighbouring units, read neighbours."""
    return array_module(weight).ascontiguousarray(weight.T)


# ------------------------------------------------------------------------------- Elman's network


@cuda.jit
def rnn_step(h: Array, weight: Array, nonlinearity: int, output: Array) -> None:
    """Write output = f(output + U h): it holds W x + b before, h_t after."""
    j, i = cuda.grid(2)
    if i >= output.shape[0] or j >= output.shape[1]:
        return
    total = output[i, j]
    for k in range(weight.shape[0]):
        total += h[i, k] * weight[k, j]
    output[i, j] = activated(total, nonlinearity, output.dtype.type(1))


@cuda.jit
def rnn_step_back(dh: Array, h: Array, nonlinearity: int, sums: Array) -> None:
    """Write ds = f'(s) dh, from h = f(s)."""
    j, i = cuda.grid(2)
    if i >= sums.shape[0] or j >= sums.shape[1]:
        return
    zero, slope = sums.dtype.type(0), sums.dtype.type(1)
    if nonlinearity == TANH:
        slope -= h[i, j] * h[i, j]
    elif not h[i, j] > zero:
        slope = zero
    sums[i, j] = dh[i, j] * slope


def rnn_forward(
    x: Array, h0: Array, weight_ih: Array, weight_hh: Array, bias_ih: Array | None,
    bias_hh: Array | None, sizes: Ints, reverse: bool, nonlinearity: str,
) -> tuple[Array, Array]:  # fmt: skip
    """h_t = f(W x_t + U h_{t-1} + b)."""
    output, h = _weighted(x, weight_ih, bias_ih, bias_hh), h0.copy()
    turned, f = _turned(weight_hh), ACTIVATIONS[nonlinearity]
    for rows, n in steps(sizes, reverse):
        _step(rnn_step, n, h.shape[1], h[:n], turned, f, output[rows])
        h[:n] = output[rows]
    return output, h


def rnn_backward(
    grad_output: Array | None, grad_h: Array, output: Array, weight_hh: Array, sizes: Ints,
    reverse: bool, nonlinearity: str,
) -> tuple[Array, Array]:  # fmt: skip
    """dL/ds_t = f'(s_t) dL/dh_t, s_t = W x_t + U h_{t-1} + b;  dL/dh_{t-1} = U^T dL/ds_t."""
    sums, dh = empty(output.shape, output.dtype, output), grad_h.copy()
    f = ACTIVATIONS[nonlinearity]
    for rows, n in steps(sizes, not reverse):
        if grad_output is not None:
            dh[:n] += grad_output[rows]
        _step(rnn_step_back, n, dh.shape[1], dh[:n], output[rows], f, sums[rows])
        dh[:n] = product(sums[rows], weight_hh)
    return sums, dh


# ------------------------------------------------------------------------ long short-term memory


@cuda.jit
def lstm_step(
    h: Array, weight: Array, gates: Array, cells: Array | None, c: Array, output: Array
) -> None:
    """Write c = f c + i g,  output = o tanh(c);  gates hold W x + b before, i, f, g, o after."""
    j, i = cuda.grid(2)
    width = c.shape[1]
    if i >= gates.shape[0] or j >= width:
        return
    at_f, at_g, at_o = width + j, 2 * width + j, 3 * width + j
    of_i, of_f, of_g, of_o = gates[i, j], gates[i, at_f], gates[i, at_g], gates[i, at_o]
    for k in range(weight.shape[0]):
        past = h[i, k]
        of_i += past * weight[k, j]
        of_f += past * weight[k, at_f]
        of_g += past * weight[k, at_g]
        of_o += past * weight[k, at_o]
    one = c.dtype.type(1)
    of_i, of_f, of_o = sigmoid(of_i, one), sigmoid(of_f, one), sigmoid(of_o, one)
    of_g = math.tanh(of_g)
    if cells is not None:
        cells[i, j] = c[i, j]
    c[i, j] = of_f * c[i, j] + of_i * of_g
    output[i, j] = of_o * math.tanh(c[i, j])
    gates[i, j], gates[i, at_f], gates[i, at_g], gates[i, at_o] = of_i, of_f, of_g, of_o


@cuda.jit
def lstm_step_back(dh: Array, dc: Array, gates: Array, cells: Array, sums: Array) -> None:
    """Each line of `lstm_step`, the last first; dc is that of c_t before, of c_{t-1} after."""
    j, i = cuda.grid(2)
    width = dc.shape[1]
    if i >= gates.shape[0] or j >= width:
        return
    at_f, at_g, at_o = width + j, 2 * width + j, 3 * width + j
    of_i, of_f, of_g, of_o = gates[i, j], gates[i, at_f], gates[i, at_g], gates[i, at_o]
    one = dc.dtype.type(1)
    squashed = math.tanh(of_f * cells[i, j] + of_i * of_g)
    of_c = dc[i, j] + dh[i, j] * of_o * (one - squashed * squashed)
    sums[i, j] = of_c * of_g * of_i * (one - of_i)
    sums[i, at_f] = of_c * cells[i, j] * of_f * (one - of_f)
    sums[i, at_g] = of_c * of_i * (one - of_g * of_g)
    sums[i, at_o] = dh[i, j] * squashed * of_o * (one - of_o)
    dc[i, j] = of_c * of_f


def lstm_forward(
    x: Array, h0: Array, c0: Array, weight_ih: Array, weight_hh: Array, bias_ih: Array | None,
    bias_hh: Array | None, weight_hr: None, peepholes: None, sizes: Ints, reverse: bool,
    training: bool,
) -> tuple[Array, Array, Array, Array | None, Array | None]:  # fmt: skip
    """c_t = f c_{t-1} + i g,  h_t = o tanh(c_t);  i, f, o = sigmoid, g = tanh of W x + U h + b."""
    gates, h, c = _weighted(x, weight_ih, bias_ih, bias_hh), h0.copy(), c0.copy()
    shape, turned = (len(x), h.shape[1]), _turned(weight_hh)
    output = empty(shape, x.dtype, x)
    cells = empty(shape, x.dtype, x) if training else None
    for rows, n in steps(sizes, reverse):
        kept = None if cells is None else cells[rows]
        _step(lstm_step, n, h.shape[1], h[:n], turned, gates[rows], kept, c[:n], output[rows])
        h[:n] = output[rows]
    return output, h, c, gates if training else None, cells


def lstm_backward(
    grad_output: Array | None, grad_h: Array, grad_c: Array, gates: Array, cells: Array,
    weight_hh: Array, weight_hr: None, peepholes: None, sizes: Ints, reverse: bool,
) -> tuple[Array, None, Array, Array]:  # fmt: skip
    """Each line of `lstm_forward`, the last first; ``cells`` are what the steps began with."""
    sums, dh, dc = empty(gates.shape, gates.dtype, gates), grad_h.copy(), grad_c.copy()
    for rows, n in steps(sizes, not reverse):
        if grad_output is not None:
            dh[:n] += grad_output[rows]
        given = dh[:n], dc[:n], gates[rows], cells[rows], sums[rows]
        _step(lstm_step_back, n, dh.shape[1], *given)
        dh[:n] = product(sums[rows], weight_hh)
    return sums, None, dh, dc


# -------------------------------------------------------------------------- gated recurrent unit


@cuda.jit
def gru_step(
    h: Array, weight: Array, bias: Array | None, gates: Array, candidates: Array | None,
    output: Array,
) -> None:  # fmt: skip
    """Write output = (1 - z) n + z h;  gates hold W x + b before, r, z, n after."""
    j, i = cuda.grid(2)
    width = output.shape[1]
    if i >= gates.shape[0] or j >= width:
        return
    at_z, at_n = width + j, 2 * width + j
    of_r, of_z, of_n = gates[i, j], gates[i, at_z], gates[i, at_n]
    one, candidate = output.dtype.type(1), output.dtype.type(0)
    if bias is not None:
        of_r += bias[j]
        of_z += bias[at_z]
        candidate = bias[at_n]
    for k in range(weight.shape[0]):
        past = h[i, k]
        of_r += past * weight[k, j]
        of_z += past * weight[k, at_z]
        candidate += past * weight[k, at_n]
    of_r, of_z = sigmoid(of_r, one), sigmoid(of_z, one)
    of_n = math.tanh(of_n + of_r * candidate)
    if candidates is not None:
        candidates[i, j] = candidate
    output[i, j] = (one - of_z) * of_n + of_z * h[i, j]
    gates[i, j], gates[i, at_z], gates[i, at_n] = of_r, of_z, of_n


@cuda.jit
def gru_step_back(
    dh: Array, gates: Array, candidates: Array, before: Array, sums: Array, of_state: Array
) -> None:
    """Each line of `gru_step`, the last first; dh is that of h_t before, of h_{t-1} by z after."""
    j, i = cuda.grid(2)
    width = dh.shape[1]
    if i >= gates.shape[0] or j >= width:
        return
    at_z, at_n = width + j, 2 * width + j
    of_r, of_z, of_n = gates[i, j], gates[i, at_z], gates[i, at_n]
    one = dh.dtype.type(1)
    dn = dh[i, j] * (one - of_z) * (one - of_n * of_n)
    dz = dh[i, j] * (before[i, j] - of_n) * of_z * (one - of_z)
    dr = dn * candidates[i, j] * of_r * (one - of_r)
    sums[i, j], sums[i, at_z], sums[i, at_n] = dr, dz, dn
    of_state[i, j], of_state[i, at_z], of_state[i, at_n] = dr, dz, dn * of_r
    dh[i, j] *= of_z


def gru_forward(
    x: Array, h0: Array, weight_ih: Array, weight_hh: Array, bias_ih: Array | None,
    bias_hh: Array | None, sizes: Ints, reverse: bool, reset_after: bool, training: bool,
) -> tuple[Array, Array, Array | None, Array | None]:  # fmt: skip
    """h_t = (1 - z) n + z h_{t-1}, the reset gate after the product (``reset_after``)."""
    gates, h = _weighted(x, weight_ih, bias_ih), h0.copy()
    shape, turned = (len(x), h.shape[1]), _turned(weight_hh)
    output = empty(shape, x.dtype, x)
    candidates = empty(shape, x.dtype, x) if training else None
    for rows, n in steps(sizes, reverse):
        kept = None if candidates is None else candidates[rows]
        given = h[:n], turned, bias_hh, gates[rows], kept, output[rows]
        _step(gru_step, n, h.shape[1], *given)
        h[:n] = output[rows]
    return output, h, gates if training else None, candidates


def gru_backward(
    grad_output: Array | None, grad_h: Array, gates: Array, candidates: Array, before: Array,
    weight_hh: Array, sizes: Ints, reverse: bool,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Each line of `gru_forward`, the last first."""
    sums, of_state = (empty(gates.shape, gates.dtype, gates) for _ in range(2))
    dh = grad_h.copy()
    for rows, n in steps(sizes, not reverse):
        if grad_output is not None:
            dh[:n] += grad_output[rows]
        given = dh[:n], gates[rows], candidates[rows], before[rows], sums[rows], of_state[rows]
        _step(gru_step_back, n, dh.shape[1], *given)
        dh[:n] += product(of_state[rows], weight_hh)
    return sums, of_state, dh
