"""Conformal prediction: sets of classes that hold the true one as often as was promised."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.inputs import (
    Scores,
    UndefinedMetricError,
    class_scores,
    labels,
    probabilities,
    same_length,
)

__all__ = ["ConformalSets", "SetCoverage", "fit_conformal", "set_coverage"]

Method = Literal["lac", "aps"]


class SetCoverage(NamedTuple):
    """What prediction sets held on cases they were not fitted on."""

    coverage: float  # share of the cases whose set holds the true class
    mean_size: float
    empty: float  # share of the sets that hold nothing
    per_class: NDArray[np.float64]  # (C,), coverage of each true class; NaN without cases


@dataclass(frozen=True)
class ConformalSets:
    """A threshold on how unusual a class would be; made by `fit_conformal`."""

    method: Method
    coverage: float
    threshold: float

    def __call__(self, y_prob: ArrayLike) -> NDArray[np.bool_]:
        """Return whether each class belongs to the set of each case, (n, C).

        Parameters
        ----------
        y_prob : array (n, C), or (n,) or (n, 1)
            As for `fit_conformal`.
        """
        each = _distribution("ConformalSets", y_prob)
        return np.asarray(_unusualness(each, self.method) <= self.threshold)


def fit_conformal(
    y_true: ArrayLike, y_prob: ArrayLike, *, coverage: float = 0.9, method: Method = "lac"
) -> ConformalSets:
    """Return sets that hold the true class of a new case with at least this probability.

    The promise needs no trust in the probabilities, only that calibration cases and new ones are
    drawn alike (one case a patient; slices of one patient are not). It is kept on average over all
    cases, not for each class or subgroup: see `set_coverage`.

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Class indices of calibration cases, unseen in training and in choosing the model.
    y_prob : array (n, C), or (n,) or (n, 1)
        Probability of each class; or of class 1.
    coverage : float
        In (0, 1).
    method : {"lac", "aps"}
        "lac" takes in the classes above one probability: the smallest sets, some of them empty.
        "aps" takes in classes from the most probable on until a sum of probabilities is passed:
        larger sets where the model doubts.

    Returns
    -------
    ConformalSets
        A function of ``y_prob``.

    Raises
    ------
    UndefinedMetricError
        If the cases are too few for the promise: coverage / (1 - coverage) are needed.

    References
    ----------
    Sadinle, Lei, Wasserman (2019), "Least ambiguous set-valued classifiers with bounded error
    levels"; Romano, Sesia, Candes (2020), "Classification with valid and adaptive coverage", with
    1/2 in the place of their random number: the same case gets the same set.

    Examples
    --------
    >>> sets = fit_conformal([1, 1, 0, 1], [0.9, 0.7, 0.2, 0.4], coverage=0.75)
    >>> sets.threshold, sets([0.5, 0.95]).tolist()
    (0.6, [[True, True], [False, True]])
    """
    if not 0 < coverage < 1:
        raise ValueError(f"fit_conformal: coverage is {coverage}, a share in (0, 1) expected")
    each = _distribution("fit_conformal", y_prob)
    truth = labels("fit_conformal", "y_true", y_true, each.shape[1])
    same_length("fit_conformal", y_true=truth, y_prob=each)
    n = len(truth)
    rank = math.ceil(round((n + 1) * coverage, 9))  # 0.9 * 10 is 9, not 9.000000000000002
    if rank > n:
        raise UndefinedMetricError(
            f"fit_conformal: {n} cases, at least {math.ceil(round(coverage / (1 - coverage), 9))} "
            f"expected for a coverage of {coverage}"
        )
    unusual = np.sort(_unusualness(each, method)[np.arange(n), truth])
    return ConformalSets(method, coverage, float(unusual[rank - 1]))


def set_coverage(y_true: ArrayLike, sets: ArrayLike) -> SetCoverage:
    """Return how often prediction sets hold the true class, and how large they are.

    Parameters
    ----------
    y_true : array (n,) or (n, 1)
        Class indices.
    sets : array of bool (n, C)

    Examples
    --------
    >>> set_coverage([0, 1], [[True, True], [True, False]])[:3]
    (0.5, 1.5, 0.0)
    """
    held = np.asarray(sets)
    if held.dtype != np.bool_ or held.ndim != 2:
        raise ValueError(f"set_coverage: sets are {held.dtype} {held.shape}, bool (n, C) expected")
    truth = labels("set_coverage", "y_true", y_true, held.shape[1])
    same_length("set_coverage", y_true=truth, sets=held)
    right = held[np.arange(len(truth)), truth]
    support = np.bincount(truth, minlength=held.shape[1])
    covered = np.bincount(truth, weights=right, minlength=held.shape[1])
    per_class = np.where(support > 0, covered / np.maximum(support, 1), np.nan)
    size = held.sum(axis=1)
    return SetCoverage(
        float(right.mean()), float(size.mean()), float((size == 0).mean()), per_class
    )


def _distribution(function: str, y_prob: ArrayLike) -> Scores:
    """Return probabilities of every class, (n, C)."""
    if np.ndim(y_prob) == 2 and np.shape(y_prob)[1] > 1:
        return class_scores(function, "y_prob", y_prob, normalized=True)
    positive = probabilities(function, "y_prob", y_prob)
    return np.stack([1 - positive, positive], axis=1)


def _unusualness(each: Scores, method: str) -> Scores:
    """Return for every class what the threshold is put on, (n, C)."""
    if method == "lac":
        return np.round(1 - each, 12)  # equal probabilities must not be told apart by rounding
    if method != "aps":
        raise ValueError(f"fit_conformal: method is {method!r}, 'lac' or 'aps' expected")
    order = np.argsort(-each, axis=1, kind="stable")
    ranked = np.take_along_axis(each, order, axis=1)
    found = np.empty_like(each)  # what is more probable, and half of the class itself
    np.put_along_axis(found, order, np.cumsum(ranked, axis=1) - ranked / 2, axis=1)
    return np.round(found, 12)
