"""Confidence intervals that know that two slices of one patient are not two patients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.inputs import UndefinedMetricError, group_names, same_length, whole_number
from tinymed.random import default_generator

__all__ = ["BootstrapInterval", "bootstrap_band", "bootstrap_interval"]

Metric = Callable[[NDArray[Any], NDArray[Any]], float]
Curve = Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]
Value = TypeVar("Value", float, NDArray[np.float64])

_DRAWS_PER_RESAMPLE = 10  # beyond this, the data are too few for any interval


class BootstrapInterval(NamedTuple):
    """An interval, the value on the data themselves, and how many resamples were drawn again."""

    low: float
    high: float
    estimate: float
    redrawn: int


def bootstrap_interval(
    metric: Metric,
    y_true: ArrayLike,
    y_score: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    generator: np.random.Generator | None = None,
) -> BootstrapInterval:
    """Return the percentile bootstrap interval of a metric, resampling whole groups.

    Parameters
    ----------
    metric : callable (y_true, y_score) -> float
        Any function of this package that returns a number, or another that does not depend on
        the order of the cases.
    y_true, y_score : array (n, ...)
        What ``metric`` takes; row i of both is case i.
    groups : array (n,), integers or strings, optional
        The patient of each case. Cases of one patient are alike, so they are drawn together;
        drawn one by one, the interval would be too narrow. Default: each case its own group.
    level : float
        Coverage, in (0, 1).
    resamples : int
        Resamples on which the metric is defined.
    generator : numpy.random.Generator, optional
        The only source of randomness: the same state gives the same interval.

    Returns
    -------
    BootstrapInterval
        ``low, high, estimate, redrawn``. A resample on which the metric is undefined
        (`UndefinedMetricError` or NaN: one class only) is drawn again and counted in ``redrawn``:
        the interval is then conditional on samples that can be measured.

    Raises
    ------
    UndefinedMetricError
        If ``metric`` is undefined on the data or on nine of ten resamples, or if there is a single
        group, which has no spread to measure.

    Notes
    -----
    The interval is honest for dozens of groups or more. A metric at its bound (AUC 1) gets an
    interval of no width, whatever the number of cases.

    References
    ----------
    Efron and Tibshirani (1993), "An introduction to the bootstrap", section 13.3; Field and Welsh
    (2007), "Bootstrapping clustered data", J. R. Statist. Soc. B 69 (whole clusters).

    Examples
    --------
    >>> from tinymed.metrics import roc_auc
    >>> generator = np.random.default_rng(0)
    >>> y_true = generator.integers(2, size=60)
    >>> y_score = y_true + generator.normal(size=60)
    >>> patient = np.arange(60) // 3
    >>> interval = bootstrap_interval(roc_auc, y_true, y_score, patient, generator=generator)
    >>> interval.low < interval.estimate < interval.high, interval.redrawn
    (True, 0)
    """
    count = whole_number("bootstrap_interval", "resamples", resamples, minimum=1)
    generator = _checked_settings("bootstrap_interval", level, generator)
    truth, score = np.asarray(y_true), np.asarray(y_score)
    if not truth.ndim or not score.ndim:
        raise ValueError("bootstrap_interval: y_true or y_score is a single number, expected (n,)")
    same_length("bootstrap_interval", y_true=truth, y_score=score)
    estimate = float(metric(truth, score))  # its own checks see the data before anything is drawn
    if np.isnan(estimate):
        raise UndefinedMetricError("bootstrap_interval: the metric is NaN on the data themselves")
    values, redrawn = _resampled(
        "bootstrap_interval", metric, truth, score, groups, count, generator
    )
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return BootstrapInterval(float(low), float(high), estimate, redrawn)


def bootstrap_band(
    curve: Curve,
    y_true: ArrayLike,
    y_score: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
    resamples: int = 300,
    generator: np.random.Generator | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and upper edge (G,) of a curve, resampling whole groups.

    Parameters
    ----------
    curve : callable (y_true, y_score) -> array (G,)
        The curve at places that are the same for every resample, such as recall at given rates
        of false positives.
    y_true, y_score, groups, level, resamples, generator
        As for `bootstrap_interval`.

    Raises
    ------
    UndefinedMetricError
        As for `bootstrap_interval`.

    Notes
    -----
    At each place the true curve is within with probability ``level``; at all of them together
    with less.

    Examples
    --------
    >>> from tinymed.metrics import roc_curve
    >>> generator = np.random.default_rng(0)
    >>> y_true = generator.integers(2, size=60)
    >>> y_score = y_true + generator.normal(size=60)
    >>> def recall_at(truth, score):
    ...     return np.interp([0.25, 0.5], *roc_curve(truth, score)[:2])
    >>> low, high = bootstrap_band(recall_at, y_true, y_score, generator=generator)
    >>> bool((low <= recall_at(y_true, y_score)).all() and (high >= low).all())
    True
    """
    count = whole_number("bootstrap_band", "resamples", resamples, minimum=1)
    generator = _checked_settings("bootstrap_band", level, generator)
    truth, score = np.asarray(y_true), np.asarray(y_score)
    same_length("bootstrap_band", y_true=truth, y_score=score)
    curve(truth, score)  # its own checks see the data before anything is drawn
    values, _ = _resampled("bootstrap_band", curve, truth, score, groups, count, generator)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _resampled(
    function: str,
    metric: Callable[[NDArray[Any], NDArray[Any]], Value],
    truth: NDArray[Any],
    score: NDArray[Any],
    groups: ArrayLike | None,
    count: int,
    generator: np.random.Generator,
) -> tuple[list[Value], int]:
    """Return the metric on ``count`` resamples, and how many were drawn again."""
    member, num_groups = _membership(function, groups, truth)
    if score.ndim == 1:
        # Repeating rows keeps their order, and sorting sorted scores takes linear time: for a
        # ranking metric this is most of the work, and no metric depends on the order.
        order = np.argsort(score, kind="stable")
        truth, score, member = truth[order], score[order], member[order]

    values: list[Value] = []
    redrawn = 0
    while len(values) < count:
        drawn = generator.integers(num_groups, size=num_groups)
        times = np.bincount(drawn, minlength=num_groups)  # how often each group was drawn
        rows = np.repeat(np.arange(len(member)), times[member])
        value = _value_if_defined(metric, truth[rows], score[rows])
        if value is not None:
            values.append(value)
            continue
        redrawn += 1
        if redrawn > (_DRAWS_PER_RESAMPLE - 1) * count:
            raise UndefinedMetricError(
                f"{function}: the metric is undefined on {redrawn} of "
                f"{redrawn + len(values)} resamples of {num_groups} groups, expected one in "
                f"{_DRAWS_PER_RESAMPLE} to hold every class; more groups are needed"
            )
    return values, redrawn


def _checked_settings(
    function: str, level: float, generator: np.random.Generator | None
) -> np.random.Generator:
    if not 0 < level < 1:
        raise ValueError(f"{function}: level is {level}, expected a share in (0, 1)")
    if generator is None:
        return default_generator()
    if not isinstance(generator, np.random.Generator):
        raise TypeError(
            f"{function}: generator is {generator!r}, expected a numpy.random.Generator; "
            f"make one with numpy.random.default_rng(seed)"
        )
    return generator


def _membership(
    function: str, groups: ArrayLike | None, truth: NDArray[Any]
) -> tuple[NDArray[np.intp], int]:
    """Return the group of each case as an index (n,), and how many groups there are."""
    if groups is None:
        member, num_groups = np.arange(len(truth)), len(truth)
    else:
        names = group_names(function, groups)
        same_length(function, y_true=truth, groups=names)
        distinct, member = np.unique(names, return_inverse=True)
        num_groups = len(distinct)
    if num_groups < 2:
        raise UndefinedMetricError(
            f"{function}: {len(truth)} cases are one group, expected at least two; "
            f"a single patient has no spread between patients"
        )
    return member, num_groups


def _value_if_defined(
    metric: Callable[[NDArray[Any], NDArray[Any]], Value], truth: NDArray[Any], score: NDArray[Any]
) -> Value | None:
    try:
        value = metric(truth, score)
    except UndefinedMetricError:
        return None
    return None if np.isnan(value).any() else value
