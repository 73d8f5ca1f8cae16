"""What dropout by a counter is proved and timed on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.case import Case, Make

Shape = tuple[int, ...]
SEED = 0x299F31D0A4093822  # both halves of it matter


def dropping(shape: Shape, inner: int, p: float, *line: float, seed: int = SEED) -> Make:
    """Return what makes the arguments; ``line`` is scale, shift and floor."""
    return lambda rng, dtype: (
        rng.standard_normal(shape).astype(dtype, copy=False),
        *(inner, p, seed, *(line or (1 / (1 - p), 0.0, 0.0))),
    )


def _nan(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    x, *given = dropping((7, 5), 1, 0.5)(rng, dtype)
    x[::2, 1] = np.nan
    return x, *given


def _like(shape: Shape, low: float, high: float, seed: int = SEED) -> Make:
    return lambda rng, dtype: (np.zeros(shape, dtype), seed, low, high)


PROOFS = [
    *(
        Case("dropout.forward", f"{shape}, {inner} at a time", dropping(shape, inner, 0.3))
        for shape, inner in (
            *(((), 1), ((1,), 1), ((0, 4), 1), ((3, 5), 1), ((4, 33, 61), 1), ((64, 100), 1)),
            *(((4, 9, 6, 8), 48), ((3, 5, 7, 7), 49), ((2, 600, 3), 3), ((2, 3, 0), 1)),
        )
    ),
    Case("dropout.forward", "seed 0", dropping((9, 40), 1, 0.5, seed=0)),
    Case("dropout.forward", "the largest seed", dropping((9, 40), 1, 0.5, seed=2**64 - 1)),
    Case("dropout.forward", "all", dropping((9, 40), 1, 1.0, 1.0, 0.0, 0.0)),
    Case("dropout.forward", "none", dropping((9, 40), 1, 0.0)),
    Case("dropout.forward", "a shift and a floor", dropping((9, 40), 1, 0.2, 1.1, 0.3, -1.7)),
    Case("dropout.forward", "channels to a floor", dropping((9, 5, 8), 8, 0.2, 1.1, 0.3, -1.7)),
    Case("dropout.forward", "nan", _nan),
    *(
        Case("dropout.uniform", f"{shape}", _like(shape, 1 / 8, 1 / 3))
        for shape in ((), (1,), (0, 4), (3, 5), (9, 40), (4, 33, 61))
    ),
    Case("dropout.uniform", "seed 0, from -2 to 5", _like((9, 7), -2.0, 5.0, seed=0)),
    Case("dropout.uniform", "one number alone", _like((6,), 0.25, 0.25, seed=2**64 - 1)),
]
BENCHES = [
    *(
        Case("dropout.forward", f"{shape}", dropping(shape, inner, 0.5), bytes=8 * math.prod(shape))
        for shape, inner in (((32, 128), 1), ((32, 64, 56, 56), 1), ((32, 64, 56, 56), 56 * 56))
    ),
    *(
        Case("dropout.uniform", f"{shape}", _like(shape, 1 / 8, 1 / 3), bytes=4 * math.prod(shape))
        for shape in ((32, 128), (32, 64, 56, 56))
    ),
]
