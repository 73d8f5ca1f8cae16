"""The walks along sequences and back: arrays are flat, the lanes are neighbouring states.

A labelling abc becomes the states -a-b-c-; each is entered from itself, from the one before, and
from two before where a skip is not barred.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.functions import exp, log
from tinymed.kernels.simd.loops import elementwise
from tinymed.kernels.simd.vector import Code, Vector

__all__ = ["back", "forth"]

V = Vector


def _sum_of_three(code: Code, stay: V, step: V, skip: V, barred: V) -> V:
    """Return the logarithm of the sum of three ways, the third one -inf where it is barred."""
    skip = skip + barred
    largest = code.maximum(code.maximum(stay, step), skip)
    shift = code.select(largest > -math.inf, largest, 0.0)  # -inf less -inf would be NaN
    return (
        log(code, exp(code, stay - shift) + exp(code, step - shift) + exp(code, skip - shift))
        + shift
    )


arrive = elementwise(
    lambda code, stay, step, skip, barred, emitted: (
        _sum_of_three(code, stay, step, skip, barred) + emitted
    )
)
leave = elementwise(_sum_of_three)
occupancy = elementwise(lambda code, alpha, beta, total: exp(code, alpha + beta - total))
exp_of = elementwise(lambda code, x: exp(code, x))
times = elementwise(lambda code, x, factor: x * factor)


@compiled
def log_add(a: float, b: float) -> float:
    """Return log(exp(a) + exp(b))."""
    largest = max(a, b)
    if largest == -math.inf:
        return largest
    return largest + math.log(math.exp(a - largest) + math.exp(b - largest))


@compiled
def bar(barred: Any, targets: Any, at: int, labels: int) -> None:
    """Leave 0 at states that a skip may enter, -inf at others: blanks and labels once more."""
    barred[: 2 * labels + 1] = -math.inf
    for k in range(1, labels):
        if targets[at + k] != targets[at + k - 1]:
            barred[2 * k + 1] = 0


@compiled
def emit(
    row: Any,
    at: int,
    log_probs: Any,
    source: int,
    targets: Any,
    first: int,
    labels: int,
    blank: int,
) -> None:
    """Add to each state of a row the logarithm of its class's probability."""
    for k in range(labels):
        row[at + 2 * k] += log_probs[source + blank]
        row[at + 2 * k + 1] += log_probs[source + targets[first + k]]
    row[at + 2 * labels] += log_probs[source + blank]


@compiled
def forth(
    first: int,
    last: int,
    losses: Any,
    alpha: Any,
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    steps: int,
    classes: int,
    width: int,
    blank: int,
) -> None:
    """Find alpha and the losses of sequences first to last - 1."""
    batch, states = len(losses), 2 * width + 1
    barred = np.empty(states, alpha.dtype)
    for n in range(first, last):
        length, labels = input_lengths[n], target_lengths[n]
        own, at = 2 * labels + 1, 0
        bar(barred, targets, n * width, labels)
        for t in range(steps):
            before, at = at, (t * batch + n) * states
            alpha[at : at + states] = -math.inf
            if t >= length:
                continue
            alpha[at : at + (min(own, 2) if t == 0 else own)] = 0
            emit(alpha, at, log_probs, (t * batch + n) * classes, targets, n * width, labels, blank)
            if t > 0:
                alpha[at] += alpha[before]
                if own > 1:
                    alpha[at + 1] += log_add(alpha[before + 1], alpha[before])
                    ways = (alpha, before + 2), (alpha, before + 1), (alpha, before)
                    found = ((alpha, at + 2),)
                    arrive(found, (*ways, (barred, 2), (alpha, at + 2)), own - 2, ())
        if length == 0:
            losses[n] = math.inf if labels else 0
        else:
            end = ((length - 1) * batch + n) * states + own - 1
            losses[n] = -(log_add(alpha[end], alpha[end - 1]) if labels else alpha[end])


@compiled
def back(
    first: int,
    last: int,
    gradient: Any,
    g: Any,
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    steps: int,
    classes: int,
    width: int,
    blank: int,
    losses: Any,
    alpha: Any,
) -> None:
    """Find the gradient of sequences first to last - 1, beta on the way."""
    batch, states = len(losses), 2 * width + 1
    barred, beta = np.empty(states, alpha.dtype), np.empty(states, alpha.dtype)
    occupied = np.empty(states, alpha.dtype)
    for n in range(first, last):
        length, labels = input_lengths[n], target_lengths[n]
        own = 2 * labels + 1
        bar(barred, targets, n * width, labels)
        total = 0.0 if losses[n] == math.inf else -losses[n]  # no way: nothing is occupied
        for t in range(steps - 1, -1, -1):
            at = (t * batch + n) * classes
            if t >= length:
                gradient[at : at + classes] = 0
                continue
            if t == length - 1:
                beta[:own] = -math.inf
                beta[max(0, own - 2) : own] = 0
            else:
                emit(beta, 0, log_probs, at + batch * classes, targets, n * width, labels, blank)
                if own > 1:
                    ways = (beta, 0), (beta, 1), (beta, 2)
                    leave(((beta, 0),), (*ways, (barred, 2)), own - 2, ())
                    beta[own - 2] = log_add(beta[own - 2], beta[own - 1])
            row = ((alpha, (t * batch + n) * states), (beta, 0))
            occupancy(((occupied, 0),), row, own, (total,))
            exp_of(((gradient, at),), ((log_probs, at),), classes, ())
            for k in range(labels):
                gradient[at + blank] -= occupied[2 * k]
                gradient[at + targets[n * width + k]] -= occupied[2 * k + 1]
            gradient[at + blank] -= occupied[2 * labels]
            times(((gradient, at),), ((gradient, at),), classes, (g[n],))
