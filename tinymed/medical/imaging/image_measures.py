"""Simple measures of images, by which cases are parted: brightness, noise, size."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["brightness", "central_radius", "central_size", "noise"]

Array = np.ndarray[Any, Any]
TISSUE = 0.5  # grey value: of a window of -1000 to 400 HU, -300 HU, between lung and soft tissue
DENSE = 0.3  # the same of -580 HU: the rim of a nodule, and much of a ground-glass one, are above
MIDDLE = 0.06  # of a side, to each side of the centre


def brightness(images: Array) -> Array:
    """Return the mean grey value of each image, (n, H, W) -> (n,)."""
    means: Array = images.mean(axis=(1, 2))
    return means


def noise(images: Array) -> Array:
    """Return the standard deviation of the noise of each image, (n, H, W) -> (n,).

    The median of the absolute second difference, which edges hardly move, over that of noise of
    standard deviation 1.

    References
    ----------
    Immerkaer (1996), "Fast noise variance estimation", Computer Vision and Image Understanding 64:
    the same mask, with a mean in place of the median.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(0.5, 0.1, (1, 99, 99))
    >>> round(float(noise(images)[0]), 2)
    0.1
    """
    rows = images[:, :-2] - 2 * images[:, 1:-1] + images[:, 2:]
    both = rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    spread: Array = np.median(np.abs(both), axis=(1, 2)) / (6 * 0.6745)  # sqrt(36): sum of squares
    return spread


def central_size(images: Array, above: float = TISSUE) -> Array:
    """Return how many pixels above a value hang together with the centre, (n, H, W) -> (n,).

    Raises
    ------
    ImportError
        SciPy is not installed.

    Examples
    --------
    >>> image = np.zeros((1, 50, 50))
    >>> image[0, 20:28, 24:26] = image[0, :3, :3] = 1
    >>> central_size(image).tolist()
    [16]
    """
    try:
        from scipy import ndimage
    except ImportError as error:
        raise ImportError("central_size: needs SciPy: pip install tinymed[medical]") from error
    middle = tuple(
        slice(side // 2 - reach, side // 2 + reach)
        for side in images.shape[1:]
        for reach in [max(1, round(MIDDLE * side))]
    )
    sizes = []
    for image in images:
        parts, _ = ndimage.label(image > above)
        there = parts[middle][parts[middle] > 0]
        sizes.append(int((parts == np.bincount(there).argmax()).sum()) if len(there) else 0)
    return np.array(sizes)


def central_radius(images: Array, above: float = DENSE) -> Array:
    """Return the radius of the largest disc about the centre that is above a value, (n,) pixels.

    Its own centre is at most 6 % of a side away, and it lies within the image. Other than
    `central_size` it hardly grows where a vessel or the pleura touches the thing.

    Raises
    ------
    ImportError
        SciPy is not installed.

    Examples
    --------
    >>> image = np.zeros((1, 50, 50))
    >>> image[0, 21:28] = image[0, :, :3] = 1      # seven rows, and a wall they touch
    >>> central_radius(image).tolist()
    [4.0]
    """
    try:
        from scipy import ndimage
    except ImportError as error:
        raise ImportError("central_radius: needs SciPy: pip install tinymed[medical]") from error
    rows, columns = (np.arange(side) - (side - 1) / 2 for side in images.shape[1:])
    apart = np.hypot(rows[:, None] / len(rows), columns / len(columns))
    middle = apart <= max(MIDDLE, float(apart.min()))
    radii = [
        ndimage.distance_transform_edt(np.pad(image > above, 1))[1:-1, 1:-1][middle].max()
        for image in images
    ]
    return np.array(radii)
