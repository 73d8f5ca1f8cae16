"""Abstention: what it gains to leave doubtful cases to a human, and which cases are doubtful."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.inputs import Scores, labels, same_length, scores
from tinymed.metrics.ranking import distinct_counts

__all__ = [
    "RiskCoverageCurve",
    "Uncertainty",
    "area_under_risk_coverage",
    "predictive_uncertainty",
    "risk_coverage_curve",
]


class RiskCoverageCurve(NamedTuple):
    """The share decided and the errors among them, as less and less is left to others."""

    coverage: NDArray[np.float64]  # (T,), rising to 1
    risk: NDArray[np.float64]  # (T,), share of the decided cases that are wrong
    thresholds: NDArray[np.float64]  # (T,), a case is decided if its confidence >= threshold


class Uncertainty(NamedTuple):
    """What several predictions of one case come to; entropies in nats."""

    mean: NDArray[np.float64]  # (n, C), probabilities
    total: NDArray[np.float64]  # (n,), entropy of the mean: of the prediction
    expected: NDArray[np.float64]  # (n,), mean entropy: what remains if the model were known
    mutual_information: NDArray[np.float64]  # (n,), their difference: the members disagree


def risk_coverage_curve(
    y_true: ArrayLike, y_pred: ArrayLike, confidence: ArrayLike
) -> RiskCoverageCurve:
    """Return the share of errors among the cases that are decided, at each confidence.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, 1)
        Class indices: true and predicted.
    confidence : array (n,) or (n, 1)
        Any finite number, higher is surer. Equally confident cases are decided together.

    References
    ----------
    El-Yaniv, Wiener (2010), "On the foundations of noise-free selective classification".

    Examples
    --------
    >>> risk_coverage_curve([0, 1, 1, 0], [0, 1, 0, 0], [0.9, 0.8, 0.5, 0.7]).risk
    array([0.  , 0.  , 0.  , 0.25])
    """
    truth = labels("risk_coverage_curve", "y_true", y_true)
    predicted = labels("risk_coverage_curve", "y_pred", y_pred)
    sure = scores("risk_coverage_curve", "confidence", confidence)
    same_length("risk_coverage_curve", y_true=truth, y_pred=predicted, confidence=sure)
    wrong, right, thresholds = distinct_counts((truth != predicted).astype(np.int64), sure)
    decided = wrong + right
    return RiskCoverageCurve(decided / len(truth), wrong / decided, thresholds)


def area_under_risk_coverage(y_true: ArrayLike, y_pred: ArrayLike, confidence: ArrayLike) -> float:
    """Return the mean risk over all coverages: low if the errors are where the confidence is low.

    Parameters are those of `risk_coverage_curve`.

    References
    ----------
    Geifman, Uziel, El-Yaniv (2019), "Bias-reduced uncertainty estimation for deep neural
    classifiers", equation 2.

    Examples
    --------
    >>> area_under_risk_coverage([0, 1, 1, 0], [0, 1, 0, 0], [0.9, 0.8, 0.5, 0.7])
    0.0625
    """
    curve = risk_coverage_curve(y_true, y_pred, confidence)
    return float(np.sum(np.diff(curve.coverage, prepend=0.0) * curve.risk))


def predictive_uncertainty(y_prob: ArrayLike) -> Uncertainty:
    """Return how unsure an ensemble is, and how much of that is its members' disagreement.

    Parameters
    ----------
    y_prob : array (M, n, C), or (M, n)
        Probabilities by M members of a deep ensemble, or M passes with dropout; (M, n) of class 1.

    References
    ----------
    Depeweg et al. (2018), "Decomposition of uncertainty in Bayesian deep learning", equation 6;
    Lakshminarayanan et al. (2017) for ensembles, Gal, Ghahramani (2016) for dropout.

    Examples
    --------
    >>> sure, torn = predictive_uncertainty([[0.5, 0.0], [0.5, 1.0]]).mutual_information
    >>> float(sure), round(float(torn), 4)  # both say 0.5; the members of the second disagree
    (0.0, 0.6931)
    """
    each = np.asarray(y_prob, np.float64)
    if each.ndim == 2:
        each = np.stack([1 - each, each], axis=2)
    if each.ndim != 3 or not each.size or each.shape[2] < 2:
        raise ValueError(
            f"predictive_uncertainty: y_prob {np.shape(y_prob)}, (M, n, C >= 2) or (M, n) expected"
        )
    if not (each >= 0).all() or (abs(each.sum(axis=2) - 1) > 0.01).any():
        raise ValueError(
            "predictive_uncertainty: y_prob holds rows that are no probabilities; apply softmax"
        )
    mean = each.mean(axis=0)
    total, expected = _entropy(mean), _entropy(each).mean(axis=0)
    return Uncertainty(mean, total, expected, np.maximum(total - expected, 0))


def _entropy(each: Scores) -> Scores:
    """Return -sum p log p, 0 log 0 = 0."""
    logs = np.log(each, where=each > 0, out=np.zeros_like(each))
    found: Scores = -(each * logs).sum(axis=-1)
    return found
