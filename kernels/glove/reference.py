"""GloVe's steps one after the other, as the gradient of its objective."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tinymed.kernels.arrays import Array


def in_order(starts: Array) -> Iterator[int]:
    """Yield the numbers of the co-occurrences, block by block along the diagonals."""
    side = math.isqrt(len(starts) - 1)
    for diagonal in range(side):
        for p in range(side):
            block = p * side + (p + diagonal) % side
            yield from range(int(starts[block]), int(starts[block + 1]))


def adagrad(
    words: Array,
    contexts: Array,
    word_bias: Array,
    context_bias: Array,
    word_squares: Array,
    context_squares: Array,
    word_bias_squares: Array,
    context_bias_squares: Array,
    rows: Array,
    columns: Array,
    targets: Array,
    weights: Array,
    starts: Array,
    lr: float,
) -> Array:
    """Take one step for each co-occurrence, in place, and return the sum of their losses."""
    loss = 0.0
    for k in in_order(starts):
        i, j = int(rows[k]), int(columns[k])
        error = words[i] @ contexts[j] + word_bias[i] + context_bias[j] - targets[k]
        loss += float(weights[k] * error * error / 2)
        pull = weights[k] * error
        gradients = pull * contexts[j], pull * words[i], pull, pull
        tables = (
            (words, word_squares, i),
            (contexts, context_squares, j),
            (word_bias, word_bias_squares, i),
            (context_bias, context_bias_squares, j),
        )
        for gradient, (table, squares, at) in zip(gradients, tables, strict=True):
            squares[at] += gradient * gradient
            table[at] -= lr * gradient / squares[at] ** 0.5
    return words.dtype.type(loss)
