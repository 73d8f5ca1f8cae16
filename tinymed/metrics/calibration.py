"""Metrics of calibration: whether among cases given 0.8 four in five are positive."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.inputs import Labels, Scores, labels, probabilities, same_length, whole_number

__all__ = ["ReliabilityCurve", "brier", "expected_calibration_error", "reliability_curve"]


class ReliabilityCurve(NamedTuple):
    """The bins that hold cases, by rising probability; arrays (B,)."""

    fraction_positive: NDArray[np.float64]
    mean_predicted: NDArray[np.float64]
    support: NDArray[np.int64]  # cases in the bin


def brier(y_true: ArrayLike, y_prob: ArrayLike) -> float:
    """Return the Brier score: the mean of (y_prob - y_true)^2; 0 is perfect, 0.25 always says 0.5.

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Labels 0 or 1.
    y_prob : array (n,) or (n, 1)
        Probability of class 1, in [0, 1].

    Raises
    ------
    ValueError
        For probabilities outside [0, 1] (logits) and other malformed input.

    References
    ----------
    Brier (1950), "Verification of forecasts expressed in terms of probability", Monthly Weather
    Review 78.

    Examples
    --------
    >>> brier([0, 1, 1], [0.0, 1.0, 0.5])
    0.08333333333333333
    """
    truth, probability = _probability_pair("brier", y_true, y_prob)
    return float(np.mean((probability - truth) ** 2))


def reliability_curve(
    y_true: ArrayLike, y_prob: ArrayLike, *, n_bins: int = 10
) -> ReliabilityCurve:
    """Return what was predicted and what happened in bins of equal width.

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Labels 0 or 1.
    y_prob : array (n,) or (n, 1)
        Probability of class 1, in [0, 1].
    n_bins : int
        Bins [0, 1/n], (1/n, 2/n] .. (1 - 1/n, 1]; those without cases are left out.

    Returns
    -------
    ReliabilityCurve
        ``fraction_positive, mean_predicted`` as scikit-learn's ``calibration_curve``, and
        ``support``, the number of cases in each bin.

    Examples
    --------
    >>> reliability_curve([0, 1, 1, 1], [0.25, 0.25, 0.75, 1.0], n_bins=2)[:2]
    (array([0.5, 1. ]), array([0.25 , 0.875]))
    """
    return _reliability("reliability_curve", y_true, y_prob, n_bins)


def expected_calibration_error(y_true: ArrayLike, y_prob: ArrayLike, *, n_bins: int = 10) -> float:
    """Return the expected calibration error of the probability of class 1.

    ECE = sum over bins b of (n_b / n) |fraction_positive_b - mean_predicted_b|

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Labels 0 or 1.
    y_prob : array (n,) or (n, 1)
        Probability of class 1, in [0, 1].
    n_bins : int
        Bins of equal width, as in `reliability_curve`.

    Notes
    -----
    It judges the probability of the disease. Guo et al. bin the probability of the predicted class
    instead, which hides opposite errors at 0.1 and at 0.9. Few cases in a bin bias it upwards.

    References
    ----------
    Naeini, Cooper and Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI; Guo et al. (2017), "On calibration of modern neural networks", ICML, eq. 3.

    Examples
    --------
    >>> expected_calibration_error([0, 1, 1, 1], [0.25, 0.25, 0.75, 0.75])
    0.25
    """
    curve = _reliability("expected_calibration_error", y_true, y_prob, n_bins)
    gaps = np.abs(curve.fraction_positive - curve.mean_predicted)
    return float(np.average(gaps, weights=curve.support))


def _probability_pair(function: str, y_true: ArrayLike, y_prob: ArrayLike) -> tuple[Labels, Scores]:
    truth = labels(function, "y_true", y_true, 2)
    probability = probabilities(function, "y_prob", y_prob)
    same_length(function, y_true=truth, y_prob=probability)
    return truth, probability


def _reliability(
    function: str, y_true: ArrayLike, y_prob: ArrayLike, n_bins: int
) -> ReliabilityCurve:
    truth, probability = _probability_pair(function, y_true, y_prob)
    n_bins = whole_number(function, "n_bins", n_bins, minimum=1)
    inner_edges = np.linspace(0, 1, n_bins + 1)[1:-1]
    bins = np.searchsorted(inner_edges, probability)  # (n,), 0 .. n_bins - 1
    support = np.bincount(bins, minlength=n_bins)
    filled = support > 0
    positive = np.bincount(bins, weights=truth, minlength=n_bins)
    predicted = np.bincount(bins, weights=probability, minlength=n_bins)
    return ReliabilityCurve(
        positive[filled] / support[filled], predicted[filled] / support[filled], support[filled]
    )
