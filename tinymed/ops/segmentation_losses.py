"""Losses for rare classes and for regions: focal, Dice, Tversky.

Formulas and defaults of the region losses are MONAI's. Images are (N, C, ...), with any number of
spatial axes; a region is one channel of one image.
"""

from __future__ import annotations

from typing import Any

from tinymed.kernels.arrays import array_module
from tinymed.ops.activation import sigmoid as sigmoid_of
from tinymed.ops.activation import softmax as softmax_of
from tinymed.ops.elementwise import clamp
from tinymed.ops.logarithms import expm1
from tinymed.ops.loss_rules import (
    check_floats,
    check_range,
    checked_classes,
    class_rows,
    class_weights,
    item_shape,
    plain,
    reduce,
    weighted_reduce,
)
from tinymed.ops.losses import CrossEntropy, logistic
from tinymed.ops.promotion import cast, rounded_once
from tinymed.ops.reduction import sum
from tinymed.precision import finfo

__all__ = ["dice_loss", "focal_loss", "sigmoid_focal_loss", "tversky_loss"]


@rounded_once
def sigmoid_focal_loss(
    x: Any,
    target: Any,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
    reduction: str = "none",
) -> Any:
    """Return (1 - q)^gamma times the binary cross-entropy, q what sigmoid(x) gives the target.

    With gamma = 0 it is the binary cross-entropy; the larger gamma, the less what is already right
    counts. Arguments and defaults are torchvision's (there alpha=-1 stands for None).

    Parameters
    ----------
    x, target : one shape
        Logits, and targets in [0, 1].
    alpha : float in [0, 1], or None
        Weight of the positives; the negatives get 1 - alpha. None weighs both with 1.
    gamma : float >= 0
    reduction : "mean", "sum" or "none"
        Lin et al. divide the sum by the number of positives.

    References
    ----------
    Lin et al. (2017), Focal loss for dense object detection, equation 5.
    """
    name = "sigmoid_focal_loss"
    if alpha is not None and not 0 <= alpha <= 1:
        raise ValueError(f"{name}: alpha={alpha} is not in [0, 1]; None weighs both with 1")
    losses = logistic(name, x, target)
    target = cast(target, x.dtype)
    probability, rest = sigmoid_of(x), sigmoid_of(-x)
    losses = losses * _focus(name, probability * (1 - target) + rest * target, gamma)
    if alpha is not None:
        losses = losses * (target * alpha + (1 - target) * (1 - alpha))
    return reduce(name, losses, reduction)


@rounded_once
def focal_loss(
    x: Any,
    target: Any,
    alpha: Any = None,
    gamma: float = 2.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Any:
    """Return -alpha[t] (1 - q)^gamma log q, q = softmax(x)[t]: `cross_entropy` that is focused.

    Parameters
    ----------
    x : (N, C), (N, C, *spatial) or (C,)
        Logits: no softmax before it.
    target : integers (N,), (N, *spatial) or ()
        Class indices t, 0 .. C - 1.
    alpha : (C,) or None
        Weight of each class. Unlike the weights of `cross_entropy` it does not divide the mean.
    gamma : float >= 0
    ignore_index : int
        Class indices of this value count nothing.
    reduction : "mean", "sum" or "none"
        The mean is over what is not ignored.

    References
    ----------
    Lin et al. (2017), Focal loss for dense object detection, equation 5.
    """
    rows, indices, kept = class_rows("focal_loss", x, target, ignore_index)
    losses = CrossEntropy()(rows, indices)
    losses = losses * _focus("focal_loss", -expm1(-losses), gamma)
    losses = losses * class_weights("focal_loss", alpha, rows, indices, kept, "alpha")
    return weighted_reduce("focal_loss", losses, kept, target.shape, reduction)


def _focus(name: str, missing: Any, gamma: float) -> Any:
    """Return missing^gamma, what the target lacks of probability 1."""
    if not gamma >= 0:
        raise ValueError(f"{name}: gamma={gamma} is not >= 0")
    if gamma == 0:
        return 1.0
    return clamp(missing, min=smallest(missing)) ** gamma


@rounded_once
def dice_loss(
    x: Any,
    target: Any,
    *,
    sigmoid: bool = False,
    softmax: bool = False,
    include_background: bool = True,
    squared_pred: bool = False,
    smooth_nr: float = 1e-5,
    smooth_dr: float = 1e-5,
    batch: bool = False,
    reduction: str = "mean",
) -> Any:
    """Return 1 - (2 sum(p t) + smooth_nr) / (sum(p) + sum(t) + smooth_dr) of each region.

    Parameters
    ----------
    x : (N, C, ...)
        Probabilities p; logits with ``sigmoid=True`` (each channel for itself) or ``softmax=True``
        (one channel for each class).
    target : (N, C, ...), masks in [0, 1], or integers (N, ...), class indices
    include_background : bool
        False leaves out channel 0.
    squared_pred : bool
        Divide by sum(p^2) + sum(t^2) (Milletari et al., 2016).
    smooth_nr, smooth_dr : float
        What an empty region that is found empty costs: 1 - smooth_nr / smooth_dr.
    batch : bool
        Sum over the images too, as if they were one: steadier where many regions are empty.
    reduction : "mean", "sum" or "none"
        Over the losses (N, C), or with ``batch=True`` (C,).

    Raises
    ------
    ValueError
        If shapes do not fit, or probabilities or masks lie outside [0, 1] or hold NaN.

    References
    ----------
    Milletari et al. (2016), V-Net; Sudre et al. (2017).
    """
    p, t, axes = regions("dice_loss", x, target, sigmoid, softmax, include_background, batch)
    overlap = sum(p * t, axes)
    total = sum(p * p, axes) + sum(t * t, axes) if squared_pred else sum(p, axes) + sum(t, axes)
    losses = 1 - (2 * overlap + smooth_nr) / (total + smooth_dr)
    return reduce("dice_loss", losses, reduction)


@rounded_once
def tversky_loss(
    x: Any,
    target: Any,
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
) -> Any:
    """Return (1 - (TP + smooth_nr) / (TP + alpha FP + beta FN + smooth_dr))^(1 / gamma).

    TP = sum(p t), FP = sum(p (1 - t)) and FN = sum((1 - p) t) of each region.

    Parameters
    ----------
    alpha, beta : float >= 0
        Weights of what is wrongly found and of what is missed: beta > alpha finds more. Both 1/2
        make the Dice loss, both 1 the Jaccard loss.
    gamma : float > 0
        > 1 makes regions that are already found well count more (focal Tversky; 4 / 3 in the
        paper).
    x, target, sigmoid, softmax, include_background, smooth_nr, smooth_dr, batch, reduction
        As in `dice_loss`.

    References
    ----------
    Salehi et al. (2017), equation 4; Abraham and Khan (2019), equation 4, for gamma.
    """
    for argument, value in (("alpha", alpha), ("beta", beta)):
        if not value >= 0:
            raise ValueError(f"tversky_loss: {argument}={value} is not >= 0")
    if not gamma > 0:
        raise ValueError(f"tversky_loss: gamma={gamma} is not > 0")
    p, t, axes = regions("tversky_loss", x, target, sigmoid, softmax, include_background, batch)
    hit = sum(p * t, axes)
    wrong = alpha * sum(p * (1 - t), axes) + beta * sum((1 - p) * t, axes)
    losses = 1 - (hit + smooth_nr) / (hit + wrong + smooth_dr)
    if gamma != 1:
        losses = clamp(losses, min=smallest(losses)) ** (1 / gamma)
    return reduce("tversky_loss", losses, reduction)


def regions(
    name: str,
    x: Any,
    target: Any,
    sigmoid: bool,
    softmax: bool,
    include_background: bool,
    batch: bool,
) -> tuple[Any, Any, tuple[int, ...]]:
    """Return probabilities and masks (N, C, ...) of one shape and dtype, and the axes to sum."""
    shape = tuple(x.shape)
    check_floats(name, x, "probabilities or logits")
    if x.ndim < (2 if batch else 3):
        advice = "; batch=True takes the images for the axis to sum over" if x.ndim == 2 else ""
        raise ValueError(f"{name}: x {shape} expected (N, C, ...), with axes to sum over{advice}")
    if sigmoid and softmax:
        raise ValueError(f"{name}: sigmoid=True and softmax=True exclude each other")
    if shape[1] < 2 and (softmax or not include_background):
        argument = "softmax=True" if softmax else "include_background=False"
        raise ValueError(f"{name}: {argument} needs 2 channels or more; x {shape} has {shape[1]}")
    if softmax:
        x = softmax_of(x, 1)
    elif sigmoid:
        x = sigmoid_of(x)
    else:
        check_range(name, x, 0, 1, "x", "; for logits pass sigmoid=True or softmax=True")
    masks = masks_of(name, target, shape, x.dtype)
    if not include_background:
        x, masks = x[:, 1:], masks[:, 1:]
    return x, masks, ((0,) if batch else ()) + tuple(range(2, x.ndim))


def masks_of(name: str, target: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return masks (N, C, ...) as they are, class indices (N, ...) as masks."""
    if tuple(target.shape) == shape:
        check_range(name, target, 0, 1)
        return cast(target, dtype)
    if tuple(target.shape) != item_shape(shape):
        raise ValueError(
            f"{name}: x {shape} and target {target.shape} do not fit; expected masks {shape}, or "
            f"class indices {item_shape(shape)}"
        )
    indices = checked_classes(name, target, shape[1], None)
    classes = array_module(indices).arange(shape[1])
    column = indices.reshape((shape[0], 1, *shape[2:]))
    return (column == classes.reshape((-1, *(1,) * (len(shape) - 2)))).astype(dtype)


def smallest(x: Any) -> float:
    """Return the smallest normal number of the dtype: a base of 0 has no derivative below 1."""
    return float(finfo(plain(x).dtype).tiny)
