"""Noise: Gaussian, white or correlated, and that of counted photons.

Smoothing is SciPy's (``pip install tinymed[medical]``); white noise needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinymed.data.geometry import Array, as_dtype, checked_dims, checked_image, checked_number
from tinymed.random import or_default

__all__ = ["add_noise", "add_shot_noise", "as_floats", "checked_lengths", "gaussian_field"]


def add_noise(
    image: Array,
    standard_deviation: float,
    *,
    correlation: float | Sequence[float] = 0.0,
    spatial_dims: int = 2,
    generator: np.random.Generator | None = None,
) -> Array:
    """Add Gaussian noise.

    Parameters
    ----------
    image : numpy.ndarray (..., *spatial)
        Numbers; not changed.
    standard_deviation : float
        In the units of the image, >= 0.
    correlation : float or one per spatial axis
        Standard deviation, in pixels, of the Gaussian that the noise is smoothed with: 0 is white
        noise, 0.5 to 1.5 the grain of reconstructed CT. It changes nothing of the strength.
    spatial_dims : int
        How many of the last axes are spatial, 1 to 3.
    generator : numpy.random.Generator, optional

    Returns
    -------
    numpy.ndarray
        A new array of the same shape and dtype; integers are rounded and clipped.

    Raises
    ------
    ValueError, TypeError
        A number below 0 or not finite; an image that is none.

    Examples
    --------
    >>> image = np.zeros((200, 200))
    >>> noisy = add_noise(image, 2.0, correlation=1.0, generator=np.random.default_rng(0))
    >>> round(float(noisy.std()), 1)
    2.0
    """
    dims = checked_dims("add_noise", spatial_dims, (1, 2, 3))
    values = as_floats("add_noise", image, dims)
    deviation = _checked_amount("add_noise", "standard_deviation", standard_deviation)
    lengths = checked_lengths("add_noise", "correlation", correlation, dims)
    generator = or_default(generator)
    noise = gaussian_field(values.shape, lengths, generator, values.dtype)
    return as_dtype(values + deviation * noise, np.asarray(image).dtype)


def add_shot_noise(
    image: Array, scale: float, *, generator: np.random.Generator | None = None
) -> Array:
    """Add the noise of counted photons: x + scale sqrt(max(x, 0)) N(0, 1).

    Poisson counts with mean x / scale^2, times scale^2, have this mean and this variance; the
    Gaussian stands for them from some ten counts on, and takes any image.

    Parameters
    ----------
    image : numpy.ndarray
        Numbers, 0 where no light falls; not changed. Negative ones get no noise.
    scale : float
        The noise's standard deviation where the image is 1, >= 0.
    generator : numpy.random.Generator, optional

    Returns
    -------
    numpy.ndarray
        A new array of the same shape and dtype; integers are rounded and clipped.

    Examples
    --------
    >>> image = np.full((200, 200), 9.0)
    >>> noisy = add_shot_noise(image, 0.5, generator=np.random.default_rng(0))
    >>> round(float(noisy.std()), 1)
    1.5
    """
    values = as_floats("add_shot_noise", image, 0)
    amount = _checked_amount("add_shot_noise", "scale", scale)
    generator = or_default(generator)
    noise = generator.standard_normal(values.shape, values.dtype.type)
    noisy = values + amount * np.sqrt(np.maximum(values, 0)) * noise
    return as_dtype(noisy, np.asarray(image).dtype)


def gaussian_field(
    shape: tuple[int, ...],
    lengths: Array,
    generator: np.random.Generator,
    dtype: np.dtype[Any],
) -> Array:
    """Draw noise of mean 0 and variance 1, smoothed over its last axes.

    It is periodic, so that it has the same variance everywhere.

    Parameters
    ----------
    shape : tuple of int
    lengths : numpy.ndarray (d,)
        Standard deviations in pixels, of the Gaussian along each of the last d axes.
    generator : numpy.random.Generator
    dtype : float32 or float64
    """
    field = generator.standard_normal(shape, dtype.type)
    if not lengths.any():
        return field
    try:
        from scipy.ndimage import gaussian_filter1d
    except ImportError as error:
        raise ImportError("gaussian_field: needs scipy; pip install tinymed[medical]") from error
    for axis, length in enumerate(lengths, start=len(shape) - len(lengths)):
        if not length:
            continue
        impulse = np.zeros(shape[axis])
        impulse[0] = 1.0
        wide = min(float(length), float(shape[axis]))  # wider ones smooth all to the mean alike
        response = gaussian_filter1d(impulse, wide, mode="wrap")
        field = gaussian_filter1d(field, wide, axis, mode="wrap")
        field /= np.linalg.norm(response)  # the factor by which it lowers the standard deviation
    return field


def as_floats(name: str, image: Array, dims: int) -> Array:
    """Return ``image`` as floats: float32, or float64 where float32 would not hold the values."""
    image = checked_image(name, image, dims, order=0)
    if image.dtype.kind == "b":
        raise TypeError(f"{name}: dtype bool, numbers expected; a mask has no intensity")
    return image.astype(np.result_type(image.dtype, np.float32), copy=False)


def checked_lengths(name: str, argument: str, value: Any, dims: int) -> Array:
    """Return lengths (dims,) >= 0, from one for all axes or one for each."""
    values = [value] * dims if np.ndim(value) == 0 else list(value)
    if len(values) != dims:
        raise ValueError(f"{name}: {argument} is {value}, one number or {dims} expected")
    return np.array([_checked_amount(name, argument, length) for length in values])


def _checked_amount(name: str, argument: str, value: Any) -> float:
    amount = checked_number(name, argument, value)
    if amount < 0:
        raise ValueError(f"{name}: {argument} is {value}, a number >= 0 expected")
    return amount
