"""Tables and ids for proof: repeated ids, none, empty bags; and those of language for the clock."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.case import Case, Make

Shape = tuple[int, ...]


def table(rng: np.random.Generator, dtype: np.dtype[Any], *shape: int) -> Any:
    """Return normal numbers."""
    return np.asarray(rng.standard_normal(shape), dtype)


def words(rng: np.random.Generator, shape: Shape, rows: int) -> Any:
    """Return ids that are as frequent as words are: id r about 1 / (r + 1) of the first."""
    return np.asarray(np.minimum(rows ** rng.random(shape), rows - 1), np.int64)


def reading(rows: int, width: int, shape: Shape) -> Make:
    """Return what makes the arguments of `forward`."""
    return lambda rng, dtype: (table(rng, dtype, rows, width), words(rng, shape, rows))


def summing(rows: int, width: int, count: int) -> Make:
    """Return what makes the arguments of `sum_rows`."""
    return lambda rng, dtype: (table(rng, dtype, count, width), words(rng, (count,), rows))


def dense(rows: int, width: int, count: int) -> Make:
    """Return what makes the arguments of `grad_weight`."""
    return lambda rng, dtype: (*summing(rows, width, count)(rng, dtype), rows)


def flat(rows: int, count: int) -> Make:
    """Return what makes the arguments of `grad_weight` for a table of single numbers."""
    return lambda rng, dtype: (table(rng, dtype, count), words(rng, (count,), rows), rows)


def bags(
    rows: int, width: int, lengths: list[int], weighted: bool | None = None, ties: bool = False
) -> Make:
    """Return what makes the arguments of `bag_sum`, or, with ``weighted`` None, of `bag_max`."""

    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        weight = table(rng, dtype, rows, width)
        if ties:
            weight = np.round(weight)
            weight[::3, ::2] = math.nan
        given = weight, words(rng, (sum(lengths),), rows), np.cumsum([0, *lengths])
        if weighted is None:
            return given
        return *given, table(rng, dtype, sum(lengths)) if weighted else None

    return make


def long(rows: int, width: int, norm: float, picked: int) -> Make:
    """Return what makes the arguments of `renormalize`."""
    return lambda rng, dtype: (
        table(rng, dtype, rows, width),
        np.sort(rng.permutation(rows)[:picked]),
        0.7 * width ** (1 / norm) if norm != math.inf else 1.5,
        norm,
    )


LENGTHS = [3, 0, 1, 0, 17, 5, 0]

PROOFS = [
    Case("embedding.forward", "ids (3, 5)", reading(7, 33, (3, 5))),
    Case("embedding.forward", "no ids", reading(7, 3, (0,))),
    Case("embedding.forward", "one id", reading(1, 16, ())),
    Case("embedding.forward", "in pieces", reading(1000, 65, (2500,))),
    Case("embedding.forward", "width 0", reading(4, 0, (3,))),
    *(
        Case(f"embedding.{kernel}", f"{count} of {rows} rows, width {width}", case, terms=count)
        for rows, width, count in (
            *((7, 33, 50), (7, 3, 0), (1, 16, 5), (5000, 40, 3000), (9, 1, 20), (4, 0, 3)),
            *((2049, 5, 300), ((1 << 22) + 9, 1, 200)),  # two and three digits
        )
        for kernel, case in (
            ("sum_rows", summing(rows, width, count)),
            ("grad_weight", dense(rows, width, count)),
        )
    ),
    Case("embedding.grad_weight", "single numbers", flat(11, 40), terms=40),
    Case("embedding.bag_sum", "sums", bags(9, 33, LENGTHS, False), terms=17),
    Case("embedding.bag_sum", "weighted sums", bags(9, 33, LENGTHS, True), terms=17),
    Case("embedding.bag_sum", "in pieces", bags(500, 40, [7] * 900, True), terms=7),
    Case("embedding.bag_sum", "no bags", bags(9, 5, [], False)),
    Case("embedding.bag_sum", "empty bags alone", bags(9, 5, [0, 0], True)),
    Case("embedding.bag_max", "maxima", bags(9, 33, LENGTHS)),
    Case("embedding.bag_max", "ties and NaN", bags(9, 21, LENGTHS * 9, ties=True)),
    Case("embedding.bag_max", "in pieces", bags(500, 40, [7] * 900)),
    Case("embedding.bag_max", "no bags", bags(9, 5, [])),
    *(
        Case("embedding.renormalize", f"p = {norm}", long(60, 33, norm, 30), terms=33)
        for norm in (1.0, 2.0, 3.0, math.inf)
    ),
    Case("embedding.renormalize", "in pieces", long(3000, 64, 2.0, 2500), terms=64),
    Case("embedding.renormalize", "no rows", long(6, 5, 2.0, 0)),
]

V, D, N = 30000, 128, 8192
ROW = 4.0 * D  # bytes
BAG = [32] * (N // 32)

BENCHES = [
    Case(
        "embedding.forward",
        "30000 x 128, 8192 ids",
        reading(V, D, (64, N // 64)),
        1,
        0,
        2 * N * ROW,
    ),
    Case("embedding.sum_rows", "30000 x 128, 8192 ids", summing(V, D, N), 1, N * D, 2 * N * ROW),
    Case("embedding.grad_weight", "30000 x 128, 8192 ids", dense(V, D, N), 1, N * D, (N + V) * ROW),
    Case("embedding.bag_sum", "256 bags of 32", bags(V, D, BAG, True), 1, 2 * N * D, N * ROW),
    Case("embedding.bag_max", "256 bags of 32", bags(V, D, BAG), 1, N * D, N * ROW),
    Case("embedding.renormalize", "8192 rows", long(V, D, 2.0, N), 1, 3 * N * D, 2 * N * ROW),
]
