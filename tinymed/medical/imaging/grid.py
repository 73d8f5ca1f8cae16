"""Where voxels lie: a regular grid in patient coordinates, and the grids made from it.

Cropping, flipping, turning and resampling each give another `Grid`, so that the way back is always
known: a voxel of any of them has patient coordinates, and these an index on any other. `carry` is
the one place that interpolates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.errors import check_size

__all__ = ["Grid", "carry", "smoothed"]

_ALIGNED = 0.999  # cosine between slices and the axial plane: 2.6 degrees
_SMOOTHED = 1.5  # samples this many times wider apart than voxels are means, else noise results
_EDGE = 0.5 + 1e-6  # voxels reach half way to where their neighbours would be

Floats = NDArray[np.float64]
Triple = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of voxels in patient coordinates (LPS, mm).

    Parameters
    ----------
    shape : (int, int, int)
        Voxels along each axis: slices, rows, columns.
    spacing : (float, float, float)
        Distance between them in mm.
    origin : (float, float, float)
        Patient coordinates of the centre of voxel (0, 0, 0).
    direction : array (3, 3)
        Column i is the unit vector, in patient coordinates, along axis i.

    Raises
    ------
    ValueError
        A shape or a spacing that is not positive, directions that are not perpendicular.

    Examples
    --------
    >>> grid = Grid((4, 8, 8), (2.5, 0.7, 0.7), (-10, 0, 5), np.eye(3)[::-1])
    >>> part = grid.flipped(1).cropped((1, 0, 0), (4, 8, 4))
    >>> grid.to_index(part.to_patient([0, 0, 0])).round(6).tolist()
    [1.0, 7.0, 0.0]
    """

    shape: tuple[int, int, int]
    spacing: Triple
    origin: Triple
    direction: Floats

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"grid: shape {self.shape}, three positive numbers expected")
        if len(self.spacing) != 3 or not all(0 < each < math.inf for each in self.spacing):
            raise ValueError(f"grid: spacing {self.spacing} mm, three positive numbers expected")
        if len(self.origin) != 3 or not np.isfinite(self.origin).all():
            raise ValueError(f"grid: origin {self.origin} mm, three numbers expected")
        axes = np.asarray(self.direction, np.float64)
        if axes.shape != (3, 3) or not np.allclose(axes.T @ axes, np.eye(3), atol=2e-3):
            raise ValueError(
                f"grid: direction {axes.tolist()}, perpendicular unit vectors expected"
            )
        object.__setattr__(self, "direction", axes)

    # --------------------------------------------------------------------------- coordinates

    @cached_property
    def affine(self) -> Floats:
        """The matrix (4, 4) from (slice, row, column, 1) to (x, y, z, 1) in mm."""
        affine = np.eye(4)
        affine[:3, :3] = self.direction * self.spacing
        affine[:3, 3] = self.origin
        return affine

    def to_patient(self, index: ArrayLike) -> Floats:
        """Return the patient coordinates (..., 3) of voxels (slice, row, column) (..., 3)."""
        offset = np.asarray(index, np.float64) * self.spacing
        return offset @ self.direction.T + np.asarray(self.origin)

    def to_index(self, point: ArrayLike) -> Floats:
        """Return slice, row and column, as fractions, of patient coordinates (..., 3)."""
        offset = np.asarray(point, np.float64) - np.asarray(self.origin)
        return np.asarray(np.linalg.solve(self.direction, offset[..., None])[..., 0] / self.spacing)

    def to(self, other: Grid) -> Floats:
        """Return the matrix (4, 4) from indices here to indices on another grid."""
        return np.asarray(np.linalg.solve(other.affine, self.affine))

    def holds(self, point: ArrayLike) -> NDArray[np.bool_]:
        """Return whether patient coordinates (..., 3) lie in a voxel."""
        index = self.to_index(point)
        return np.asarray(((index >= -_EDGE) & (index <= self.last + _EDGE)).all(-1))

    @property
    def last(self) -> Floats:
        """The index of the last voxel."""
        return np.array(self.shape, np.float64) - 1

    @property
    def voxel(self) -> float:
        """The volume of a voxel in mm^3."""
        return math.prod(self.spacing)

    # --------------------------------------------------------------------------- other grids

    def cropped(self, start: Sequence[int], stop: Sequence[int]) -> Grid:
        """Return the part from index ``start`` up to, not including, ``stop``."""
        ends = list(zip(start, stop, self.shape, strict=True))
        if not all(0 <= low < high <= size for low, high, size in ends):
            raise ValueError(
                f"crop: {tuple(start)} to {tuple(stop)}, a part of {self.shape} expected"
            )
        return self._from(start, [high - low for low, high, _ in ends])

    def flipped(self, axis: int) -> Grid:
        """Return the same voxels, those along one axis in reverse."""
        _check_axis("flip", axis)
        start = [0, 0, 0]
        start[axis] = self.shape[axis] - 1
        signs = np.ones(3)
        signs[axis] = -1
        return replace(self._from(start, self.shape), direction=self.direction * signs)

    def turned(self, degrees: float, axis: int = 0) -> Grid:
        """Return this grid turned about its middle, around one of its axes.

        A positive angle turns the next axis towards the one after it: around slices, rows towards
        columns.
        """
        _check_axis("rotate", axis)
        if not math.isfinite(degrees):
            raise ValueError(f"rotate: {degrees} degrees, a finite number expected")
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = cosine
        turn[second, first], turn[first, second] = sine, -sine
        return self._about_middle(self.shape, self.spacing, self.direction @ turn)

    def resampled(self, spacing: Sequence[float]) -> Grid:
        """Return voxels of another size about the same middle, as many as fill the same extent."""
        if len(spacing) != 3 or not all(0 < each < math.inf for each in spacing):
            raise ValueError(f"resample: spacing {spacing} mm, three positive numbers expected")
        shape = tuple(
            max(1, round(size * old / new))
            for size, old, new in zip(self.shape, self.spacing, spacing, strict=True)
        )
        return self._about_middle(check_size("resample", shape), spacing, self.direction)

    def reshaped(self, shape: Sequence[int]) -> Grid:
        """Return another number of voxels over exactly the same extent: a coarse heat-map's."""
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError(f"reshape: shape {tuple(shape)}, three positive numbers expected")
        spacing = [
            old * size / new for old, size, new in zip(self.spacing, self.shape, shape, strict=True)
        ]
        return self._about_middle(shape, spacing, self.direction)

    def patch(self, point: Sequence[float], size: int, pixel: float) -> Grid:
        """Return the axial square (1, size, size) about a point, in the slice nearest to it.

        Rows run to the back, columns to the left of the patient, however the scan was stored.
        """
        if not (np.isfinite(point).all() and self.holds(point)):
            ends = np.sort(self.to_patient([np.zeros(3), self.last]), axis=0).round(1)
            raise ValueError(
                f"patch: point {tuple(point)} mm is outside the volume, which reaches from "
                f"{tuple(ends[0].tolist())} to {tuple(ends[1].tolist())}"
            )
        normal = self.direction[:, 0] * np.sign(self.direction[2, 0])
        if normal[2] < _ALIGNED:
            raise ValueError("patch: the slices are not axial (transverse); reformat the series")
        left = np.array([1.0, 0, 0]) - normal[0] * normal
        left /= np.linalg.norm(left)
        axes = np.stack([normal, np.cross(normal, left), left], axis=1)
        index = self.to_index(point)
        index[0] = np.clip(np.rint(index[0]), 0, self.last[0])
        corner = self.to_patient(index) - axes[:, 1:].sum(1) * (size - 1) / 2 * pixel
        return Grid((1, size, size), (self.spacing[0], pixel, pixel), _triple(corner), axes)

    def _from(self, start: Sequence[int], shape: Sequence[int]) -> Grid:
        a, b, c = shape
        return replace(self, shape=(a, b, c), origin=_triple(self.to_patient(start)))

    def _about_middle(self, shape: Sequence[int], spacing: Sequence[float], axes: Floats) -> Grid:
        half = (np.array(shape, np.float64) - 1) / 2 * spacing
        origin = self.to_patient(self.last / 2) - axes @ half
        a, b, c = (int(size) for size in shape)
        return Grid((a, b, c), _triple(spacing), _triple(origin), axes)


def carry(
    values: NDArray[Any], source: Grid, target: Grid, *, order: int = 1, fill: float = 0.0
) -> NDArray[Any]:
    """Return what an array on one grid is on another.

    Parameters
    ----------
    values : array, the shape of ``source``
        Hounsfield units, a mask, a heat-map.
    source, target : Grid
    order : {0, 1}
        0 takes the nearest voxel (masks and labels), 1 is linear between voxels. Linear samples
        that lie further apart than 1.5 voxels are taken from smoothed values.
    fill : float
        Outside of ``source``.

    Raises
    ------
    ValueError
    ImportError
        Without scipy.
    """
    try:
        from scipy import ndimage
    except ImportError as error:
        raise ImportError("carry: needs scipy; pip install tinymed[medical]") from error
    if values.shape != source.shape:
        raise ValueError(f"carry: values {values.shape}, {source.shape} expected, as the grid has")
    if order not in (0, 1):
        raise ValueError(f"carry: order {order}, 0 (nearest) or 1 (linear) expected")
    matrix = target.to(source)
    stored = values.astype(np.uint8) if values.dtype == np.bool_ else values
    if order:
        stored = smoothed(stored, np.linalg.norm(matrix[:3, :3], axis=1))
    found = ndimage.affine_transform(
        stored, matrix, output_shape=target.shape, order=order, mode="nearest"
    )
    found[~_inside(matrix, source, target)] = fill
    return found.astype(values.dtype, copy=False)


def smoothed(values: NDArray[Any], ratio: Floats) -> NDArray[Any]:
    """Return values for samples ``ratio`` voxels apart along each axis, smoothed where needed.

    Without it fine structures would turn into noise.
    """
    if not (ratio > _SMOOTHED).any():
        return values
    from scipy import ndimage

    deviation = np.sqrt(np.maximum(ratio**2 - 1, 0)) / 2.35  # full width at half height: ratio
    return np.asarray(ndimage.gaussian_filter(values, deviation))


def _inside(matrix: Floats, source: Grid, target: Grid) -> NDArray[np.bool_]:
    """Return where the voxels of ``target`` lie in ``source``."""
    axes = np.ogrid[tuple(slice(size) for size in target.shape)]
    inside = np.ones(target.shape, bool)
    for row, size in zip(matrix[:3], source.shape, strict=True):
        index = sum((step * axis for step, axis in zip(row, axes, strict=False)), row[3])
        inside &= (index >= -_EDGE) & (index <= size - 1 + _EDGE)
    return inside


def _check_axis(function: str, axis: int) -> None:
    if axis not in (0, 1, 2):
        raise ValueError(f"{function}: axis {axis}, 0 (slices), 1 (rows) or 2 (columns) expected")


def _triple(values: Any) -> Triple:
    x, y, z = (float(value) for value in values)
    return x, y, z
