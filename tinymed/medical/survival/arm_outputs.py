"""What the outputs of a network of treatment mean: survival, hazards and outcomes under each arm.

Outputs are (n, arms, hazards + outcomes); ``about`` is what a model file says of the network.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.errors import DataError
from tinymed.medical.survival.curves import StepFunction
from tinymed.medical.survival.linear_methods import linear_outcome
from tinymed.medical.survival.losses import discrete_survival
from tinymed.medical.survival.trial_table import outcomes_of
from tinymed.metrics import rmse

__all__ = [
    "known_effects",
    "later_measurements",
    "log_hazards",
    "outcome_values",
    "scale_of",
    "survival_at",
]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]


def scale_of(endpoints: Array, name: str) -> dict[str, float]:
    """Return mean and deviation of a measurement, by which the network predicts it."""
    values = endpoints[name][~np.isnan(endpoints[name])]
    if len(values) < 2 or not values.std():
        raise DataError(f"treatment: {name} was measured in {len(values)} patients and is constant")
    return {"mean": float(values.mean()), "deviation": float(values.std())}


def survival_at(outputs: Array, about: Facts, time: float) -> Array:
    """Return the probability (n, arms) of no event until a time."""
    cuts = about["preprocessing"]["cuts"]
    if cuts is not None:
        return discrete_survival(outputs[..., : len(cuts)], cuts, time)
    times, values = (np.array(column) for column in about["baseline_hazard"])
    hazard = StepFunction(times, values, 0.0)(time)
    return np.exp(-hazard * np.exp(outputs[..., 0].astype(np.float64)))


def log_hazards(outputs: Array, known: Facts) -> Array:
    """Return log hazards (n, arms); for discrete ones, of the sum of hazards to the horizon."""
    if known["cuts"] is None:
        return outputs[..., 0].astype(np.float64)
    logits = outputs[..., : len(known["cuts"])]
    return np.log(-np.log(discrete_survival(logits, known["cuts"], known["horizon"])))


def outcome_values(outputs: Array, known: Facts, number: int) -> Array:
    """Return a later measurement (n, arms) in its unit."""
    first = 1 if known["cuts"] is None else len(known["cuts"])
    scale = list(known["outcomes"].values())[number]
    return outputs[..., first + number].astype(np.float64) * scale["deviation"] + scale["mean"]


def later_measurements(
    outputs: Array, endpoints: Array, arm: Array, plain: Array, about: Facts
) -> Facts:
    """Return the error of each later measurement, that of least squares beside it."""
    known = about["preprocessing"]
    facts: Facts = {}
    for number, name in enumerate(known["outcomes"]):
        if name not in outcomes_of(endpoints):
            continue
        seen = ~np.isnan(endpoints[name])
        if seen.any():
            ours = outcome_values(outputs, known, number)[np.arange(len(arm)), arm]
            linear = linear_outcome(plain, arm, about["linear"], name)
            facts[name] = {
                "n": int(seen.sum()),
                "rmse": rmse(endpoints[name][seen], ours[seen]),
                "baseline_rmse": rmse(endpoints[name][seen], linear[seen]),
            }
    return {"outcomes": facts} if facts else {}


def known_effects(endpoints: Array, arms: Any) -> list[Array]:
    """Return the true log hazard ratio of each arm (n,), empty where they are not all known."""
    columns = [f"truth_{arm}" for arm in arms[1:]]
    if not columns or not set(columns) <= set(outcomes_of(endpoints, "truth_")):
        return []
    return [np.zeros(len(endpoints)), *(endpoints[name] for name in columns)]
