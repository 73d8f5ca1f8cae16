"""Losses of values and of distributions: distances, and negative log-likelihoods.

NaN in predictions or targets comes through to the loss, as in PyTorch; shapes must be equal.
"""

from __future__ import annotations

import math
from typing import Any

from tinymed.autograd import Function, Variable
from tinymed.kernels import losses as kernels
from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.recording import values_known
from tinymed.ops.broadcasting import Shape
from tinymed.ops.division import divide
from tinymed.ops.elementwise import abs, clamp, exp, log, where
from tinymed.ops.loss_rules import (
    check_floats,
    check_range,
    plain,
    reduce,
    same_shape,
    weighted_reduce,
)
from tinymed.ops.promotion import promote, rounded_once
from tinymed.ops.reduction import sum
from tinymed.ops.shaping import reshape

__all__ = [
    "gaussian_nll_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
]


class MeanSquares(Function):
    """y = mean of (x - t)^2;  dL/dx = 2 (x - t) dL/dy / n, dL/dt = -dL/dx."""

    def output_shape(self, x: Shape, target: Shape) -> Shape:
        return ()

    def forward(self, x: Array, target: Array) -> Array:
        return kernels.mean_squares(x, target)

    def backward(self, grad_output: Array, x: Array, target: Array) -> tuple[Any, ...]:
        if isinstance(grad_output, Variable):
            gradient = (x - target) * (grad_output * (2 / math.prod(x.shape)))
        else:
            gradient = kernels.mean_squares_grad(grad_output, x, target)
        to_x, to_target = self.edges
        return gradient if to_x else None, -gradient if to_target else None


@rounded_once
def mse_loss(x: Any, target: Any, reduction: str = "mean", weight: Any = None) -> Any:
    """Return the mean of (x - target)^2. Shapes must be equal: (N,) and (N, 1) are a mistake.

    Parameters
    ----------
    x, target : one shape
    reduction : "mean", "sum" or "none"
    weight : the same shape, or None
        Weight of each square; the mean is divided by the sum of the weights.
    """
    if reduction == "mean" and weight is None and math.prod(x.shape):
        same_shape("mse_loss", x=x, target=target)
        x, target = promote(x, target)
        check_floats("mse_loss", x)
        return MeanSquares()(x, target)  # what training mostly asks for, as one node
    difference = _difference("mse_loss", x, target)
    check_floats("mse_loss", difference)
    return _reduce_weighted("mse_loss", difference * difference, weight, reduction)


@rounded_once
def l1_loss(x: Any, target: Any, reduction: str = "mean", weight: Any = None) -> Any:
    """Return the mean of |x - target|, with the derivative 0 at 0; arguments as in `mse_loss`."""
    distance = abs(_difference("l1_loss", x, target))
    return _reduce_weighted("l1_loss", distance, weight, reduction)


@rounded_once
def huber_loss(
    x: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None
) -> Any:
    """Return d^2 / 2 where d = |x - target| <= delta, and delta (d - delta / 2) beyond.

    Parameters
    ----------
    x, target : one shape
    reduction : "mean", "sum" or "none"
    delta : float > 0
        Where the parabola goes over into a straight line: an outlier pulls with delta at most.
    weight : the same shape, or None
        Multiplies the losses; the mean is then divided by their number, as in PyTorch.

    References
    ----------
    Huber (1964).
    """
    if not delta > 0:
        raise ValueError(f"huber_loss: delta={delta} is not > 0")
    losses = _huber("huber_loss", x, target, delta)
    if weight is not None:
        same_shape("huber_loss", x=x, weight=weight)
        losses = losses * weight
    return reduce("huber_loss", losses, reduction)


@rounded_once
def smooth_l1_loss(x: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """Return d^2 / (2 beta) where d = |x - target| < beta, and d - beta / 2 beyond.

    This is `huber_loss` divided by beta, and `l1_loss` at beta = 0.

    References
    ----------
    Girshick (2015), equation 3.
    """
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta={beta} is not >= 0")
    if beta == 0:
        return reduce("smooth_l1_loss", abs(_difference("smooth_l1_loss", x, target)), reduction)
    return reduce("smooth_l1_loss", _huber("smooth_l1_loss", x, target, beta) / beta, reduction)


def _huber(name: str, x: Any, target: Any, delta: float) -> Any:
    """Return c (d - c / 2), d = |x - target|, c = min(d, delta): one formula for both pieces."""
    difference = _difference(name, x, target)
    check_floats(name, difference)
    distance = abs(difference)
    near = clamp(distance, max=float(delta))
    return near * (distance - near * 0.5)


@rounded_once
def kl_div(x: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    """Return target (log target - x), the Kullback-Leibler divergence of target from exp(x).

    Parameters
    ----------
    x : any shape
        Log-probabilities of the model.
    target : the same shape
        Probabilities, or log-probabilities with ``log_target=True``. A probability of 0 adds
        nothing; in the gradient with respect to it log 0 is left out (PyTorch's is NaN).
    reduction : "batchmean", "sum", "none" or "mean"
        "batchmean" divides by the length of the first axis and is the divergence; "mean", which
        PyTorch has as default, divides by the number of elements and is not.

    Raises
    ------
    ValueError
        If shapes differ, or a probability is negative or NaN.
    """
    same_shape("kl_div", x=x, target=target)
    check_floats("kl_div", x, "log-probabilities")
    check_floats("kl_div", target, "probabilities", "target")
    if log_target:
        losses = exp(target) * (target - x)
    else:
        check_range("kl_div", target, 0, None)
        losses = target * (log(where(target == 0, 1.0, target)) - x)
    if reduction == "batchmean":
        return divide(sum(losses), x.shape[0]) if x.ndim else sum(losses)
    return reduce("kl_div", losses, reduction)


@rounded_once
def poisson_nll_loss(
    x: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Any:
    """Return exp(x) - target x, the negative log-likelihood of counts with the rate exp(x).

    Parameters
    ----------
    x, target : one shape
        Logarithm of the expected count (with ``log_input=False`` the count itself), and the counts.
    log_input : bool
        False: x - target log(x + eps).
    full : bool
        Add log(target!) by Stirling's formula, target log target - target + log(2 pi target) / 2,
        where target > 1.
    eps : float
        Keeps log(0) away with ``log_input=False``.
    reduction : "mean", "sum" or "none"
    """
    same_shape("poisson_nll_loss", x=x, target=target)
    x, target = promote(x, target)
    losses = exp(x) - target * x if log_input else x - target * log(x + eps)
    if full:
        several = target > 1
        count = where(several, target, 1.0)
        stirling = count * log(count) - count + 0.5 * log(2 * math.pi * count)
        losses = losses + where(several, stirling, 0.0)
    return reduce("poisson_nll_loss", losses, reduction)


@rounded_once
def gaussian_nll_loss(
    x: Any,
    target: Any,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Any:
    """Return (log var + (x - target)^2 / var) / 2, for a model that also tells its uncertainty.

    Parameters
    ----------
    x, target : one shape
        Expected values, and what was measured.
    var : number, or (*x.shape), (*x.shape[:-1], 1) or (*x.shape[:-1])
        Variances >= 0: one for each value, or one for all along the last axis (or along one axis,
        of length 1 here).
    full : bool
        Add the constant log(2 pi) / 2.
    eps : float
        Least variance. The gradient goes to smaller ones too, so that they can grow again.
    reduction : "mean", "sum" or "none"

    References
    ----------
    Nix and Weigend (1994).
    """
    name = "gaussian_nll_loss"
    same_shape(name, x=x, target=target)
    if not eps > 0:
        raise ValueError(f"{name}: eps={eps} is not > 0")
    is_number = isinstance(var, (int, float))
    if var < 0 if is_number else values_known() and (plain(var) < 0).any():
        raise ValueError(f"{name}: var holds negative values; pass its logarithm through exp")
    difference = _difference(name, x, target)
    if isinstance(var, (int, float)):
        var = array_module(plain(x)).full(tuple(x.shape), var, difference.dtype)
    elif tuple(x.shape[:-1]) == tuple(var.shape) != tuple(x.shape):
        var = reshape(var, (*var.shape, 1))
    elif not _differ_in_one_axis(tuple(x.shape), tuple(var.shape)):
        raise ValueError(
            f"{name}: var {var.shape} does not fit x {x.shape}; expected that shape, or one axis "
            "of length 1, or no last axis"
        )
    variances = plain(var)
    var = var + (array_module(variances).maximum(variances, eps) - variances)  # a constant
    losses = 0.5 * (log(var) + difference * difference / var)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduce(name, losses, reduction)


def _differ_in_one_axis(x: tuple[int, ...], var: tuple[int, ...]) -> bool:
    """Tell whether ``var`` is of the shape ``x``, or of length 1 along one axis of it."""
    others = [n for m, n in zip(x, var, strict=False) if m != n]
    return len(x) == len(var) and others in ([], [1])


def _difference(name: str, x: Any, target: Any) -> Any:
    """Return x - target of equal shapes."""
    same_shape(name, x=x, target=target)
    x, target = promote(x, target)
    return x - target


def _reduce_weighted(name: str, losses: Any, weight: Any, reduction: str) -> Any:
    """Return the losses, or with weights their mean divided by the sum of the weights."""
    if weight is None:
        return reduce(name, losses, reduction)
    same_shape(name, x=losses, weight=weight)
    return weighted_reduce(name, losses * weight, weight, losses.shape, reduction)
