"""Rotate, scale, shift and flip images: plain functions, and the one affine map beneath them.

All transforms are about the centre of the image, ``(size - 1) / 2`` along each axis, and keep its
shape and dtype. Spatial axes are the last ones; axes before them are channels, which move alike.
Signs are those of the array as it is displayed, row 0 on top:

==========================  ======================================================================
``rotate(image, 90)``       counter-clockwise, as `numpy.rot90`: what was on the right is on top
``zoom(image, 2)``          larger: a dot 3 pixels off the centre is then 6 pixels off
``shift(image, (2, -1))``   2 down, 1 to the left: a dot at (r, c) is then at (r + 2, c - 1)
``flip(image, -1)``         left and right change places
==========================  ======================================================================

Interpolation is that of `scipy.ndimage.affine_transform` (``pip install tinymed[medical]``), with
splines of ``order`` 0 to 5. Integer images are rounded and clipped to what their dtype holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.errors import check_dims

__all__ = [
    "Array",
    "as_dtype",
    "checked_dims",
    "checked_image",
    "checked_interpolation",
    "checked_number",
    "flip",
    "rotate",
    "rotation",
    "shift",
    "warp",
    "zoom",
]

Array = NDArray[Any]

FILLED = ("constant", "grid-constant")
EXACT = 2**53  # largest integer up to which float64, in which SciPy interpolates, is exact
MODES = (*FILLED, "nearest", "reflect", "grid-mirror", "mirror", "wrap", "grid-wrap")


def rotate(
    image: Array,
    degrees: float,
    *,
    axes: tuple[int, int] = (-2, -1),
    order: int = 1,
    mode: str = "nearest",
    fill: float | None = None,
) -> Array:
    """Rotate an image about its centre, keeping the shape.

    Parameters
    ----------
    image : numpy.ndarray (..., rows, columns)
        Real numbers; not changed.
    degrees : float
        Counter-clockwise as displayed: from the second of ``axes`` towards lower indices of the
        first.
    axes : (int, int)
        The plane of rotation; of a volume (z, y, x) the default is the axial plane.
    order : int
        Spline order 0 (nearest neighbour, for masks) to 5.
    mode : str
        What is assumed outside the image, as in SciPy; "nearest" repeats the border.
    fill : float, optional
        The value outside, for mode "constant" and "grid-constant" alone; 0 if not given.

    Returns
    -------
    numpy.ndarray
        A new array of the same shape and dtype.

    Raises
    ------
    ValueError, TypeError
        An angle that is not finite, equal axes, too few axes, an unknown order or mode, a fill that
        the mode would not use, a dtype that cannot be interpolated.

    Examples
    --------
    >>> rotate(np.array([[0, 0, 0], [0, 0, 9], [0, 0, 0]]), 90)
    array([[0, 9, 0],
           [0, 0, 0],
           [0, 0, 0]])
    """
    checked_interpolation("rotate", order, mode, fill)
    image = checked_image("rotate", image, 2, order)
    angle = checked_number("rotate", "degrees", degrees)
    plane = check_dims("rotate", axes, image.ndim)
    if len(plane) != 2:
        raise ValueError(f"rotate: axes are {axes}, two expected")
    turned = warp(
        np.moveaxis(image, plane, (-2, -1)), rotation((angle,)).T, (0.0, 0.0), order, mode, fill
    )
    return as_dtype(np.ascontiguousarray(np.moveaxis(turned, (-2, -1), plane)), image.dtype)


def zoom(
    image: Array,
    factor: float,
    *,
    spatial_dims: int = 2,
    order: int = 1,
    mode: str = "nearest",
    fill: float | None = None,
) -> Array:
    """Scale an image about its centre, keeping the shape (to change it, resample).

    Parameters
    ----------
    image : numpy.ndarray (..., rows, columns) or (..., slices, rows, columns)
        Real numbers; not changed.
    factor : float
        Above 1 the content grows and its border is lost; below 1 it shrinks and ``mode`` says what
        stands around it.
    spatial_dims : int
        How many of the last axes are scaled, 1 to 3.
    order, mode, fill
        As in `rotate`.

    Returns
    -------
    numpy.ndarray
        A new array of the same shape and dtype.

    Raises
    ------
    ValueError, TypeError
        A factor that is not a finite number above 0; else as in `rotate`.

    Examples
    --------
    >>> zoom(np.array([[0, 0, 8, 0, 0]]), 2).tolist()
    [[0, 4, 8, 4, 0]]
    """
    checked_interpolation("zoom", order, mode, fill)
    dims = checked_dims("zoom", spatial_dims, (1, 2, 3))
    image = checked_image("zoom", image, dims, order)
    if checked_number("zoom", "factor", factor) <= 0:
        raise ValueError(f"zoom: factor is {factor}, a number above 0 expected")
    zoomed = warp(image, np.eye(dims) / factor, (0.0,) * dims, order, mode, fill)
    return as_dtype(zoomed, image.dtype)


def shift(
    image: Array,
    pixels: Sequence[float],
    *,
    order: int = 1,
    mode: str = "nearest",
    fill: float | None = None,
) -> Array:
    """Move the content of an image, keeping the shape.

    Parameters
    ----------
    image : numpy.ndarray (..., *spatial)
        Real numbers; not changed.
    pixels : sequence of float
        One for each spatial axis (so it says how many there are): positive towards higher indices,
        that is down, to the right.
    order, mode, fill
        As in `rotate`.

    Returns
    -------
    numpy.ndarray
        A new array of the same shape and dtype.

    Raises
    ------
    ValueError, TypeError
        Pixels that are not finite numbers, more of them than axes; else as in `rotate`.

    Examples
    --------
    >>> shift(np.array([[1, 2], [3, 4]]), (1, 0), mode="constant").tolist()
    [[0, 0], [1, 2]]
    """
    checked_interpolation("shift", order, mode, fill)
    if np.ndim(pixels) != 1 or not len(pixels):
        raise ValueError(f"shift: pixels is {pixels}, one number for each spatial axis expected")
    move = tuple(checked_number("shift", "pixels", value) for value in pixels)
    image = checked_image("shift", image, len(move), order)
    moved = warp(image, np.eye(len(move)), move, order, mode, fill)
    return as_dtype(moved, image.dtype)


def flip(image: Array, axes: int | tuple[int, ...] = -1) -> Array:
    """Reverse an image along ``axes``; a new array of the same shape and dtype.

    Raises
    ------
    IndexError, ValueError
        An axis the image does not have, or one named twice.

    Examples
    --------
    >>> flip(np.array([[1, 2], [3, 4]])).tolist()
    [[2, 1], [4, 3]]
    """
    image = np.asarray(image)
    return np.flip(image, check_dims("flip", axes, image.ndim)).copy()


def rotation(degrees: Sequence[float]) -> Array:
    """Return the matrix (d, d) that turns offsets from the centre: one angle in 2-D, three in 3-D.

    In 3-D they turn about axis 2, then 1, then 0, each within the plane of the other two axes.
    """
    if len(degrees) == 1:
        return _plane_rotation(degrees[0], (0, 1), 2)
    about_0, about_1, about_2 = degrees
    return (
        _plane_rotation(about_0, (1, 2), 3)
        @ _plane_rotation(about_1, (0, 2), 3)
        @ _plane_rotation(about_2, (0, 1), 3)
    )


def _plane_rotation(degrees: float, plane: tuple[int, int], dims: int) -> Array:
    """Return the matrix that turns by ``degrees`` from ``plane[0]`` towards ``plane[1]``."""
    # rounded, because cos(90 degrees) = 6e-17 would move pixels just outside the image
    cosine, sine = (round(f(math.radians(degrees)), 15) for f in (math.cos, math.sin))
    matrix = np.eye(dims)
    first, second = plane
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


def warp(
    image: Array,
    inverse: Array,
    move: Sequence[float] | Array,
    order: int,
    mode: str,
    fill: float | None,
    displacement: Array | None = None,
) -> Array:
    """Move the content at ``centre + p`` to ``centre + inv(inverse) @ p + move``, by interpolation.

    Parameters
    ----------
    image : numpy.ndarray (..., *spatial)
    inverse : numpy.ndarray (d, d)
        From offsets in the result to offsets in the image, for d spatial axes.
    move : array_like (d,)
        Pixels.
    order, mode, fill
        See `rotate`.
    displacement : numpy.ndarray (d, *spatial), optional
        Pixels, added to the place in the image that each pixel of the result is taken from.

    Returns
    -------
    numpy.ndarray
        Of the same shape; float32, or float64 where float32 would not hold the values.
    """
    try:
        from scipy import ndimage
    except ImportError as error:
        raise ImportError("warp: needs scipy; pip install tinymed[medical]") from error
    spatial = image.shape[-len(move) :]
    centre = (np.array(spatial) - 1) / 2
    offset = centre - inverse @ (centre + move)
    image = image.astype(np.result_type(image.dtype, np.float32), copy=False)
    result = np.empty(image.shape, image.dtype)
    places = None
    if displacement is not None:
        grid = np.indices(spatial, dtype=np.float64)
        places = np.tensordot(inverse, grid, axes=1) + displacement
        places += offset.reshape(-1, *[1] * len(spatial))
    settings: dict[str, Any] = {"order": order, "mode": mode, "cval": fill or 0.0}
    for source, target in zip(
        image.reshape(-1, *spatial), result.reshape(-1, *spatial), strict=True
    ):
        if places is None:
            ndimage.affine_transform(source, inverse, offset, output=target, **settings)
        else:
            ndimage.map_coordinates(source, places, output=target, **settings)
    return result


def as_dtype(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return floats as ``dtype``: integers rounded and clipped, booleans true above 0.5."""
    if dtype.kind == "b":
        return values > 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = np.rint(values).clip(max(limits.min, -EXACT), min(limits.max, EXACT))
    return values.astype(dtype, copy=False)


def checked_image(name: str, image: Array, dims: int, order: int) -> Array:
    """Return ``image`` as an array that can be interpolated over its last ``dims`` axes."""
    image = np.asarray(image)
    if image.ndim < dims or not image.size:
        raise ValueError(
            f"{name}: shape {image.shape}, pixels over at least {dims} spatial axes expected"
        )
    if image.dtype.kind not in "biuf" or image.dtype.itemsize > 8:
        raise TypeError(f"{name}: dtype {image.dtype}, real numbers of at most 64 bits expected")
    if image.dtype.kind == "b" and order:
        raise TypeError(
            f"{name}: a boolean image and order={order}, which has no meaning between True and "
            "False; use order=0 (in Augment pass it as the mask)"
        )
    if image.dtype.kind in "iu" and image.dtype.itemsize == 8:
        largest = max(-int(image.min()), int(image.max()))
        if largest > EXACT:
            raise ValueError(
                f"{name}: {largest} in {image.dtype}, at most 2**53 (exact in float64)"
            )
    return image


def checked_interpolation(name: str, order: int, mode: str, fill: float | None) -> None:
    """Refuse what `warp` cannot do, and a ``fill`` that it would not use."""
    if isinstance(order, bool) or order not in range(6):
        raise ValueError(f"{name}: order is {order!r}, a spline order 0 to 5 expected")
    if mode not in MODES:
        raise ValueError(f"{name}: mode is {mode!r}, one of {', '.join(MODES)} expected")
    if fill is not None:
        checked_number(name, "fill", fill)
        if mode not in FILLED:
            raise ValueError(f"{name}: fill={fill} with mode {mode!r}; use mode='constant'")


def checked_dims(name: str, dims: int, allowed: tuple[int, ...]) -> int:
    """Return the number of spatial axes, one of ``allowed``."""
    if dims not in allowed:
        raise ValueError(f"{name}: spatial_dims is {dims!r}, one of {allowed} expected")
    return int(dims)


def checked_number(name: str, argument: str, value: Any) -> float:
    """Return ``value`` as a finite float."""
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        raise TypeError(f"{name}: {argument} is {value!r}, a number expected")
    if not math.isfinite(value):
        raise ValueError(f"{name}: {argument} is {value}, a finite number expected")
    return float(value)
