"""A CT volume in patient coordinates, and the axial patches that networks look at.

Patient coordinates are millimetres in DICOM's frame: x to the patient's left, y to the back, z to
the head (LPS), which the annotations of LUNA16 use too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["PATCH", "PIXEL", "Volume"]

PATCH = 50  # pixels along each side of a patch
PIXEL = 0.7  # mm, the median of chest CT: a patch shows 35 mm
_AIR = -1024.0  # HU, what lies outside the scan
_ALIGNED = 0.999  # cosine between slices and the axial plane: 2.6 degrees
_SMOOTHED = 1.5  # pixels this many times larger than the scan's are averaged first

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
        if len(self.spacing) != 3 or not all(0 < each < np.inf for each in self.spacing):
            raise ValueError(f"Volume: spacing {self.spacing} mm, three positive numbers expected")
        if len(self.origin) != 3 or not np.isfinite(self.origin).all():
            raise ValueError(f"Volume: origin {self.origin} mm, three numbers expected")
        axes = np.asarray(self.direction, np.float64)
        if axes.shape != (3, 3) or not np.allclose(axes.T @ axes, np.eye(3), atol=2e-3):
            raise ValueError(
                f"Volume: direction {axes.tolist()}, perpendicular unit vectors expected"
            )
        object.__setattr__(self, "direction", axes)

    @property
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
        index = self.to_index(point)
        if not (np.isfinite(index) & (index >= -0.5) & (index <= self._last + 0.5)).all():
            ends = np.sort(self.to_patient([np.zeros(3), self._last]), axis=0).round(1)
            raise ValueError(
                f"patch: point {tuple(point)} mm is outside the volume, which reaches from "
                f"{tuple(ends[0].tolist())} to {tuple(ends[1].tolist())}"
            )
        if abs(self.direction[2, 0]) < _ALIGNED:
            raise ValueError("patch: the slices are not axial (transverse); reformat the series")
        steps = (np.arange(size) - (size - 1) / 2) * pixel
        y, x = np.meshgrid(steps, steps, indexing="ij")
        moved = np.stack([x, y, np.zeros_like(x)], -1) @ self.direction[:, 1:] / self.spacing[1:]
        return self._sampled(round(float(index[0])), np.moveaxis(moved + index[1:], -1, 0), pixel)

    def middle_slice(self, size: int = 256, pixel: float = 1.4) -> NDArray[np.float32]:
        """Return the middle slice as a patch about its centre (size, size)."""
        middle = (self._last / 2).round() * (1, 0, 0) + self._last / 2 * (0, 1, 1)
        return self.patch(self.to_patient(middle).tolist(), size, pixel)

    @property
    def _last(self) -> Floats:
        return np.array(self.hounsfield.shape, np.float64) - 1

    def _sampled(self, number: int, where: Floats, pixel: float) -> NDArray[np.float32]:
        """Return slice ``number`` at fractions of rows and columns (2, size, size)."""
        try:
            from scipy import ndimage
        except ImportError as error:
            raise ImportError("patch: needs scipy; pip install tinymed[medical]") from error
        plane = self.hounsfield[min(max(number, 0), len(self.hounsfield) - 1)]
        ratio = pixel / np.array(self.spacing[1:])
        if (ratio > _SMOOTHED).any():  # else fine structures would turn into noise
            plane = ndimage.gaussian_filter(plane, np.sqrt(np.maximum(ratio**2 - 1, 0)) / 2.35)
        values = ndimage.map_coordinates(plane, where, order=1, mode="constant", cval=_AIR)
        return np.asarray(values, np.float32)
