"""Metrics of decisions: labels against predicted labels.

Argument order and values are scikit-learn's. Where the data hold no case to measure (recall
without a positive case), scikit-learn warns and returns 0; here `UndefinedMetricError` is raised,
since 0 would read as "missed everything".
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.inputs import Labels, UndefinedMetricError, labels, same_length, whole_number

__all__ = [
    "PerClass",
    "accuracy",
    "balanced_accuracy",
    "confusion_matrix",
    "f1",
    "per_class",
    "precision",
    "recall",
    "specificity",
]

Average = Literal["binary", "macro"]

_MATRIX_LIMIT = 4096  # classes guessed from labels: 4096 x 4096 counts are 128 MiB


class PerClass(NamedTuple):
    """One-against-the-rest metrics, entry c for class c; NaN where class c has nothing to measure.

    ``recall`` and ``f1`` are NaN for a class without cases, ``specificity`` where there is no
    other class; ``precision`` is 0 for a class that is never predicted. ``support`` counts cases.
    """

    recall: NDArray[np.float64]
    specificity: NDArray[np.float64]
    precision: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the share of cases whose predicted label is right.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, 1)
        Class indices 0, 1, 2 ..: true and predicted.

    Raises
    ------
    ValueError
        For labels that are empty, NaN, negative, fractional, or of different number.

    Examples
    --------
    >>> accuracy([0, 1, 2, 2], [0, 1, 2, 0])
    0.75
    """
    truth, predicted = _label_pair("accuracy", y_true, y_pred)
    return float(np.mean(truth == predicted))


def balanced_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the mean over the classes present in ``y_true`` of the share predicted right.

    For two classes it is (recall + specificity) / 2. A guess scores 1 / number of classes,
    however rare the disease.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, 1)
        Class indices 0, 1, 2 ..: true and predicted.

    Raises
    ------
    UndefinedMetricError
        If ``y_true`` holds one class only: nothing can be balanced.

    Examples
    --------
    >>> balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0])
    0.5
    """
    truth, predicted = _label_pair("balanced_accuracy", y_true, y_pred)
    present, which = np.unique(truth, return_inverse=True)  # which: (n,), positions in present
    if len(present) == 1:
        raise UndefinedMetricError(
            f"balanced_accuracy: y_true holds class {present[0]} only ({len(truth)} cases), "
            f"expected two classes or more"
        )
    right = np.bincount(which[truth == predicted], minlength=len(present))
    return float(np.mean(right / np.bincount(which)))


def confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, *, num_classes: int | None = None
) -> NDArray[np.int64]:
    """Count the cases of each true class (row) given each predicted class (column).

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, 1)
        Class indices: true and predicted.
    num_classes : int, optional
        C. Default: the largest index in either argument + 1, at least 2.

    Returns
    -------
    ndarray (C, C), int64
        For two classes ``[[tn, fp], [fn, tp]]``.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1, 1, 1], [0, 1, 1, 1, 0])
    array([[1, 1],
           [1, 2]])
    """
    return _confusion_matrix("confusion_matrix", y_true, y_pred, num_classes)


def per_class(y_true: ArrayLike, y_pred: ArrayLike, *, num_classes: int | None = None) -> PerClass:
    """Return recall, specificity, precision, F1 and support of each class against the rest.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, 1)
        Class indices: true and predicted.
    num_classes : int, optional
        C. Default: the largest index in either argument + 1, at least 2.

    Returns
    -------
    PerClass
        Arrays (C,).

    Examples
    --------
    >>> per_class([0, 0, 1, 3], [0, 1, 1, 3]).recall
    array([0.5, 1. , nan, 1. ])
    """
    return _per_class("per_class", y_true, y_pred, num_classes)


def recall(y_true: ArrayLike, y_pred: ArrayLike, *, average: Average = "binary") -> float:
    """Return recall, in medicine sensitivity: the share tp / (tp + fn) of positives found.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, 1)
        Labels 0 or 1, true and predicted; any class indices for ``average="macro"``.
    average : {"binary", "macro"}
        ``"binary"`` measures class 1. ``"macro"`` is the mean over the classes that have cases.

    Raises
    ------
    UndefinedMetricError
        If there is no positive case.

    Examples
    --------
    >>> recall([1, 1, 1, 1, 0], [1, 1, 1, 0, 0])
    0.75
    """
    table = _table("recall", y_true, y_pred, average)
    return _averaged("recall", table.recall, table, average)


def specificity(y_true: ArrayLike, y_pred: ArrayLike, *, average: Average = "binary") -> float:
    """Return specificity: the share tn / (tn + fp) of negatives left alone.

    Parameters and ``average`` are those of `recall`.

    Raises
    ------
    UndefinedMetricError
        If there is no negative case.

    Examples
    --------
    >>> specificity([0, 0, 0, 0, 1], [0, 0, 0, 1, 1])
    0.75
    """
    table = _table("specificity", y_true, y_pred, average)
    return _averaged("specificity", table.specificity, table, average)


def precision(y_true: ArrayLike, y_pred: ArrayLike, *, average: Average = "binary") -> float:
    """Return precision, in medicine positive predictive value: tp / (tp + fp).

    It is 0.0 where nothing is predicted positive (scikit-learn's ``zero_division=0``).
    Parameters and ``average`` are those of `recall`.

    Examples
    --------
    >>> precision([1, 1, 0, 0, 0], [1, 1, 1, 1, 0])
    0.5
    >>> precision([1, 0], [0, 0])
    0.0
    """
    table = _table("precision", y_true, y_pred, average)
    return _averaged("precision", table.precision, table, average)


def f1(y_true: ArrayLike, y_pred: ArrayLike, *, average: Average = "binary") -> float:
    """Return F1 = 2 tp / (2 tp + fp + fn), the harmonic mean of precision and recall.

    Parameters and ``average`` are those of `recall`.

    Raises
    ------
    UndefinedMetricError
        If there is no positive case.

    Examples
    --------
    >>> f1([1, 1, 0, 0], [1, 0, 1, 0])
    0.5
    """
    table = _table("f1", y_true, y_pred, average)
    return _averaged("f1", table.f1, table, average)


def _label_pair(
    function: str, y_true: ArrayLike, y_pred: ArrayLike, num_classes: int | None = None
) -> tuple[Labels, Labels]:
    truth = labels(function, "y_true", y_true, num_classes)
    predicted = labels(function, "y_pred", y_pred, num_classes)
    same_length(function, y_true=truth, y_pred=predicted)
    return truth, predicted


def _confusion_matrix(
    function: str, y_true: ArrayLike, y_pred: ArrayLike, num_classes: int | None
) -> NDArray[np.int64]:
    if num_classes is not None:
        num_classes = whole_number(function, "num_classes", num_classes, minimum=2)
    truth, predicted = _label_pair(function, y_true, y_pred, num_classes)
    if num_classes is None:
        num_classes = max(2, int(truth.max()) + 1, int(predicted.max()) + 1)
        if num_classes > _MATRIX_LIMIT:
            raise ValueError(
                f"{function}: the largest label is {num_classes - 1}, expected less than "
                f"{_MATRIX_LIMIT}; pass num_classes if there are so many classes"
            )
    cells = np.bincount(truth * num_classes + predicted, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64, copy=False)


def _per_class(
    function: str, y_true: ArrayLike, y_pred: ArrayLike, num_classes: int | None
) -> PerClass:
    matrix = _confusion_matrix(function, y_true, y_pred, num_classes)  # (C, C)
    tp = np.diagonal(matrix)
    support = matrix.sum(axis=1)
    claimed = matrix.sum(axis=0)  # tp + fp
    others = matrix.sum() - support  # tn + fp
    return PerClass(
        recall=_ratio(tp, support),
        specificity=_ratio(others - (claimed - tp), others),
        precision=tp / np.maximum(claimed, 1),
        f1=np.where(support > 0, 2 * tp / np.maximum(support + claimed, 1), np.nan),
        support=support,
    )


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return part / whole, NaN for 0 / 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _table(function: str, y_true: ArrayLike, y_pred: ArrayLike, average: str) -> PerClass:
    if average not in ("binary", "macro"):
        raise ValueError(f"{function}: average is {average!r}, expected 'binary' or 'macro'")
    return _per_class(function, y_true, y_pred, 2 if average == "binary" else None)


def _averaged(
    function: str, values: NDArray[np.float64], table: PerClass, average: Average
) -> float:
    value = values[1] if average == "binary" else np.mean(values[table.support > 0])
    if np.isnan(value):
        only = int(np.argmax(table.support))
        missing = f"a case of class {1 - only}" if average == "binary" else "two classes or more"
        raise UndefinedMetricError(
            f"{function}: y_true holds class {only} only ({table.support.sum()} cases), "
            f"expected {missing}"
        )
    return float(value)
