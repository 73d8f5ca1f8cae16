"""Metrics of a whole epoch, from its batches.

The batches are collected and measured together, once. The mean of a metric over batches is another
number: a batch without positives has no recall, and no AUC compares cases of different batches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.bootstrap import bootstrap_interval
from tinymed.metrics.calibration import brier, expected_calibration_error
from tinymed.metrics.decisions import (
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    f1,
    per_class,
    precision,
    recall,
    specificity,
)
from tinymed.metrics.inputs import (
    Labels,
    Scores,
    UndefinedMetricError,
    class_scores,
    group_names,
    labels,
    probabilities,
    same_length,
    whole_number,
)
from tinymed.metrics.ranking import average_precision, roc_auc, roc_auc_per_class

__all__ = ["BinaryMetrics", "MulticlassMetrics"]

_OF_DECISIONS = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "recall": recall,
    "specificity": specificity,
    "precision": precision,
    "f1": f1,
}
_OF_SCORES = {
    "auc": roc_auc,
    "average_precision": average_precision,
    "brier": brier,
    "ece": expected_calibration_error,
}


class _Collected:
    """Batches of labels, scores and groups, copied: loaders reuse their buffers."""

    def __init__(self) -> None:
        self._y_true: list[Labels] = []
        self._y_score: list[Scores] = []
        self._groups: list[NDArray[Any]] = []

    def _add(self, truth: Labels, score: Scores, groups: ArrayLike | None) -> None:
        function = f"{type(self).__name__}.update"
        same_length(function, y_true=truth, y_score=score)
        if self._y_true and (groups is not None) != bool(self._groups):
            given, before = ("no ", "") if groups is None else ("", "no ")
            raise ValueError(
                f"{function}: this batch has {given}groups, earlier ones had {before}groups; "
                f"expected groups with every batch or with none"
            )
        if groups is not None:
            names = group_names(function, groups)
            same_length(function, y_true=truth, groups=names)
            self._groups.append(names.copy())
        self._y_true.append(truth)
        self._y_score.append(score)

    def _require_cases(self, method: str) -> None:
        if not self._y_true:
            name = type(self).__name__
            raise ValueError(f"{name}.{method}: no case yet, expected update(...) before")

    @property
    def y_true(self) -> Labels:
        """Labels of all cases so far (n,), int64."""
        self._require_cases("y_true")
        return np.concatenate(self._y_true)

    @property
    def y_score(self) -> Scores:
        """Scores of all cases so far (n,) or (n, C), float64."""
        self._require_cases("y_score")
        return np.concatenate(self._y_score)

    @property
    def groups(self) -> NDArray[Any] | None:
        """Groups of all cases so far (n,), or None if none were given."""
        self._require_cases("groups")
        return np.concatenate(self._groups) if self._groups else None


class BinaryMetrics(_Collected):
    """Collects the cases of an epoch; measures disease (1) against no disease (0).

    Examples
    --------
    >>> metrics = BinaryMetrics()
    >>> metrics.update([0, 0, 1], [0.1, 0.6, 0.8])
    >>> metrics.update([1, 0], [0.4, 0.2])
    >>> result = metrics.compute(threshold=0.5, resamples=0)
    >>> result["recall"], round(result["auc"], 3)
    (0.5, 0.833)
    """

    def update(
        self, y_true: ArrayLike, y_score: ArrayLike, groups: ArrayLike | None = None
    ) -> None:
        """Add a batch.

        Parameters
        ----------
        y_true : array (n,) or (n, 1)
            Labels 0 or 1.
        y_score : array (n,) or (n, 1)
            Probability of class 1, in [0, 1].
        groups : array (n,), integers or strings, optional
            The patient of each case; with every batch or with none.

        Raises
        ------
        ValueError, TypeError
            For malformed arguments; the batch is then not added.
        """
        truth = labels("BinaryMetrics.update", "y_true", y_true, 2)
        score = probabilities("BinaryMetrics.update", "y_score", y_score)
        self._add(truth, score, groups)

    def compute(
        self,
        threshold: float = 0.5,
        *,
        level: float = 0.95,
        resamples: int = 1000,
        generator: np.random.Generator | None = None,
    ) -> dict[str, Any]:
        """Measure all cases added so far.

        Parameters
        ----------
        threshold : float
            A case is called positive if its score >= threshold. Take it from `choose_threshold`
            on validation cases.
        level, resamples, generator
            Of the interval of the AUC, see `bootstrap_interval`; ``resamples=0`` leaves the
            interval out (``auc_ci`` is None), for the epochs nobody reports.

        Returns
        -------
        dict
            Plain Python numbers, ready for JSON: n, positives, prevalence, threshold, accuracy,
            balanced_accuracy, recall, specificity, precision, f1, auc, auc_ci ([low, high]),
            average_precision, brier, ece. What these cases cannot tell (recall without a positive
            case) is None, and ``warnings``, a list of sentences, says why.
        """
        self._require_cases("compute")
        threshold = float(threshold)
        if not np.isfinite(threshold):
            raise ValueError(
                f"BinaryMetrics.compute: threshold is {threshold}, expected a finite number"
            )
        y_true, y_score = self.y_true, self.y_score
        y_pred = (y_score >= threshold).astype(np.int64)
        result: dict[str, Any] = {
            "n": len(y_true),
            "positives": int(y_true.sum()),
            "prevalence": float(y_true.mean()),
            "threshold": threshold,
        }
        warnings: list[str] = []
        for metrics, prediction in ((_OF_DECISIONS, y_pred), (_OF_SCORES, y_score)):
            for key, metric in metrics.items():
                try:
                    result[key] = metric(y_true, prediction)
                except UndefinedMetricError as error:
                    result[key] = None
                    warnings.append(str(error))
        if not y_pred.any():
            warnings.append(f"precision: no score reaches the threshold {threshold:g}; 0 is given")
        result["auc_ci"] = None
        if resamples != 0 and result["auc"] is not None:
            result["auc_ci"], remarks = self._auc_interval(level, resamples, generator)
            warnings += remarks
        result["warnings"] = warnings
        return result

    def _auc_interval(
        self, level: float, resamples: int, generator: np.random.Generator | None
    ) -> tuple[list[float] | None, list[str]]:
        """Return [low, high], or None, and what a reader must know about it."""
        try:
            interval = bootstrap_interval(
                roc_auc,
                self.y_true,
                self.y_score,
                self.groups,
                level=level,
                resamples=resamples,
                generator=generator,
            )
        except UndefinedMetricError as error:
            return None, [f"auc_ci: {error}"]
        remarks = []
        if interval.redrawn:
            remarks.append(
                f"auc_ci: {interval.redrawn} resamples held one class only and were drawn again"
            )
        return [interval.low, interval.high], remarks


class MulticlassMetrics(_Collected):
    """Collects the cases of an epoch; measures decisions among C classes.

    Parameters
    ----------
    num_classes : int
        C, at least 2.

    Examples
    --------
    >>> metrics = MulticlassMetrics(3)
    >>> metrics.update([0, 1], [[0.8, 0.1, 0.1], [0.1, 0.7, 0.2]])
    >>> metrics.update([2, 2], [[0.1, 0.2, 0.7], [0.5, 0.2, 0.3]])
    >>> metrics.compute()["recall_per_class"]
    [1.0, 1.0, 0.5]
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = whole_number("MulticlassMetrics", "num_classes", num_classes, minimum=2)

    def update(
        self, y_true: ArrayLike, y_score: ArrayLike, groups: ArrayLike | None = None
    ) -> None:
        """Add a batch.

        Parameters
        ----------
        y_true : array (n,) or (n, 1)
            Class indices 0 .. C - 1.
        y_score : array (n, C)
            Probability of each class; rows sum to 1.
        groups : array (n,), integers or strings, optional
            The patient of each case; with every batch or with none. `compute` gives no interval:
            hand ``metrics.groups`` to `bootstrap_interval` for one.

        Raises
        ------
        ValueError, TypeError
            For malformed arguments; the batch is then not added.
        """
        truth = labels("MulticlassMetrics.update", "y_true", y_true, self.num_classes)
        score = class_scores("MulticlassMetrics.update", "y_score", y_score, normalized=True)
        if score.shape[1] != self.num_classes:
            raise ValueError(
                f"MulticlassMetrics.update: y_score has shape {score.shape}, expected "
                f"{self.num_classes} columns, one a class"
            )
        self._add(truth, score, groups)

    def compute(self) -> dict[str, Any]:
        """Measure all cases added so far; the predicted class is the first of the most probable.

        Returns
        -------
        dict
            Plain Python numbers, ready for JSON: n, accuracy, balanced_accuracy, recall_per_class
            (list), auc_macro, confusion_matrix (rows: true class). Without cases the recall of a
            class is None, and the means of balanced_accuracy and auc_macro are over the other
            classes; with one class only they are None. ``warnings``, a list of sentences, says so.
        """
        self._require_cases("compute")
        y_true, y_score = self.y_true, self.y_score
        y_pred = y_score.argmax(axis=1)  # (n, C) -> (n,)
        table = per_class(y_true, y_pred, num_classes=self.num_classes)
        absent = np.flatnonzero(table.support == 0).tolist()
        several = len(absent) < self.num_classes - 1
        warnings = []
        if not several:
            only = int(y_true[0])
            warnings.append(
                f"balanced_accuracy, auc_macro: y_true holds class {only} only ({len(y_true)} "
                f"cases), expected two classes or more"
            )
        elif absent:
            warnings.append(
                f"balanced_accuracy, auc_macro: y_true holds no case of class {absent}; the means "
                f"are over the other classes"
            )
        areas = roc_auc_per_class(y_true, y_score)
        matrix = confusion_matrix(y_true, y_pred, num_classes=self.num_classes)
        return {
            "n": len(y_true),
            "accuracy": accuracy(y_true, y_pred),
            "balanced_accuracy": balanced_accuracy(y_true, y_pred) if several else None,
            "recall_per_class": [None if np.isnan(r) else float(r) for r in table.recall],
            "auc_macro": float(np.nanmean(areas)) if several else None,
            "confusion_matrix": matrix.tolist(),
            "warnings": warnings,
        }
