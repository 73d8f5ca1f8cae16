"""Whom a treatment helps: predictions of benefit, judged by a randomised trial.

Nobody gets two arms, so no patient's benefit is ever seen. But where the arm was drawn by lot,
those who got it and those who did not are alike in any group that the covariates define, and the
difference between their means is the group's benefit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.inputs import UndefinedMetricError, column, labels, same_length, scores

__all__ = ["UpliftCurve", "policy_value", "qini", "uplift_curve"]

Floats = NDArray[np.float64]


class UpliftCurve(NamedTuple):
    """What is gained by treating those of the greatest predicted benefit only; arrays (n + 1,)."""

    share: Floats  # of the patients that is treated, from 0 to 1
    gain: Floats  # share * (mean outcome of the treated - of the others among them)


def uplift_curve(
    benefit: ArrayLike, treated: ArrayLike, outcome: ArrayLike, weight: ArrayLike | None = None
) -> UpliftCurve:
    """Return the gain in mean outcome over treating nobody, by the share that is treated.

    Parameters
    ----------
    benefit : array (n,)
        Predicted: who has more is treated earlier. Equal ones are treated together: their points
        lie on a straight line.
    treated : array (n,), 0 or 1
        What was drawn by lot.
    outcome : array (n,)
        Higher is better.
    weight : array (n,), >= 0, optional
        Of each patient in the means, such as `horizon_weights`.

    Returns
    -------
    UpliftCurve
        It ends at the mean benefit of all. Where one of the arms has nobody yet, the gain is 0.

    Raises
    ------
    UndefinedMetricError
        One of the arms has no patient of weight above 0.

    References
    ----------
    Radcliffe (2007), "Using control groups to target on predicted lift"; Gutierrez and Gerardy
    (2017), "Causal inference and uplift modelling: a review of the literature".

    Examples
    --------
    >>> uplift_curve([2, 2, 1, 1], [1, 0, 1, 0], [1, 0, 0, 0]).gain
    array([0.  , 0.25, 0.5 , 0.5 , 0.5 ])
    """
    name = "uplift_curve"
    ranking = scores(name, "benefit", benefit)
    arm = labels(name, "treated", treated, 2)
    y = column(name, "outcome", outcome).astype(np.float64)
    w = np.ones(len(y)) if weight is None else column(name, "weight", weight).astype(np.float64)
    same_length(name, benefit=ranking, treated=arm, outcome=y, weight=w)
    if (w < 0).any():
        raise ValueError(f"{name}: weight holds {w.min()}, expected >= 0")
    order = np.argsort(-ranking, kind="stable")
    ranking, arm, y, w = ranking[order], arm[order], y[order], w[order]
    means = []
    for which in (1, 0):
        weights = np.cumsum(w * (arm == which))
        if not weights[-1]:
            raise UndefinedMetricError(f"{name}: nobody whose outcome is known has treated={which}")
        sums = np.cumsum(w * y * (arm == which))
        means.append(np.where(weights > 0, sums / np.where(weights > 0, weights, 1), np.nan))
    share = np.arange(1, len(y) + 1) / len(y)
    gain = np.nan_to_num((means[0] - means[1]) * share)
    ends = np.append(ranking[1:] != ranking[:-1], True)  # the last of equal predictions
    at = np.concatenate([[0.0], share])
    points = np.interp(at, np.append(0.0, share[ends]), np.append(0.0, gain[ends]))
    return UpliftCurve(at, points)


def qini(
    benefit: ArrayLike, treated: ArrayLike, outcome: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Return the area between `uplift_curve` and the line of treating at random.

    0 if the predictions order nobody; the unit is that of the outcome. Parameters are those of
    `uplift_curve`.

    Examples
    --------
    >>> qini([2, 2, 1, 1], [1, 0, 1, 0], [1, 0, 0, 0])
    0.125
    """
    share, gain = uplift_curve(benefit, treated, outcome, weight)
    over = gain - share * gain[-1]
    return float(((over[1:] + over[:-1]) / 2 * np.diff(share)).sum())


def policy_value(
    chosen: ArrayLike, given: ArrayLike, outcome: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Return the mean outcome if each patient had the arm chosen for it.

    Those who drew the arm that is chosen for them stand for all: sum w y / sum w over them, w the
    weight over the share of patients with that arm (Hajek's estimate; arms drawn by lot).

    Parameters
    ----------
    chosen, given : array (n,), integers
        Arms.
    outcome, weight : array (n,)
        As in `uplift_curve`.

    Raises
    ------
    UndefinedMetricError
        Nobody of known outcome has the chosen arm.

    References
    ----------
    Hajek (1971); Qian and Murphy (2011), "Performance guarantees for individualized treatment
    rules".

    Examples
    --------
    >>> policy_value([1, 1, 0, 0], [1, 0, 1, 0], [1.0, 0.0, 0.0, 0.5])
    0.75
    """
    name = "policy_value"
    wish, arm = labels(name, "chosen", chosen), labels(name, "given", given)
    y = column(name, "outcome", outcome).astype(np.float64)
    w = np.ones(len(y)) if weight is None else column(name, "weight", weight).astype(np.float64)
    same_length(name, chosen=wish, given=arm, outcome=y, weight=w)
    same = wish == arm
    w = w * same / (np.bincount(arm) / len(arm))[arm]
    if not w.sum():
        raise UndefinedMetricError(f"{name}: nobody whose outcome is known has the chosen arm")
    return float((w * y).sum() / w.sum())
