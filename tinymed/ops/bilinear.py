"""The bilinear form y_k = input1^T W_k input2 + b_k."""

from __future__ import annotations

from typing import Any

from tinymed.ops.matmul import matmul
from tinymed.ops.promotion import rounded_once, same_dtype
from tinymed.ops.shaping import permute, reshape, squeeze, unsqueeze

__all__ = ["bilinear"]


@rounded_once
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """Return sum over i, j of x1_i weight_kij x2_j, plus bias_k.

    Parameters
    ----------
    input1 : (..., I)
    input2 : (..., J), the same axes before
    weight : (K, I, J)
    bias : (K,) or None

    Returns
    -------
    (..., K)

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    same_dtype("bilinear", input1=input1, input2=input2, weight=weight, bias=bias)
    shapes = f"input1 {input1.shape} and input2 {input2.shape}"
    if not input1.ndim or not input2.ndim or input1.shape[:-1] != input2.shape[:-1]:
        raise ValueError(f"bilinear: {shapes} must be equal in all axes but the last")
    if weight.ndim != 3 or weight.shape[1:] != (input1.shape[-1], input2.shape[-1]):
        raise ValueError(f"bilinear: weight {weight.shape} must be (K, I, J) for {shapes}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bilinear: bias {bias.shape} does not fit weight {weight.shape}")
    k, i, j = weight.shape
    rows = reshape(permute(weight, 1, 0, 2), (i, k * j))
    left = reshape(
        matmul(input1, rows), (*input1.shape[:-1], k, j)
    )  # (..., I)(I, K J) -> (..., K, J)
    y = squeeze(matmul(left, unsqueeze(input2, -1)), -1)  # (..., K, J)(..., J, 1) -> (..., K)
    return y if bias is None else y + bias
