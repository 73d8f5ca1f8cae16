"""Metrics of regression: how far predicted numbers are from measured ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tinymed.metrics.inputs import Scores, UndefinedMetricError, column, same_length

__all__ = ["mae", "r2", "rmse"]


def rmse(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the root of the mean squared error, in the unit of ``y_true``.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, 1)
        Measured and predicted values, finite.

    Examples
    --------
    >>> rmse([0.0, 0.0], [3.0, 3.0])
    3.0
    """
    truth, predicted = _pair("rmse", y_true, y_pred)
    return float(np.sqrt(np.mean((truth - predicted) ** 2)))


def mae(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the mean absolute error, in the unit of ``y_true``.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, 1)
        Measured and predicted values, finite.

    Examples
    --------
    >>> mae([1.0, 2.0], [2.0, 0.0])
    1.5
    """
    truth, predicted = _pair("mae", y_true, y_pred)
    return float(np.mean(np.abs(truth - predicted)))


def r2(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the coefficient of determination: 1 - sum of squared errors / sum about the mean.

    1 is perfect, 0 as good as the mean of ``y_true``, below 0 worse.

    Parameters
    ----------
    y_true, y_pred : array (n,) or (n, 1)
        Measured and predicted values, finite.

    Raises
    ------
    UndefinedMetricError
        If all of ``y_true`` is one value: there is no variation to explain.

    Examples
    --------
    >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """
    truth, predicted = _pair("r2", y_true, y_pred)
    if (truth == truth[0]).all():
        raise UndefinedMetricError(
            f"r2: y_true holds the value {truth[0]} only ({len(truth)} cases), "
            f"expected at least two values"
        )
    residual = np.sum((truth - predicted) ** 2)
    return float(1 - residual / np.sum((truth - truth.mean()) ** 2))


def _pair(function: str, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Scores, Scores]:
    truth = column(function, "y_true", y_true).astype(np.float64)
    predicted = column(function, "y_pred", y_pred).astype(np.float64)
    same_length(function, y_true=truth, y_pred=predicted)
    return truth, predicted
