"""Weights for classes that are not equally common."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["balanced_weights"]


def balanced_weights(labels: ArrayLike, classes: int) -> NDArray[np.float64]:
    """Return a weight for each class that gives all of them the same sum.

    w_c = n / (classes * n_c): the mean weight of the samples is 1, so that a loss keeps its scale.

    Parameters
    ----------
    labels : array_like (N,), integers
        Those outside 0 .. classes - 1 do not count.
    classes : int

    Returns
    -------
    numpy.ndarray (classes,) float64

    Raises
    ------
    ValueError
        A class without any sample.

    Examples
    --------
    >>> balanced_weights([0, 0, 0, 1], 2)
    array([0.66666667, 2.        ])
    """
    given: NDArray[Any] = np.asarray(labels)
    counts = np.array([np.count_nonzero(given == c) for c in range(classes)])
    lacking = np.flatnonzero(counts == 0).tolist()
    if lacking:
        raise ValueError(f"balanced_weights: no sample of class {lacking}, one of each expected")
    weights: NDArray[np.float64] = counts.sum() / (classes * counts)
    return weights
