"""Losses for rare classes and for regions as layers; formulas are in `tinymed.ops`."""

from __future__ import annotations

from typing import Any

from tinymed import ops
from tinymed.nn.module import Module
from tinymed.tensor import Tensor

__all__ = ["DiceLoss", "FocalLoss", "TverskyLoss"]


class FocalLoss(Module):
    """Cross-entropy of logits in which what is already right counts little (Lin et al., 2017).

    Parameters
    ----------
    alpha : float in [0, 1], Tensor (C,), or None
        Weight of the positives, the negatives getting 1 - alpha; with ``use_softmax=True`` a
        Tensor with the weight of each class.
    gamma : float >= 0
        How much is left out of what is already right; 0 is the cross-entropy.
    reduction : "mean", "sum" or "none"
    use_softmax : bool
        False: each logit is a question of its own (`tinymed.ops.sigmoid_focal_loss`); True: one
        logit for each of C classes of which one is right (`tinymed.ops.focal_loss`).
    ignore_index : int
        With ``use_softmax=True``: class indices of this value count nothing.
    """

    def __init__(
        self,
        alpha: float | Tensor | None = None,
        gamma: float = 2.0,
        reduction: str = "mean",
        *,
        use_softmax: bool = False,
        ignore_index: int = -100,
    ) -> None:
        super().__init__()
        if use_softmax:
            if alpha is not None and not isinstance(alpha, Tensor):
                raise TypeError(
                    f"FocalLoss: alpha={alpha!r} with use_softmax=True expected a Tensor with the "
                    "weight of each class"
                )
            self.register_buffer("alpha", alpha)
        else:
            if isinstance(alpha, Tensor):
                raise TypeError(
                    f"FocalLoss: alpha {alpha.shape} expected a number; weights of classes need "
                    "use_softmax=True"
                )
            if ignore_index != -100:
                raise ValueError(f"FocalLoss: ignore_index={ignore_index} needs use_softmax=True")
            self.alpha = alpha
        self.gamma, self.reduction, self.use_softmax = gamma, reduction, use_softmax
        self.ignore_index = ignore_index

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of logits (N, C, ...) and class indices (N, ...) or masks (N, C, ...).

        Class indices with ``use_softmax=True``, else targets in [0, 1] of the shape of the logits.
        """
        if self.use_softmax:
            return ops.focal_loss(
                x, target, self.alpha, self.gamma, self.ignore_index, self.reduction
            )
        return ops.sigmoid_focal_loss(x, target, self.alpha, self.gamma, self.reduction)


class DiceLoss(Module):
    """1 - 2 sum(p t) / (sum(p) + sum(t)) of each channel of each image, averaged.

    Takes probabilities; logits with ``sigmoid=True`` or ``softmax=True``. All settings are those
    of `tinymed.ops.dice_loss`, which names and computes them as MONAI does.
    """

    def __init__(
        self,
        *,
        sigmoid: bool = False,
        softmax: bool = False,
        include_background: bool = True,
        squared_pred: bool = False,
        smooth_nr: float = 1e-5,
        smooth_dr: float = 1e-5,
        batch: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.sigmoid, self.softmax = sigmoid, softmax
        self.include_background, self.squared_pred = include_background, squared_pred
        self.smooth_nr, self.smooth_dr = smooth_nr, smooth_dr
        self.batch, self.reduction = batch, reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of x (N, C, ...) and masks (N, C, ...) or class indices (N, ...)."""
        return ops.dice_loss(
            x,
            target,
            sigmoid=self.sigmoid,
            softmax=self.softmax,
            include_background=self.include_background,
            squared_pred=self.squared_pred,
            smooth_nr=self.smooth_nr,
            smooth_dr=self.smooth_dr,
            batch=self.batch,
            reduction=self.reduction,
        )


class TverskyLoss(Module):
    """1 - TP / (TP + alpha FP + beta FN) of each channel of each image, averaged.

    Takes probabilities; logits with ``sigmoid=True`` or ``softmax=True``. All settings are those
    of `tinymed.ops.tversky_loss`; ``gamma`` above 1 makes it the focal Tversky loss.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.5,
        beta: float = 0.5,
        gamma: float = 1.0,
        sigmoid: bool = False,
        softmax: bool = False,
        include_background: bool = True,
        smooth_nr: float = 1e-5,
        smooth_dr: float = 1e-5,
        batch: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self.sigmoid, self.softmax = sigmoid, softmax
        self.include_background = include_background
        self.smooth_nr, self.smooth_dr = smooth_nr, smooth_dr
        self.batch, self.reduction = batch, reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of x (N, C, ...) and masks (N, C, ...) or class indices (N, ...)."""
        return ops.tversky_loss(
            x,
            target,
            alpha=self.alpha,
            beta=self.beta,
            gamma=self.gamma,
            sigmoid=self.sigmoid,
            softmax=self.softmax,
            include_background=self.include_background,
            smooth_nr=self.smooth_nr,
            smooth_dr=self.smooth_dr,
            batch=self.batch,
            reduction=self.reduction,
        )
