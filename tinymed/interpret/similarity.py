"""How alike two maps are: the order of their elements, and their local structure."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.image_quality import local_similarity

__all__ = ["rank_correlation", "structural_similarity"]

Values = NDArray[np.float64]


def rank_correlation(first: ArrayLike, second: ArrayLike) -> Values:
    """Return Spearman's rank correlation of each pair of maps.

    Parameters
    ----------
    first, second : array (N, ...)
        Maps of one shape.

    Returns
    -------
    numpy.ndarray (N,), float64
        1 for the same order, 0 for none in common; 0 for a map without any order (a constant one).

    References
    ----------
    Spearman (1904), "The proof and measurement of association between two things".

    Examples
    --------
    >>> rank_correlation([[1, 2, 3], [1, 2, 3]], [[1, 4, 9], [3, 2, 1]])
    array([ 1., -1.])
    """
    a, b = pair("rank_correlation", first, second)
    found = np.zeros(len(a))
    for row, (left, right) in enumerate(zip(a, b, strict=True)):
        x, y = (ranks(each.ravel()) for each in (left, right))
        x, y = x - x.mean(), y - y.mean()
        size = np.sqrt((x @ x) * (y @ y))
        found[row] = x @ y / size if size else 0.0
    return found


def structural_similarity(
    first: ArrayLike, second: ArrayLike, *, window: int = 7, axes: int | None = None
) -> Values:
    """Return the structural similarity (SSIM) of each pair of maps, each scaled to [0, 1].

    Parameters
    ----------
    first, second : array (N, ...)
        Maps of one shape.
    window : int
        Odd side of the window whose means, variances and covariance are compared.
    axes : int, optional
        How many of the last axes are places; those of length 1 are none. All but the first.

    Returns
    -------
    numpy.ndarray (N,), float64
        The mean over all windows within the map; 1 for equal maps.

    Raises
    ------
    ValueError
        Shapes that differ, or are smaller than the window; an even window.

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli (2004), "Image quality assessment: from error visibility to
    structural similarity", equation 13; windows of equal weight, sample covariances.
    """
    a, b = pair("structural_similarity", first, second)
    if window < 3 or window % 2 == 0:
        raise ValueError(f"structural_similarity: window is {window}, an odd number >= 3 expected")
    places = tuple(i for i in range(1, a.ndim) if a.shape[i] > 1)
    places = places if axes is None else places[len(places) - axes :]
    if not places or min(a.shape[i] for i in places) < window:
        raise ValueError(
            f"structural_similarity: maps {a.shape}, {window} or more along each axis expected"
        )
    a, b = (unit(each) for each in (a, b))
    inner = tuple(range(-len(places), 0))

    def mean(values: Values) -> Values:
        return sliding_window_view(values, (window,) * len(places), places).mean(axis=inner)

    count = window ** len(places)
    free = count / (count - 1)
    likeness = local_similarity(a, b, mean, free=free)
    return likeness.reshape(len(a), -1).mean(axis=1)


def pair(name: str, first: ArrayLike, second: ArrayLike) -> tuple[Values, Values]:
    """Return two batches of maps of one shape as float64."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.ndim < 2 or a.shape != b.shape:
        raise ValueError(f"{name}: maps {a.shape} and {b.shape}, one shape (N, ...) expected")
    for argument, values in (("first", a), ("second", b)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: {argument} holds values that are not finite")
    return a, b


def ranks(values: Values) -> Values:
    """Return the rank of each value, ties sharing the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]


def unit(maps: Values) -> Values:
    """Return each map scaled to [0, 1], 0 where it is constant."""
    flat = maps.reshape(len(maps), -1)
    low, span = flat.min(axis=1, keepdims=True), np.ptp(flat, axis=1)[:, None]
    return ((flat - low) / np.where(span > 0, span, 1)).reshape(maps.shape)
