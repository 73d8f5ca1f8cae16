"""The loop over the co-occurrences of a block: arrays are flat, a row has ``width`` elements."""

from __future__ import annotations

import math
from typing import Any

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.loops import elementwise, reduction
from tinymed.kernels.simd.vector import Code, Vector

__all__ = ["adagrad"]

V = Vector

product = reduction(lambda code, x, y: x * y, 0.0, lambda code, total, one: total + one)


def _step(
    code: Code, word: V, context: V, word_squares: V, context_squares: V, pull: V, lr: V
) -> tuple[V, ...]:
    """Return both rows after a step of AdaGrad, and the sums of their gradients' squares."""
    for_word, for_context = pull * context, pull * word
    word_squares = code.fma(for_word, for_word, word_squares)
    context_squares = code.fma(for_context, for_context, context_squares)
    word = word - lr * for_word / code.call("sqrt", word_squares)
    context = context - lr * for_context / code.call("sqrt", context_squares)
    return word, context, word_squares, context_squares


step = elementwise(_step)


@compiled
def step_bias(bias: Any, squares: Any, at: int, gradient: float, lr: float) -> None:
    """Take a step of AdaGrad on one number."""
    squares[at] += gradient * gradient
    bias[at] -= lr * gradient / math.sqrt(squares[at])


@compiled
def adagrad(
    first: int,
    last: int,
    diagonal: int,
    side: int,
    words: Any,
    contexts: Any,
    word_bias: Any,
    context_bias: Any,
    word_squares: Any,
    context_squares: Any,
    word_bias_squares: Any,
    context_bias_squares: Any,
    width: int,
    rows: Any,
    columns: Any,
    targets: Any,
    weights: Any,
    starts: Any,
    lr: float,
    losses: Any,
) -> None:
    """Train on blocks first to last - 1 of a diagonal; add each one's loss to ``losses``."""
    for p in range(first, last):
        block = p * side + (p + diagonal) % side
        for k in range(starts[block], starts[block + 1]):
            i, j = rows[k], columns[k]
            word, context = (words, i * width), (contexts, j * width)
            error = product((word, context), width, ())
            error += word_bias[i] + context_bias[j] - targets[k]
            pull = weights[k] * error
            losses[p] += pull * error / 2
            squares = (word_squares, i * width), (context_squares, j * width)
            all_four = word, context, squares[0], squares[1]
            step(all_four, all_four, width, (pull, lr))
            step_bias(word_bias, word_bias_squares, i, pull, lr)
            step_bias(context_bias, context_bias_squares, j, pull, lr)
