"""A randomised trial of patients that never were, whose true benefit from each arm is known."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_csv", "synthetic_trial"]

Columns = dict[str, NDArray[Any]]
ARMS = ("control", "inhibitor", "antibody")
FOLLOW_UP = 1200.0  # days until the trial ends
SHAPE = 1.3  # of the Weibull distribution: the hazard rises


def synthetic_trial(patients: int, generator: np.random.Generator) -> Columns:
    """Return the columns of a table that `parse_trial` reads.

    Three arms drawn by lot. Risk rises with age, stage and inflammation, bends with body mass index
    and is higher where kidney function is poor; sex changes nothing. The inhibitor helps where a
    marker is high and harms a little where it is low; the antibody helps the older in stages I and
    II. About half have the event; others leave early or are seen until the end of the trial. One
    cell in twelve of creatinine is missing, more often in the old.

    Parameters
    ----------
    patients : int
    generator : numpy.random.Generator

    Returns
    -------
    dict of array (n,)
        ``truth_`` columns: the log hazard ratio of each arm to control, for this patient.
    """
    n, draw = patients, generator
    age = np.clip(draw.normal(61, 10, n), 30, 88).round()
    bmi = np.clip(draw.normal(26, 4.5, n), 16, 45).round(1)
    marker = np.exp(draw.normal(2.0, 0.9, n)).round(1)  # log-normal, as concentrations are
    crp = np.exp(draw.normal(1.2, 1.0, n) + 0.02 * (age - 61)).round(1)
    creatinine = np.exp(draw.normal(-0.1, 0.3, n) + 0.008 * (age - 61)).round(2)
    stage = draw.choice(3, n, p=(0.35, 0.4, 0.25))
    sex = draw.choice(["female", "male"], n)
    prior = draw.integers(0, 2, n)

    risk = 0.02 * (age - 61) + 0.45 * stage + 0.3 * (np.log(crp) - 1.2) + 0.25 * prior
    risk += 0.006 * (bmi - 27) ** 2 + 0.6 * (creatinine > 1.3)
    high = 1 / (1 + np.exp(-4 * (np.log(marker) - 2.0)))
    inhibitor = 0.25 - 1.3 * high
    antibody = -0.1 - 0.9 * (stage < 2) / (1 + np.exp(-(age - 62) / 4))
    effects = np.column_stack([np.zeros(n), inhibitor, antibody])

    arm = draw.integers(0, len(ARMS), n)
    effect = effects[np.arange(n), arm]
    survival = 1500 * (draw.exponential(1.0, n) * np.exp(-(risk - 0.6 + effect))) ** (1 / SHAPE)
    leaves = draw.exponential(4000.0, n)
    seen = np.minimum(leaves, draw.uniform(700, FOLLOW_UP, n))  # they entered over 500 days
    later = 300 - 60 * risk - 90 * effect + draw.normal(0, 60, n)
    missing = draw.random(n) < 0.06 + 0.05 * (age > 65)
    return {
        "time": np.maximum(np.minimum(survival, seen), 1).round(),
        "event": (survival <= seen).astype(int),
        "arm": np.array(ARMS)[arm],
        "age": age,
        "bmi": bmi,
        "marker": marker,
        "crp": crp,
        "creatinine": np.where(missing, "", creatinine.astype(str)),
        "stage": np.array(["I", "II", "III"])[stage],
        "sex": sex,
        "prior": prior,
        "outcome_cells_week_20": np.where(draw.random(n) < 0.1, "", later.round().astype(str)),
        "truth_inhibitor": inhibitor.round(6),
        "truth_antibody": antibody.round(6),
    }


def as_csv(columns: Columns) -> str:
    """Return columns as the text of a table."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()
