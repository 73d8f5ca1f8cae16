"""Losses of classes, values, distributions and sequences as layers; formulas in `tinymed.ops`."""

from __future__ import annotations

from typing import Any

from tinymed import ops
from tinymed.nn.module import Module
from tinymed.tensor import Tensor

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
]


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
        self.register_buffer("weight", weight)
        self.ignore_index, self.reduction = ignore_index, reduction
        self.label_smoothing = label_smoothing

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of logits (N, C, ...) and class indices (N, ...), or probabilities."""
        return ops.cross_entropy(
            x, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class NLLLoss(Module):
    """-x[target], averaged, of log-probabilities x; see `tinymed.ops.nll_loss`."""

    def __init__(
        self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of log-probabilities (N, C, ...) and class indices (N, ...)."""
        return ops.nll_loss(x, target, self.weight, self.ignore_index, self.reduction)


class BCELoss(Module):
    """Binary cross-entropy of probabilities; see `tinymed.ops.binary_cross_entropy`."""

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.reduction = reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of probabilities and targets in [0, 1] of one shape."""
        return ops.binary_cross_entropy(x, target, self.weight, self.reduction)


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


class L1Loss(Module):
    """The mean of |x - target|."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of two tensors of one shape."""
        return ops.l1_loss(x, target, self.reduction)


class SmoothL1Loss(Module):
    """Quadratic up to beta, linear beyond; see `tinymed.ops.smooth_l1_loss`."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__()
        self.reduction, self.beta = reduction, beta

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of two tensors of one shape."""
        return ops.smooth_l1_loss(x, target, self.reduction, self.beta)


class HuberLoss(Module):
    """Quadratic up to delta, linear beyond; see `tinymed.ops.huber_loss`."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__()
        self.reduction, self.delta = reduction, delta

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of two tensors of one shape."""
        return ops.huber_loss(x, target, self.reduction, self.delta)


class KLDivLoss(Module):
    """target (log target - x) of log-probabilities x; see `tinymed.ops.kl_div`.

    ``reduction="batchmean"`` is the divergence; the default, as in PyTorch, is not.
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__()
        self.reduction, self.log_target = reduction, log_target

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of log-probabilities and probabilities of one shape."""
        return ops.kl_div(x, target, self.reduction, self.log_target)


class PoissonNLLLoss(Module):
    """exp(x) - target x, of counts and logarithms of rates; see `tinymed.ops.poisson_nll_loss`."""

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        eps: float = 1e-8,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.log_input, self.full, self.eps, self.reduction = log_input, full, eps, reduction

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of (logarithms of) rates and counts of one shape."""
        return ops.poisson_nll_loss(x, target, self.log_input, self.full, self.eps, self.reduction)


class GaussianNLLLoss(Module):
    """(log var + (x - target)^2 / var) / 2; see `tinymed.ops.gaussian_nll_loss`."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__()
        self.full, self.eps, self.reduction = full, eps, reduction

    def forward(self, x: Any, target: Any, var: Any) -> Any:
        """Return the loss of expected values, measured values and variances."""
        return ops.gaussian_nll_loss(x, target, var, self.full, self.eps, self.reduction)


class CTCLoss(Module):
    """-log of the probability of labels over all their alignments; see `tinymed.ops.ctc_loss`."""

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__()
        self.blank, self.reduction, self.zero_infinity = blank, reduction, zero_infinity

    def forward(self, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any) -> Any:
        """Return the loss of log-probabilities (T, N, C) and labels (N, S)."""
        return ops.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )
