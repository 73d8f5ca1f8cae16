"""What sums and products are proved and timed on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.case import Case


def _two(*shape: int) -> Any:
    return lambda rng, dtype: tuple(
        rng.standard_normal(shape).astype(dtype, copy=False) for _ in range(2)
    )


def _special(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    a = np.array([1.5, np.inf, -np.inf, np.nan, 2.0, np.nan], dtype)
    b = np.array([-0.0, 2.0, 3.0, 1.0, np.nan, np.inf], dtype)
    return a, b


NAMES = ("arithmetic.add", "arithmetic.multiply")
PROOFS = [
    Case(name, f"{shape}", _two(*shape))
    for name in NAMES
    for shape in ((), (1,), (3, 5), (2, 3, 37), (0, 4))
] + [Case(name, "nan and inf", _special) for name in NAMES]
BENCHES = [
    Case(name, f"{shape}", _two(*shape), flops=math.prod(shape), bytes=12 * math.prod(shape))
    for name in NAMES
    for shape in ((32, 64), (32, 64, 28, 28))
]
