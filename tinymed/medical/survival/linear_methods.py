"""The simple methods beside a network of treatment: linear in the covariates and the arm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.survival.cox_regression import cox_regression

__all__ = ["fitted_linear", "linear_outcome", "linear_risk"]

Array = NDArray[Any]
Facts = dict[str, Any]
RIDGE = 1e-6  # none, but for covariates that depend on each other


def fitted_linear(
    covariates: Array, arm: Array, arms: int, endpoints: Array, outcomes: list[str]
) -> Facts:
    """Return Cox's regression of survival and least squares of each outcome, as JSON.

    Parameters
    ----------
    covariates : array (n, d)
    arm : array (n,), 0 .. arms - 1
    arms : int
    endpoints : records (n,)
        Of `read_trial`.
    outcomes : list of str
        Fields of endpoints; NaN where it was not measured.
    """
    deviation = covariates.std(0)
    scale = np.where(deviation > 0, deviation, 1.0)
    mean = covariates.mean(0)
    facts: Facts = {"mean": mean.tolist(), "scale": scale.tolist(), "arms": arms}
    x = _design(covariates, arm, facts)
    fit = cox_regression(x[:, 1:], endpoints["time"], endpoints["event"], ridge=RIDGE)
    facts["cox"] = fit.coefficients.tolist()
    for name in outcomes:
        seen = ~np.isnan(endpoints[name])
        facts[name] = np.linalg.lstsq(x[seen], endpoints[name][seen], rcond=None)[0].tolist()
    return facts


def linear_risk(covariates: Array, arm: Array, facts: Facts) -> NDArray[np.float64]:
    """Return log hazards (n,) by Cox's regression."""
    found: NDArray[np.float64] = _design(covariates, arm, facts)[:, 1:] @ np.array(facts["cox"])
    return found


def linear_outcome(covariates: Array, arm: Array, facts: Facts, name: str) -> NDArray[np.float64]:
    """Return an outcome (n,) by least squares."""
    found: NDArray[np.float64] = _design(covariates, arm, facts) @ np.array(facts[name])
    return found


def _design(covariates: Array, arm: Array, facts: Facts) -> Array:
    """Return columns 1, standard covariates, one for each arm but the first."""
    standard = (covariates - facts["mean"]) / facts["scale"]
    dummies = arm[:, None] == np.arange(1, facts["arms"])
    return np.column_stack([np.ones(len(arm)), standard, dummies])
