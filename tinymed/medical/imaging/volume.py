"""A CT volume in patient coordinates, and the axial patches that networks look at.

Patient coordinates are millimetres in DICOM's frame: x to the patient's left, y to the back, z to
the head (LPS), which the annotations of LUNA16 use too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.medical.imaging.grid import Grid, carry, smoothed

__all__ = ["PATCH", "PIXEL", "Volume"]

PATCH = 50  # pixels along each side of a patch
PIXEL = 0.7  # mm, the median of chest CT: a patch shows 35 mm
_AIR = -1024.0  # HU, what lies outside the scan

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Volume:
    """Hounsfield units on a regular grid.

    Parameters
    ----------
    hounsfield : array of float32 (D, H, W)
        Slices in the order of their position along their normal.
    spacing : (float, float, float)
        Distance between slices, rows and columns in mm.
    origin : (float, float, float)
        Patient coordinates of the centre of voxel (0, 0, 0).
    direction : array (3, 3)
        Column i is the unit vector, in patient coordinates, along axis i of ``hounsfield``.
    group : str, optional
        A key that stands for the patient, as `patient_key` gives it.
    series : str
        A key that stands for the series.
    modality : str

    Raises
    ------
    ValueError
        Other shapes, NaN, a spacing that is not positive, directions that are no rotation.

    Examples
    --------
    >>> voxels, axes = np.zeros((4, 8, 8), np.float32), np.eye(3)[::-1]
    >>> volume = Volume(voxels, (2.5, 0.7, 0.7), (-10, 0, 5), axes)
    >>> volume.to_patient([1, 0, 2])  # slice, row, column -> x, y, z
    array([-8.6,  0. ,  7.5])
    """

    hounsfield: NDArray[np.float32]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: Floats
    group: str | None = None
    series: str = ""
    modality: str = "CT"

    def __post_init__(self) -> None:
        if self.hounsfield.ndim != 3 or not self.hounsfield.size:
            raise ValueError(f"Volume: hounsfield {self.hounsfield.shape}, (D, H, W) expected")
        object.__setattr__(self, "direction", self.grid.direction)

    def __repr__(self) -> str:
        steps = " x ".join(f"{step:g}" for step in self.spacing)
        return f"Volume({self.hounsfield.shape}, {steps} mm)"

    @classmethod
    def of_affine(cls, values: NDArray[np.float32], affine: Floats, **facts: Any) -> Volume:
        """Return a volume whose axes are brought into the order slices, rows, columns.

        Parameters
        ----------
        values : array of float32 (I, J, K)
            Hounsfield units, axes in any order and direction.
        affine : array (4, 4)
            From (i, j, k, 1) to patient coordinates (LPS, mm).
        **facts
            ``group``, ``series``, ``modality``.

        Returns
        -------
        Volume
            Slices rise to the head, rows run to the back, columns to the left, as nearly as the
            axes allow; a view of ``values``, not a copy.

        Raises
        ------
        ValueError
            An affine that shears, or is no matrix of finite numbers.
        """
        if values.ndim != 3 or affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError(
                f"Volume: values {values.shape} and affine {affine.tolist()}, three axes and a "
                "matrix (4, 4) of finite numbers expected"
            )
        columns = affine[:3, :3]
        spacing = np.linalg.norm(columns, axis=0)
        a, b, c = (float(step) for step in spacing)
        if min(a, b, c) <= 0:
            raise ValueError(f"Volume: spacing {(a, b, c)} mm, three positive numbers expected")
        x, y, z = (float(value) for value in affine[:3, 3])
        axes = columns / spacing
        order = max(permutations(range(3)), key=lambda each: _along(axes, each))
        i, j, k = order
        steps = ((a, b, c)[i], (a, b, c)[j], (a, b, c)[k])
        values = values.transpose(order)
        grid = Grid((values.shape[0], *values.shape[1:]), steps, (x, y, z), axes[:, list(order)])
        for axis, patient in enumerate((2, 1, 0)):  # slices along z, rows along y, columns along x
            if grid.direction[patient, axis] < 0:
                grid, values = grid.flipped(axis), np.flip(values, axis)
        return cls(values, grid.spacing, grid.origin, grid.direction, **facts)

    @cached_property
    def grid(self) -> Grid:
        """Where its voxels lie."""
        depth, height, width = self.hounsfield.shape
        return Grid((depth, height, width), self.spacing, self.origin, self.direction)

    @property
    def affine(self) -> Floats:
        """The matrix (4, 4) from (slice, row, column, 1) to (x, y, z, 1) in mm."""
        return self.grid.affine

    def to_patient(self, index: ArrayLike) -> Floats:
        """Return the patient coordinates (..., 3) of voxels (slice, row, column) (..., 3)."""
        return self.grid.to_patient(index)

    def to_index(self, point: ArrayLike) -> Floats:
        """Return slice, row and column, as fractions, of patient coordinates (..., 3)."""
        return self.grid.to_index(point)

    # ------------------------------------------------------------------------ other volumes

    def crop(self, start: Sequence[int], stop: Sequence[int]) -> Volume:
        """Return the part from voxel ``start`` up to, not including, ``stop``; not a copy."""
        grid = self.grid.cropped(start, stop)
        part = tuple(slice(low, high) for low, high in zip(start, stop, strict=True))
        return self._with(self.hounsfield[part], grid)

    def flip(self, axis: int) -> Volume:
        """Return the volume with one axis in reverse: the same place has the same value."""
        grid = self.grid.flipped(axis)
        return self._with(np.flip(self.hounsfield, axis), grid)

    def rotate(self, degrees: float, axis: int = 0) -> Volume:
        """Return the volume on a grid turned about its middle (`Grid.turned`), linear between."""
        return self.on(self.grid.turned(degrees, axis))

    def resample(self, spacing: Sequence[float]) -> Volume:
        """Return the volume with voxels of another size in mm, over the same extent."""
        return self.on(self.grid.resampled(spacing))

    def on(self, grid: Grid) -> Volume:
        """Return the volume on another grid, linear between voxels; -1024 outside of it."""
        return self._with(carry(self.hounsfield, self.grid, grid, fill=_AIR), grid)

    def _with(self, hounsfield: NDArray[np.float32], grid: Grid) -> Volume:
        return replace(
            self,
            hounsfield=hounsfield,
            spacing=grid.spacing,
            origin=grid.origin,
            direction=grid.direction,
        )

    # -------------------------------------------------------------------------- axial patches

    def patch(
        self, point: Sequence[float], size: int = PATCH, pixel: float = PIXEL
    ) -> NDArray[np.float32]:
        """Return the axial patch about a point, from the slice nearest to it.

        Parameters
        ----------
        point : (x, y, z)
            Patient coordinates in mm.
        size : int
            Pixels along each side.
        pixel : float
            Their size in mm.

        Returns
        -------
        array of float32 (size, size)
            Hounsfield units, bilinear between pixels; rows run to the back, columns to the left
            of the patient, however the scan was stored; -1024 beyond its border.

        Raises
        ------
        ValueError
            If the point is outside the volume, or the slices are not axial.
        """
        patch = self.grid.patch(point, size, pixel)
        pixels = np.moveaxis(np.indices(patch.shape), 0, -1)
        where = np.moveaxis(self.to_index(patch.to_patient(pixels))[0], -1, 0)  # (3, size, size)
        return self._sampled(round(float(where[0].mean())), where[1:], pixel)

    def middle_slice(self, size: int = 256, pixel: float = 1.4) -> NDArray[np.float32]:
        """Return the middle slice as a patch about its centre (size, size)."""
        last = self.grid.last
        middle = (last / 2).round() * (1, 0, 0) + last / 2 * (0, 1, 1)
        return self.patch(self.to_patient(middle).tolist(), size, pixel)

    def _sampled(self, number: int, where: Floats, pixel: float) -> NDArray[np.float32]:
        """Return slice ``number`` at fractions of rows and columns (2, size, size)."""
        try:
            from scipy import ndimage
        except ImportError as error:
            raise ImportError("patch: needs scipy; pip install tinymed[medical]") from error
        plane = smoothed(self.hounsfield[number], pixel / np.array(self.spacing[1:]))
        values = ndimage.map_coordinates(plane, where, order=1, mode="constant", cval=_AIR)
        return np.asarray(values, np.float32)


def _along(axes: Floats, order: Sequence[int]) -> float:
    """Return how well axes in that order run along z, y and x."""
    return float(sum(abs(axes[2 - place, axis]) for place, axis in enumerate(order)))
