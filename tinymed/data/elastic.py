"""Elastic deformation: a smooth random displacement of every pixel, as tissue yields."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinymed.data.geometry import (
    Array,
    as_dtype,
    checked_image,
    checked_interpolation,
    checked_number,
    warp,
)
from tinymed.data.noise import gaussian_field
from tinymed.random import or_default

__all__ = ["checked_elastic", "checked_spacing", "deform", "displacement_field"]


def displacement_field(
    shape: Sequence[int],
    alpha: float,
    sigma: float,
    *,
    spacing: Sequence[float] | None = None,
    generator: np.random.Generator | None = None,
) -> Array:
    """Draw a smooth displacement: Gaussian noise of standard deviation alpha, smoothed over sigma.

    Parameters
    ----------
    shape : sequence of int
        The spatial axes, 1 to 3 of them.
    alpha : float
        Standard deviation of the displacement along each axis, in pixels, >= 0.
    sigma : float
        Standard deviation of the smoothing Gaussian in pixels, > 0: how far neighbours move alike.
    spacing : sequence of float, optional
        Size of a pixel along each axis, above 0, in any unit. ``alpha`` and ``sigma`` then count
        pixels of the finest axis and are the same lengths along the others.
    generator : numpy.random.Generator, optional

    Returns
    -------
    numpy.ndarray (d, *shape)
        float64, in pixels of each axis.

    Raises
    ------
    ValueError, TypeError
        Numbers outside their ranges, or a wrong number of them.

    Notes
    -----
    Where alpha is below sigma / 2, folds (a slope below -1, at three standard deviations) are rare.
    Simard's alpha scales noise that is not made of variance 1 again: in 2-D it is 6.1 sigma times
    the alpha here, so that his (34, 4) is (1.4, 4).

    References
    ----------
    Simard, Steinkraus and Platt (2003), section 2.

    Examples
    --------
    >>> field = displacement_field((64, 64), 2.0, 6.0, generator=np.random.default_rng(0))
    >>> field.shape, bool(1 < field.std() < 3)
    ((2, 64, 64), True)
    """
    name, sizes = "displacement_field", tuple(shape)
    if not 1 <= len(sizes) <= 3 or min(sizes) < 1:
        raise ValueError(f"{name}: shape is {sizes}, 1 to 3 axes of at least 1 pixel expected")
    checked_elastic(name, (alpha, sigma))
    share = checked_spacing(name, spacing, len(sizes))
    generator = or_default(generator)
    shape_of_field = (len(sizes), *sizes)
    field = gaussian_field(shape_of_field, sigma / share, generator, np.dtype(np.float64))
    field *= (alpha / share).reshape(-1, *[1] * len(sizes))
    return field


def deform(
    image: Array,
    displacement: Array,
    *,
    order: int = 1,
    mode: str = "nearest",
    fill: float | None = None,
) -> Array:
    """Give each pixel the value at its place plus its displacement, by interpolation.

    Parameters
    ----------
    image : numpy.ndarray (..., *spatial)
        Real numbers; not changed.
    displacement : numpy.ndarray (d, *spatial)
        Pixels, see `displacement_field`.
    order, mode, fill
        See `rotate`; order 0 for a mask.

    Returns
    -------
    numpy.ndarray
        A new array of the same shape and dtype.

    Raises
    ------
    ValueError, TypeError
        A displacement of another shape than the image, or one that is not finite.

    Examples
    --------
    >>> image = np.array([[1.0, 2.0, 4.0]])
    >>> right = np.array([np.zeros((1, 3)), np.full((1, 3), 0.5)])
    >>> deform(image, right).tolist()
    [[1.5, 3.0, 4.0]]
    """
    checked_interpolation("deform", order, mode, fill)
    field = np.asarray(displacement, dtype=np.float64)
    dims = field.ndim - 1
    image = checked_image("deform", image, max(dims, 1), order)
    if dims < 1 or field.shape != (dims, *image.shape[image.ndim - dims :]):
        raise ValueError(
            f"deform: displacement {field.shape} does not fit the image {image.shape}; "
            "(d, *spatial) over its last d axes expected"
        )
    if not np.isfinite(field).all():
        raise ValueError("deform: the displacement has NaN or infinity, finite numbers expected")
    moved = warp(image, np.eye(dims), (0.0,) * dims, order, mode, fill, field)
    return as_dtype(moved, image.dtype)


def checked_elastic(name: str, elastic: tuple[float, float]) -> None:
    """Refuse what is no (alpha >= 0, sigma > 0)."""
    if np.shape(elastic) != (2,):
        raise ValueError(f"{name}: elastic is {elastic}, (alpha, sigma) in pixels expected")
    alpha, sigma = elastic
    if checked_number(name, "alpha", alpha) < 0:
        raise ValueError(f"{name}: alpha is {alpha}, pixels >= 0 expected")
    if checked_number(name, "sigma", sigma) <= 0:
        raise ValueError(f"{name}: sigma is {sigma}, pixels above 0 expected")


def checked_spacing(name: str, spacing: Sequence[float] | None, dims: int) -> Array:
    """Return the size of a pixel along each axis (dims,), the finest being 1."""
    if spacing is None:
        return np.ones(dims)
    if np.shape(spacing) != (dims,):
        raise ValueError(f"{name}: spacing is {spacing}, {dims} numbers expected")
    sizes = np.array([checked_number(name, "spacing", size) for size in spacing])
    if sizes.min() <= 0:
        raise ValueError(f"{name}: spacing is {spacing}, numbers above 0 expected")
    return sizes / sizes.min()
