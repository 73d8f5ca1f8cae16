"""Change the values of images, not their places: contrast, gamma, blur, a box erased."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinymed.data.geometry import Array, as_dtype, checked_dims, checked_number
from tinymed.data.noise import as_floats, checked_lengths

__all__ = ["adjust_contrast", "adjust_gamma", "erase", "gaussian_blur"]


def adjust_contrast(image: Array, factor: float, *, spatial_dims: int = 2) -> Array:
    """Stretch the values about their mean: mean + factor (x - mean), each channel by its own mean.

    Parameters
    ----------
    image : numpy.ndarray (..., *spatial)
        Numbers; not changed.
    factor : float
        Above 1 more contrast, below 1 less; >= 0.
    spatial_dims : int
        How many of the last axes are spatial, 1 to 3.

    Returns
    -------
    numpy.ndarray
        A new array of the same shape and dtype; integers are rounded and clipped.

    Raises
    ------
    ValueError, TypeError
        A factor below 0 or not finite; an image that is none.

    Examples
    --------
    >>> adjust_contrast(np.array([[0.0, 2.0]]), 1.5).tolist()
    [[-0.5, 2.5]]
    """
    dims = checked_dims("adjust_contrast", spatial_dims, (1, 2, 3))
    values = as_floats("adjust_contrast", image, dims)
    if checked_number("adjust_contrast", "factor", factor) < 0:
        raise ValueError(f"adjust_contrast: factor is {factor}, a number >= 0 expected")
    mean = values.mean(axis=_last(dims), keepdims=True)
    return as_dtype(mean + factor * (values - mean), np.asarray(image).dtype)


def adjust_gamma(image: Array, gamma: float, *, spatial_dims: int = 2) -> Array:
    """Bend the values within their range: low + (high - low) ((x - low) / (high - low))^gamma.

    ``low`` and ``high`` are the least and the greatest value of each channel, which stay.

    Parameters
    ----------
    image : numpy.ndarray (..., *spatial)
        Numbers; not changed.
    gamma : float
        Above 1 darker, below 1 brighter; > 0.
    spatial_dims : int
        How many of the last axes are spatial, 1 to 3.

    Returns
    -------
    numpy.ndarray
        A new array of the same shape and dtype; integers are rounded and clipped.

    Raises
    ------
    ValueError, TypeError
        A gamma that is no finite number above 0; an image that is none.

    Examples
    --------
    >>> adjust_gamma(np.array([[0.0, 1.0, 2.0]]), 2).tolist()
    [[0.0, 0.5, 2.0]]
    """
    dims = checked_dims("adjust_gamma", spatial_dims, (1, 2, 3))
    values = as_floats("adjust_gamma", image, dims)
    if checked_number("adjust_gamma", "gamma", gamma) <= 0:
        raise ValueError(f"adjust_gamma: gamma is {gamma}, a number above 0 expected")
    low = values.min(axis=_last(dims), keepdims=True)
    span = values.max(axis=_last(dims), keepdims=True) - low
    share = (values - low) / np.where(span > 0, span, 1)  # a constant channel stays as it is
    return as_dtype(low + span * share**gamma, np.asarray(image).dtype)


def gaussian_blur(image: Array, sigma: float | Sequence[float], *, spatial_dims: int = 2) -> Array:
    """Smooth with a Gaussian; the border is repeated outwards.

    Parameters
    ----------
    image : numpy.ndarray (..., *spatial)
        Numbers; not changed.
    sigma : float or one per spatial axis
        Standard deviation in pixels, >= 0 and at most the size of its axis.
    spatial_dims : int
        How many of the last axes are spatial, 1 to 3.

    Returns
    -------
    numpy.ndarray
        A new array of the same shape and dtype; integers are rounded and clipped.

    Raises
    ------
    ValueError, TypeError
        A sigma outside its range; an image that is none.

    Examples
    --------
    >>> gaussian_blur(np.eye(3), 0.5).round(2).tolist()
    [[0.81, 0.18, 0.01], [0.18, 0.64, 0.18], [0.01, 0.18, 0.81]]
    """
    try:
        from scipy.ndimage import gaussian_filter
    except ImportError as error:
        raise ImportError("gaussian_blur: needs scipy; pip install tinymed[medical]") from error
    dims = checked_dims("gaussian_blur", spatial_dims, (1, 2, 3))
    values = as_floats("gaussian_blur", image, dims)
    lengths = checked_lengths("gaussian_blur", "sigma", sigma, dims)
    if (lengths > values.shape[-dims:]).any():
        raise ValueError(
            f"gaussian_blur: sigma is {sigma}, at most the size of its axis expected, of the image "
            f"{values.shape}"
        )
    along = [0.0] * (values.ndim - dims) + lengths.tolist()
    return as_dtype(gaussian_filter(values, along, mode="nearest"), np.asarray(image).dtype)


def erase(image: Array, corner: Sequence[int], size: Sequence[int], value: float = 0.0) -> Array:
    """Fill a box of the last axes, in all channels: cutout.

    Parameters
    ----------
    image : numpy.ndarray (..., *spatial)
        Not changed.
    corner, size : sequences of int, one per spatial axis
        Where the box begins, >= 0, and its sides; it may not leave the image.
    value : float
        What it is filled with.

    Returns
    -------
    numpy.ndarray
        A new array of the same shape and dtype.

    Raises
    ------
    ValueError
        A box that is not within the image, or of more axes than it has.

    References
    ----------
    DeVries and Taylor (2017); Zhong et al. (2020), who draw its area and shape.

    Examples
    --------
    >>> erase(np.ones((2, 3)), (0, 1), (2, 1)).tolist()
    [[1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]
    """
    erased = np.array(image)
    begin, sides = np.array(corner, dtype=int), np.array(size, dtype=int)
    dims = len(begin)
    fits = begin.shape == sides.shape and begin.ndim == 1 and 0 < dims <= erased.ndim
    if not (
        fits
        and (begin >= 0).all()
        and (sides >= 0).all()
        and (begin + sides <= erased.shape[-dims:]).all()
    ):
        raise ValueError(
            f"erase: a box at {tuple(corner)} of size {tuple(size)} is not within the image "
            f"{erased.shape}"
        )
    box: tuple[Any, ...] = (..., *(slice(b, b + s) for b, s in zip(begin, sides, strict=True)))
    erased[box] = checked_number("erase", "value", value)
    return erased


def _last(dims: int) -> tuple[int, ...]:
    return tuple(range(-dims, 0))
