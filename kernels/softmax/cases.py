"""What softmax and cross-entropy are proved and timed on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.case import Case
from tinymed.kernels.conv.reference import Ints
from tinymed.kernels.softmax import reference

SPECIAL = (np.nan, np.inf, -np.inf, 0.0, 80.0)


def _logits(rng: np.random.Generator, shape: Ints, dtype: np.dtype[Any], special: str) -> Array:
    """Return logits some of which lead exp to underflow, or such as are no numbers."""
    x = (rng.standard_normal(shape) * 9).astype(dtype)
    if special == "masked":  # as attention does
        x[rng.random(shape) < 0.3] = -np.inf
        x[:, 0] = 0
    if special == "masked but the last":  # all that some threads, or a whole turn, see is -inf
        x[:, :-1][rng.random((shape[0], shape[1] - 1, *shape[2:])) < 0.97] = -np.inf
    if special == "masked, one row whole":  # which gives NaN
        x[rng.random(shape) < 0.5] = -np.inf
        x[1] = -np.inf
    if special == "large":  # exp of them overflows
        x *= 100
    if special == "nan and inf":
        x = rng.choice(np.array(SPECIAL, dtype), shape)
    return x


def _forward(shape: Ints, special: str = "") -> Any:
    return lambda rng, dtype: (_logits(rng, shape, dtype, special),)


def _grad(shape: Ints, log: bool = False) -> Any:
    forward = reference.log_softmax if log else reference.softmax

    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        y = forward(_logits(rng, shape, dtype, ""))
        return rng.standard_normal(shape).astype(dtype), y

    return make


def _loss(shape: Ints, special: str = "") -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        return _logits(rng, shape, dtype, special), rng.integers(0, shape[1], shape[0])

    return make


def _loss_grad(shape: Ints, special: str = "") -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        g = rng.standard_normal(shape[0]).astype(dtype)
        return g, *_loss(shape, special)(rng, dtype)

    return make


def _mean_grad(shape: Ints, special: str = "") -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        return np.asarray(rng.standard_normal(), dtype), *_loss(shape, special)(rng, dtype)

    return make


def _masked() -> list[Case]:
    """Return cases of which most logits are -inf."""
    cases = []
    for special in ("masked but the last", "masked, one row whole"):
        for shape in ((5, 37, 1), (2, 3, 7), (2, 132, 1), (2, 16421, 1)):
            for name in ("softmax.softmax", "softmax.log_softmax"):
                cases.append(Case(name, f"{shape}, {special}", _forward(shape, special), shape[1]))
        for two in ((7, 37), (70, 5), (3, 1000)):
            given = _loss(two, special), two[1]
            cases += [
                Case("softmax.cross_entropy", f"{two}, {special}", *given),
                Case("softmax.cross_entropy_grad", f"{two}, {special}", _loss_grad(two, special)),
                Case("softmax.mean_cross_entropy", f"{two}, {special}", *given),
                Case("softmax.mean_cross_entropy_grad", f"{two}, {special}",
                     _mean_grad(two, special)),
            ]  # fmt: skip
    return cases


def _proofs() -> list[Case]:
    cases = _masked()
    for shape in (
        (1, 1, 1),
        (3, 2, 1),
        (5, 37, 1),
        (2, 3, 7),
        (3, 5, 70),
        (1, 33, 2),
        (2, 3, 64),
        (0, 4, 3),
        (2, 132, 1),
        (1, 2301, 1),
        (1, 16421, 1),
    ):
        for log in (False, True):
            name = "softmax.log_softmax" if log else "softmax.softmax"
            cases.append(Case(f"{name}_grad", f"{shape}", _grad(shape, log), shape[1]))
            cases += [
                Case(name, f"{shape}, {special}", _forward(shape, special), shape[1])
                for special in ("plain", "masked")
            ]
    for two in ((1, 1), (32, 2), (7, 37), (70, 5), (3, 1000), (0, 3)):
        for kernel, make in (("cross_entropy", _loss), ("cross_entropy_grad", _loss_grad)):
            cases.append(Case(f"softmax.{kernel}", f"{two}", make(two), two[1]))
        if two[0]:
            terms = math.prod(two)
            cases += [
                Case("softmax.mean_cross_entropy", f"{two}", _loss(two), terms),
                Case("softmax.mean_cross_entropy_grad", f"{two}", _mean_grad(two), terms),
            ]
    return [
        *cases,
        Case("softmax.cross_entropy", "large logits", _loss((7, 37), "large"), 37),
        Case("softmax.cross_entropy_grad", "large logits", _loss_grad((7, 37), "large"), 37),
        Case("softmax.mean_cross_entropy", "large logits", _loss((7, 37), "large"), 7 * 37),
    ]


def _benches() -> list[Case]:
    cases = []
    for shape in ((4096, 1000, 1), (3072, 128, 1), (8, 4, 65536)):
        size = math.prod(shape)
        for kernel, make, flops in (
            ("softmax", _forward(shape), 5),
            ("softmax_grad", _grad(shape), 4),
            ("log_softmax", _forward(shape), 5),
            ("log_softmax_grad", _grad(shape, True), 4),
        ):
            moved = 4 * size * (3 if "grad" in kernel else 2)
            name = f"softmax.{kernel}"
            cases.append(Case(name, f"{shape}", make, shape[1], flops=flops * size, bytes=moved))
    for two in ((4096, 1000), (32, 2), (65536, 4)):
        size = math.prod(two)
        for kernel, build, moved in (
            ("cross_entropy", _loss, 4 * size),
            ("cross_entropy_grad", _loss_grad, 8 * size),
            ("mean_cross_entropy", _loss, 4 * size),
            ("mean_cross_entropy_grad", _mean_grad, 8 * size),
        ):
            name = f"softmax.{kernel}"
            cases.append(Case(name, f"{two}", build(two), two[1], flops=5 * size, bytes=moved))
    return cases


PROOFS = _proofs()
BENCHES = _benches()
