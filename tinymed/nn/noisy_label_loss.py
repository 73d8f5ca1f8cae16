"""Losses for labels of which some are wrong as layers; formulas are in `tinymed.ops`."""

from __future__ import annotations

from typing import Any

from tinymed import ops
from tinymed.nn.module import Module

__all__ = ["GeneralizedCrossEntropyLoss", "SymmetricCrossEntropyLoss"]


class GeneralizedCrossEntropyLoss(Module):
    """(1 - p^q) / q of the label's probability; see `tinymed.ops.generalized_cross_entropy`."""

    def __init__(self, q: float = 0.7, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__()
        self.q, self.ignore_index, self.reduction = q, ignore_index, reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of logits (N, C, ...) and class indices (N, ...)."""
        return ops.generalized_cross_entropy(x, target, self.q, self.ignore_index, self.reduction)


class SymmetricCrossEntropyLoss(Module):
    """Cross-entropy both ways; see `tinymed.ops.symmetric_cross_entropy`."""

    def __init__(
        self,
        alpha: float = 0.1,
        beta: float = 1.0,
        log_zero: float = -4.0,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.alpha, self.beta, self.log_zero = alpha, beta, log_zero
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of logits (N, C, ...) and class indices (N, ...)."""
        return ops.symmetric_cross_entropy(
            x, target, self.alpha, self.beta, self.log_zero, self.ignore_index, self.reduction
        )
