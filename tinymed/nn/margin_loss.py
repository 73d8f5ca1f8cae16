"""Losses with a margin as layers; formulas are in `tinymed.ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinymed import ops
from tinymed.nn.module import Module
from tinymed.tensor import Tensor

__all__ = [
    "CosineEmbeddingLoss",
    "HingeEmbeddingLoss",
    "HingeLoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]


class HingeLoss(Module):
    """max(0, 1 - target x); see `tinymed.ops.hinge_loss`."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of scores and targets 1 or -1 of one shape."""
        return ops.hinge_loss(x, target, self.reduction)


class SoftMarginLoss(Module):
    """log(1 + exp(-target x)); see `tinymed.ops.soft_margin_loss`."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of scores and targets 1 or -1 of one shape."""
        return ops.soft_margin_loss(x, target, self.reduction)


class HingeEmbeddingLoss(Module):
    """x or max(0, margin - x), of distances; see `tinymed.ops.hinge_embedding_loss`."""

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__()
        self.margin, self.reduction = margin, reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of distances and targets 1 or -1 of one shape."""
        return ops.hinge_embedding_loss(x, target, self.margin, self.reduction)


class MarginRankingLoss(Module):
    """max(0, margin - target (input1 - input2)); see `tinymed.ops.margin_ranking_loss`."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__()
        self.margin, self.reduction = margin, reduction

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        """Return the loss of two scores and targets 1 or -1 of one shape."""
        return ops.margin_ranking_loss(input1, input2, target, self.margin, self.reduction)


class CosineEmbeddingLoss(Module):
    """1 - cosine or max(0, cosine - margin); see `tinymed.ops.cosine_embedding_loss`."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__()
        self.margin, self.reduction = margin, reduction

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        """Return the loss of two inputs (N, D) and targets 1 or -1 (N,)."""
        return ops.cosine_embedding_loss(input1, input2, target, self.margin, self.reduction)


class MultiMarginLoss(Module):
    """max(0, margin - x[target] + x[others])^p; see `tinymed.ops.multi_margin_loss`."""

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.p, self.margin, self.reduction = p, margin, reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of scores (N, C) and class indices (N,)."""
        return ops.multi_margin_loss(x, target, self.p, self.margin, self.weight, self.reduction)


class MultiLabelMarginLoss(Module):
    """max(0, 1 - x[labels] + x[others]); see `tinymed.ops.multilabel_margin_loss`."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of scores (N, C) and lists of labels (N, C) that end with -1."""
        return ops.multilabel_margin_loss(x, target, self.reduction)


class MultiLabelSoftMarginLoss(Module):
    """Binary cross-entropy over classes; see `tinymed.ops.multilabel_soft_margin_loss`."""

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.reduction = reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of logits (N, C) and targets in [0, 1] (N, C)."""
        return ops.multilabel_soft_margin_loss(x, target, self.weight, self.reduction)


class TripletMarginLoss(Module):
    """max(0, margin + d(anchor, positive) - d(anchor, negative)), d the p-norm.

    See `tinymed.ops.triplet_margin_loss`.
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap
        self.reduction = reduction

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        """Return the loss of three inputs (N, D)."""
        return ops.triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, self.reduction
        )


class TripletMarginWithDistanceLoss(Module):
    """`TripletMarginLoss` with a distance of your own.

    See `tinymed.ops.triplet_margin_with_distance_loss`.
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Any, Any], Any] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.distance_function, self.margin, self.swap = distance_function, margin, swap
        self.reduction = reduction

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        """Return the loss of three inputs of one shape."""
        return ops.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
