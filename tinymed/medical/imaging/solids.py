"""Solids in millimetres and the share of each pixel of a CT slice that they fill.

A slice has a thickness: the coverage of a pixel is the mean over a few planes, so that a thin or
tilted thing fades and widens as it does in a scanner (partial volume). What a solid is made of is
not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Points", "Slice", "ball", "directions", "smooth_noise", "tree", "tubes"]

Array = NDArray[np.float32]
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Slice:
    """The pixels of an axial slice, centred at the origin."""

    side: int  # pixels along each side
    pixel: float  # mm
    thickness: float  # mm

    @cached_property
    def y(self) -> Array:
        """Rows of pixel centres in mm (side, 1)."""
        ticks = (np.arange(self.side) - (self.side - 1) / 2) * self.pixel
        return ticks.astype(np.float32)[:, None]

    @cached_property
    def x(self) -> Array:
        """Columns of pixel centres in mm (1, side)."""
        return self.y.T

    @cached_property
    def planes(self) -> Array:
        """The heights z in mm at which solids are sampled (3,)."""
        return np.linspace(-self.thickness / 3, self.thickness / 3, 3, dtype=np.float32)

    @cached_property
    def frequency(self) -> Any:
        """Spatial frequency of each entry of `numpy.fft.rfft2` of a slice, in cycles per pixel."""
        return np.hypot(np.fft.fftfreq(self.side)[:, None], np.fft.rfftfreq(self.side))

    def blurred(self, images: Array, sigma: float) -> Array:
        """Return images (..., side, side) filtered by a Gaussian, periodic at the borders."""
        transfer = np.exp(-2 * (np.pi * sigma * self.frequency) ** 2)
        blurred: Array = np.fft.irfft2(np.fft.rfft2(images) * transfer).astype(np.float32)
        return blurred


def directions(generator: np.random.Generator, count: int) -> Points:
    """Return unit vectors of all directions alike (count, 3)."""
    return _unit(generator.normal(size=(count, 3)))


def smooth_noise(grid: Slice, sigma: float, generator: np.random.Generator) -> Array:
    """Return noise of a correlation length of ``sigma`` pixels; mean 0, standard deviation 1."""
    white = generator.standard_normal((grid.side, grid.side), dtype=np.float32)
    field = grid.blurred(white, sigma)
    noise: Array = (field - field.mean()) / field.std()
    return noise


def tree(
    start: Points,
    direction: Points,
    radius: Points,
    generator: np.random.Generator,
    *,
    stem: tuple[float, float] = (6.0, 14.0),
) -> Points:
    """Grow vessels that bend and fork twice, all at once.

    Parameters
    ----------
    start, direction : array (T, 3)
        Where each vessel begins, in mm, and the unit vector along which it leaves.
    radius : array (T,)
        At the start, in mm.
    stem : (float, float)
        Least and greatest length up to the first fork, in radii.

    Returns
    -------
    array (14 T, 8)
        Straight pieces: start x, y, z, end x, y, z, radius at either, in mm.

    Notes
    -----
    At a fork Murray's law r^3 = r_1^3 + r_2^3 holds and the thinner branch turns further away.

    References
    ----------
    Murray (1926), "The physiological principle of minimum work", PNAS 12.
    """
    pieces: list[Points] = []
    for least, greatest in (stem, (6.0, 14.0), (6.0, 14.0)):
        length = radius * generator.uniform(least, greatest, len(radius))
        for _ in range(2):
            direction = _unit(direction + generator.normal(0, 0.18, direction.shape))
            end = start + direction * (length / 2)[:, None]
            pieces.append(np.column_stack([start, end, radius, 0.95 * radius]))
            start, radius = end, 0.95 * radius
        share = generator.uniform(0.3, 0.7, len(radius))  # of r^3
        side = directions(generator, len(radius))
        turns = (1.4 * (1 - share[:, None]), -1.4 * share[:, None])
        direction = _unit(np.concatenate([direction + turn * side for turn in turns]))
        radius = np.concatenate([radius * np.cbrt(share), radius * np.cbrt(1 - share)])
        start = np.concatenate([start, start])
    return np.concatenate(pieces)


def tubes(grid: Slice, pieces: Points) -> Array:
    """Return the coverage (side, side) of the union of round tapering tubes, pieces (S, 8)."""
    lowest, highest = (ends(pieces[:, :3], pieces[:, 3:6]) for ends in (np.minimum, np.maximum))
    reach = grid.side / 2 * grid.pixel
    box = np.array([reach, reach, grid.thickness / 2]) + pieces[:, 6:7]
    pieces = pieces[((lowest < box) & (highest > -box)).all(1)]  # the others are out of sight
    total = np.zeros((grid.side, grid.side), np.float32)
    if not len(pieces):
        return total
    ax, ay, az, bx, by, bz, ra, rb = pieces.astype(np.float32).T[:, :, None, None]  # each (S, 1, 1)
    ux, uy, uz = bx - ax, by - ay, bz - az
    squared = ux**2 + uy**2 + uz**2
    dx, dy = grid.x - ax, grid.y - ay  # (S, 1, side), (S, side, 1)
    for z in grid.planes:
        along = (dx * ux + (z - az) * uz) + dy * uy  # (S, side, side), the product with the axis
        t = np.clip(along / squared, 0, 1)  # nearest point of the axis, 0 at the start
        gap = (dx**2 + (z - az) ** 2) + dy**2 + t * (t * squared - 2 * along)
        radius = ra + t * (rb - ra)
        inside = (radius - np.sqrt(np.maximum(gap, 0))) / grid.pixel + 0.5
        # a tube thinner than a pixel never fills it
        total += np.clip(inside, 0, np.minimum(1, 2 * ra / grid.pixel)).max(0)
    total /= len(grid.planes)
    return total


def ball(
    grid: Slice,
    centre: Points,
    radius: float,
    generator: np.random.Generator,
    *,
    lobulation: float,
    margin: float,
) -> Array:
    """Return the coverage (side, side) of a stretched ball with bumps.

    Parameters
    ----------
    centre : array (3,)
        In mm.
    radius : float
        Mean radius in mm.
    lobulation : float
        Standard deviation of the radius over its directions, as a share of it; 0 is smooth.
    margin : float
        Width of the transition from inside to outside in mm.
    """
    waves = generator.normal(0, 2.2, (6, 3)).astype(np.float32)
    phases = generator.uniform(0, 2 * np.pi, 6).astype(np.float32)
    stretch = np.exp(generator.normal(0, 0.15, 3)).astype(np.float32)
    middle = centre.astype(np.float32)
    x, y = (grid.x - middle[0]) * stretch[0], (grid.y - middle[1]) * stretch[1]
    z = ((grid.planes - middle[2]) * stretch[2])[:, None, None]
    distance = np.sqrt((x**2 + y**2) + z**2) + np.float32(1e-3)  # (planes, side, side)
    bumps = np.zeros_like(distance)
    for wave, phase in zip(waves, phases, strict=True):
        bumps += np.sin((x * wave[0] + y * wave[1] + z * wave[2]) / distance + phase)
    surface = radius * (1 + lobulation / np.sqrt(3) * bumps)  # six sines have a variance of 3
    coverage: Array = np.clip((surface - distance) / margin + 0.5, 0, 1).mean(0, dtype=np.float32)
    return coverage


def _unit(vectors: Points) -> Points:
    unit: Points = vectors / np.sqrt((vectors**2).sum(1, keepdims=True))
    return unit
