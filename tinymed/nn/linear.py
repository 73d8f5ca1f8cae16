"""The layer y = f(W x + b)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed import ops
from tinymed.creation import empty
from tinymed.nn import init
from tinymed.nn.module import Module, Parameter, check_sizes
from tinymed.ops.activation import check_activation

__all__ = ["Linear"]


class Linear(Module):
    """y = f(x W^T + b).

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    activation : None, "relu", "tanh" or "sigmoid"
        f, fused into the same node of the graph.
    device, dtype : where and as what the parameters are made
    generator : numpy.random.Generator or None
        Draws the starting values, U(-1/sqrt(in), 1/sqrt(in)) as in PyTorch.

    Examples
    --------
    >>> import tinymed as tm
    >>> tm.nn.Linear(3, 2, activation="relu")(tm.ones(4, 3)).shape
    (4, 2)
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: str = "cpu",
        dtype: Any = None,
        *,
        activation: str | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_activation("Linear", activation)
        check_sizes("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.activation = activation
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype, device=device))
        bound = 1 / math.sqrt(in_features)
        init.uniform_(self.weight, -bound, bound, generator)
        shift = Parameter(empty(out_features, dtype=dtype, device=device)) if bias else None
        if shift is not None:
            init.uniform_(shift, -bound, bound, generator)
        self.register_parameter("bias", shift)

    def forward(self, x: Any) -> Any:
        """Return f(x W^T + b), (..., in) -> (..., out)."""
        return ops.linear(x, self.weight, self.bias, self.activation)

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one call with this output."""
        return math.prod(output_shape) * self.in_features

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        fused = f", activation={self.activation!r}" if self.activation else ""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}{fused}"
