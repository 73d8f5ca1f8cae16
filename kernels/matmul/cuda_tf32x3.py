"""Matrix products of float32 on tensor cores, each of three products of TF32. See tensor.cu."""

from __future__ import annotations

from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda import Variant
from tinymed.kernels.matmul.cuda import LAYOUTS, multiply
from tinymed.kernels.matmul.cuda_tensor import tensor

__all__ = ["VARIANTS", "choose", "linear", "product"]

SPLIT = {layout: tensor("tf32x3", *layout) for layout in LAYOUTS}
VARIANTS = tuple(SPLIT.values())


def choose(a: Array, b: Array, layout: tuple[int, int]) -> Variant:
    """Return the variant for a (..., M, K), b (..., K, N); ``layout``: are neighbours along K?"""
    return SPLIT[layout]


def product(a: Array, b: Array) -> Array:
    """Return a b, (..., M, K)(..., K, N) -> (..., M, N)."""
    return multiply(a, b, None, None, choose)


def linear(x: Array, weight: Array, bias: Array | None, activation: str | None) -> Array:
    """Return f(x weight^T + bias), (M, D)(D, H) + (H,) -> (M, H)."""
    return multiply(x, weight.T, bias, activation, choose)
