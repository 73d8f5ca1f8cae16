"""Metrics of detection: how many lesions are found at how many false alarms a scan (FROC)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.inputs import UndefinedMetricError, column, same_length, whole_number
from tinymed.metrics.inputs import scores as checked_scores

__all__ = ["FALSE_ALARMS", "FrocCurve", "froc_curve", "froc_score", "froc_sensitivity"]

FALSE_ALARMS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # a scan, where LUNA16 reads the curve


class FrocCurve(NamedTuple):
    """Points of a free-response ROC curve; arrays (T,), by falling threshold."""

    false_positives: NDArray[np.float64]  # a scan
    sensitivity: NDArray[np.float64]
    thresholds: NDArray[np.float64]  # the first is infinite: nothing is marked


def froc_curve(
    y_score: ArrayLike, lesion: ArrayLike, *, num_lesions: int, num_scans: int
) -> FrocCurve:
    """Return sensitivity and false positives a scan at each threshold (score >= threshold).

    Parameters
    ----------
    y_score : array (n,)
        Scores of all marks of all scans; n may be 0.
    lesion : array (n,)
        Which lesion a mark hits, 0 .. num_lesions - 1 over all scans, or -1 for none.
    num_lesions, num_scans : int
        How many there are, those without a mark included.

    Notes
    -----
    A lesion is found once, by the mark that scores highest; further marks on it are no false
    positives. Marks that tie enter together.

    Raises
    ------
    UndefinedMetricError
        Without a lesion or a scan.

    References
    ----------
    Setio et al. (2017), "Validation, comparison, and combination of algorithms for automatic
    detection of pulmonary nodules in CT images: the LUNA16 challenge", Medical Image Analysis 42.

    Examples
    --------
    >>> froc_curve([0.9, 0.8, 0.4], [0, -1, 1], num_lesions=2, num_scans=2).sensitivity
    array([0. , 0.5, 0.5, 1. ])
    """
    lesions = whole_number("froc_curve", "num_lesions", num_lesions, 0)
    scans = whole_number("froc_curve", "num_scans", num_scans, 0)
    if lesions < 1 or scans < 1:
        raise UndefinedMetricError(
            f"froc_curve: {lesions} lesions in {scans} scans, at least one of each expected"
        )
    if not np.size(y_score) and not np.size(lesion):
        return FrocCurve(np.zeros(1), np.zeros(1), np.array([np.inf]))
    score = checked_scores("froc_curve", "y_score", y_score)
    hit = column("froc_curve", "lesion", lesion)
    same_length("froc_curve", y_score=score, lesion=hit)
    if (hit != np.rint(hit)).any() or hit.min() < -1 or hit.max() >= lesions:
        raise ValueError(f"froc_curve: lesion holds others than -1, 0 .. {lesions - 1}")
    order = np.argsort(-score, kind="stable")
    score, hit = score[order], hit[order].astype(np.int64)
    first = np.zeros(len(hit), bool)  # marks that find a lesion for the first time
    first[np.unique(hit, return_index=True)[1]] = True
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)  # of each tie
    found = np.cumsum(first & (hit >= 0))[last]
    false = np.cumsum(hit < 0)[last]
    return FrocCurve(
        np.concatenate([[0.0], false / scans]),
        np.concatenate([[0.0], found / lesions]),
        np.concatenate([[np.inf], score[last]]),
    )


def froc_sensitivity(
    curve: FrocCurve, false_positives: ArrayLike = FALSE_ALARMS
) -> NDArray[np.float64]:
    """Return the highest sensitivity with at most so many false positives a scan; no interpolation.

    Examples
    --------
    >>> curve = froc_curve([0.9, 0.8, 0.4], [0, -1, 1], num_lesions=2, num_scans=2)
    >>> froc_sensitivity(curve, [0.25, 0.5])
    array([0.5, 1. ])
    """
    rates = column("froc_sensitivity", "false_positives", false_positives)
    if rates.min() < 0:
        raise ValueError(f"froc_sensitivity: {rates.min()} false positives a scan, >= 0 expected")
    last = np.searchsorted(curve.false_positives, rates, side="right") - 1
    return curve.sensitivity[last]


def froc_score(curve: FrocCurve) -> float:
    """Return the mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives a scan.

    The score of the LUNA16 challenge, without its interpolation between points.
    """
    return float(froc_sensitivity(curve).mean())
