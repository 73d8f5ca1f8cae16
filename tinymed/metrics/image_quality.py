"""How near an image is to the one it should be: PSNR and SSIM, of each image of a batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

__all__ = ["local_similarity", "psnr", "ssim"]

Values = NDArray[np.float64]
SIDE, SIGMA = 11, 1.5  # the window of Wang et al., in pixels


def psnr(y_true: ArrayLike, y_pred: ArrayLike, *, data_range: float = 1.0) -> Values:
    """Return the peak signal-to-noise ratio of each image: 10 log10(data_range^2 / MSE).

    Parameters
    ----------
    y_true, y_pred : array (N, ...)
        The images as they should be, and as they are.
    data_range : float
        The largest value an image can have less the smallest: 1 for grey values in [0, 1], 255
        for bytes.

    Returns
    -------
    numpy.ndarray (N,), float64
        Decibels; infinity for an image without any error.

    Raises
    ------
    ValueError
        Shapes that differ, values that are not finite, no positive range.

    Examples
    --------
    >>> psnr(np.zeros((1, 2, 2)), np.full((1, 2, 2), 0.1)).round(6)
    array([20.])
    """
    a, b = _pair("psnr", y_true, y_pred, data_range)
    error = ((a - b) ** 2).reshape(len(a), -1).mean(axis=1)
    with np.errstate(divide="ignore"):
        ratio: Values = 10 * np.log10(data_range**2 / error)
    return ratio


def ssim(y_true: ArrayLike, y_pred: ArrayLike, *, data_range: float = 1.0) -> Values:
    """Return the structural similarity of each image: brightness, contrast and structure agree.

    Parameters
    ----------
    y_true, y_pred : array (N, H, W)
        Of at least 11 x 11 pixels.
    data_range : float
        As for `psnr`.

    Returns
    -------
    numpy.ndarray (N,), float64
        1 for equal images.

    Raises
    ------
    ValueError
        As `psnr`; images that are no planes or smaller than the window.

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli (2004), "Image quality assessment: from error visibility to
    structural similarity", equation 13: a Gaussian window of 11 x 11 pixels and deviation 1.5, at
    every place where it lies within the image; K1 = 0.01, K2 = 0.03.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((1, 16, 16))
    >>> ssim(image, image).round(6)
    array([1.])
    """
    a, b = _pair("ssim", y_true, y_pred, data_range)
    if a.ndim != 3 or min(a.shape[1:]) < SIDE:
        raise ValueError(f"ssim: images {a.shape}, (N, H, W) of {SIDE} x {SIDE} or more expected")
    weights = np.exp(-((np.arange(SIDE) - SIDE // 2) ** 2) / (2 * SIGMA**2))
    weights /= weights.sum()

    def mean(values: Values) -> Values:
        rows = sliding_window_view(values, SIDE, 1) @ weights
        smooth: Values = sliding_window_view(rows, SIDE, 2) @ weights
        return smooth

    found = local_similarity(a, b, mean, data_range=data_range)
    return found.reshape(len(a), -1).mean(axis=1)


def local_similarity(
    a: Values,
    b: Values,
    mean: Callable[[Values], Values],
    *,
    data_range: float = 1.0,
    free: float = 1.0,
) -> Values:
    """Return the similarity of two batches at each place, from means over a window about it.

    ``free`` is what variances and the covariance are multiplied by, such as n / (n - 1) for those
    of a sample.
    """
    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = (free * (mean(v * v) - m * m) for v, m in ((a, mean_a), (b, mean_b)))
    shared = free * (mean(a * b) - mean_a * mean_b)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    likeness = (2 * mean_a * mean_b + c1) * (2 * shared + c2)
    likeness /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return likeness


def _pair(
    function: str, y_true: ArrayLike, y_pred: ArrayLike, data_range: float
) -> tuple[Values, Values]:
    a, b = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    if a.ndim < 2 or a.shape != b.shape or not a.size:
        raise ValueError(
            f"{function}: y_true {a.shape} and y_pred {b.shape}, one shape (N, ...) expected"
        )
    for argument, values in (("y_true", a), ("y_pred", b)):
        if not np.isfinite(values).all():
            raise ValueError(f"{function}: {argument} holds values that are not finite")
    if not 0 < data_range < np.inf:
        raise ValueError(f"{function}: data_range={data_range}, a positive number expected")
    return a, b
