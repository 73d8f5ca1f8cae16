"""GloVe's steps, the blocks of a diagonal on several threads at the same time."""

from __future__ import annotations

import math

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.copying import contiguous
from tinymed.kernels.glove import loops
from tinymed.kernels.parallel import parallel


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
    side, width = math.isqrt(len(starts) - 1), words.shape[1]
    tables = (
        *(words.reshape(-1), contexts.reshape(-1), word_bias, context_bias),
        *(word_squares.reshape(-1), context_squares.reshape(-1)),
        *(word_bias_squares, context_bias_squares),
    )
    counts = map(contiguous, (rows, columns, targets, weights, starts))
    given = *tables, width, *counts, float(lr)
    losses = np.zeros(side)
    for diagonal in range(side):
        parallel(loops.adagrad, side, 1, diagonal, side, *given, losses)
    return words.dtype.type(losses.sum())
