"""A few co-occurrences in blocks for proof, and as many as a small text has to time."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.case import Case, Make


def cooccurrences(rows: int, width: int, count: int, side: int) -> Make:
    """Return what makes the arguments: ``count`` random co-occurrences in side x side blocks."""

    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        vectors = [np.asarray(rng.standard_normal((rows, width)) / 3, dtype) for _ in range(2)]
        biases = [np.asarray(rng.standard_normal(rows), dtype) for _ in range(2)]
        squares = [np.ones_like(array) for array in (*vectors, *biases)]
        i, j = rng.integers(0, rows, (2, count))
        block = i % side * side + j % side
        order = np.argsort(block, kind="stable")
        starts = np.searchsorted(block[order], np.arange(side * side + 1))
        counts = [np.asarray(rng.random(count) * scale, dtype) for scale in (3, 1)]
        return *vectors, *biases, *squares, i[order], j[order], *counts, starts, 0.05

    return make


PROOFS = [
    Case("glove.adagrad", "in 9 blocks", cooccurrences(10, 33, 150, 3), 150),
    Case("glove.adagrad", "in one block", cooccurrences(4, 16, 40, 1), 40),
    Case("glove.adagrad", "width 1", cooccurrences(7, 1, 60, 2), 60),
    Case("glove.adagrad", "mostly empty blocks", cooccurrences(50, 5, 20, 8), 20),
    Case("glove.adagrad", "nothing", cooccurrences(5, 5, 0, 2)),
]

N, D = 100_000, 100

BENCHES = [
    Case(
        "glove.adagrad",
        "100000 co-occurrences of 10000 words, 100 numbers",
        cooccurrences(10_000, D, N, 8),
        1,
        14.0 * N * D,
        8 * 4.0 * N * D,
    ),
]
