"""Recurrent layers written out from the papers: one sequence at a time, one step at a time.

A step takes x_t and the state (h first) and returns the next state. ``w``, ``u``, ``b`` and ``c``
are lists with one block for each gate: s_k = w[k] x + b[k] and u[k] h + c[k].
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = Any
State = tuple[Array, ...]
Step = Callable[[Array, State], State]
Blocks = Sequence[Array]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def blocks(count: int, *weights: Array | None) -> list[Blocks]:
    """Cut weights into a block of rows for each gate; a missing bias is zero."""
    rows = len(weights[0])
    full = [np.zeros(rows) if a is None else a for a in weights]
    return [np.split(a, count) for a in full]


def elman(f: Callable[[Array], Array], *weights: Array | None) -> Step:
    """h_t = f(W x_t + b + U h_{t-1} + b')."""
    (w,), (u,), (b,), (c,) = blocks(1, *weights)
    return lambda x, state: (f(w @ x + b + u @ state[0] + c),)


def lstm(
    *weights: Array | None, projection: Array | None = None, peepholes: Array | None = None
) -> Step:
    """Gers, Schraudolph, Schmidhuber (2002), with the projection of Sak and others (2014)."""
    w, u, b, c = blocks(4, *weights)
    p = np.zeros((3, len(w[0]))) if peepholes is None else peepholes

    def step(x: Array, state: State) -> State:
        h, cell = state
        s = [w[k] @ x + b[k] + u[k] @ h + c[k] for k in range(4)]
        i, f, g = sigmoid(s[0] + p[0] * cell), sigmoid(s[1] + p[1] * cell), np.tanh(s[2])
        new = f * cell + i * g
        hidden = sigmoid(s[3] + p[2] * new) * np.tanh(new)
        return hidden if projection is None else projection @ hidden, new

    return step


def gru(*weights: Array | None, reset_after: bool = True) -> Step:
    """Cho and others (2014); the reset gate after the product as in cuDNN, or before it."""
    w, u, b, c = blocks(3, *weights)

    def step(x: Array, state: State) -> State:
        (h,) = state
        r = sigmoid(w[0] @ x + b[0] + u[0] @ h + c[0])
        z = sigmoid(w[1] @ x + b[1] + u[1] @ h + c[1])
        inner = r * (u[2] @ h + c[2]) if reset_after else u[2] @ (r * h) + c[2]
        n = np.tanh(w[2] @ x + b[2] + inner)
        return ((1 - z) * n + z * h,)

    return step


def run(
    step: Step, x: Array, initial: State, lengths: Sequence[int], reverse: bool = False
) -> tuple[Array, State]:
    """Run each sequence of x (T, N, D) alone; zeros behind its end. States are (N, size)."""
    output = np.zeros((*x.shape[:2], initial[0].shape[1]))
    final = tuple(part.copy() for part in initial)
    for n, length in enumerate(lengths):
        state = tuple(part[n] for part in initial)
        for t in reversed(range(length)) if reverse else range(length):
            state = step(x[t, n], state)
            output[t, n] = state[0]
        for part, value in zip(final, state, strict=True):
            part[n] = value
    return output, final
