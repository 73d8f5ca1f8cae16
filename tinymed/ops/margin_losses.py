"""Losses with a margin: what is right by more than the margin costs nothing.

Where a target says which side is right it holds 1 or -1, and everything else is refused: with 0 for
-1 PyTorch computes numbers that mean nothing. At the margin itself the derivative is PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.recording import values_known
from tinymed.ops.activation import logsigmoid, relu
from tinymed.ops.arithmetic import negative
from tinymed.ops.elementwise import clamp, minimum, sqrt, where
from tinymed.ops.indexing import getitem, take_along_dim
from tinymed.ops.loss_rules import (
    check_floats,
    check_weight,
    checked_classes,
    item_shape,
    plain,
    reduce,
    same_shape,
    weighed,
)
from tinymed.ops.losses import EPSILON, logistic
from tinymed.ops.norms import length
from tinymed.ops.promotion import rounded_once
from tinymed.ops.reduction import mean, sum
from tinymed.ops.shaping import reshape

__all__ = [
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "hinge_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "pairwise_distance",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


@rounded_once
def hinge_loss(x: Any, target: Any, reduction: str = "mean") -> Any:
    """Return max(0, 1 - target x), the loss of a support vector machine.

    Parameters
    ----------
    x, target : one shape
        Scores (the sign decides), and 1 or -1.
    reduction : "mean", "sum" or "none"

    References
    ----------
    Cortes and Vapnik (1995).
    """
    same_shape("hinge_loss", x=x, target=target)
    check_signs("hinge_loss", target)
    return reduce("hinge_loss", clamp(1 - target * x, min=0.0), reduction)


@rounded_once
def soft_margin_loss(x: Any, target: Any, reduction: str = "mean") -> Any:
    """Return log(1 + exp(-target x)), without overflow; arguments as in `hinge_loss`."""
    same_shape("soft_margin_loss", x=x, target=target)
    check_floats("soft_margin_loss", x)
    check_signs("soft_margin_loss", target)
    return reduce("soft_margin_loss", negative(logsigmoid(target * x)), reduction)


@rounded_once
def hinge_embedding_loss(x: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Any:
    """Return x where target is 1, and max(0, margin - x) where it is -1.

    Parameters
    ----------
    x, target : one shape
        Distances, and 1 for pairs that belong together, -1 for those that do not.
    margin : float
        From this distance on a pair is far enough apart.
    reduction : "mean", "sum" or "none"
    """
    same_shape("hinge_embedding_loss", x=x, target=target)
    alike = check_signs("hinge_embedding_loss", target)
    losses = where(alike, x, clamp(margin - x, min=0.0))
    return reduce("hinge_embedding_loss", losses, reduction)


@rounded_once
def margin_ranking_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> Any:
    """Return max(0, margin - target (input1 - input2)).

    Parameters
    ----------
    input1, input2, target : one shape
        Scores, and 1 where the first should be the larger, -1 where the second should.
    margin : float
        By how much.
    reduction : "mean", "sum" or "none"
    """
    same_shape("margin_ranking_loss", input1=input1, input2=input2, target=target)
    check_signs("margin_ranking_loss", target)
    losses = clamp(margin - target * (input1 - input2), min=0.0)
    return reduce("margin_ranking_loss", losses, reduction)


@rounded_once
def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> Any:
    """Return 1 - c where target is 1, and max(0, c - margin) where it is -1; c is the cosine.

    Parameters
    ----------
    input1, input2 : (N, D), or (D,)
    target : (N,), or ()
        1 for pairs that belong together, -1 for those that do not.
    margin : float
        Cosine from -1 to 1 that pairs apart may have.
    reduction : "mean", "sum" or "none"
    """
    name = "cosine_embedding_loss"
    same_shape(name, input1=input1, input2=input2)
    if input1.ndim not in (1, 2) or tuple(input1.shape[:-1]) != tuple(target.shape):
        raise ValueError(
            f"{name}: input1 {input1.shape} and target {target.shape} do not fit; expected (N, D) "
            "and (N,), or (D,) and ()"
        )
    alike = check_signs(name, target)
    squares1, squares2 = sum(input1 * input1, -1) + EPSILON, sum(input2 * input2, -1) + EPSILON
    cosine = sum(input1 * input2, -1) / sqrt(squares1 * squares2)
    return reduce(name, where(alike, 1 - cosine, clamp(cosine - margin, min=0.0)), reduction)


@rounded_once
def multi_margin_loss(
    x: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    reduction: str = "mean",
) -> Any:
    """Return the mean over classes i != t of weight[t] max(0, margin - x[t] + x[i])^p.

    The sum over the other classes is divided by C, as in PyTorch.

    Parameters
    ----------
    x : (N, C) or (C,)
        A score for each class.
    target : integers (N,) or ()
        Class indices t, 0 .. C - 1.
    p : 1 or 2
    margin : float
        By how much the score of the target should be above all others.
    weight : (C,) or None
        Weight of each class.
    reduction : "mean", "sum" or "none"

    References
    ----------
    Crammer and Singer (2001); Weston and Watkins (1999).
    """
    name = "multi_margin_loss"
    if p not in (1, 2):
        raise ValueError(f"{name}: p={p} is not 1 or 2")
    rows, shape = score_rows(name, x)
    if shape != tuple(target.shape):
        raise ValueError(
            f"{name}: x {x.shape} and target {target.shape} do not fit; expected (N, C) and "
            "class indices (N,), or (C,) and ()"
        )
    classes = rows.shape[1]
    indices = checked_classes(name, target, classes, None)
    excess = relu(margin - take_along_dim(rows, indices[:, None], 1) + rows)  # (N, C)
    others = array_module(indices).arange(classes) != indices[:, None]
    losses = where(others, excess * excess if p == 2 else excess, 0.0)
    if weight is not None:
        check_weight(name, weight, x, classes)
        losses = losses * reshape(getitem(weight, indices), (-1, 1))
    return reduce(name, reshape(mean(losses, 1), shape), reduction)


@rounded_once
def multilabel_margin_loss(x: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the sum over labels j and other classes i of max(0, 1 - x[j] + x[i]), over C.

    Parameters
    ----------
    x : (N, C) or (C,)
        A score for each class.
    target : integers of the same shape
        The labels of each row, any number of them, then -1; what follows a -1 is not looked at.
    reduction : "mean", "sum" or "none"

    Notes
    -----
    Memory is that of N C^2 numbers.
    """
    name = "multilabel_margin_loss"
    same_shape(name, x=x, target=target)
    rows, shape = score_rows(name, x)
    classes = rows.shape[1]
    labels = reshape(checked_classes(name, target, classes, -1), tuple(rows.shape))
    xp = array_module(labels)
    listed = xp.cumprod(labels >= 0, axis=1).astype(bool)  # up to the first -1
    labels = xp.where(listed, labels, 0)
    chosen = (listed[:, :, None] & (labels[:, :, None] == xp.arange(classes))).any(axis=1)
    own = reshape(take_along_dim(rows, labels, 1), (-1, classes, 1))
    excess = relu(1 - own + reshape(rows, (-1, 1, classes)))  # (N, label, class)
    losses = where(listed[:, :, None] & ~chosen[:, None], excess, 0.0)
    return reduce(name, reshape(sum(losses, (1, 2)) / classes, shape), reduction)


@rounded_once
def multilabel_soft_margin_loss(
    x: Any, target: Any, weight: Any = None, reduction: str = "mean"
) -> Any:
    """Return the mean over classes of the binary cross-entropy of sigmoid(x).

    Parameters
    ----------
    x, target : (..., C)
        Logits, and targets in [0, 1].
    weight : broadcasts to x, or None
        Weight of each class.
    reduction : "mean", "sum" or "none"
    """
    name = "multilabel_soft_margin_loss"
    if x.ndim == 0:
        raise ValueError(f"{name}: x {x.shape} has no axis of classes; expected (N, C) or (C,)")
    losses = weighed(name, logistic(name, x, target), weight)
    return reduce(name, mean(losses, -1), reduction)


@rounded_once
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """Return max(0, margin + |anchor - positive| - |anchor - negative|).

    Parameters
    ----------
    anchor, positive, negative : (N, D), (D,) or (..., D), one shape
    margin : float > 0
        By how much the negative should be farther away than the positive.
    p, eps : float
        The norm, and what is added to each difference; see `pairwise_distance`.
    swap : bool
        Measure to the negative from the positive where that is nearer (Balntas et al., 2016).
    reduction : "mean", "sum" or "none"

    References
    ----------
    Schultz and Joachims (2003); Schroff et al. (2015).
    """

    def distance(a: Any, b: Any) -> Any:
        return pairwise_distance(a, b, p, eps)

    return _triplet(
        "triplet_margin_loss", (anchor, positive, negative), distance, margin, swap, reduction
    )


def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """Return `triplet_margin_loss` with a distance of your own.

    Parameters
    ----------
    anchor, positive, negative : one shape
    distance_function : callable or None
        ``f(a, b)``, from two tensors of that shape to their distances; None is
        `pairwise_distance`.
    margin, swap, reduction
        As in `triplet_margin_loss`.
    """
    return _triplet(
        "triplet_margin_with_distance_loss",
        (anchor, positive, negative),
        distance_function or pairwise_distance,
        margin,
        swap,
        reduction,
    )


def _triplet(
    name: str,
    triplet: tuple[Any, Any, Any],
    distance: Callable[[Any, Any], Any],
    margin: float,
    swap: bool,
    reduction: str,
) -> Any:
    """Return max(0, margin + d(anchor, positive) - d(anchor, negative)) of one shape."""
    anchor, positive, negative = triplet
    same_shape(name, anchor=anchor, positive=positive, negative=negative)
    if not margin > 0:
        raise ValueError(f"{name}: margin={margin} is not > 0")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduce(name, clamp(margin + near - far, min=0.0), reduction)


@rounded_once
def pairwise_distance(
    x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Any:
    """Return the p-norm of x1 - x2 + eps along the last axis.

    Parameters
    ----------
    x1, x2 : (N, D) or (D,)
        Points; they broadcast.
    p : float
        2 is Euclid's distance, 1 the sum of the differences, inf the largest.
    eps : float
        Added to each difference, since the distance has no derivative where all are 0.
    keepdim : bool
        Keep the last axis with length 1.
    """
    difference = x1 - x2 + eps
    if difference.ndim == 0:
        raise ValueError("pairwise_distance: x1 () and x2 () have no axis; expected (N, D) or (D,)")
    return length("pairwise_distance", difference, p, -1, keepdim)


def score_rows(name: str, x: Any) -> tuple[Any, tuple[int, ...]]:
    """Return scores (N, C) or (C,) as rows (N, C), and the shape of their losses."""
    check_floats(name, x, "scores")
    if x.ndim not in (1, 2) or x.shape[-1] == 0:
        raise ValueError(f"{name}: x {x.shape} expected (N, C) or (C,), with at least one class")
    return reshape(x, (-1, x.shape[-1])), item_shape(x.shape)


def check_signs(name: str, target: Any) -> Array:
    """Return where the target is 1, or raise naming the first value that is not 1 or -1."""
    array = plain(target)
    wrong = (array != 1) & (array != -1)
    if array.dtype == np.bool_ or (values_known() and wrong.any()):
        given = [True] if array.dtype == np.bool_ else array[wrong][:1].tolist()
        raise ValueError(
            f"{name}: target holds {given[0]}, expected 1 or -1; for labels 0 and 1 pass "
            "2 * target - 1"
        )
    return array == 1
