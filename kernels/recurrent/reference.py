"""Recurrent layers as their equations say it: one loop over time, W x for all steps before it.

Only U h_{t-1} has to wait for the step before. W x_t does not: it is one matrix product for all
steps. Going back, only the gradient of the state has to wait; the gradients of W, U and b are sums
over all steps, hence again one matrix product each, after the loop and not in here.

At step t the first n_t rows of the state take part: those are the sequences that are long enough,
since the longest come first. The others keep the state they ended with, or, in reverse, still wait
with their initial one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.matmul.reference import activate

Ints = tuple[int, ...]


def steps(sizes: Ints, reverse: bool) -> Iterator[tuple[slice, int]]:
    """For each time step, in the order in which they run: its rows, and how many they are."""
    ends = itertools.accumulate(sizes)
    found = [(slice(end - n, end), n) for n, end in zip(sizes, ends, strict=True)]
    return reversed(found) if reverse else iter(found)


def parts(rows: Array, count: int) -> list[Array]:
    """Return ``count`` blocks of columns as views: (n, count H) -> count times (n, H)."""
    width = rows.shape[1] // count
    return [rows[:, k * width : (k + 1) * width] for k in range(count)]


def affine(x: Array, weight: Array, *biases: Array | None) -> Array:
    """Return W x + b for all rows, in memory of its own: (R, D)(D, G) + (G,) -> (R, G)."""
    y = x @ weight.T
    for bias in biases:
        if bias is not None:
            y += bias
    return y


def sigmoid(y: Array) -> Array:
    """Return 1 / (1 + exp(-y)) of a view."""
    # Not in its place: NumPy 2.4's negative(y, out=y) is wrong for some strides, and slower.
    return activate(y.copy(), "sigmoid")


def before(states: Array, initial: Array, sizes: Ints, reverse: bool) -> Array:
    """Return the state that each row's step began with: one step earlier, or the initial one."""
    found, state = array_module(states).empty_like(states), initial.copy()
    for rows, n in steps(sizes, reverse):
        found[rows] = state[:n]
        state[:n] = states[rows]
    return found


# ------------------------------------------------------------------------------- Elman's network


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
    """h_t = f(W x_t + U h_{t-1} + b).  Elman (1990)."""
    output, h = affine(x, weight_ih, bias_ih, bias_hh), h0.copy()
    for rows, n in steps(sizes, reverse):
        output[rows] += h[:n] @ weight_hh.T  # (n, H)(H, H) -> (n, H)
        h[:n] = activate(output[rows], nonlinearity)
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
    """dL/ds_t = f'(s_t) dL/dh_t, s_t = W x_t + U h_{t-1} + b;  dL/dh_{t-1} = U^T dL/ds_t."""
    grad_sums, dh = array_module(output).empty_like(output), grad_h.copy()
    for rows, n in steps(sizes, not reverse):
        h = output[rows]
        if grad_output is not None:
            dh[:n] += grad_output[rows]
        grad_sums[rows] = dh[:n] * ((1 - h * h) if nonlinearity == "tanh" else (h > 0))
        dh[:n] = grad_sums[rows] @ weight_hh
    return grad_sums, dh


# ------------------------------------------------------------------------ long short-term memory


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
    """c_t = f c_{t-1} + i g,  h_t = o tanh(c_t);  i, f, o = sigmoid, g = tanh of W x + U h + b.

    Peepholes let the gates see the cell: c_{t-1} is added to i and f, c_t to o, each element by a
    weight of its own. A projection makes the state smaller: h_t = R (o tanh(c_t)).
    Hochreiter, Schmidhuber (1997); f: Gers and others (2000); peepholes: Gers, Schraudolph,
    Schmidhuber (2002); projection: Sak, Senior, Beaufays (2014).
    """
    xp = array_module(x)
    gates, h, c = affine(x, weight_ih, bias_ih, bias_hh), h0.copy(), c0.copy()
    output = xp.empty((len(x), weight_hh.shape[1]), x.dtype)
    cells = xp.empty((len(x), c.shape[1]), x.dtype) if training else None
    for rows, n in steps(sizes, reverse):
        i, f, g, o = parts(gates[rows], 4)  # views: what follows writes into ``gates``
        i_and_f, _ = parts(gates[rows], 2)
        gates[rows] += h[:n] @ weight_hh.T  # (n, P)(P, 4H) -> (n, 4H)
        if cells is not None:
            cells[rows] = c[:n]
        if peepholes is not None:
            i += peepholes[0] * c[:n]
            f += peepholes[1] * c[:n]
        i_and_f[:], g[:] = sigmoid(i_and_f), xp.tanh(g)
        c[:n] = f * c[:n] + i * g
        if peepholes is not None:
            o += peepholes[2] * c[:n]
        o[:] = sigmoid(o)
        hidden = o * xp.tanh(c[:n])
        h[:n] = hidden if weight_hr is None else hidden @ weight_hr.T  # (n, H)(H, P) -> (n, P)
        output[rows] = h[:n]
    return output, h, c, gates if training else None, cells


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
    """Each line of `lstm_forward`, the last first; ``cells`` are what the steps began with."""
    xp = array_module(gates)
    grad_sums, dh, dc = xp.empty_like(gates), grad_h.copy(), grad_c.copy()
    hidden = xp.empty((len(gates), dh.shape[1]), gates.dtype) if weight_hr is not None else None
    for rows, n in steps(sizes, not reverse):
        i, f, g, o = parts(gates[rows], 4)
        di, df, dg, do = parts(grad_sums[rows], 4)  # views: what follows writes into ``grad_sums``
        c_before = cells[rows]
        squashed = xp.tanh(f * c_before + i * g)
        if grad_output is not None:
            dh[:n] += grad_output[rows]
        dm = dh[:n]  # of o tanh(c)
        if hidden is not None:
            hidden[rows] = dm
            dm = dm @ weight_hr  # (n, P)(P, H) -> (n, H)
        do[:] = dm * squashed * o * (1 - o)
        dc[:n] += dm * o * (1 - squashed * squashed)
        if peepholes is not None:
            dc[:n] += do * peepholes[2]
        di[:] = dc[:n] * g * i * (1 - i)
        df[:] = dc[:n] * c_before * f * (1 - f)
        dg[:] = dc[:n] * i * (1 - g * g)
        dc[:n] *= f
        if peepholes is not None:
            dc[:n] += di * peepholes[0] + df * peepholes[1]
        dh[:n] = grad_sums[rows] @ weight_hh  # (n, 4H)(4H, P) -> (n, P)
    return grad_sums, hidden, dh, dc


# -------------------------------------------------------------------------- gated recurrent unit


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
    """h_t = (1 - z) n + z h_{t-1}, with r, z = sigmoid of W x + U h + b and n = tanh of

    W x + b + r (U h + b'), the reset gate after the product, or, as first published,
    W x + b + U (r h) + b', the reset gate before it.  Cho and others (2014).
    """
    xp = array_module(x)
    gates, h, width = affine(x, weight_ih, bias_ih), h0.copy(), h0.shape[1]
    output = xp.empty((len(x), width), x.dtype)
    candidates = xp.empty((len(x), width), x.dtype) if training and reset_after else None
    of_gates, of_new = slice(2 * width), slice(2 * width, 3 * width)  # rows r, z; and n
    bias = xp.zeros(3 * width, x.dtype) if bias_hh is None else bias_hh
    at_once = slice(None) if reset_after else of_gates  # n's product may have to wait for r
    for rows, n in steps(sizes, reverse):
        r, z, new = parts(gates[rows], 3)  # views: what follows writes into ``gates``
        product = affine(h[:n], weight_hh[at_once], bias[at_once])  # (n, H)(H, 3H) -> (n, 3H)
        gates[rows, of_gates] += product[:, of_gates]
        gates[rows, of_gates] = sigmoid(gates[rows, of_gates])
        if reset_after:
            candidate = product[:, of_new]
            new += r * candidate
        else:
            new += affine(r * h[:n], weight_hh[of_new], bias[of_new])
        if candidates is not None:
            candidates[rows] = candidate
        new[:] = xp.tanh(new)
        h[:n] = (1 - z) * new + z * h[:n]
        output[rows] = h[:n]
    return output, h, gates if training else None, candidates


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
    xp = array_module(gates)
    grad_sums, dh, width = xp.empty_like(gates), grad_h.copy(), grad_h.shape[1]
    of_state = grad_sums if candidates is None else xp.empty_like(gates)  # of U h
    weight_gates, weight_new = weight_hh[: 2 * width], weight_hh[2 * width :]
    for rows, n in steps(sizes, not reverse):
        r, z, new = parts(gates[rows], 3)
        dr, dz, dnew = parts(grad_sums[rows], 3)  # views: what follows writes into ``grad_sums``
        h = before[rows]
        if grad_output is not None:
            dh[:n] += grad_output[rows]
        dz[:] = dh[:n] * (h - new) * z * (1 - z)
        dnew[:] = dh[:n] * (1 - z) * (1 - new * new)
        dh[:n] *= z
        if candidates is not None:
            dr[:] = dnew * candidates[rows] * r * (1 - r)
            of_state[rows] = grad_sums[rows]
            of_state[rows, 2 * width :] *= r
            dh[:n] += of_state[rows] @ weight_hh  # (n, 3H)(3H, H) -> (n, H)
        else:
            reset = dnew @ weight_new  # of r h: (n, H)(H, H) -> (n, H)
            dr[:] = reset * h * r * (1 - r)
            dh[:n] += reset * r + grad_sums[rows, : 2 * width] @ weight_gates
    return grad_sums, of_state, dh
