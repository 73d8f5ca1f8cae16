"""Matrix products on tensor cores: float16, bfloat16, float32 rounded to TF32. See tensor.cu."""

from __future__ import annotations

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda import ARCHITECTURES, Variant
from tinymed.kernels.matmul.cuda import LAYOUTS, multiply

__all__ = ["TENSOR_CORES", "VARIANTS", "choose", "linear", "product", "shared_bytes", "tensor"]

TILE, STAGES = 128, 4  # as tensor_tiles.cuh has them
# GPUs whose tensor cores take TF32 and bfloat16, and that copy past their registers
TENSOR_CORES = tuple(a for a in ARCHITECTURES if int(a.removeprefix("sm_")) >= 80)

# Those that do TF32 several times as fast as float32; the others would gain nothing.
SPLITTING = ("sm_80", "sm_90", "sm_100")


def shared_bytes(size: int, rows: int, a_along_k: int, b_along_k: int) -> int:
    """Return what the ring of tiles takes, in bytes; ``rows`` of a tile, elements of ``size``."""
    chunk = 16 // size
    elements = sum(
        lines * (4 * chunk + chunk) if along_k else 4 * chunk * (lines + 8)
        for lines, along_k in ((rows, a_along_k), (TILE, b_along_k))
    )
    return STAGES * elements * size


def tensor(dtype: str, a_along_k: int, b_along_k: int) -> Variant:
    """Return the variant of tensor.cu for "tf32", "tf32x3", "bfloat16" or "float16"."""
    layout = f"{'nt'[1 - a_along_k]}{'nt'[b_along_k]}"
    return Variant(
        name=f"matmul/{dtype}_{layout}",
        source="matmul/tensor.cu",
        entries=("matmul",),
        defines=(
            *(("FORMAT", dtype.upper()), ("ROUNDED", 0), ("TILE_M", TILE)),
            *(("A_ALONG_K", a_along_k), ("B_ALONG_K", b_along_k)),
        ),
        architectures=SPLITTING if dtype == "tf32x3" else TENSOR_CORES,
        shared=shared_bytes(4 if dtype.startswith("tf32") else 2, TILE, a_along_k, b_along_k),
    )


TENSOR = {(dtype, *layout): tensor(dtype, *layout)
          for dtype in ("tf32", "bfloat16", "float16") for layout in LAYOUTS}  # fmt: skip
VARIANTS = tuple(TENSOR.values())


def choose(a: Array, b: Array, layout: tuple[int, int]) -> Variant:
    """Return the variant for a (..., M, K), b (..., K, N); ``layout``: are neighbours along K?"""
    return TENSOR["tf32" if a.dtype == np.float32 else a.dtype.name, *layout]


def product(a: Array, b: Array) -> Array:
    """Return a b, (..., M, K)(..., K, N) -> (..., M, N)."""
    return multiply(a, b, None, None, choose)


def linear(x: Array, weight: Array, bias: Array | None, activation: str | None) -> Array:
    """Return f(x weight^T + bias), (M, D)(D, H) + (H,) -> (M, H)."""
    return multiply(x, weight.T, bias, activation, choose)
