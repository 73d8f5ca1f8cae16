"""Matrix products on tensor cores: float32 rounded to TF32, or bfloat16. See tensor.cu."""

from __future__ import annotations

from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda import ARCHITECTURES, Variant
from tinymed.kernels.matmul.cuda import LAYOUTS, is_wide, multiply

__all__ = ["VARIANTS", "choose", "linear", "product", "shared_bytes"]

TILE, STAGES = 128, 4  # as tensor.cu has them


def shared_bytes(size: int, a_along_k: int, b_along_k: int) -> int:
    """Return what the ring of tiles takes, in bytes, for elements of ``size`` bytes."""
    chunk = 16 // size
    along, across = TILE * (4 * chunk + chunk), 4 * chunk * (TILE + 8)
    elements = sum(along if along_k else across for along_k in (a_along_k, b_along_k))
    return STAGES * elements * size


def tensor(dtype: str, wide: int, a_along_k: int, b_along_k: int) -> Variant:
    """Return the variant of tensor.cu for "tf32" or "bfloat16"."""
    layout = f"{'nt'[1 - a_along_k]}{'nt'[b_along_k]}"
    return Variant(
        name=f"matmul/{dtype}{'' if wide else '_narrow'}_{layout}",
        source="matmul/tensor.cu",
        entries=("matmul",),
        defines=(
            *(("BF16", int(dtype == "bfloat16")), ("WIDE", wide)),
            *(("A_ALONG_K", a_along_k), ("B_ALONG_K", b_along_k)),
        ),
        architectures=tuple(a for a in ARCHITECTURES if int(a.removeprefix("sm_")) >= 80),
        shared=shared_bytes(4 if dtype == "tf32" else 2, a_along_k, b_along_k),
    )


TENSOR = {(dtype, wide, *layout): tensor(dtype, wide, *layout)
          for dtype in ("tf32", "bfloat16") for wide in (1, 0) for layout in LAYOUTS}  # fmt: skip
VARIANTS = tuple(TENSOR.values())


def choose(a: Array, b: Array, turned: tuple[bool, bool]) -> Variant:
    """Return the variant for a (..., M, K), b (..., K, N); ``turned``: columns are contiguous."""
    dtype = "bfloat16" if a.dtype.name == "bfloat16" else "tf32"
    wide = is_wide(a, b, a.shape[-2], b.shape[-1], a.shape[-1])
    return TENSOR[dtype, int(wide), int(not turned[0]), int(turned[1])]


def product(a: Array, b: Array) -> Array:
    """Return a b, (..., M, K)(..., K, N) -> (..., M, N)."""
    return multiply(a, b, None, None, choose)


def linear(x: Array, weight: Array, bias: Array | None, activation: str | None) -> Array:
    """Return f(x weight^T + bias), (M, D)(D, H) + (H,) -> (M, H); a float32 bias for bfloat16."""
    return multiply(x, weight.T, bias, activation, choose)
