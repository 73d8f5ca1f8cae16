"""What a prediction of survival under each arm is worth, measured on the patients of a trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.survival.curves import StepFunction, censoring_survival, kaplan_meier
from tinymed.medical.survival.metrics import (
    concordance_index,
    concordance_index_ipcw,
    horizon_calibration,
    horizon_weights,
    integrated_brier_score,
)
from tinymed.medical.survival.uplift import policy_value, qini
from tinymed.metrics import UndefinedMetricError, bootstrap_interval

__all__ = ["Judged", "against_truth", "ranking", "survival_of_arms", "uno", "uplift"]

Array = NDArray[Any]
Facts = dict[str, Any]
RESAMPLES = 500


@dataclass(frozen=True)
class Judged:
    """Patients of a trial: what happened to them, which arm they had."""

    time: Array  # (n,)
    event: Array  # (n,) of bool
    arm: Array  # (n,), 0 .. arms - 1
    arms: Sequence[str]  # the first is the reference
    groups: Array | None = None  # (n,), who of them are not apart; None: each patient is

    def censoring(self) -> StepFunction:
        """Return the share not yet censored."""
        return censoring_survival(self.time, self.event)


def ranking(data: Judged, risk: Array, baseline: Array) -> Facts:
    """Return concordances of the network's risks (n,) and of its baseline's, with intervals.

    The gain is measured on the same resampled patients, so that chance common to both cancels.
    """
    outcomes = np.column_stack([data.time, data.event])
    both = np.column_stack([risk, baseline])

    def first(y: Array, h: Array) -> float:
        return concordance_index(y[:, 0], y[:, 1], h[:, 0])

    def gain(y: Array, h: Array) -> float:
        return first(y, h) - concordance_index(y[:, 0], y[:, 1], h[:, 1])

    value, interval = _interval(first, outcomes, both, data.groups)
    more, more_interval = _interval(gain, outcomes, both, data.groups)
    return {
        "concordance": value,
        "concordance_ci": interval,
        "baseline_concordance": None if value is None or more is None else value - more,
        "concordance_gain_ci": more_interval,
    }


def survival_of_arms(data: Judged, curves: Array, at: Array) -> tuple[Facts, list[str]]:
    """Return errors and calibration of predicted survival, and what could not be measured.

    Parameters
    ----------
    curves : array (n, k)
        Predicted survival under the arm that each patient had, at the times ``at``.
    at : array (k,)
        Rising; the last is the horizon.
    """
    horizon, censoring = float(at[-1]), data.censoring()
    arms = {}
    for number, name in enumerate(data.arms):
        had = data.arm == number
        seen = had.any() and data.time[had].max() >= horizon
        observed = kaplan_meier(data.time[had], data.event[had])(horizon) if seen else None
        arms[name or "all"] = {
            "n": int(had.sum()),
            "events": int(data.event[had].sum()),
            "survival": None if observed is None else float(observed),
        }
    facts: Facts = {"horizon": horizon, "arms": arms}
    if data.time.max() < horizon:
        return facts, [f"nobody was followed to the horizon of {horizon:g}: no survival measured"]
    found = horizon_calibration(data.time, data.event, curves[:, -1], horizon)
    facts |= {
        "integrated_brier_score": integrated_brier_score(
            data.time, data.event, curves, at, censoring
        ),
        "calibration_error": found.error,
        "calibration_predicted": found.predicted.tolist(),
        "calibration_observed": found.observed.tolist(),
    }
    return facts, []


def uplift(data: Judged, survival: Array, best: int, horizon: float) -> tuple[Facts, list[str]]:
    """Return what predicted benefits are worth, and warnings where it may be nothing.

    Parameters
    ----------
    survival : array (n, arms)
        Predicted at the horizon under each arm.
    best : int
        The arm that is best for all, as training says.
    horizon : float
    """
    try:
        free, weight = horizon_weights(data.time, data.event, horizon, data.censoring())
    except UndefinedMetricError as error:
        return {}, [str(error)]
    facts: Facts = {}
    benefit = survival - survival[:, :1]
    for number, name in enumerate(data.arms[1:], 1):
        pair = (data.arm == number) | (data.arm == 0)
        treated = (data.arm[pair] == number).astype(int)
        rows = np.column_stack([treated, free[pair], weight[pair]])
        groups = None if data.groups is None else data.groups[pair]
        area, interval = _interval(_qini, rows, benefit[pair, number], groups)
        seen, seen_interval = _interval(_difference, rows, benefit[pair, number], groups)
        facts[name] = {
            "benefit_predicted": float(benefit[:, number].mean()),
            "benefit_observed": seen,
            "benefit_observed_ci": seen_interval,
            "qini": area,
            "qini_ci": interval,
        }
    chosen = survival.argmax(1)
    rows = np.column_stack([data.arm, free, weight])

    def value(y: Array, policy: Array) -> float:
        return policy_value(policy, y[:, 0], y[:, 1], y[:, 2])

    def gain(y: Array, policy: Array) -> float:
        return value(y, policy) - value(y, np.full(len(y), best))

    worth, worth_interval = _interval(value, rows, chosen, data.groups)
    more, more_interval = _interval(gain, rows, chosen, data.groups)
    found: Facts = {
        "uplift": facts,
        "policy_value": worth,
        "policy_value_ci": worth_interval,
        "policy_arms": {a: int((chosen == i).sum()) for i, a in enumerate(data.arms)},
        "best_arm": data.arms[best],
        "policy_gain": more,
        "policy_gain_ci": more_interval,
    }
    if more_interval is None or more_interval[0] <= 0:
        return found, [f"no gain is shown of choosing arms over giving {data.arms[best]} to all"]
    return found, []


def against_truth(data: Judged, log_hazard: Array, truth: Array, best: int) -> Facts:
    """Return how near predicted log hazard ratios (n, arms) to the reference come to known ones."""
    predicted = log_hazard - log_hazard[:, :1]
    facts: Facts = {
        "right_arm": float((predicted.argmin(1) == truth.argmin(1)).mean()),
        "right_arm_if_all_had_best": float((truth.argmin(1) == best).mean()),
        "regret": float((_picked(truth, predicted.argmin(1)) - truth.min(1)).mean()),
        "regret_if_all_had_best": float((truth[:, best] - truth.min(1)).mean()),
    }
    for number, name in enumerate(data.arms[1:], 1):
        a, b = predicted[:, number], truth[:, number]
        varies = a.std() > 0 and b.std() > 0
        facts[f"effect_correlation_{name}"] = float(np.corrcoef(a, b)[0, 1]) if varies else None
        facts[f"effect_rmse_{name}"] = float(np.sqrt(((a - b) ** 2).mean()))
    return facts


def uno(data: Judged, risk: Array, horizon: float) -> float | None:
    """Return Uno's concordance until the horizon, None where there is no pair."""
    try:
        return concordance_index_ipcw(data.time, data.event, risk, data.censoring(), horizon)
    except UndefinedMetricError:
        return None


def _picked(values: Array, columns: Array) -> Array:
    return values[np.arange(len(values)), columns]


def _qini(y: Array, benefit: Array) -> float:
    return qini(benefit, y[:, 0], y[:, 1], y[:, 2])


def _difference(y: Array, benefit: Array) -> float:
    """Return the mean outcome with the arm less that without; benefits are not used."""
    arm = y[:, 0]
    means = [policy_value(np.full(len(y), which), arm, y[:, 1], y[:, 2]) for which in (1, 0)]
    return means[0] - means[1]


def _interval(
    metric: Callable[[Array, Array], float], rows: Array, scores: Array, groups: Array | None
) -> tuple[float | None, list[float] | None]:
    """Return a metric and its 95 % interval over groups, None for what is not defined."""
    try:
        value = metric(rows, scores)
    except UndefinedMetricError:
        return None, None
    try:
        low, high, *_ = bootstrap_interval(
            metric, rows, scores, groups, resamples=RESAMPLES, generator=np.random.default_rng(0)
        )
    except UndefinedMetricError:
        return value, None
    return value, [low, high]
