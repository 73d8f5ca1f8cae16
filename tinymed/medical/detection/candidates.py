"""Places in a lung that could be nodules: bright blobs of any size, most of them vessels.

The proposal of a cascade: it should miss nothing, a network then tells nodules from the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.imaging.grid import Grid, carry
from tinymed.medical.imaging.volume import Volume

__all__ = ["Candidate", "propose"]

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

_FINEST = 1.0  # mm: what is smaller is no nodule, finer voxels cost time alone
_SCALES = (1.2, 1.7, 2.4, 3.4, 4.8, 6.8, 9.6, 13.6)  # mm, deviations of the blurs
_RADIUS = 3**0.5  # of a ball, in deviations of the blur that answers to it most
_LOWEST, _HIGHEST = -1000.0, 200.0  # HU: calcium and bone count no more than tissue
_FAINTEST = 25.0  # HU, of the difference of two blurs: ground glass gives some 50
_REACH = 1.7  # times its estimated radius, within which a blob is measured
# How the two stages are weighed, chosen on six synthetic scans: the network knows what a place is
# like in a slice, the proposal whether it is round in all directions.
_WEIGHT, _EVEN = 4.0, 10.0
_CERTAIN = 1e-6


@dataclass(frozen=True, eq=False)
class Candidate:
    """A place that could be a nodule.

    Parameters
    ----------
    position : (float, float, float)
        Patient coordinates in mm (LPS).
    voxel : (float, float, float)
        Slice, row and column of the scan, as fractions.
    diameter : float
        Of the ball of the same volume, mm.
    proposal : float
        The score of the proposal: grows with contrast, size and roundness.
    region : array of int (k, 3)
        Its voxels.
    probability : float or None
        What the network says, where one was asked.
    """

    position: tuple[float, float, float]
    voxel: tuple[float, float, float]
    diameter: float
    proposal: float
    region: NDArray[np.int32]
    probability: float | None = None

    @property
    def score(self) -> float:
        """What candidates are ranked by: the proposal, or both stages together, in 0 .. 1.

        Together: the odds of the network times (proposal / 10)^4.
        """
        if self.probability is None:
            return self.proposal
        certain = min(max(self.probability, _CERTAIN), 1 - _CERTAIN)
        weighed = certain * (self.proposal / _EVEN) ** _WEIGHT
        return weighed / (weighed + 1 - certain)


def propose(volume: Volume, lungs: Mask, most: int = 300) -> list[Candidate]:
    """Return up to ``most`` candidates, the likeliest first.

    Parameters
    ----------
    volume : Volume
    lungs : array of bool (D, H, W)
        Where to look (`lung_mask`).
    most : int
        How many at most.

    Returns
    -------
    list of Candidate
        No centre lies in the ball of a likelier one.

    Notes
    -----
    Differences of Gaussian blurs, which approximate sigma^2 times the Laplacian, at eight scales of
    voxels of at least 1 mm; outside of the lungs everything is as dense as the lung, so that a
    nodule at the pleura is a blob too. A maximum over space counts sqrt(contrast radius r^3), where
    roundness r, the ratio of the least to the largest curvature, is 1 for balls and 0 for tubes and
    sheets; the powers were chosen on eight synthetic scans.

    References
    ----------
    Lindeberg (1998), "Feature detection with automatic scale selection", IJCV 30.
    """
    if lungs.shape != volume.hounsfield.shape:
        raise ValueError(
            f"propose: lungs {lungs.shape}, {volume.hounsfield.shape} expected, as the volume has"
        )
    if not lungs.any():
        raise ValueError("propose: lungs has no voxel, some lung expected")
    grid, hu, inside = _prepared(volume, lungs)
    places, radii, answers = _blobs(hu, inside, grid.spacing)
    order = np.argsort(-answers, kind="stable")
    points, radii, answers = grid.to_patient(places)[order], radii[order], answers[order]
    kept: list[int] = []
    for i, (point, radius) in enumerate(zip(points, radii, strict=True)):
        if len(kept) == most:
            break
        apart = np.linalg.norm(points[kept] - point, axis=1)
        if (apart > np.maximum(radii[kept], radius)).all():
            kept.append(i)
    density = float(np.median(volume.hounsfield[lungs]))
    return [_measured(volume, lungs, points[i], radii[i], answers[i], density) for i in kept]


def _prepared(volume: Volume, lungs: Mask) -> tuple[Grid, Array, Mask]:
    """Return the box of the lungs in voxels of at least 1 mm: its grid, densities and lungs."""
    from scipy import ndimage

    (box,) = ndimage.find_objects(lungs.astype(np.uint8))
    part = volume.crop([side.start for side in box], [side.stop for side in box])
    grid = part.grid.resampled([max(step, _FINEST) for step in part.spacing])
    inside = carry(lungs[box], part.grid, grid, order=0)
    hu = np.clip(part.on(grid).hounsfield, _LOWEST, _HIGHEST)
    hu[~inside] = np.median(hu[inside]) if inside.any() else _LOWEST
    return grid, hu, inside


def _blobs(hu: Array, inside: Mask, spacing: Sequence[float]) -> tuple[Floats, Floats, Floats]:
    """Return places (n, 3) in voxels, radii (n,) in mm and answers (n,) of all bright blobs."""
    from scipy import ndimage

    steps = np.array(spacing)
    places, radii, answers = [np.empty((0, 3))], [np.empty(0)], [np.empty(0)]
    blurred = ndimage.gaussian_filter(hu, _SCALES[0] / steps)
    for scale, wider in zip(_SCALES, (*_SCALES[1:], _SCALES[-1] * 2**0.5), strict=True):
        further = ndimage.gaussian_filter(blurred, (wider**2 - scale**2) ** 0.5 / steps)
        contrast = blurred - further
        around = [2 * round(float(side)) + 1 for side in np.maximum(scale / steps, 1)]
        highest = ndimage.maximum_filter(contrast, around)
        found = np.argwhere((contrast == highest) & (contrast > _FAINTEST) & inside)
        if len(found):
            slopes, curves = _derivatives(contrast, found)
            step = slopes / np.diagonal(curves, axis1=1, axis2=2)  # to the top of a parabola
            places.append(found.astype(np.float64) - np.clip(step, -0.5, 0.5))
            radius = _RADIUS * (scale * wider) ** 0.5
            radii.append(np.full(len(found), radius))
            round_ = _roundness(blurred, found, steps)
            answers.append(np.sqrt(contrast[tuple(found.T)] * radius * round_**3))
        blurred = further
    return np.concatenate(places), np.concatenate(radii), np.concatenate(answers)


def _derivatives(field: Array, places: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return the slopes (n, 3) and curvatures (n, 3, 3) of a field at voxels (n, 3), per voxel.

    Beyond its border the field goes on as it ends there.
    """
    last = np.array(field.shape) - 1

    def at(*steps: int) -> Floats:
        moved = np.clip(places + np.array(steps), 0, last)
        return field[tuple(moved.T)].astype(np.float64)

    unit = np.eye(3, dtype=int)
    middle = at(0, 0, 0)
    slopes, curves = np.empty((len(places), 3)), np.empty((len(places), 3, 3))
    for i in range(3):
        slopes[:, i] = (at(*unit[i]) - at(*-unit[i])) / 2
        curves[:, i, i] = np.minimum(at(*unit[i]) - 2 * middle + at(*-unit[i]), -1e-9)
        for j in range(i):
            both, apart = unit[i] + unit[j], unit[i] - unit[j]
            mixed = at(*both) - at(*apart) - at(*-apart) + at(*-both)
            curves[:, i, j] = curves[:, j, i] = mixed / 4
    return slopes, curves


def _roundness(blurred: Array, places: NDArray[np.intp], steps: Floats) -> Floats:
    """Return the least over the largest curvature at voxels: 1 in a ball, 0 in tubes and sheets.

    One slice alone is judged in its plane.
    """
    axes = np.flatnonzero(np.array(blurred.shape) > 1)
    curves = _derivatives(blurred, places)[1] / (steps[:, None] * steps)
    curvatures = -np.linalg.eigvalsh(curves[:, axes[:, None], axes])  # falling
    return np.asarray(np.clip(curvatures[:, -1] / curvatures[:, 0], 0, 1))


def _measured(
    volume: Volume, lungs: Mask, point: Floats, radius: float, answer: float, density: float
) -> Candidate:
    """Return a candidate whose region is what is denser than half way from the lung to its middle.

    The region is connected, in the lung, and within a ball about the point.
    """
    from scipy import ndimage

    grid = volume.grid
    index = np.clip(grid.to_index(point), 0, grid.last)  # voxels of at least 1 mm may reach beyond
    reach = _REACH * radius / np.array(grid.spacing)
    low = np.maximum(np.floor(index - reach), 0).astype(int)
    high = np.minimum(np.ceil(index + reach) + 1, grid.shape).astype(int)
    box = tuple(slice(*ends) for ends in zip(low, high, strict=True))
    hu = np.clip(volume.hounsfield[box], _LOWEST, _HIGHEST)
    offsets = np.moveaxis(np.indices(hu.shape), 0, -1) + low - index
    distance = np.linalg.norm(offsets * grid.spacing, axis=-1)
    within = (distance <= _REACH * radius) & lungs[box]
    middle = hu[distance <= max(radius / 2, float(distance.min()))].mean()
    dense = within & (hu > (middle + density) / 2)
    pieces, _ = ndimage.label(dense)
    nearest = int(np.where(dense, distance, np.inf).argmin() if dense.any() else distance.argmin())
    region = np.zeros(hu.shape, bool)
    region.flat[nearest] = True
    if dense.any():
        region = pieces == pieces.flat[nearest]
    size = np.count_nonzero(region) * grid.voxel
    x, y, z = grid.to_patient(index).tolist()
    i, j, k = index.tolist()
    voxels = (np.argwhere(region) + low).astype(np.int32)
    diameter = float((6 * size / np.pi) ** (1 / 3))
    return Candidate((x, y, z), (i, j, k), diameter, float(answer), voxels)
