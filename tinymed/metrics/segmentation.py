"""Metrics of outlines: how much two regions overlap, and how far their surfaces are apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.inputs import UndefinedMetricError

__all__ = ["SurfaceDistance", "dice", "iou", "surface_distance"]

Mask = NDArray[np.bool_]


class SurfaceDistance(NamedTuple):
    """Distances between two surfaces, in the unit of the spacing."""

    mean: float
    hausdorff_95: float


def dice(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return 2 |A and B| / (|A| + |B|) of two regions; 1 where both are empty.

    Parameters
    ----------
    y_true, y_pred : array of bool, or of 0 and 1; of any shape, the same for both

    References
    ----------
    Dice (1945), "Measures of the amount of ecologic association between species", Ecology 26.

    Examples
    --------
    >>> dice([0, 1, 1, 0], [0, 1, 1, 1])
    0.8
    """
    a, b = _masks("dice", y_true, y_pred)
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def iou(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return |A and B| / |A or B| of two regions (Jaccard's index); 1 where both are empty.

    Parameters
    ----------
    y_true, y_pred : array of bool, or of 0 and 1; of any shape, the same for both

    Examples
    --------
    >>> iou([0, 1, 1, 0], [0, 1, 1, 1])
    0.6666666666666666
    """
    a, b = _masks("iou", y_true, y_pred)
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def surface_distance(
    y_true: ArrayLike, y_pred: ArrayLike, spacing: Sequence[float] | None = None
) -> SurfaceDistance:
    """Return how far the surfaces of two regions are apart, from either to the other.

    A region's surface is those of its voxels that have a neighbour (across a face) outside it, or
    lie at the edge of the array. Of each voxel of either surface the distance to the nearest voxel
    of the other is taken: their mean over both surfaces together, and the larger of the two 95th
    percentiles.

    Parameters
    ----------
    y_true, y_pred : array of bool, or of 0 and 1; of any shape, the same for both
    spacing : sequence of float, optional
        Size of a voxel along each axis; default 1: distances are in voxels.

    Returns
    -------
    SurfaceDistance
        ``mean, hausdorff_95``.

    Raises
    ------
    UndefinedMetricError
        An empty region has no surface.
    ImportError
        SciPy is not installed.

    References
    ----------
    Heimann et al. (2009), "Comparison and evaluation of methods for liver segmentation from CT
    datasets", IEEE Transactions on Medical Imaging 28, the average symmetric surface distance;
    Huttenlocher, Klanderman, Rucklidge (1993), the ranked Hausdorff distance.

    Examples
    --------
    >>> a, b = np.zeros((2, 9, 9), bool)
    >>> a[2:7, 2:7] = b[2:7, 3:8] = True        # moved by one column
    >>> surface_distance(a, b).hausdorff_95
    1.0
    """
    try:
        from scipy.ndimage import distance_transform_edt
    except ImportError as error:
        raise ImportError("surface_distance: needs SciPy: pip install tinymed[medical]") from error
    a, b = _masks("surface_distance", y_true, y_pred)
    if not (a.any() and b.any()):
        which = "y_true" if not a.any() else "y_pred"
        raise UndefinedMetricError(f"surface_distance: {which} is empty, a region expected")
    sizes = np.ones(a.ndim) if spacing is None else np.asarray(spacing, np.float64)
    if sizes.shape != (a.ndim,) or not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise ValueError(
            f"surface_distance: spacing is {spacing}, {a.ndim} positive numbers expected"
        )
    window = _box(a | b)  # nothing outside it is nearer
    surfaces = [_surface(mask)[window] for mask in (a, b)]
    away = [distance_transform_edt(~surface, sampling=sizes) for surface in surfaces]
    there, back = away[1][surfaces[0]], away[0][surfaces[1]]
    return SurfaceDistance(
        float(np.concatenate([there, back]).mean()),
        float(max(np.percentile(there, 95), np.percentile(back, 95))),
    )


def _surface(mask: Mask) -> Mask:
    """Return the voxels that have a neighbour across a face outside the region."""
    from scipy.ndimage import binary_erosion

    surface: Mask = mask & ~binary_erosion(mask)
    return surface


def _box(mask: Mask) -> tuple[slice, ...]:
    """Return the smallest box that holds a region."""
    return tuple(slice(int(along.min()), int(along.max()) + 1) for along in np.nonzero(mask))


def _masks(function: str, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Mask, Mask]:
    """Return two regions of one shape."""
    a, b = (_mask(function, *each) for each in (("y_true", y_true), ("y_pred", y_pred)))
    if a.shape != b.shape:
        raise ValueError(
            f"{function}: y_true has shape {a.shape}, y_pred {b.shape}; expected the same"
        )
    return a, b


def _mask(function: str, argument: str, values: ArrayLike) -> Mask:
    array: NDArray[Any] = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{function}: {argument} has dtype {array.dtype}, expected 0 and 1")
    if not array.ndim or not array.size:
        raise ValueError(f"{function}: {argument} has shape {array.shape}, expected voxels")
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"{function}: {argument} ranges from {array.min()} to {array.max()}, expected 0 and 1; "
            "cut probabilities at a threshold first"
        )
    return array.astype(np.bool_)
