"""Products in CUDA whose sums are not rounded: float32 of 16 bits, for kernels that go on.

They are rounded by who calls: with a state, say, once all that belongs to it was added.
"""

from __future__ import annotations

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.device_rules.matmul import half_a_tile, hopper_operands
from tinymed.kernels.device_rules.tensor_cores import on_hopper
from tinymed.kernels.matmul import cuda, cuda_tensor, cuda_wgmma

__all__ = ["product"]


def product(a: Array, b: Array, bias: Array | None = None) -> Array:
    """Return a b + bias, (M, K)(K, N) + (N,) -> (M, N): float32 of 16 bits, else in their dtype.

    16 bits take tensor cores, by what `device_rules` says of a product of its own.

    Raises
    ------
    LookupError
        For 16 bits on a GPU before sm_80, whose tensor cores have no bfloat16.
    """
    if a.dtype.itemsize > 2:
        return cuda.multiply(a, b, bias, None, cuda.choose)
    if hopper_operands(a, b) and half_a_tile(a, b) and on_hopper(a):
        return cuda_wgmma.multiply(a, b, bias, None, np.float32)
    return cuda.multiply(a, b, bias, None, cuda_tensor.choose, np.float32)
