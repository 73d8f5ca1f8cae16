"""Curves over time that jump: Kaplan-Meier, the censoring's, the baseline hazard of Cox's model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.medical.survival.outcomes import RiskSets, checked_outcomes
from tinymed.metrics.inputs import column

__all__ = ["StepFunction", "baseline_hazard", "censoring_survival", "kaplan_meier"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StepFunction:
    """A function that is ``start`` before ``times[0]`` and ``values[i]`` from ``times[i]`` on.

    Examples
    --------
    >>> f = StepFunction(np.array([1.0, 2.0]), np.array([0.5, 0.25]), 1.0)
    >>> f([0, 1, 1.5, 9]), f.before([1, 2])
    (array([1.  , 0.5 , 0.5 , 0.25]), array([1. , 0.5]))
    """

    times: Floats  # (k,), rising
    values: Floats  # (k,)
    start: float

    def __call__(self, at: ArrayLike) -> Floats:
        """Return the value at each time."""
        return self._read(at, "right")

    def before(self, at: ArrayLike) -> Floats:
        """Return the value just before each time."""
        return self._read(at, "left")

    def _read(self, at: ArrayLike, side: str) -> Floats:
        places = np.searchsorted(self.times, np.asarray(at, np.float64), side=side)  # type: ignore[call-overload]
        found: Floats = np.concatenate([[self.start], self.values])[places]
        return found


def kaplan_meier(time: ArrayLike, event: ArrayLike) -> StepFunction:
    """Return the share without the event over time: the product of 1 - d_k / n_k.

    d_k of the n_k at risk have the event at the k-th distinct time; those censored then are among
    the n_k.

    Parameters
    ----------
    time, event : array (n,)

    References
    ----------
    Kaplan and Meier (1958), J. Am. Statist. Assoc. 53.

    Examples
    --------
    >>> kaplan_meier([1, 2, 3, 4], [1, 0, 1, 0])([0, 1, 3])
    array([1.   , 0.75 , 0.375])
    """
    times, events = checked_outcomes("kaplan_meier", time, event)
    distinct, deaths, at_risk = _counts(times, events)
    share = np.cumprod(1 - deaths / at_risk, dtype=np.float64)
    return StepFunction(distinct, share, 1.0)


def censoring_survival(time: ArrayLike, event: ArrayLike) -> StepFunction:
    """Return the share not yet censored over time; at equal times events come before censoring.

    Its inverse weighs those who were seen for those who were not (IPCW).

    Examples
    --------
    >>> censoring_survival([1, 2, 2, 3], [1, 1, 0, 1])([1, 2])
    array([1. , 0.5])
    """
    times, events = checked_outcomes("censoring_survival", time, event)
    distinct, deaths, at_risk = _counts(times, events)
    _, censored, _ = _counts(times, ~events)
    left = np.maximum(at_risk - deaths, 1)  # where all who are left have the event, none is lost
    share = np.cumprod(1 - censored / left, dtype=np.float64)
    return StepFunction(distinct, share, 1.0)


def baseline_hazard(log_hazard: ArrayLike, time: ArrayLike, event: ArrayLike) -> StepFunction:
    """Return the cumulative hazard H of someone with log_hazard 0, of Cox's model.

    Survival is exp(-H(t) exp(log_hazard)). Each event adds 1 / (sum of exp(log_hazard) at risk).

    References
    ----------
    Breslow (1972), discussion of Cox (1972).

    Examples
    --------
    >>> baseline_hazard([0, 0], [1, 2], [1, 1])([1, 2])          # 1 / 2, then 1 / 1 more
    array([0.5, 1.5])
    """
    name = "baseline_hazard"
    times, events = checked_outcomes(name, time, event)
    h = column(name, "log_hazard", log_hazard).astype(np.float64)
    if len(h) != len(times):
        raise ValueError(f"{name}: log_hazard has {len(h)} cases, {len(times)} expected")
    sets = RiskSets.of(name, times, events, "breslow")
    at_risk = np.logaddexp.accumulate(h[sets.order])[sets.last]
    at = times[sets.order][sets.events][::-1]  # rising
    total = np.cumsum(np.exp(-at_risk[::-1]))
    final = np.append(at[1:] != at[:-1], True) if len(at) else np.zeros(0, bool)
    return StepFunction(at[final], total[final], 0.0)


def _counts(times: Floats, marked: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Return distinct times, how many are marked at each, and how many are at risk."""
    distinct, place, all_then = np.unique(times, return_inverse=True, return_counts=True)
    then = np.bincount(place, weights=marked, minlength=len(distinct)).astype(np.float64)
    at_risk = np.cumsum(all_then[::-1])[::-1].astype(np.float64)
    return distinct, then, at_risk
