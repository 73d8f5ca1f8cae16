"""Metrics of ranking: how well a score orders positive cases above negative ones, at any threshold.

Everything follows from two counts at each distinct score t: true positives and false positives
among the cases with score >= t. Cases that tie in score enter together, so ties count one half in
the area under the ROC curve.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.inputs import (
    Labels,
    Scores,
    UndefinedMetricError,
    class_scores,
    labels,
    require_both_classes,
    same_length,
    scores,
)

__all__ = [
    "PrecisionRecallCurve",
    "RocCurve",
    "average_precision",
    "distinct_counts",
    "precision_recall_curve",
    "roc_auc",
    "roc_auc_per_class",
    "roc_curve",
]


class RocCurve(NamedTuple):
    """Points of the ROC curve from (0, 0) to (1, 1); arrays (T,)."""

    fpr: NDArray[np.float64]  # 1 - specificity
    tpr: NDArray[np.float64]  # recall
    thresholds: NDArray[np.float64]  # falling, the first infinite: nobody is positive


class PrecisionRecallCurve(NamedTuple):
    """Points of the precision-recall curve; ``precision`` and ``recall`` (T + 1,)."""

    precision: NDArray[np.float64]  # the last is 1, where recall is 0
    recall: NDArray[np.float64]
    thresholds: NDArray[np.float64]  # (T,), rising


def roc_curve(y_true: ArrayLike, y_score: ArrayLike, *, drop_intermediate: bool = True) -> RocCurve:
    """Return false and true positive rate at each threshold (score >= threshold is positive).

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Labels 0 or 1.
    y_score : array (n,) or (n, 1)
        Score of class 1; any finite number.
    drop_intermediate : bool
        Leave out points half-way between their neighbours: the same drawing, fewer points.

    Returns
    -------
    RocCurve
        ``fpr, tpr, thresholds``, equal to scikit-learn's.

    Raises
    ------
    UndefinedMetricError
        If one of the classes is absent.

    Examples
    --------
    >>> roc_curve([0, 0, 1, 1], [0.125, 0.5, 0.25, 0.75]).tpr
    array([0. , 0.5, 0.5, 1. , 1. ])
    """
    truth, score = _binary_pair("roc_curve", y_true, y_score)
    negatives, positives = require_both_classes("roc_curve", truth)
    tp, fp, thresholds = distinct_counts(truth, score)
    if drop_intermediate and len(tp) > 2:
        bends = (np.diff(tp, 2) != 0) | (np.diff(fp, 2) != 0)
        kept = np.concatenate([[True], bends, [True]])
        tp, fp, thresholds = tp[kept], fp[kept], thresholds[kept]
    return RocCurve(
        np.concatenate([[0.0], fp / negatives]),
        np.concatenate([[0.0], tp / positives]),
        np.concatenate([[np.inf], thresholds]),
    )


def roc_auc(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Return the area under the ROC curve.

    It is the probability that a random positive case scores above a random negative one, ties
    counted one half (Mann-Whitney U / (P N)).

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Labels 0 or 1, or class indices 0 .. C - 1.
    y_score : array (n,), (n, 1) or (n, C)
        Score of class 1; or a score for each of C >= 3 classes, then the result is the mean of
        the areas of each class against the rest (macro average).

    Raises
    ------
    UndefinedMetricError
        If a class has no case; `roc_auc_per_class` returns the areas of the others.

    Notes
    -----
    O(n log n). The counts are integers, so equal scores give equal areas to the last bit.

    References
    ----------
    Hanley and McNeil (1982), "The meaning and use of the area under a ROC curve", Radiology 143.

    Examples
    --------
    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    shape = np.shape(y_score)
    if len(shape) == 2 and shape[1] > 2:
        areas = _auc_per_class("roc_auc", y_true, y_score)
        if np.isnan(areas).any():
            raise UndefinedMetricError(
                f"roc_auc: y_true holds classes {np.unique(y_true).tolist()} only, expected cases "
                f"of every class 0 .. {len(areas) - 1}; roc_auc_per_class measures one by one"
            )
        return float(np.mean(areas))
    truth, score = _binary_pair("roc_auc", y_true, y_score)
    require_both_classes("roc_auc", truth)
    return _area(truth, score)


def roc_auc_per_class(y_true: ArrayLike, y_score: ArrayLike) -> NDArray[np.float64]:
    """Return the area under the ROC curve of each class against the rest.

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Class indices 0 .. C - 1.
    y_score : array (n, C)
        A score for each class.

    Returns
    -------
    ndarray (C,), float64
        NaN for a class without cases, or without cases of any other class.

    Examples
    --------
    >>> roc_auc_per_class([0, 0, 1], [[0.8, 0.1, 0.1], [0.3, 0.5, 0.2], [0.4, 0.5, 0.1]])
    array([0.5 , 0.75,  nan])
    """
    return _auc_per_class("roc_auc_per_class", y_true, y_score)


def precision_recall_curve(y_true: ArrayLike, y_score: ArrayLike) -> PrecisionRecallCurve:
    """Return precision and recall at each threshold (score >= threshold is positive).

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Labels 0 or 1.
    y_score : array (n,) or (n, 1)
        Score of class 1; any finite number.

    Returns
    -------
    PrecisionRecallCurve
        ``precision, recall, thresholds`` by rising threshold, equal to scikit-learn's.

    Raises
    ------
    UndefinedMetricError
        If there is no positive case.

    Examples
    --------
    >>> precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).recall
    array([1. , 1. , 0.5, 0.5, 0. ])
    """
    truth, score = _binary_pair("precision_recall_curve", y_true, y_score)
    precision, recall, thresholds = _precision_recall("precision_recall_curve", truth, score)
    return PrecisionRecallCurve(
        np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0), thresholds[::-1]
    )


def average_precision(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Return the average precision: sum over thresholds of (R_k - R_{k-1}) P_k.

    It summarises the precision-recall curve without the optimistic straight lines of a trapezoid.
    A guess scores the prevalence.

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Labels 0 or 1.
    y_score : array (n,) or (n, 1)
        Score of class 1; any finite number.

    Raises
    ------
    UndefinedMetricError
        If there is no positive case.

    References
    ----------
    Davis and Goadrich (2006), "The relationship between precision-recall and ROC curves", ICML.

    Examples
    --------
    >>> average_precision([0, 1, 1], [0.1, 0.4, 0.8])
    1.0
    """
    truth, score = _binary_pair("average_precision", y_true, y_score)
    precision, recall, _ = _precision_recall("average_precision", truth, score)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def _binary_pair(function: str, y_true: ArrayLike, y_score: ArrayLike) -> tuple[Labels, Scores]:
    truth, score = labels(function, "y_true", y_true, 2), scores(function, "y_score", y_score)
    same_length(function, y_true=truth, y_score=score)
    return truth, score


def distinct_counts(truth: NDArray[np.integer], score: Scores) -> tuple[Labels, Labels, Scores]:
    """Return true and false positives at each distinct score, from the highest to the lowest."""
    order = np.argsort(score, kind="stable")[::-1]  # stable: linear time on sorted scores
    score = score[order]
    last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)  # of each tie
    tp = np.cumsum(truth[order], dtype=np.int64)[last]
    return tp, last + 1 - tp, score[last]


def _area(truth: NDArray[np.integer], score: Scores) -> float:
    tp, fp, _ = distinct_counts(truth, score)
    above = tp + np.concatenate([[0], tp[:-1]])  # twice the mean height of each trapezoid
    return float(np.sum(np.diff(fp, prepend=0) * above) / (2 * int(tp[-1]) * int(fp[-1])))


def _auc_per_class(function: str, y_true: ArrayLike, y_score: ArrayLike) -> NDArray[np.float64]:
    score = class_scores(function, "y_score", y_score)
    num_classes = score.shape[1]
    truth = labels(function, "y_true", y_true, num_classes)
    same_length(function, y_true=truth, y_score=score)
    support = np.bincount(truth, minlength=num_classes)
    areas = np.full(num_classes, np.nan)
    for c in np.flatnonzero((support > 0) & (support < len(truth))):
        areas[c] = _area((truth == c).astype(np.int64), score[:, c])
    return areas


def _precision_recall(function: str, truth: Labels, score: Scores) -> tuple[Scores, Scores, Scores]:
    """Return precision, recall and threshold at each distinct score, by falling threshold."""
    tp, fp, thresholds = distinct_counts(truth, score)
    if tp[-1] == 0:
        raise UndefinedMetricError(
            f"{function}: y_true holds class 0 only ({len(truth)} cases), expected a positive case"
        )
    return tp / (tp + fp), tp / tp[-1], thresholds
