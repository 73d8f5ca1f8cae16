"""The sections of a page that say how good the predictions are, from the cases themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinymed.interpret.generalisation import SubgroupRow, subgroup_table
from tinymed.medical.report import pictures
from tinymed.medical.report.evidence import Evidence
from tinymed.medical.report.page import Section, Table, drawn
from tinymed.metrics import (
    UndefinedMetricError,
    accuracy,
    average_precision,
    bootstrap_band,
    bootstrap_interval,
    brier,
    choose_threshold,
    confusion_matrix,
    expected_calibration_error,
    mae,
    per_class,
    precision,
    precision_recall_curve,
    recall,
    reliability_curve,
    rmse,
    roc_auc,
    roc_curve,
    specificity,
)

__all__ = ["judgement", "subgroup_section"]

Array = np.ndarray[Any, Any]
Metric = Callable[[Array, Array], float]
Value = tuple[float | None, str]
RESAMPLES = 300  # of an interval
RECALLS = (0.8, 0.9, 0.95, 0.99)  # of the operating points
PLACES = np.linspace(0, 1, 101)  # of the bands
SCORES: dict[str, tuple[str, Metric]] = {
    "binary": ("AUC", roc_auc),
    "classes": ("accuracy", accuracy),
    "numbers": ("RMSE", rmse),
}
RATES: dict[str, Metric] = {"recall": recall, "specificity": specificity}


def judgement(evidence: Evidence, quantity: str) -> list[Section]:
    """Return the sections on ranking, decisions and calibration, as far as the kind has them.

    Parameters
    ----------
    evidence : Evidence
    quantity : str
        What numbers are, for the axes.
    """
    if evidence.kind == "numbers":
        return [_agreement(evidence, quantity)]
    if evidence.kind == "classes":
        return [_decisions(evidence), _calibration(evidence)]
    both = len(np.unique(evidence.truth)) == 2
    ranking = [_ranking(evidence), _operating_points(evidence)] if both else []
    return [*ranking, _decisions(evidence), _calibration(evidence)]


def subgroup_section(evidence: Evidence) -> Section:
    """Return the score of each subgroup beside that of all: who is served worse."""
    if not evidence.subgroups:
        return Section("Subgroups", ["The data say nothing of the cases by which to part them."])
    name, metric = SCORES[evidence.kind]
    binary = evidence.kind == "binary"
    found = evidence.found if binary else evidence.decided
    score = _subgroups(metric, evidence, found)
    rates = [_subgroups(each, evidence, evidence.decided) for each in RATES.values() if binary]
    rows = []
    for row, *others in zip(score, *rates, strict=True):
        defined = not row.remark
        value = (row.estimate, f"{row.low:.3f} to {row.high:.3f}") if defined else (None, "")
        rest = [None if other.remark else other.estimate for other in others]
        rows.append((row.column, row.value, row.n, *value, *rest, row.remark))
    columns = ("by", "value", "cases", name, "95 % interval", *(RATES if binary else ()), "")
    notes = [
        "A part whose interval does not reach the value of all is served better or worse than the "
        "rest; among many parts one in twenty does so by chance."
    ]
    return Section("Subgroups", notes, [Table(columns, rows)])


def _subgroups(metric: Metric, evidence: Evidence, found: Array) -> list[SubgroupRow]:
    return subgroup_table(
        metric,
        evidence.truth,
        found,
        evidence.subgroups,
        evidence.groups,
        resamples=RESAMPLES,
        generator=np.random.default_rng(0),
    )


def _interval(metric: Metric, evidence: Evidence, found: Array) -> Value:
    """Return a value and its interval over groups, as text; None and "" where undefined."""
    try:
        value = float(metric(evidence.truth, found))
    except UndefinedMetricError:
        return None, ""
    try:
        interval = bootstrap_interval(
            metric,
            evidence.truth,
            found,
            evidence.groups,
            resamples=RESAMPLES,
            generator=np.random.default_rng(0),
        )
    except UndefinedMetricError:  # a single group has no spread
        return value, ""
    return value, f"{interval.low:.3f} to {interval.high:.3f}"


def _band(curve: Callable[[Array, Array], Array], evidence: Evidence) -> Any:
    """Return places and the two edges of a curve there, None where patients are too few."""
    try:
        edges = bootstrap_band(
            curve,
            evidence.truth,
            evidence.found,
            evidence.groups,
            resamples=RESAMPLES,
            generator=np.random.default_rng(0),
        )
    except UndefinedMetricError:
        return None
    return PLACES, *edges


def _ranking(evidence: Evidence) -> Section:
    truth, score, decided = evidence.truth, evidence.found, evidence.decided
    roc, curve = roc_curve(truth, score), precision_recall_curve(truth, score)
    rows = [
        ("AUC (ROC)", *_interval(roc_auc, evidence, score)),
        ("average precision", *_interval(average_precision, evidence, score)),
    ]
    reached = recall(truth, decided)
    roc_picture = drawn(
        pictures.draw_roc,
        "ROC curve with its 95 % band and the operating point",
        roc.fpr,
        roc.tpr,
        auc=rows[0][1],
        band=_band(lambda t, s: np.interp(PLACES, *roc_curve(t, s)[:2]), evidence),
        operating_point=(1 - specificity(truth, decided), reached),
    )
    pr_picture = drawn(
        pictures.draw_precision_recall,
        "precision against recall with its 95 % band and the operating point",
        curve.precision,
        curve.recall,
        average_precision=rows[1][1],
        prevalence=float(truth.mean()),
        band=_band(_precision_at, evidence),
        operating_point=(reached, precision(truth, decided)),
    )
    notes = [f"Bands and intervals: 95 %, {RESAMPLES} bootstrap resamples of whole groups."]
    table = Table(("metric", "value", "95 % interval"), rows)
    return Section("Ranking", notes, [table], [roc_picture, pr_picture])


def _precision_at(truth: Array, score: Array) -> Array:
    """Return the precision at `PLACES` of recall: that of the first threshold to reach each."""
    curve = precision_recall_curve(truth, score)
    places = np.searchsorted(curve.recall[::-1], PLACES)  # recall falls
    found: Array = curve.precision[::-1][places]
    return found


def _operating_points(evidence: Evidence) -> Section:
    truth, score = evidence.truth, evidence.found
    points = [("of the model", evidence.threshold), ("one half", 0.5)]
    for wanted in RECALLS:
        threshold = choose_threshold(truth, score, "specificity", min_sensitivity=wanted)
        points.append((f"recall {wanted:g} or more", threshold))
    rows = []
    for name, threshold in points:
        called = (score >= threshold).astype(np.int64)
        counts = confusion_matrix(truth, called, num_classes=2)
        recalled, recall_interval = _interval(recall, evidence, called)
        spared, interval = _interval(specificity, evidence, called)
        positive, negative = counts[:, 1].sum(), counts[:, 0].sum()
        rows.append(
            (
                name,
                float(threshold),
                recalled,
                recall_interval,
                spared,
                interval,
                counts[1, 1] / positive if positive else None,
                counts[0, 0] / negative if negative else None,
                f"{positive / len(truth):.1%}",
            )
        )
    columns = (
        "threshold", "score from", "recall", "95 % interval", "specificity", "95 % interval",
        "precision", "negative predictive value", "called positive",
    )  # fmt: skip
    seen = "on these very cases" if evidence.threshold_seen else "before these cases were seen"
    notes = [
        f"The threshold of the model was chosen {seen}; those named by their recall are read off "
        "these very cases. What is read off the cases that judge is a little less on new ones. "
        "Precision and negative predictive value hold for the share of positive cases here, "
        f"{truth.mean():.1%}."
    ]
    return Section("Operating points", notes, [Table(columns, rows)])


def _decisions(evidence: Evidence) -> Section:
    classes, truth, decided = list(evidence.classes), evidence.truth, evidence.decided
    matrix = confusion_matrix(truth, decided, num_classes=len(classes))
    measured = per_class(truth, decided, num_classes=len(classes))
    rows = [
        (name, int(n), None if not n else float(r), float(p), float(f))
        for name, n, r, p, f in zip(
            classes,
            measured.support,
            measured.recall,
            measured.precision,
            measured.f1,
            strict=True,
        )
    ]
    picture = drawn(
        pictures.draw_confusion_matrix,
        "confusion matrix: rows are true classes, columns predicted ones",
        matrix,
        classes=classes,
    )
    table = Table(("class", "cases", "recall", "precision", "F1"), rows)
    return Section("Decisions", _rate(evidence), [table], [picture])


def _rate(evidence: Evidence) -> Sequence[str]:
    value, interval = _interval(accuracy, evidence, evidence.decided)
    if value is None:
        return []
    return [f"{value:.1%} of the cases are decided rightly (95 % interval {interval})."]


def _calibration(evidence: Evidence) -> Section:
    if evidence.kind == "binary":
        happened, said, what = evidence.truth, evidence.found, evidence.classes[1]
    else:
        happened = (evidence.decided == evidence.truth).astype(np.int64)
        said, what = evidence.found.max(axis=1), "the class that is said"
    error = expected_calibration_error(happened, said)
    picture = drawn(
        pictures.draw_reliability,
        "reliability diagram: predicted probability against the share that came true",
        *reliability_curve(happened, said),
        error=error,
    )
    rows = [("expected calibration error", error), ("Brier score", brier(happened, said))]
    notes = [f"Whether the probability of {what} is one: on the dotted line it is."]
    return Section("Calibration", notes, [Table(("metric", "value"), rows)], [picture])


def _agreement(evidence: Evidence, quantity: str) -> Section:
    rows = [
        (name, *_interval(metric, evidence, evidence.found))
        for name, metric in (("RMSE", rmse), ("MAE", mae))
    ]
    picture = drawn(
        pictures.draw_agreement,
        f"predicted against true {quantity}",
        evidence.truth,
        evidence.found,
        quantity=quantity,
    )
    table = Table(("metric", "value", "95 % interval"), rows)
    return Section("Agreement", (), [table], [picture])
