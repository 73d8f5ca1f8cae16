"""What normalisation is proved and timed on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.case import Case
from tinymed.kernels.conv.reference import Ints
from tinymed.kernels.normalization import reference
from tinymed.precision import of_sums, widened

EPS = 1e-5
Affine = tuple[Array | None, Array | None]


def _input(
    rng: np.random.Generator, shape: Ints, dtype: np.dtype[Any], affine: bool
) -> tuple[Array, Affine]:
    """Return x, far from mean 0 as activations are, and weight and bias or neither."""
    x = (rng.standard_normal(shape) + 2).astype(dtype)
    weight, bias = (rng.standard_normal(shape[1]).astype(of_sums(dtype)) for _ in range(2))
    if weight.size:
        weight[0] = 0
    return x, (weight, bias) if affine else (None, None)


def _batch(shape: Ints, affine: bool = True, special: float = 0) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        x, (weight, bias) = _input(rng, shape, dtype, affine)
        if special:
            x[1, 1] = special
        return x, weight, bias, EPS

    return make


def _batch_grad(shape: Ints, affine: bool = True) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        x, (weight, _) = _input(rng, shape, dtype, affine)
        g = rng.standard_normal(shape).astype(dtype)
        axes = (0, *range(2, x.ndim))
        exact = widened(x)
        return g, x, weight, exact.mean(axis=axes), exact.var(axis=axes), EPS

    return make


def _affine(shape: Ints, affine: bool = True, special: float = 0) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        x, bias = _batch(shape, affine, special)(rng, dtype)[::2]
        mean, scale = (rng.standard_normal(shape[1]).astype(of_sums(dtype)) for _ in range(2))
        return x, mean, scale, bias

    return make


def _group(shape: Ints, groups: int, affine: bool = True, special: float = 0) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        x, (weight, bias) = _input(rng, shape, dtype, affine)
        if special:
            x[1, 1] = special
        return x, weight, bias, groups, EPS

    return make


def _group_grad(shape: Ints, groups: int, affine: bool = True) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        x, (weight, bias) = _input(rng, shape, dtype, affine)
        g = rng.standard_normal(shape).astype(dtype)
        _, mean, variance = reference.group_norm(widened(x), weight, bias, groups, EPS)
        return g, x, weight, mean, variance, EPS

    return make


def _proofs() -> list[Case]:
    cases = []
    rows, images = (
        ((4, 3), (70, 35), (2, 1), (3, 0)),
        ((3, 5, 7), (2, 70, 3), (2, 3, 9, 11), (5, 3, 8)),
    )
    for shape in (*rows, *images, (3, 2, 4, 5, 6)):
        terms = shape[0] * math.prod(shape[2:])
        for affine in (True, False):
            name = f"{shape}{'' if affine else ' plain'}"
            cases.append(Case("normalization.batch_norm", name, _batch(shape, affine), terms))
            grad = _batch_grad(shape, affine)
            cases.append(Case("normalization.batch_norm_grad", name, grad, terms))
            cases.append(Case("normalization.affine", name, _affine(shape, affine)))
    groups = ((3, 37, 1), 1), ((130, 20, 1), 1), ((2, 24, 1), 3), ((1, 5, 9), 1), ((3, 8, 35), 2)
    for shape, number in (
        *groups,
        ((2, 3, 50), 3),
        ((2, 132, 1), 1),
        ((1, 2, 1100), 1),
        ((0, 4, 5), 2),
        ((0, 4, 1), 1),
    ):
        terms = max(shape[0], math.prod(shape[1:]) // number) * shape[2]
        for affine in (True, False):
            name = f"{shape} in {number}{'' if affine else ' plain'}"
            forward = _group(shape, number, affine)
            cases.append(Case("normalization.group_norm", name, forward, terms))
            grad = _group_grad(shape, number, affine)
            cases.append(Case("normalization.group_norm_grad", name, grad, terms))
    for special in (math.nan,):
        for shape in ((3, 4), (3, 4, 20)):
            name = f"{shape} with {special}"
            cases.append(Case("normalization.batch_norm", name, _batch(shape, True, special)))
            cases.append(Case("normalization.affine", name, _affine(shape, True, special)))
        for shape in ((3, 4, 1), (3, 4, 20)):
            name = f"{shape} with {special}"
            cases.append(Case("normalization.group_norm", name, _group(shape, 2, True, special)))
    return cases


def _benches() -> list[Case]:
    cases = []
    for shape in ((32, 64, 56, 56), (32, 512, 7, 7), (32, 16, 64, 64), (128, 1024)):
        size, terms = math.prod(shape), math.prod(shape) // shape[1]
        for kernel, make, flops, moved in (
            ("batch_norm", _batch(shape), 7 * size, 8 * size),
            ("batch_norm_grad", _batch_grad(shape), 9 * size, 12 * size),
            ("affine", _affine(shape), 3 * size, 8 * size),
        ):
            name = f"normalization.{kernel}"
            cases.append(Case(name, f"{shape}", make, terms, flops=flops, bytes=moved))
    for sample, groups in (((4096, 512, 1), 1), ((8, 64, 3136), 8), ((8, 64, 3136), 64)):
        size, terms = math.prod(sample), math.prod(sample[1:]) // groups
        for kernel, make, flops, moved in (
            ("group_norm", _group(sample, groups), 7 * size, 8 * size),
            ("group_norm_grad", _group_grad(sample, groups), 11 * size, 12 * size),
        ):
            name = f"{sample} in {groups}"
            full = f"normalization.{kernel}"
            cases.append(Case(full, name, make, terms, flops=flops, bytes=moved))
    return cases


PROOFS = _proofs()
BENCHES = _benches()
