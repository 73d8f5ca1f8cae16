"""What a first layer is proved and timed on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.case import Case
from tinymed.kernels.conv_pool import reference

Ints = tuple[int, ...]


def _cases(shape: Ints, k: int, padding: Ints, timed: bool) -> list[Case]:
    """Return both kernels on x of a shape (N, C, H, W), with k output channels."""
    n, c, *spatial = shape
    out = (n, k, *((s + 2 * p) // 2 - 1 for s, p in zip(spatial, padding, strict=True)))

    def forward(rng: np.random.Generator, dtype: Any) -> tuple[Any, ...]:
        shapes = (shape, (k, c, 3, 3), (k,))
        x, w, bias = (rng.standard_normal(one, np.float32).astype(dtype) for one in shapes)
        return x, w, bias, padding

    def grad_weight(rng: np.random.Generator, dtype: Any) -> tuple[Any, ...]:
        x, g = (rng.standard_normal(one, np.float32).astype(dtype) for one in (shape, out))
        winner = rng.integers(0, reference.DEAD + 1, out).astype(np.uint8)
        return g, winner, x, padding

    name = "x".join(map(str, shape)) + f" to {k}, padding {padding}"
    products = 9.0 * c * math.prod(out)
    moved = 4.0 * math.prod(shape) + 5.0 * math.prod(out)  # numbers, and a byte for each winner
    return [
        Case("conv_pool.forward", name, forward, 9 * c, 8 * products * timed, moved * timed),
        Case(
            "conv_pool.grad_weight",
            name,
            grad_weight,
            n * math.prod(out[2:]),
            2 * products * timed,
            moved * timed,
        ),
    ]


def _infinite() -> Case:
    """Return a case with ties, a nan and infinities: who wins is exact."""

    def make(rng: np.random.Generator, dtype: Any) -> tuple[Any, ...]:
        x = rng.integers(-1, 2, (2, 1, 12, 40)).astype(dtype)
        x[0, 0, 4, 5], x[0, 0, 9, 30], x[1, 0, 3, 3] = np.nan, np.inf, -np.inf
        w = rng.integers(1, 3, (3, 1, 3, 3)).astype(dtype)
        return x, w, np.zeros(3, dtype), (1, 1)

    return Case("conv_pool.forward", "ties, nan, inf", make, 9)


ODD = [
    ((0, 1, 8, 8), 4, (1, 1)),
    ((1, 1, 4, 4), 1, (0, 0)),
    ((2, 1, 9, 11), 5, (1, 1)),
    ((3, 2, 7, 38), 3, (0, 2)),
    ((1, 4, 70, 35), 6, (3, 1)),
    ((2, 3, 133, 6), 7, (1, 0)),
]
MODELS = [
    ((32, 1, 64, 64), 16, (1, 1)),
    ((32, 3, 64, 64), 32, (1, 1)),
    ((8, 1, 256, 256), 32, (1, 1)),
]

PROOFS = [*(case for one in ODD for case in _cases(*one, timed=False)), _infinite()]
BENCHES = [case for one in MODELS for case in _cases(*one, timed=True)]
