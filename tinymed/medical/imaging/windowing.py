"""Hounsfield units and grey values: windows, their inverse, and normalisation.

CT numbers are Hounsfield units (HU): air -1000, water 0, bone several hundred. A window maps an
interval of them to [0, 1] and clips the rest, so that the grey values are spent on the tissue that
matters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BONE",
    "GREY",
    "LUNG",
    "MEDIASTINUM",
    "NODULE",
    "Statistics",
    "Window",
    "normalise",
    "statistics",
    "to_hounsfield",
    "to_uint8",
    "window",
]


class Window(NamedTuple):
    """An interval of Hounsfield units; radiologists write it as width and level (its centre)."""

    low: float
    high: float

    @classmethod
    def of(cls, *, width: float, level: float) -> Window:
        """Return the window of that width about that level."""
        return cls(level - width / 2, level + width / 2)


# "Windowing (CT)", Radiopaedia.org, gives these widths and levels for reading by eye.
LUNG = Window.of(width=1500, level=-600)
MEDIASTINUM = Window.of(width=350, level=50)
BONE = Window.of(width=1800, level=400)
# For networks that look for nodules: air to the border of bone, as in the LUNA16 challenge
# (Setio et al. 2017, Medical Image Analysis 42).
NODULE = Window(-1000.0, 400.0)
# A radiograph has no unit: what is not stored in 8 or 16 bits of grey is taken for 8 bits.
GREY = Window(0.0, 255.0)


class Statistics(NamedTuple):
    """Mean and standard deviation of all pixels of a set of images."""

    mean: float
    std: float


def window(
    hu: ArrayLike, low: float = NODULE.low, high: float = NODULE.high
) -> NDArray[np.float32]:
    """Return Hounsfield units as grey values: clip((hu - low) / (high - low), 0, 1).

    Padding values below air (-2000 on some scanners) become 0 like the air around them.

    Parameters
    ----------
    hu : array, any shape
        Hounsfield units.
    low, high : float
        The window in Hounsfield units; a named one is ``window(hu, *LUNG)``.

    Returns
    -------
    array of float32 in [0, 1]

    Raises
    ------
    ValueError
        If ``low >= high`` or ``hu`` holds NaN or infinity.
    TypeError
        If ``hu`` does not hold real numbers.

    Examples
    --------
    >>> window([-2000, -1000, -300, 400, 3000])
    array([0. , 0. , 0.5, 1. , 1. ], dtype=float32)
    """
    _check_window("window", low, high)
    values = _finite("window", "hu", hu)
    grey: NDArray[np.float32] = (values - np.float32(low)) / np.float32(high - low)
    return np.clip(grey, np.float32(0), np.float32(1))


def to_uint8(
    hu: ArrayLike, low: float = NODULE.low, high: float = NODULE.high
) -> NDArray[np.uint8]:
    """Return Hounsfield units as bytes, ``low`` and below 0, ``high`` and above 255, rounded.

    `to_hounsfield` gives them back to half a step, (high - low) / 510.

    Examples
    --------
    >>> to_uint8([-1000, 400])
    array([  0, 255], dtype=uint8)
    """
    _check_window("to_uint8", low, high)
    grey = window(_finite("to_uint8", "hu", hu), low, high)
    levels: NDArray[np.uint8] = np.rint(grey * np.float32(255)).astype(np.uint8)
    return levels


def to_hounsfield(
    patches: ArrayLike, low: float = NODULE.low, high: float = NODULE.high
) -> NDArray[np.float32]:
    """Return the Hounsfield units that bytes stand for: low + patches / 255 (high - low).

    What the window clipped is lost: 0 means ``low`` or less, 255 means ``high`` or more.

    Parameters
    ----------
    patches : array of uint8, any shape
        Pixels saved over the window ``low`` .. ``high``.

    Raises
    ------
    TypeError
        If ``patches`` are not uint8: other numbers have no agreed scale.
    ValueError
        If ``low >= high``.

    Examples
    --------
    >>> to_hounsfield(np.array([0, 51, 255], np.uint8))
    array([-1000.,  -720.,   400.], dtype=float32)
    """
    _check_window("to_hounsfield", low, high)
    values = np.asarray(patches)
    if values.dtype != np.uint8:
        raise TypeError(f"to_hounsfield: patches are {values.dtype}, uint8 expected")
    return values * np.float32((high - low) / 255) + np.float32(low)


def statistics(images: ArrayLike) -> Statistics:
    """Return mean and standard deviation over all pixels, for `normalise`.

    Take them from the training split alone: a mean that has seen the test images is a (small) leak,
    and another one per split hides that the splits differ.

    Raises
    ------
    ValueError
        If there is no pixel, or NaN or infinity among them.

    Examples
    --------
    >>> statistics([[0.0, 2.0], [4.0, 6.0]]).mean
    3.0
    """
    values = _finite("statistics", "images", images)
    if not values.size:
        raise ValueError(f"statistics: images {values.shape} hold no pixel")
    return Statistics(float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64)))


def normalise(x: ArrayLike, mean: float, std: float) -> NDArray[np.float32]:
    """Return ``(x - mean) / std`` as float32.

    Parameters
    ----------
    x : array, any shape
        In the units of ``mean`` and ``std``.
    mean, std : float
        Of the training split: ``normalise(x, *statistics(train))``.

    Raises
    ------
    ValueError
        If ``std`` is not positive, or anything is NaN or infinite.

    Examples
    --------
    >>> normalise([1.0, 3.0, 5.0], mean=3.0, std=2.0)
    array([-1.,  0.,  1.], dtype=float32)
    """
    if not (np.isfinite(mean) and np.isfinite(std) and std > 0):
        raise ValueError(
            f"normalise: mean {mean} and std {std}, a number and a positive number expected; "
            "an std of 0 means that all training images are constant"
        )
    values = _finite("normalise", "x", x)
    return (values - np.float32(mean)) / np.float32(std)


def _check_window(function: str, low: float, high: float) -> None:
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"{function}: window from {low} to {high} HU, low < high expected")


def _finite(function: str, name: str, values: Any) -> NDArray[np.float32]:
    array = np.asarray(values)
    if array.dtype.kind not in "uif":
        raise TypeError(f"{function}: {name} is {array.dtype}, real numbers expected")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise ValueError(f"{function}: {name} holds NaN or infinity at {bad} of {array.size}")
    return array.astype(np.float32, copy=False)
