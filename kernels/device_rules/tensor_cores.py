"""When tensor cores pay, and what they do to numbers: the same for products and convolutions."""

from __future__ import annotations

from typing import Any

__all__ = ["SPLIT", "TENSOR", "halves_on_tensor_cores"]

TENSOR = "tensor cores: exact products of 16 bits, sums in float32; float32 is rounded to TF32"
SPLIT = "tensor cores: float32 in three products of TF32; an infinity becomes NaN"


def halves_on_tensor_cores(x: Any, *others: Any) -> bool:
    """Return whether numbers have 16 bits already, on a GPU whose tensor cores take them."""
    from tinymed.kernels.cuda import capability

    return x.dtype.itemsize == 2 and capability(x) >= (8, 0)
