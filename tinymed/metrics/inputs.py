"""What every metric accepts: one check for each kind of argument, each with one clear error.

A check takes the name of the public function and of its argument, so that the message names what
the caller wrote, and returns a host array of a known dtype and shape.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.precision import widened

__all__ = [
    "UndefinedMetricError",
    "class_scores",
    "column",
    "group_names",
    "labels",
    "probabilities",
    "require_both_classes",
    "same_length",
    "scores",
    "whole_number",
]

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]

_LABEL_LIMIT = 2**31  # exact in every float and int64, and no class index comes near it


class UndefinedMetricError(ValueError):
    """The data hold no case the metric could measure, such as an AUC where one class is absent.

    It is not raised for malformed arguments, so that code which meets such data on purpose (a
    bootstrap, a report on a small file) can catch it without hiding a mistake.
    """


def _numeric(function: str, argument: str, values: ArrayLike) -> NDArray[Any]:
    """Return ``values`` as an array of finite numbers with at least one row."""
    array: NDArray[Any] = widened(np.asarray(values))
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{function}: {argument} has dtype {array.dtype}, expected real numbers")
    if array.ndim == 0:
        raise ValueError(f"{function}: {argument} is the single number {array}, expected an array")
    if len(array) == 0:
        raise ValueError(f"{function}: {argument} is empty, expected at least one case")
    finite = np.isfinite(array)
    if not finite.all():
        row = tuple(int(i[0]) for i in np.nonzero(~finite))
        where = row[0] if len(row) == 1 else row
        raise ValueError(
            f"{function}: {argument} holds {array[row]} at index {where}, expected finite numbers"
        )
    return array


def column(function: str, argument: str, values: ArrayLike, advice: str = "") -> NDArray[Any]:
    """Return ``values`` as finite numbers of shape (n,); (n, 1) is flattened."""
    array = _numeric(function, argument, values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]  # (n, 1) -> (n,)
    if array.ndim != 1:
        raise ValueError(
            f"{function}: {argument} has shape {array.shape}, expected (n,) or (n, 1){advice}"
        )
    return array


def labels(
    function: str, argument: str, values: ArrayLike, num_classes: int | None = None
) -> Labels:
    """Return class indices (n,), int64: 0 or 1 for two classes, 0 .. num_classes - 1 for more."""
    array = column(function, argument, values, "; one-hot labels need argmax(axis=1)")
    limit = _LABEL_LIMIT if num_classes is None else num_classes
    wrong = (array < 0) | (array >= limit)
    if array.dtype.kind == "f":
        wrong |= array != np.floor(array)
    if wrong.any():
        if num_classes is None:
            expected = "class indices 0, 1, 2 .."
        elif num_classes == 2:
            expected = "labels 0 or 1"
        else:
            expected = f"class indices 0 .. {num_classes - 1}"
        index = int(np.argmax(wrong))
        given = array[index]
        advice = "; turn scores into labels first: y_score >= threshold" if 0 < given < 1 else ""
        raise ValueError(
            f"{function}: {argument} holds {given} at index {index}, expected {expected}{advice}"
        )
    return array.astype(np.int64)


def scores(function: str, argument: str, values: ArrayLike) -> Scores:
    """Return the score of the positive class (n,), float64: any finite number, higher is more."""
    shape = np.shape(values)
    advice = f"; pass column 1: {argument}[:, 1]" if len(shape) == 2 and shape[1] == 2 else ""
    return column(function, argument, values, advice).astype(np.float64)


def probabilities(function: str, argument: str, values: ArrayLike) -> Scores:
    """Return the probability of the positive class (n,), float64, each in [0, 1]."""
    array = scores(function, argument, values)
    _require_unit_interval(function, argument, array, "sigmoid")
    return array


def class_scores(
    function: str, argument: str, values: ArrayLike, *, normalized: bool = False
) -> Scores:
    """Return one score per class (n, C), float64, C >= 2; ``normalized`` rows are distributions."""
    array = _numeric(function, argument, values)
    if array.ndim != 2 or array.shape[1] < 2:
        raise ValueError(
            f"{function}: {argument} has shape {array.shape}, expected (n, C) with a column for "
            f"each of C >= 2 classes"
        )
    array = array.astype(np.float64)
    if normalized:
        _require_unit_interval(function, argument, array, "softmax")
        sums = array.sum(axis=1)
        wrong = np.abs(sums - 1) > 0.01  # what softmax in float16 may lose
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"{function}: {argument} row {row} sums to {sums[row]:.6g}, expected 1; "
                f"apply softmax"
            )
    return array


def _require_unit_interval(function: str, argument: str, array: Scores, link: str) -> None:
    low, high = array.min(), array.max()
    if low < 0 or high > 1:
        raise ValueError(
            f"{function}: {argument} ranges from {low:.6g} to {high:.6g}, expected probabilities "
            f"in [0, 1]; apply {link} to logits"
        )


def group_names(function: str, values: ArrayLike) -> NDArray[Any]:
    """Return group identifiers (n,), integers or strings."""
    array = np.asarray(values)
    if array.dtype == object and all(isinstance(value, str) for value in array.flat):
        array = array.astype(np.str_)  # a pandas column of strings
    if array.dtype.kind not in "iuUS":
        raise TypeError(f"{function}: groups has dtype {array.dtype}, expected integers or strings")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]  # (n, 1) -> (n,)
    if array.ndim != 1:
        raise ValueError(f"{function}: groups has shape {array.shape}, expected (n,) or (n, 1)")
    return array


def whole_number(function: str, argument: str, value: int, minimum: int) -> int:
    """Return ``value`` as an int >= ``minimum``."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{function}: {argument} is {value!r}, expected an integer") from None
    if number < minimum:
        raise ValueError(f"{function}: {argument} is {number}, expected at least {minimum}")
    return number


def same_length(function: str, **arrays: NDArray[Any]) -> None:
    """Refuse arrays whose first axes differ in length, naming the first two that do."""
    (first, reference), *others = arrays.items()
    for argument, array in others:
        if len(array) != len(reference):
            raise ValueError(
                f"{function}: {first} has {len(reference)} cases, {argument} has {len(array)}; "
                f"expected the same number"
            )


def require_both_classes(function: str, y_true: Labels) -> tuple[int, int]:
    """Return how many cases are negative and how many positive; neither may be zero."""
    positives = int(np.count_nonzero(y_true))
    negatives = len(y_true) - positives
    if not (positives and negatives):
        raise UndefinedMetricError(
            f"{function}: y_true holds class {int(y_true[0])} only ({len(y_true)} cases), "
            f"expected both 0 and 1"
        )
    return negatives, positives
