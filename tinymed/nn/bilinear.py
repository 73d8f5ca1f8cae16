"""The layer y_k = x1^T W_k x2 + b_k."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed import ops
from tinymed.creation import empty
from tinymed.nn import init
from tinymed.nn.module import Module, Parameter, check_sizes

__all__ = ["Bilinear"]


class Bilinear(Module):
    """y_k = x1^T W_k x2 + b_k: every product of a number of x1 with one of x2 has its weight.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
        I, J and K; the weight is (K, I, J).
    bias : bool
    device, dtype : where and as what the parameters are made
    generator : numpy.random.Generator or None
        Draws the starting values, U(-1/sqrt(I), 1/sqrt(I)) as in PyTorch.
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: str = "cpu",
        dtype: Any = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        sizes = {"in1_features": in1_features, "in2_features": in2_features}
        check_sizes("Bilinear", **sizes, out_features=out_features)
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        shape = (out_features, in1_features, in2_features)
        self.weight = Parameter(empty(shape, dtype=dtype, device=device))
        bound = 1 / math.sqrt(in1_features)
        init.uniform_(self.weight, -bound, bound, generator)
        shift = Parameter(empty(out_features, dtype=dtype, device=device)) if bias else None
        if shift is not None:
            init.uniform_(shift, -bound, bound, generator)
        self.register_parameter("bias", shift)

    def forward(self, input1: Any, input2: Any) -> Any:
        """Return x1^T W x2 + b, (..., I) and (..., J) -> (..., K)."""
        return ops.bilinear(input1, input2, self.weight, self.bias)

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one call with this output."""
        return math.prod(output_shape) * self.in2_features * (self.in1_features + 1)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
