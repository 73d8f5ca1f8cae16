"""How good outlines are, of all cases and of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.errors import DataError
from tinymed.metrics import (
    UndefinedMetricError,
    bootstrap_interval,
    dice,
    iou,
    surface_distance,
)

__all__ = ["best_threshold", "judged_outlines"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
THRESHOLDS = (0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7)  # the first of equals is taken


def best_threshold(probabilities: Array, masks: Array | None) -> float:
    """Return the threshold with the best mean Dice over cases (n, ...)."""
    if masks is None:
        raise DataError("segment: no masks to choose a threshold by")
    reached = [
        np.mean([dice(mask, p >= threshold) for mask, p in zip(masks, probabilities, strict=True)])
        for threshold in THRESHOLDS
    ]
    return THRESHOLDS[int(np.argmax(reached))]


def judged_outlines(
    masks: Array | None, found: Array, groups: Array | None, threshold: float | None
) -> Facts:
    """Return metrics of outlines, means over cases; distances are in voxels.

    Parameters
    ----------
    masks, found : array of bool (n, ...)
        True and predicted outlines.
    groups : array (n,) or None
        The patient of each; None: each its own.
    threshold : float or None
        What was outlined with: told beside the result.

    Returns
    -------
    dict
        ``n, dice, dice_ci`` (95 %, over patients; absent where there are fewer than two), ``iou,
        surface_distance, hausdorff_95`` (over the cases in which something was outlined; None if
        there are none), ``missed`` (the others), ``threshold, cases`` and ``warnings``.
    """
    if masks is None:
        raise DataError("segment: no masks to compare with")
    cases = [_case(mask, outline) for mask, outline in zip(masks, found, strict=True)]
    column = {name: [case[name] for case in cases] for name in cases[0]}
    metrics: Facts = {"n": len(cases), "dice": float(np.mean(column["dice"]))}
    scores = np.array(column["dice"])
    try:
        interval = bootstrap_interval(
            lambda _, each: float(each.mean()), scores, scores, groups,
            generator=np.random.default_rng(0),
        )  # fmt: skip
        metrics["dice_ci"] = [interval.low, interval.high]
    except UndefinedMetricError:
        pass  # one patient has no spread
    metrics["iou"] = float(np.mean(column["iou"]))
    for name in ("surface_distance", "hausdorff_95"):
        known = [value for value in column[name] if value is not None]
        metrics[name] = float(np.mean(known)) if known else None
    missed = column["found"].count(0)
    warnings = [f"nothing is outlined in {missed} of {len(cases)} cases"] if missed else []
    return metrics | {
        "missed": missed,
        "threshold": threshold,
        "cases": cases,
        "warnings": warnings,
    }


def _case(mask: Array, outline: Array) -> Facts:
    """Return the metrics of one outline; distances None where there is none."""
    apart = surface_distance(mask, outline) if mask.any() and outline.any() else None
    return {
        "voxels": int(mask.sum()),
        "found": int(outline.sum()),
        "dice": dice(mask, outline),
        "iou": iou(mask, outline),
        "surface_distance": None if apart is None else apart.mean,
        "hausdorff_95": None if apart is None else apart.hausdorff_95,
    }
