"""Temperature: one number, fitted on validation cases, that makes logits honest probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tinymed.metrics.inputs import (
    Scores,
    UndefinedMetricError,
    class_scores,
    labels,
    same_length,
    scores,
)

__all__ = ["fit_temperature"]

_STEPS = 200  # Newton needs some ten; halving an interval of doubles never more


def fit_temperature(y_true: ArrayLike, logits: ArrayLike) -> float:
    """Return T > 0 for which softmax(logits / T), or sigmoid, has the least cross-entropy.

    Above 1 the logits are overconfident. No decision changes, nor does an AUC of one logit.

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Class indices of validation cases, not of those the model learned from.
    logits : array (n, C), or (n,) or (n, 1)
        A logit for each class; or one, the log odds of class 1.

    Raises
    ------
    UndefinedMetricError
        If every case is right (the best T is 0), or the logits tell the true class no better than
        their mean (no T > 0 is best).

    Notes
    -----
    In 1 / T the cross-entropy is convex: Newton's method, kept within a bracket of the minimum.

    References
    ----------
    Guo et al. (2017), "On calibration of modern neural networks", ICML, section 4.2.

    Examples
    --------
    >>> round(fit_temperature([1, 1, 1, 0], [4.0, 4.0, 4.0, 4.0]), 3)  # log odds of 3 in 4: 1.099
    3.641
    """
    if np.ndim(logits) == 2 and np.shape(logits)[1] > 1:
        each = class_scores("fit_temperature", "logits", logits)
    else:
        single = scores("fit_temperature", "logits", logits)
        each = np.stack([np.zeros_like(single), single], axis=1)
    truth = labels("fit_temperature", "y_true", y_true, each.shape[1])
    same_length("fit_temperature", y_true=truth, logits=each)
    each = each - each[np.arange(len(each)), truth][:, None]  # the true class is 0
    if each.max() <= 0:
        raise UndefinedMetricError(
            f"fit_temperature: all {len(each)} cases are right, one wrong expected; the best "
            "temperature would be 0"
        )
    if each.mean() >= 0:
        raise UndefinedMetricError(
            f"fit_temperature: logits exceed that of the true class by {each.mean():.4g} on "
            "average, less than 0 expected; they tell nothing a temperature could bring out"
        )
    low, high = 0.0, 1 / each.max()
    while _slopes(each, high)[0] < 0:
        low, high = high, 2 * high
    inverse = (low + high) / 2
    for _ in range(_STEPS):
        slope, curvature = _slopes(each, inverse)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = inverse - slope / curvature if curvature > 0 else low
        step = step if low < step < high else (low + high) / 2
        if abs(step - inverse) <= 1e-14 * inverse:
            break
        inverse = step
    return float(1 / inverse)


def _slopes(each: Scores, inverse: float) -> tuple[float, float]:
    """Return the first two derivatives of the cross-entropy with respect to 1 / T."""
    share = np.exp(inverse * (each - each.max(axis=1, keepdims=True)))
    share /= share.sum(axis=1, keepdims=True)
    mean = (share * each).sum(axis=1)
    return float(mean.mean()), float(((share * each**2).sum(axis=1) - mean**2).mean())
