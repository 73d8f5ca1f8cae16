"""Covariates as numbers: what is missing, what is a category, which scale, all from training."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.errors import DataError
from tinymed.medical.survival.trial_table import MISSING, covariates_of, number

__all__ = ["encoded", "fitted_covariates", "normal_scores"]

Array = NDArray[Any]
Facts = dict[str, Any]
MOST_LEVELS = 20
KNOTS = 41


def fitted_covariates(patients: Array) -> Facts:
    """Return what has to be known to encode patients, learned from those in training, as JSON.

    A covariate is a number if all its cells are; else its cells are categories. Missing numbers
    become the median, with a column that says so; missing categories are a category. What does not
    vary is left out.

    Parameters
    ----------
    patients : records (n,)
        As `read_trial` returns them.

    Raises
    ------
    DataError
        Too many categories; nothing that varies.
    """
    facts: Facts = {"numbers": {}, "categories": {}, "left_out": []}
    for name in sorted(covariates_of(patients)):
        cells = patients[name]
        missing = np.array([cell.lower() in MISSING for cell in cells])
        if len(np.unique(cells[~missing])) + missing.any() < 2:
            facts["left_out"].append(name)
        elif all(map(_is_number, cells)):
            values = np.array([float(cell) for cell in cells[~missing]])
            if not np.isfinite(values).all():
                _numbers(patients, name)  # says where
            facts["numbers"][name] = {
                "median": float(np.median(values)),
                "indicator": bool(missing.any()),
                "knots": np.quantile(values, np.linspace(0, 1, KNOTS)).tolist(),
            }
        else:
            levels = sorted({"" if cell.lower() in MISSING else str(cell) for cell in cells})
            if len(levels) > MOST_LEVELS:
                raise DataError(
                    f"csv: {name} has {len(levels)} categories in {len(cells)} patients, at "
                    f"most {MOST_LEVELS} expected; leave it out, or mend its cells"
                )
            facts["categories"][name] = levels
    if not facts["numbers"] and not facts["categories"]:
        raise DataError("csv: no covariate varies among the patients in training")
    return facts


def encoded(patients: Array, facts: Facts, scores: bool) -> NDArray[np.float64]:
    """Return covariates (n, d): numbers, their indicators, categories but for their first level.

    Parameters
    ----------
    patients : records (n,)
    facts : dict
        Of `fitted_covariates`.
    scores : bool
        Numbers as normal scores of the training patients; else as they are.

    Raises
    ------
    DataError
        A covariate that is not there, a category that is new, a word where a number is expected.
    """
    names = covariates_of(patients)
    if absent := [name for name in [*facts["numbers"], *facts["categories"]] if name not in names]:
        place = str(patients["place"][0]).rpartition(", ")[0]
        raise DataError(f"csv: {place}: no column {', '.join(map(repr, absent))}")
    columns = []
    for name, known in sorted(
        facts["numbers"].items()
    ):  # the order of columns, whatever the file's
        values = _numbers(patients, name)
        missing = np.isnan(values)
        values[missing] = known["median"]
        columns.append(normal_scores(values, known["knots"]) if scores else values)
        if known["indicator"]:
            columns.append(missing.astype(np.float64))
    for name, levels in sorted(facts["categories"].items()):
        cells = ["" if cell.lower() in MISSING else str(cell) for cell in patients[name]]
        for cell, place in zip(cells, patients["place"], strict=True):
            if cell not in levels:
                raise DataError(
                    f"csv: {place}: {name} is {cell!r}, one of {', '.join(map(repr, levels))} "
                    "expected as in training"
                )
        columns += [(np.array(cells) == level).astype(np.float64) for level in levels[1:]]
    return np.column_stack(columns)


def normal_scores(values: Array, knots: list[float]) -> NDArray[np.float64]:
    """Return the normal quantiles of the ranks of values among those whose quantiles are ``knots``.

    Outliers come to at most 2.5, skewed covariates become even. What takes few values is nearly
    linear. The scores of training patients have about mean 0 and deviation 1.

    Examples
    --------
    >>> normal_scores(np.array([-9.0, 5.0, 99.0]), [0.0, 5.0, 10.0]).round(2)
    array([-0.97,  0.  ,  0.97])
    """
    ranks = (np.arange(len(knots)) + 0.5) / len(knots)
    quantiles = np.array([NormalDist().inv_cdf(rank) for rank in ranks])
    distinct, place = np.unique(knots, return_inverse=True)
    means = np.bincount(place, quantiles) / np.bincount(place)
    found: NDArray[np.float64] = np.interp(values, distinct, means)
    return found


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.lower() in MISSING
    return True


def _numbers(patients: Array, name: str) -> NDArray[np.float64]:
    pairs = zip(patients[name], patients["place"], strict=True)
    return np.array([number(str(cell), str(place), name) for cell, place in pairs])
