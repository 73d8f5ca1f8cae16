"""Recurrent layers on batches of sequences: one layer in one direction, on arrays or Tensors.

Rows of padding are taken out before and put back, as zeros, after (see `packing`).
"""

from __future__ import annotations

import itertools
import operator
from typing import Any

from tinymed.autograd import Variable
from tinymed.kernels.arrays import array_module
from tinymed.kernels.recording import constant
from tinymed.ops.broadcasting import Shape
from tinymed.ops.joining import stack
from tinymed.ops.packing import Packing, pack, packing, take_rows, unpack
from tinymed.ops.promotion import same_dtype
from tinymed.ops.recurrent import GRU, LSTM, RNN
from tinymed.ops.reduction import check_floating

__all__ = ["gru", "lstm", "rnn"]


def rnn(
    x: Any,
    state: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    nonlinearity: str = "tanh",
    *,
    lengths: Any = None,
    sizes: Shape | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Return all states of h_t = f(W x_t + U h_{t-1} + b), and the last.

    Parameters
    ----------
    x : (T, N, D), or, with ``sizes``, packed rows (R, D)
    state : (N, H) or None
        h_0; None stands for zeros.
    weight_ih, weight_hh : (H, D) and (H, H)
        W and U.
    bias_ih, bias_hh : (H,) or None
        Their sum is b.
    nonlinearity : "tanh" or "relu"
        f.
    lengths : (N,) integers in any order, 0 allowed, or None
        Steps of each sequence; None stands for T. What lies behind them is never read.
    sizes : tuple of int or None
        For rows packed before: how many sequences have step 0, step 1, ...
    reverse : bool
        Begin at the end of each sequence, with x_T.

    Returns
    -------
    output : (T, N, H), or (R, H)
        h_t; zeros behind the end of a sequence.
    h_n : (N, H)
        The state after the last step of each sequence; its initial one where there is none.

    Raises
    ------
    ValueError
        If shapes or lengths do not fit; the message names them.
    NotImplementedError
        In a backward under ``create_graph=True``: `tinymed.nn.RNNCell` has all derivatives.

    Examples
    --------
    >>> import numpy as np
    >>> output, last = rnn(np.ones((5, 2, 1)), None, np.ones((3, 1)), np.eye(3), lengths=[5, 2])
    >>> output.shape, bool((last[1] == output[1, 1]).all()), bool(output[2:, 1].any())
    ((5, 2, 3), True, False)
    """
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"rnn: nonlinearity={nonlinearity!r} is not 'tanh' or 'relu'")
    weights = named(weight_ih, weight_hh, bias_ih, bias_hh)
    x, how = packed("rnn", x, lengths, sizes, weights)
    h0 = initial("rnn", x, state, how, weight_hh.shape[-1])
    output, h_n = RNN(how.sizes, reverse, nonlinearity)(x, h0, *weights.values())
    return unpack(output, how), take_rows(h_n, how.back)


def lstm(
    x: Any,
    state: tuple[Any, Any] | None,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    weight_hr: Any = None,
    peepholes: tuple[Any, Any, Any] | None = None,
    *,
    lengths: Any = None,
    sizes: Shape | None = None,
    reverse: bool = False,
) -> tuple[Any, Any, Any]:
    """Return all states of c_t = f c_{t-1} + i g, h_t = o tanh(c_t), and the last of both.

    i, f, o are the sigmoid and g the tanh of their rows of W x_t + U h_{t-1} + b.

    Parameters
    ----------
    x, lengths, sizes, reverse
        As in `rnn`.
    state : (h_0 (N, P), c_0 (N, H)) or None
        P is H unless there is a projection.
    weight_ih, weight_hh : (4H, D) and (4H, P)
        Rows for i, f, g, o.
    bias_ih, bias_hh : (4H,) or None
    weight_hr : (P, H) or None
        A projection R: h_t = R (o tanh(c_t)).
    peepholes : (w_ci, w_cf, w_co), each (H,), or None
        w_ci c_{t-1} and w_cf c_{t-1} are added in i and f, w_co c_t in o, element by element.

    Returns
    -------
    output (T, N, P) or (R, P), h_n (N, P), c_n (N, H) : as in `rnn`
    """
    weights = named(weight_ih, weight_hh, bias_ih, bias_hh)
    eyes = None if peepholes is None else stack(peepholes)
    others = {"weight_hr": weight_hr, "peepholes": eyes}
    x, how = packed("lstm", x, lengths, sizes, weights | others)
    if state is not None and (not isinstance(state, (tuple, list)) or len(state) != 2):
        raise TypeError(f"lstm: state is {type(state).__name__}, a pair (h_0, c_0) is expected")
    h, c = (None, None) if state is None else state
    h0 = initial("lstm", x, h, how, weight_hh.shape[-1])
    c0 = initial("lstm", x, c, how, weight_hh.shape[0] // LSTM.blocks)
    output, h_n, c_n = LSTM(how.sizes, reverse)(x, h0, *weights.values(), c0, *others.values())
    return unpack(output, how), take_rows(h_n, how.back), take_rows(c_n, how.back)


def gru(
    x: Any,
    state: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    *,
    reset_after: bool = True,
    lengths: Any = None,
    sizes: Shape | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Return all states of h_t = (1 - z) n + z h_{t-1}, and the last.

    r and z are the sigmoid of their rows of W x_t + b + U h_{t-1} + b', n is the tanh of
    W x_t + b + r (U h_{t-1} + b') (``reset_after``, as in PyTorch, cuDNN and Keras), or of
    W x_t + b + U (r h_{t-1}) + b' (as first published).

    Parameters
    ----------
    x, state, lengths, sizes, reverse
        As in `rnn`.
    weight_ih, weight_hh : (3H, D) and (3H, H)
        W and U; rows for r, z, n.
    bias_ih, bias_hh : (3H,) or None
        b and b'.

    Returns
    -------
    output (T, N, H) or (R, H), h_n (N, H) : as in `rnn`
    """
    weights = named(weight_ih, weight_hh, bias_ih, bias_hh)
    x, how = packed("gru", x, lengths, sizes, weights)
    h0 = initial("gru", x, state, how, weight_hh.shape[-1])
    output, h_n = GRU(how.sizes, reverse, reset_after)(x, h0, *weights.values())
    return unpack(output, how), take_rows(h_n, how.back)


def named(weight_ih: Any, weight_hh: Any, bias_ih: Any, bias_hh: Any) -> dict[str, Any]:
    """Return the weights that all three have, in the order of their nodes, under their names."""
    names = "weight_ih", "weight_hh", "bias_ih", "bias_hh"
    return dict(zip(names, (weight_ih, weight_hh, bias_ih, bias_hh), strict=True))


def packed(
    name: str, x: Any, lengths: Any, sizes: Shape | None, weights: dict[str, Any]
) -> tuple[Any, Packing]:
    """Return packed rows (R, D), and how they were packed."""
    same_dtype(name, x=x, **weights)
    check_floating(name, x)
    if sizes is None:
        if x.ndim != 3:
            raise ValueError(f"{name}: x {x.shape} must be (T, N, D); packed rows need sizes=")
        how = packing(name, tuple(x.shape[:2]), lengths)
        return pack(x, how), how
    if lengths is not None:
        raise ValueError(f"{name}: lengths and sizes are given; packed rows have sizes alone")
    sizes = tuple(map(operator.index, sizes))
    if any(n < 0 for n in sizes) or any(n < m for n, m in itertools.pairwise(sizes)):
        raise ValueError(f"{name}: sizes {sizes} rise or are negative; the longest come first")
    return x, Packing(sizes, max(sizes, default=0), padded=tuple(x.shape[:1]))


def initial(name: str, x: Any, state: Any, how: Packing, width: int) -> Any:
    """Return an initial state (N, width), the longest sequence first; zeros for None."""
    if state is None:
        array = x.data if isinstance(x, Variable) else x
        return constant(array_module(array).zeros((how.batch, width), array.dtype))
    same_dtype(name, x=x, state=state)
    if len(how.padded) == 2 and tuple(state.shape) != (how.batch, width):
        raise ValueError(f"{name}: state {state.shape} must be {(how.batch, width)}, as x says")
    return take_rows(state, how.order)
