"""Losses as layers. Classification losses take logits."""

from __future__ import annotations

from typing import Any

from tinymed import ops
from tinymed.errors import refuse
from tinymed.nn.module import Module
from tinymed.tensor import Tensor

__all__ = ["BCEWithLogitsLoss", "CrossEntropyLoss", "MSELoss"]


class CrossEntropyLoss(Module):
    """-log softmax(x)[target], averaged; see `tinymed.ops.cross_entropy`."""

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        refuse("CrossEntropyLoss", label_smoothing=(label_smoothing, 0.0))
        self.register_buffer("weight", weight)
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of logits (N, C, ...) and class indices (N, ...)."""
        return ops.cross_entropy(x, target, self.weight, self.ignore_index, self.reduction)


class BCEWithLogitsLoss(Module):
    """Binary cross-entropy of sigmoid(x); see `tinymed.ops.binary_cross_entropy_with_logits`."""

    def __init__(
        self,
        weight: Tensor | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)
        self.reduction = reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of logits and targets in [0, 1] of one shape."""
        return ops.binary_cross_entropy_with_logits(
            x, target, self.weight, self.reduction, self.pos_weight
        )


class MSELoss(Module):
    """The mean of (x - target)^2."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of two tensors of one shape."""
        return ops.mse_loss(x, target, self.reduction)
