"""Where a slice of CT is sampled, and smooth random fields to sample there.

Coordinates are millimetres in the patient: x to the left, y to the back, z to the head (DICOM's
LPS). All that is drawn is a function of them, so that patches, slices and volumes are cuts of the
same anatomy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Array",
    "Field",
    "Integers",
    "Points",
    "Slab",
    "blend",
    "directions",
    "random_field",
    "unit",
]

Array = NDArray[np.floating[Any]]
Points = NDArray[np.float64]
Integers = NDArray[np.int64]

_TILE = 32  # lattice points along each side of a field, after which it repeats itself
# E[value^2] of a sum of cubic B-splines with random coefficients: (151 / 315)^3, averaged over the
# cell; 151 / 315 is the integral of the squared B-spline.
_SPLINE_VARIANCE = (151 / 315) ** 3


@dataclass(frozen=True)
class Slab:
    """The sample points of an axial slice: pixel centres, on a few planes across its thickness.

    Parameters
    ----------
    x : array (1, 1, W)
    y : array (1, H, 1)
    z : array (P, 1, 1)
        In mm. The value of a pixel is the mean over the P planes, so that what is thin or tilted
        fades and widens as it does in a scanner (partial volume).
    pixel : float
        Distance of neighbours along x and y in mm.
    """

    x: Array
    y: Array
    z: Array
    pixel: float

    @classmethod
    def about(
        cls,
        centre: Points,
        shape: tuple[int, int],
        pixel: float,
        thickness: float,
        planes: int = 3,
    ) -> Slab:
        """Return the slice of ``shape`` (H, W) whose middle is ``centre`` (x, y, z).

        A slice is not cut sharply: its sensitivity is a triangle that is ``thickness`` wide at half
        its height. The planes lie as far from the middle, in the mean square, as that triangle.
        """
        height, width = shape
        apart = thickness * np.sqrt(2 / (planes**2 - 1)) if planes > 1 else 0.0
        ticks = (np.arange(planes) - (planes - 1) / 2) * apart
        x = centre[0] + (np.arange(width) - (width - 1) / 2) * pixel
        y = centre[1] + (np.arange(height) - (height - 1) / 2) * pixel
        return cls(
            x.astype(np.float32)[None, None],
            y.astype(np.float32)[None, :, None],
            (centre[2] + ticks).astype(np.float32)[:, None, None],
            pixel,
        )

    @property
    def middle(self) -> Slab:
        """The plane halfway through."""
        between = self.z.mean(keepdims=True)
        return Slab(self.x, self.y, between, self.pixel)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, rows, columns."""
        return self.z.size, self.y.size, self.x.size

    @cached_property
    def box(self) -> tuple[Points, Points]:
        """The lowest and the highest x, y, z in it."""
        axes = (self.x.ravel(), self.y.ravel(), self.z.ravel())
        ends = np.array([(axis[0], axis[-1]) for axis in axes], float)
        return ends[:, 0], ends[:, 1]

    def part(self, low: Points, high: Points) -> tuple[Slab, tuple[slice, slice]] | None:
        """Return what lies in a box, and its rows and columns; None where nothing does."""
        if self.z.ravel()[-1] < low[2] or self.z.ravel()[0] > high[2]:
            return None
        rows = slice(*np.searchsorted(self.y.ravel(), (low[1], high[1])))
        columns = slice(*np.searchsorted(self.x.ravel(), (low[0], high[0])))
        if rows.start == rows.stop or columns.start == columns.stop:
            return None
        cut = Slab(self.x[:, :, columns], self.y[:, rows], self.z, self.pixel)
        return cut, (rows, columns)


@dataclass(frozen=True)
class Field:
    """A smooth random function of place: cubic B-splines on a lattice, mean 0 and deviation 1.

    Parameters
    ----------
    values : array (n, n, n)
        Coefficients on the lattice (z, y, x), which repeats itself.
    """

    values: Array

    def __call__(self, slab: Slab, spacing: float, shift: float = 0.0) -> Array:
        """Return the field on a slab (P, H, W) where lattice points are ``spacing`` mm apart.

        Other shifts (in lattice points) and other spacings give fields that look unrelated. The
        axes are separable: three small matrix products, whatever the spacing.
        """
        ticks = [axis.ravel() for axis in (slab.z, slab.y, slab.x)]
        weights = self._weights(np.concatenate(ticks) / np.float32(spacing) + np.float32(shift))
        z, y, x = np.split(weights, np.cumsum([len(axis) for axis in ticks[:2]]))
        size = len(self.values)
        across = (z @ self.values.reshape(size, -1)).reshape(-1, size, size)  # (P, n, n)
        field: Array = y @ across @ x.T  # (H, n)(P, n, n)(n, W)
        return field

    def _weights(self, at: Array) -> Array:
        """Return what each of n lattice points contributes to each place (m, n)."""
        cell = np.floor(at)
        t = at - cell
        s = 1 - t
        taps = np.stack([s**3, 4 - 3 * t * t * (1 + s), 4 - 3 * s * s * (1 + t), t**3], axis=1)
        weights = np.zeros((len(at), len(self.values)), np.float32)
        columns = (cell.astype(np.int64)[:, None] + np.arange(-1, 3)) % len(self.values)
        weights[np.arange(len(at))[:, None], columns] = taps / 6
        return weights


def random_field(generator: np.random.Generator) -> Field:
    """Draw a field that repeats itself after 32 lattice points."""
    values = generator.standard_normal((_TILE,) * 3, dtype=np.float32)
    return Field(values / np.float32(np.sqrt(_SPLINE_VARIANCE)))


def blend(hu: Array, other: float | Array, share: Array) -> Array:
    """Return ``hu`` where ``share`` of each sample is replaced by ``other``."""
    return hu + share * (other - hu)


def directions(generator: np.random.Generator, count: int) -> Points:
    """Return unit vectors of all directions alike (count, 3)."""
    return unit(generator.normal(size=(count, 3)))


def unit(vectors: Points) -> Points:
    """Return vectors (n, 3) at length 1."""
    scaled: Points = vectors / np.sqrt((vectors**2).sum(1, keepdims=True) + 1e-12)
    return scaled
