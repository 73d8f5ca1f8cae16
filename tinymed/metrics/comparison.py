"""Comparisons of two models on the same cases."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.bootstrap import BootstrapInterval, Metric, bootstrap_interval
from tinymed.metrics.inputs import (
    Scores,
    UndefinedMetricError,
    labels,
    require_both_classes,
    same_length,
    scores,
)

__all__ = ["AucDifference", "delong_test", "paired_difference"]


class AucDifference(NamedTuple):
    """The AUC of the first model less that of the second."""

    difference: float
    low: float
    high: float
    p_value: float  # two-sided, of no difference


def delong_test(
    y_true: ArrayLike, y_score: ArrayLike, y_other: ArrayLike, *, level: float = 0.95
) -> AucDifference:
    """Compare the AUC of two models on the same cases, which must be independent.

    Cases of one patient are not: then use `paired_difference` with ``groups``.

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Labels 0 or 1, two or more of each.
    y_score, y_other : array (n,) or (n, 1)
        Score of class 1 by the first and by the second model.
    level : float
        Of the interval, in (0, 1).

    Raises
    ------
    UndefinedMetricError
        If a class has fewer than two cases, or the two models rank all cases alike: a difference
        of 0 without spread.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson (1988), "Comparing the areas under two or more correlated
    receiver operating characteristic curves: a nonparametric approach", Biometrics 44.

    Examples
    --------
    >>> y_true = [0, 0, 0, 1, 1, 1]
    >>> result = delong_test(y_true, [1, 2, 5, 4, 6, 7], [1, 4, 3, 2, 5, 6])
    >>> round(result.difference, 4), round(result.p_value, 4)
    (0.1111, 0.4795)
    """
    if not 0 < level < 1:
        raise ValueError(f"delong_test: level is {level}, a share in (0, 1) expected")
    truth = labels("delong_test", "y_true", y_true, 2)
    both = [scores("delong_test", "y_score", y_score), scores("delong_test", "y_other", y_other)]
    same_length("delong_test", y_true=truth, y_score=both[0], y_other=both[1])
    if min(require_both_classes("delong_test", truth)) < 2:
        raise UndefinedMetricError(
            f"delong_test: {int(truth.sum())} positive of {len(truth)} cases, two or more of each "
            "class expected"
        )
    placed = [_placements(score[truth == 1], score[truth == 0]) for score in both]
    of_positives, of_negatives = (placed[0][i] - placed[1][i] for i in (0, 1))
    variance = sum(v.var(ddof=1) / len(v) for v in (of_positives, of_negatives))
    difference = float(of_positives.mean())
    if variance == 0:
        raise UndefinedMetricError(
            f"delong_test: the difference {difference:g} has no spread; both models rank the "
            "cases alike, or both perfectly"
        )
    error = math.sqrt(variance)
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    p_value = math.erfc(abs(difference) / error / math.sqrt(2))
    return AucDifference(difference, difference - reach, difference + reach, p_value)


def paired_difference(
    metric: Metric,
    y_true: ArrayLike,
    y_score: ArrayLike,
    y_other: ArrayLike,
    groups: ArrayLike | None = None,
    **settings: Any,
) -> BootstrapInterval:
    """Return the interval of metric(first) - metric(second), both on the same resampled patients.

    Two intervals that overlap say little: models err on the same hard cases, and the difference
    is surer than either.

    Parameters
    ----------
    metric, y_true, groups, **settings
        As for `bootstrap_interval`.
    y_score, y_other : array (n,)
        What the metric takes, by the first and by the second model.

    Examples
    --------
    >>> from tinymed.metrics import accuracy
    >>> paired_difference(accuracy, [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0], resamples=20).high
    0.0
    """
    first, second = np.asarray(y_score), np.asarray(y_other)
    same_length("paired_difference", y_score=first, y_other=second)
    both = np.stack([first, second], axis=1)

    def difference(truth: NDArray[Any], pair: NDArray[Any]) -> float:
        return float(metric(truth, pair[:, 0])) - float(metric(truth, pair[:, 1]))

    return bootstrap_interval(difference, y_true, both, groups, **settings)


def _placements(positive: Scores, negative: Scores) -> tuple[Scores, Scores]:
    """Return for each positive the share of negatives below it, for each negative the reverse."""
    low, high = np.sort(negative), np.sort(positive)
    below = np.searchsorted(low, positive) + np.searchsorted(low, positive, "right")
    above = 2 * len(high) - np.searchsorted(high, negative)
    above = above - np.searchsorted(high, negative, "right")
    return below / (2 * len(low)), above / (2 * len(high))  # ties count one half
