"""What weighted sums along an axis are proved and timed on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.case import Case, Make

Shape = tuple[int, ...]


def _sums(shape: Shape, dim: int, outputs: int, taps: int, special: str = "") -> Make:
    """Return what makes the arguments: some outputs have fewer taps, some none."""

    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        x = rng.standard_normal(shape).astype(dtype)
        index = rng.integers(0, max(1, shape[dim]), (outputs, taps))
        used = np.full(outputs, taps) if special == "whole" else rng.integers(0, taps + 1, outputs)
        index[np.arange(taps) >= used[:, None]] = -1
        weight = rng.standard_normal((outputs, taps)).astype(dtype)
        if special == "inf":
            x[rng.random(shape) < 0.05] = np.inf
        return x, index, weight, dim

    return make


def _twice(shape: Shape, dim: int) -> Make:
    """Return what makes the arguments of a linear enlargement to twice the size."""

    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        size = shape[dim]
        where = np.maximum((np.arange(2 * size) + 0.5) / 2 - 0.5, 0)
        low = where.astype(np.int64)
        index = np.stack([low, np.minimum(low + 1, size - 1)], 1)
        weight = np.stack([1 - (where - low), where - low], 1).astype(dtype)
        return rng.standard_normal(shape).astype(dtype), index, weight, dim

    return make


PROOFS = [
    *(
        Case("resampling.forward", f"{shape}, axis {dim} to {outputs}, {taps} taps",
             _sums(shape, dim, outputs, taps), terms=taps)
        for shape, dim, outputs, taps in (
            *(((7,), 0, 5, 2), ((1, 1), 1, 1, 1), ((3, 8), 1, 33, 2), ((40, 21), 1, 64, 3)),
            *(((33, 5), 0, 9, 4), ((2, 3, 6, 7), 2, 12, 2), ((2, 3, 6, 7), 3, 14, 2)),
            *(((2, 2, 4, 5, 19), 2, 3, 5), ((0, 4), 1, 8, 2), ((4, 0), 0, 8, 2)),
            *(((17, 100), 1, 3, 1), ((16, 16), 1, 16, 2)),
        )
    ),
    Case("resampling.forward", "every tap", _sums((5, 3, 18), 1, 7, 3, "whole"), terms=3),
    Case("resampling.forward", "inf", _sums((20, 18), 1, 20, 3, "inf"), terms=3),
    Case("resampling.forward", "inf, inner rows", _sums((3, 18, 20), 1, 20, 3, "inf"), terms=3),
]  # fmt: skip


def _timed(shape: Shape, dim: int) -> Case:
    """Return a case of `_twice`: two products and sums for each result."""
    name, size = f"{shape} twice along axis {dim}", math.prod(shape)
    made = _twice(shape, dim)
    return Case("resampling.forward", name, made, terms=2, flops=8 * size, bytes=12 * size)


BENCHES = [
    _timed(shape, dim)
    for shape in ((4, 32, 64, 64), (2, 16, 16, 32, 32))
    for dim in (2, len(shape) - 1)
]
LARGE = [_timed((8, 32, 256, 256), dim) for dim in (2, 3)]
