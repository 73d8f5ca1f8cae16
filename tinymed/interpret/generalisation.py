"""Generalisation as a number: a metric of parts of the patients, and of other scans of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.data.geometry import as_dtype, zoom
from tinymed.data.intensity import gaussian_blur
from tinymed.data.noise import add_noise, as_floats
from tinymed.metrics.bootstrap import Metric, bootstrap_interval
from tinymed.metrics.comparison import paired_difference
from tinymed.metrics.inputs import UndefinedMetricError, same_length, whole_number
from tinymed.precision import kind_of
from tinymed.random import or_default, spawn

__all__ = ["ShiftRow", "SubgroupRow", "image_shifts", "shift_table", "subgroup_table"]

Array = NDArray[Any]
Shift = Callable[[Array], Array]


class ShiftRow(NamedTuple):
    """A metric of all cases under a shift, and what it differs by from the cases as they are."""

    shift: str
    estimate: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float


class SubgroupRow(NamedTuple):
    """A metric of some of the cases; NaN and a remark where they do not suffice."""

    column: str
    value: str
    n: int
    estimate: float
    low: float
    high: float
    remark: str


def subgroup_table(
    metric: Metric,
    y_true: ArrayLike,
    y_score: ArrayLike,
    columns: Mapping[str, ArrayLike],
    groups: ArrayLike | None = None,
    *,
    bins: int = 3,
    **settings: Any,
) -> list[SubgroupRow]:
    """Return a metric of all cases, and of those with each value of each column.

    Parameters
    ----------
    metric, y_true, y_score, groups, **settings
        As for `tinymed.metrics.bootstrap_interval`, which makes the intervals.
    columns : dict of str to array (n,)
        What is known of each case: texture, scanner, sex (strings, integers, bool), each value a
        row; size, noise (floats), cut at the quantiles into ``bins``.
    bins : int

    Returns
    -------
    list of SubgroupRow
        First ("all", ""). Where the metric is undefined, numbers are NaN and ``remark`` says why.

    Notes
    -----
    Of twenty subgroups one is expected to lie outside a 95 % interval by chance.

    Examples
    --------
    >>> from tinymed.metrics import accuracy
    >>> rows = subgroup_table(
    ...     accuracy, [0, 1, 1, 0], [0, 1, 0, 0], {"texture": ["solid", "solid", "part", "part"]}
    ... )
    >>> [(row.value, row.n, row.estimate) for row in rows]
    [('', 4, 0.75), ('part', 2, 0.5), ('solid', 2, 1.0)]
    """
    truth, score = np.asarray(y_true), np.asarray(y_score)
    names = None if groups is None else np.asarray(groups)
    same_length("subgroup_table", y_true=truth, y_score=score)
    if names is not None:
        same_length("subgroup_table", y_true=truth, groups=names)
    bins = whole_number("subgroup_table", "bins", bins, minimum=1)
    parts = [("all", "", np.ones(len(truth), bool))]
    for column, values in columns.items():
        array = np.asarray(values)
        same_length("subgroup_table", y_true=truth, **{column: array})
        parts += [(column, value, rows) for value, rows in _parts(column, array, bins)]
    table = []
    for column, value, rows in parts:
        own = None if names is None else names[rows]
        numbers, remark = (math.nan,) * 3, ""
        try:
            found = bootstrap_interval(metric, truth[rows], score[rows], own, **settings)
            numbers = (found.estimate, found.low, found.high)
        except UndefinedMetricError as error:
            remark = str(error)
        table.append(SubgroupRow(column, value, int(rows.sum()), *numbers, remark))
    return table


def shift_table(
    metric: Metric,
    predict: Callable[[Array], ArrayLike],
    x: ArrayLike,
    y_true: ArrayLike,
    shifts: Mapping[str, Shift],
    groups: ArrayLike | None = None,
    *,
    generator: np.random.Generator | None = None,
    **settings: Any,
) -> list[ShiftRow]:
    """Return a metric of cases as they are, and as another scanner would have shown them.

    Parameters
    ----------
    metric, y_true, groups, **settings
        As for `tinymed.metrics.bootstrap_interval`, which makes the intervals.
    predict : callable (n, ...) -> (n,)
        What the metric takes, of a model with its preprocessing and its threshold.
    x : array (n, ...)
    shifts : dict of str to callable (n, ...) -> (n, ...)
        `image_shifts` has the usual ones. They must not change what is true.
    generator : numpy.random.Generator, optional
        Its state at the start is that of every row: the same patients are resampled.

    Returns
    -------
    list of ShiftRow
        First "none". An interval of the difference without 0 is a loss that chance does not
        explain.

    References
    ----------
    Hendrycks, Dietterich (2019), "Benchmarking neural network robustness to common corruptions and
    perturbations".

    Examples
    --------
    >>> from tinymed.metrics import accuracy
    >>> x, y = np.array([[0.2], [0.4], [0.6], [0.8]]), [0, 0, 1, 1]
    >>> rows = shift_table(
    ...     accuracy, lambda x: (x[:, 0] > 0.5) * 1, x, y, {"brighter": lambda x: x + 0.2}
    ... )
    >>> [(row.shift, row.estimate, row.difference) for row in rows]
    [('none', 1.0, 0.0), ('brighter', 0.75, -0.25)]
    """
    if "none" in shifts:
        raise ValueError("shift_table: a shift is called 'none', the name of the cases as they are")
    generator = or_default(generator)
    images = np.asarray(x)
    plain = np.asarray(predict(images))
    table = []
    scores = {"none": plain}
    for name, shift in shifts.items():
        moved = np.asarray(shift(images.copy()))
        if moved.shape != images.shape:
            raise ValueError(
                f"shift_table: {name!r} makes {moved.shape} of {images.shape}, one shape expected"
            )
        scores[name] = np.asarray(predict(moved))
    for name, score in scores.items():
        own = bootstrap_interval(
            metric, y_true, score, groups, generator=spawn(generator, 0), **settings
        )
        lost = paired_difference(
            metric, y_true, score, plain, groups, generator=spawn(generator, 0), **settings
        )
        table.append(
            ShiftRow(name, own.estimate, own.low, own.high, lost.estimate, lost.low, lost.high)
        )
    return table


def image_shifts(
    noise: float,
    *,
    sharpness: float = 1.0,
    blur: float = 0.8,
    spacing: float = 1.25,
    spatial_dims: int = 2,
    generator: np.random.Generator | None = None,
) -> dict[str, Shift]:
    """Return what other scanners do to an image, for `shift_table`.

    Parameters
    ----------
    noise : float
        Standard deviation of the noise that a lower dose adds, in the units of the images; its
        grain is correlated over one pixel, as in reconstructed CT.
    sharpness : float
        How much of the difference to a smoothed image (1 pixel) a sharp kernel adds.
    blur : float
        Standard deviation in pixels by which a soft kernel smooths.
    spacing : float > 1
        Pixels larger, and smaller, by this factor.
    spatial_dims : int
        How many of the last axes are places, 1 to 3.
    generator : numpy.random.Generator, optional

    Returns
    -------
    dict of str to callable (n, ..., *places) -> the same
        "sharper kernel", "softer kernel", "larger pixels", "smaller pixels", "lower dose".

    Raises
    ------
    ImportError
        SciPy is missing, when a shift is applied.

    Examples
    --------
    >>> shifts = image_shifts(30.0)
    >>> [shift(np.zeros((2, 1, 16, 16), np.float32)).shape for shift in shifts.values()][0]
    (2, 1, 16, 16)
    """
    if not spacing > 1:
        raise ValueError(f"image_shifts: spacing is {spacing}, a factor above 1 expected")
    generator = or_default(generator)
    dims: dict[str, Any] = {"spatial_dims": spatial_dims}

    def sharper(x: Array) -> Array:
        values = as_floats("image_shifts", x, spatial_dims)
        return as_dtype(values + sharpness * (values - gaussian_blur(values, 1.0, **dims)), x.dtype)

    return {
        "sharper kernel": sharper,
        "softer kernel": lambda x: gaussian_blur(x, blur, **dims),
        "larger pixels": lambda x: zoom(x, 1 / spacing, mode="nearest", **dims),
        "smaller pixels": lambda x: zoom(x, spacing, mode="nearest", **dims),
        "lower dose": lambda x: add_noise(x, noise, correlation=1.0, generator=generator, **dims),
    }


def _parts(column: str, values: NDArray[Any], bins: int) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return the rows of each value of a column; of floats those between quantiles."""
    if values.ndim != 1:
        raise ValueError(f"subgroup_table: column {column!r} is {values.shape}, (n,) expected")
    if kind_of(values.dtype) != "f":
        return [(str(value), values == value) for value in np.unique(values)]
    if not np.isfinite(values).all():
        raise ValueError(f"subgroup_table: column {column!r} holds values that are not finite")
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
    which = np.searchsorted(edges[1:-1], values, "left")  # (low, high], the first with its low end
    return [
        (f"{values[which == i].min():.4g} to {values[which == i].max():.4g}", which == i)
        for i in np.unique(which)
    ]
