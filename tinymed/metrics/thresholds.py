"""Choosing the score from which a case is called positive."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from tinymed.metrics.inputs import Labels, Scores, labels, require_both_classes, same_length, scores
from tinymed.metrics.ranking import distinct_counts

__all__ = ["Criterion", "choose_threshold"]

Criterion = Literal["youden", "f1", "balanced_accuracy", "specificity"]


def choose_threshold(
    y_true: ArrayLike,
    y_score: ArrayLike,
    criterion: Criterion = "youden",
    *,
    min_sensitivity: float | None = None,
) -> float:
    """Return the threshold that is best on these cases; a case is positive if score >= threshold.

    Choose it on validation cases and report on others: on the cases it was chosen from, every
    metric of the decisions is optimistic.

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Labels 0 or 1, both present.
    y_score : array (n,) or (n, 1)
        Score of class 1; any finite number.
    criterion : {"youden", "f1", "balanced_accuracy", "specificity"}
        What to make largest. Youden's J = recall + specificity - 1 and balanced accuracy =
        (J + 1) / 2 choose the same threshold. ``"specificity"`` needs ``min_sensitivity``.
    min_sensitivity : float, optional
        Only thresholds with at least this recall on these cases count, in (0, 1].

    Returns
    -------
    float
        Half-way between two neighbouring scores, so that new cases near either fall on its side;
        or the lowest score, where it is best to call every case positive. Among equally good
        thresholds the lowest, since a missed disease costs more than a second look. Exact in the
        dtype of ``y_score``.

    Raises
    ------
    UndefinedMetricError
        If one of the classes is absent.
    ValueError
        For an unknown criterion, or ``"specificity"`` without ``min_sensitivity``.

    References
    ----------
    Youden (1950), "Index for rating diagnostic tests", Cancer 3.

    Examples
    --------
    >>> y_true, y_score = [0, 0, 0, 1, 1, 1], [0.0, 0.125, 0.5, 0.25, 0.75, 1.0]
    >>> choose_threshold(y_true, y_score)
    0.1875
    >>> choose_threshold(y_true, y_score, "specificity", min_sensitivity=0.6)
    0.625
    """
    truth = labels("choose_threshold", "y_true", y_true, 2)
    score = scores("choose_threshold", "y_score", y_score)
    same_length("choose_threshold", y_true=truth, y_score=score)
    negatives, positives = require_both_classes("choose_threshold", truth)
    tp, fp, distinct = distinct_counts(truth, score)  # each (T,), by falling score
    merit = _merit(criterion, tp, fp, positives, negatives)
    if min_sensitivity is not None:
        if not 0 < min_sensitivity <= 1:
            raise ValueError(
                f"choose_threshold: min_sensitivity is {min_sensitivity}, expected a share in "
                f"(0, 1]"
            )
        merit[tp / positives < min_sensitivity] = -np.inf
    elif criterion == "specificity":
        raise ValueError(
            "choose_threshold: criterion 'specificity' alone is best when nobody is positive, "
            "expected min_sensitivity with it"
        )
    best = len(merit) - 1 - int(np.argmax(merit[::-1]))  # the last of equals
    if best == len(merit) - 1:
        return float(distinct[-1])
    return _between(distinct[best + 1], distinct[best], np.asarray(y_score).dtype)


def _merit(criterion: str, tp: Labels, fp: Labels, positives: int, negatives: int) -> Scores:
    """Return what is to be made largest at each threshold (T,), exact where thresholds tie."""
    if criterion in ("youden", "balanced_accuracy"):
        return (tp * negatives - fp * positives).astype(np.float64)  # J x positives x negatives
    if criterion == "f1":
        return 2 * tp / (tp + fp + positives)
    if criterion == "specificity":
        return -fp.astype(np.float64)
    raise ValueError(
        f"choose_threshold: criterion is {criterion!r}, expected 'youden', 'f1', "
        f"'balanced_accuracy' or 'specificity'"
    )


def _between(low: np.float64, high: np.float64, dtype: np.dtype[Any]) -> float:
    """Return the middle of two scores, above ``low`` and at most ``high``, exact in ``dtype``.

    A middle of two float32 scores that is no float32 would be rounded, perhaps onto the lower
    score, when NumPy compares float32 scores with it.
    """
    middle = low / 2 + high / 2  # the sum of two large scores could overflow
    if dtype.kind == "f":
        middle = np.float64(dtype.type(middle))
    return float(middle if low < middle <= high else high)
