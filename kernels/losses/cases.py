"""What losses of values are proved and timed on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.case import Case
from tinymed.kernels.conv.reference import Ints


def _given(shape: Ints, grad: bool, spread: float = 3) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        x, target = rng.standard_normal(shape) * spread, rng.random(shape)
        g = (np.asarray(rng.standard_normal(), dtype),) if grad else ()
        return *g, x.astype(dtype), target.astype(dtype)

    return make


def _nan(grad: bool) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        *g, x, target = _given((3, 7), grad)(rng, dtype)
        x[0, 0], x[1, 1] = np.nan, 80
        return *g, x, target

    return make


LOSSES = ("mean_squares", "mean_logistic")
PROOFS = [
    Case(f"losses.{name}{'_grad' * grad}", special, make, terms)
    for name in LOSSES
    for grad in (False, True)
    for special, make, terms in (
        *((f"{shape}", _given(shape, grad), math.prod(shape)) for shape in ((), (1,), (5, 3))),
        *((f"{shape}", _given(shape, grad), math.prod(shape)) for shape in ((2, 37), (3, 3001))),
        ("far from 0", _given((4, 9), grad, 60), 36),
        ("nan", _nan(grad), 21),
    )
]
BENCHES = [
    Case(
        f"losses.{name}{'_grad' * grad}",
        f"{shape}",
        _given(shape, grad),
        flops=(3 if name == "mean_squares" else 12) * math.prod(shape),
        bytes=(8 + 4 * grad) * math.prod(shape),
    )
    for name in LOSSES
    for grad in (False, True)
    for shape in ((32, 1), (32, 1, 256, 256))
]
