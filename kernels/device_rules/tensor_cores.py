"""When tensor cores pay, and what they do to numbers: the same for products and convolutions."""

from __future__ import annotations

from typing import Any

__all__ = ["SPLIT", "TENSOR", "halves", "has_tensor_cores", "on_hopper"]

TENSOR = "tensor cores: exact products of 16 bits, sums in float32; float32 is rounded to TF32"
SPLIT = "tensor cores: float32 in three products of TF32; an infinity becomes NaN"


def halves(x: Any, *others: Any) -> bool:
    """Return whether numbers have 16 bits already."""
    return x.dtype.itemsize == 2


def has_tensor_cores(*arguments: Any) -> bool:
    """Return whether the GPU's tensor cores take TF32 and bfloat16."""
    from tinymed.kernels.cuda import capability

    return capability(next(x for x in arguments if hasattr(x, "dtype"))) >= (8, 0)


def on_hopper(a: Any, *others: Any) -> bool:
    """Return whether the GPU is the one whose warpgroups multiply so."""
    from tinymed.kernels.cuda import capability

    return capability(a) == (9, 0)
