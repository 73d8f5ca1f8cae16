"""Losses for labels of which some are wrong: bounded, so that no single label can shout.

Both are functions of the cross-entropy c = -log p of the label: p = exp(-c) needs no other softmax.
"""

from __future__ import annotations

from typing import Any

from tinymed.ops.logarithms import expm1
from tinymed.ops.loss_rules import class_rows, weighted_reduce
from tinymed.ops.losses import CrossEntropy
from tinymed.ops.promotion import rounded_once

__all__ = ["generalized_cross_entropy", "symmetric_cross_entropy"]


@rounded_once
def generalized_cross_entropy(
    x: Any, target: Any, q: float = 0.7, ignore_index: int = -100, reduction: str = "mean"
) -> Any:
    """Return (1 - p^q) / q, p = softmax(x)[target]: between cross-entropy and absolute error.

    Parameters
    ----------
    x : (N, C), (N, C, *spatial) or (C,)
        Logits: no softmax before it.
    target : integers (N,), (N, *spatial) or ()
        Class indices 0 .. C - 1.
    q : float in (0, 1]
        Towards 0 the cross-entropy, at 1 the absolute error 1 - p: slow to learn, hard to mislead.
        The gradient is that of the cross-entropy times p^q, so that what the model holds for
        impossible counts little.
    ignore_index : int
        Class indices of this value count nothing.
    reduction : "mean", "sum" or "none"
        The mean is over what is not ignored.

    References
    ----------
    Zhang, Sabuncu (2018), "Generalized cross entropy loss for training deep neural networks with
    noisy labels", equation 6.
    """
    if not 0 < q <= 1:
        raise ValueError(f"generalized_cross_entropy: q={q} is not in (0, 1]")
    rows, indices, kept = class_rows("generalized_cross_entropy", x, target, ignore_index)
    losses = -expm1(-q * CrossEntropy()(rows, indices)) / q * kept
    return weighted_reduce("generalized_cross_entropy", losses, kept, target.shape, reduction)


@rounded_once
def symmetric_cross_entropy(
    x: Any,
    target: Any,
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Any:
    """Return alpha H(target, p) + beta H(p, target): cross-entropy, and the labels' under p.

    With one-hot labels the second is -log_zero (1 - p[target]), where log 0 is ``log_zero``.

    Parameters
    ----------
    x, target, ignore_index, reduction
        As for `generalized_cross_entropy`.
    alpha, beta : float >= 0
        Weights of what learns fast, and of what is hard to mislead.
    log_zero : float < 0
        What stands for the logarithm of the label's zeros.

    References
    ----------
    Wang et al. (2019), "Symmetric cross entropy for robust learning with noisy labels",
    equations 6 and 7.
    """
    name = "symmetric_cross_entropy"
    for argument, value in (("alpha", alpha), ("beta", beta)):
        if not value >= 0:
            raise ValueError(f"{name}: {argument}={value} is not >= 0")
    if not log_zero < 0:
        raise ValueError(f"{name}: log_zero={log_zero} is not < 0")
    rows, indices, kept = class_rows(name, x, target, ignore_index)
    each = CrossEntropy()(rows, indices)
    losses = (alpha * each + beta * log_zero * expm1(-each)) * kept
    return weighted_reduce(name, losses, kept, target.shape, reduction)
