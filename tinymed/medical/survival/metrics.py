"""How good predictions of survival are: order, error and calibration, with the censored weighed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.medical.survival.curves import StepFunction, kaplan_meier
from tinymed.medical.survival.outcomes import checked_outcomes
from tinymed.metrics.inputs import (
    UndefinedMetricError,
    probabilities,
    same_length,
    scores,
    whole_number,
)

__all__ = [
    "HorizonCalibration",
    "brier_score",
    "concordance_index",
    "concordance_index_ipcw",
    "horizon_calibration",
    "horizon_weights",
    "integrated_brier_score",
]

Floats = NDArray[np.float64]
AT_ONCE = 2**22  # pairs that are compared in one go: 4 MB a mask


def concordance_index(time: ArrayLike, event: ArrayLike, risk: ArrayLike) -> float:
    """Return the share of comparable pairs in which the higher risk has the earlier event.

    A pair is comparable if one has the event before the other's time, or at the time at which the
    other is censored. Equal risks count one half (Harrell's C).

    Parameters
    ----------
    time, event : array (n,)
    risk : array (n,)
        Higher is worse: a log hazard, or minus a survival.

    Raises
    ------
    UndefinedMetricError
        No pair can be compared.

    Notes
    -----
    O(m n) comparisons for m events, O(n) memory. Equal to lifelines' with the sign of risk turned.

    References
    ----------
    Harrell et al. (1982), "Evaluating the yield of medical tests", JAMA 247.

    Examples
    --------
    >>> concordance_index([1, 2, 3], [1, 1, 0], [0.9, 0.1, 0.5])
    0.6666666666666666
    """
    name = "concordance_index"
    times, events = checked_outcomes(name, time, event)
    return _concordance(name, times, events, risk, np.ones(len(times)), ties_in_time=True)


def concordance_index_ipcw(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    censoring: StepFunction,
    until: float = np.inf,
) -> float:
    """Return Uno's concordance: pairs weighed so that it does not depend on who was censored.

    The pairs of an event at t < until have weight 1 / G(t-)^2, G the share not yet censored.

    Parameters
    ----------
    time, event, risk : array (n,)
        As in `concordance_index`; a pair with equal times is not comparable.
    censoring : StepFunction
        `censoring_survival` of the training data, say.
    until : float
        Where G is still well above 0.

    Raises
    ------
    UndefinedMetricError
        No pair can be compared.
    ValueError
        G is 0 where there is an event.

    References
    ----------
    Uno et al. (2011), "On the C-statistics for evaluating overall adequacy of risk prediction
    procedures with censored survival data", Statistics in Medicine 30.

    Examples
    --------
    >>> from tinymed.medical.survival import censoring_survival
    >>> time, event = [1, 2, 3, 4], [1, 0, 1, 0]
    >>> concordance_index_ipcw(time, event, [4, 3, 1, 2], censoring_survival(time, event))
    0.5714285714285714
    """
    name = "concordance_index_ipcw"
    times, events = checked_outcomes(name, time, event)
    counted = events & (times < until)
    share = np.ones(len(times))
    share[counted] = censoring.before(times[counted])
    if (share <= 0).any():
        raise ValueError(f"{name}: censoring is 0 at an event; lower until={until}")
    return _concordance(name, times, counted, risk, share**-2.0, ties_in_time=False)


def _concordance(
    name: str,
    times: Floats,
    events: NDArray[np.bool_],
    risk: ArrayLike,
    weights: Floats,
    ties_in_time: bool,
) -> float:
    """Return the weighed share of pairs in order; ``events`` says whose pairs are counted."""
    score = scores(name, "risk", risk)
    same_length(name, time=times, risk=score)
    order = np.lexsort((~events, times))  # who is censored comes after the events of that time
    times, events, score, weights = times[order], events[order], score[order], weights[order]
    right = comparable = 0.0
    rows, block = np.flatnonzero(events), max(1, AT_ONCE // len(times))
    for start in range(0, len(rows), block):
        i = rows[start : start + block, None]
        j = slice(int(i[0, 0]), None)  # nobody before the first can be later
        later = times[i] < times[j]
        if ties_in_time:
            later |= (times[i] == times[j]) & ~events[j]
        above = (later & (score[i] > score[j])).sum(1) + (later & (score[i] == score[j])).sum(1) / 2
        right += float(above @ weights[i[:, 0]])
        comparable += float(later.sum(1) @ weights[i[:, 0]])
    if not comparable:
        raise UndefinedMetricError(
            f"{name}: no pair of {len(times)} patients can be compared ({int(events.sum())} events)"
        )
    return right / comparable


def horizon_weights(
    time: ArrayLike, event: ArrayLike, at: float, censoring: StepFunction
) -> tuple[NDArray[np.bool_], Floats]:
    """Return who is free of the event at a time, and the weights that stand for the censored.

    Parameters
    ----------
    time, event : array (n,)
    at : float
    censoring : StepFunction
        G, the share not yet censored: `censoring_survival`.

    Returns
    -------
    free : array (n,) of bool
        Not known where the weight is 0.
    weights : array (n,)
        1 / G(t-) for an event at t <= at, 1 / G(at) for those seen for longer, else 0.

    Raises
    ------
    UndefinedMetricError
        All are censored before that time.

    References
    ----------
    Graf et al. (1999), "Assessment and comparison of prognostic classification schemes for survival
    data", Statistics in Medicine 18.

    Examples
    --------
    >>> from tinymed.medical.survival import censoring_survival
    >>> time, event = [1, 2, 3, 4], [1, 0, 1, 0]
    >>> horizon_weights(time, event, 2.5, censoring_survival(time, event))[1]
    array([1. , 0. , 1.5, 1.5])
    """
    times, events = checked_outcomes("horizon_weights", time, event)
    free = times > at
    failed = events & ~free
    share = np.where(free, censoring(np.full(len(times), at)), censoring.before(times))
    known = free | failed
    if (share[known] <= 0).any():
        raise UndefinedMetricError(
            f"horizon_weights: everybody is censored before {at}; a time at which some are still "
            "seen is expected"
        )
    return free, np.where(known, 1 / np.where(known, share, 1.0), 0.0)


def brier_score(
    time: ArrayLike, event: ArrayLike, survival: ArrayLike, at: float, censoring: StepFunction
) -> float:
    """Return the mean of weight * (free of the event at a time - predicted survival)^2.

    Parameters
    ----------
    survival : array (n,)
        Predicted probability to be free of the event at the time ``at``.

    Other parameters are those of `horizon_weights`.

    Examples
    --------
    >>> from tinymed.medical.survival import censoring_survival
    >>> time, event = [1, 2, 3, 4], [1, 0, 1, 0]
    >>> brier_score(time, event, [0.5] * 4, 2.5, censoring_survival(time, event))
    0.25
    """
    free, weights = horizon_weights(time, event, at, censoring)
    predicted = probabilities("brier_score", "survival", survival)
    same_length("brier_score", time=free, survival=predicted)
    return float((weights * (free - predicted) ** 2).mean())


def integrated_brier_score(
    time: ArrayLike,
    event: ArrayLike,
    survival: ArrayLike,
    at: ArrayLike,
    censoring: StepFunction,
) -> float:
    """Return the mean of `brier_score` over time, by trapezia between the times ``at``.

    Parameters
    ----------
    survival : array (n, k)
        Predicted at each of the k >= 2 times.
    at : array (k,)
        Rising.

    Examples
    --------
    >>> from tinymed.medical.survival import censoring_survival
    >>> time, event = [1, 2, 3, 4], [1, 0, 1, 0]
    >>> half = np.full((4, 2), 0.5)
    >>> integrated_brier_score(time, event, half, [1.5, 2.5], censoring_survival(time, event))
    0.25
    """
    name = "integrated_brier_score"
    places, predicted = np.asarray(at, np.float64), np.asarray(survival)
    if places.ndim != 1 or len(places) < 2 or (np.diff(places) <= 0).any():
        raise ValueError(f"{name}: at={places.tolist()}, at least two rising times expected")
    if predicted.shape[1:] != places.shape:
        raise ValueError(f"{name}: survival {predicted.shape}, (n, {len(places)}) expected")
    found = np.array(
        [brier_score(time, event, predicted[:, k], t, censoring) for k, t in enumerate(places)]
    )
    widths = np.diff(places)
    return float((widths * (found[1:] + found[:-1]) / 2).sum() / widths.sum())


class HorizonCalibration(NamedTuple):
    """What was predicted and what came in groups of like prediction; arrays (g,)."""

    predicted: Floats  # mean survival
    observed: Floats  # by Kaplan-Meier
    support: NDArray[np.int64]  # patients
    error: float  # mean of |predicted - observed| over patients


def horizon_calibration(
    time: ArrayLike, event: ArrayLike, survival: ArrayLike, at: float, groups: int = 5
) -> HorizonCalibration:
    """Return predicted and observed survival at a time, in groups of about equal size.

    Parameters
    ----------
    time, event : array (n,)
    survival : array (n,)
        Predicted probability to be free of the event at the time ``at``.
    at : float
    groups : int
        By rising prediction; equal predictions stay together.

    Examples
    --------
    >>> horizon_calibration([1, 3, 3, 3], [1, 0, 0, 0], [0.5, 0.5, 1, 1], 2, groups=2)[:2]
    (array([0.5, 1. ]), array([0.5, 1. ]))
    """
    name = "horizon_calibration"
    times, events = checked_outcomes(name, time, event)
    predicted = probabilities(name, "survival", survival)
    same_length(name, time=times, survival=predicted)
    count = whole_number(name, "groups", groups, minimum=1)
    inner = np.quantile(predicted, np.arange(1, count) / count)
    place = np.searchsorted(inner, predicted)
    rows: list[tuple[Any, ...]] = []
    for group in np.unique(place):
        members = place == group
        observed = float(kaplan_meier(times[members], events[members])(at))
        rows.append((predicted[members].mean(), observed, members.sum()))
    means, found, support = (np.array(each) for each in zip(*rows, strict=True))
    error = float(np.average(np.abs(means - found), weights=support))
    return HorizonCalibration(means, found, support, error)
