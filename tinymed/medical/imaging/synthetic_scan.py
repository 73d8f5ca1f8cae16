"""Whole slices and volumes of synthetic CT, with nodules at known places."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.imaging.nodules import Nodule
from tinymed.medical.imaging.phantoms import Patient, draw_patient
from tinymed.medical.imaging.scanner import MARGIN
from tinymed.medical.imaging.slabs import Array, Points, Slab
from tinymed.medical.imaging.volume import Volume
from tinymed.random import or_default

__all__ = [
    "LOWEST_HU",
    "ScanNodule",
    "SyntheticScan",
    "synthesise_nodule",
    "synthesise_slice",
    "synthesise_volume",
]

LOWEST_HU, HIGHEST_HU = -1024, 3071  # what 12 bits hold
_CHEST = 360.0  # mm: the width of a slice that shows all of it
_MOST_VOXELS = 2**29  # 2 GiB of HU
_ATTEMPTS = 20
FEWEST = 30  # voxels of a nodule that has an outline


@dataclass(frozen=True)
class ScanNodule:
    """A nodule of a synthetic scan."""

    position: tuple[float, float, float]  # x, y, z in mm
    voxel: tuple[float, float, float]  # slice, row, column
    diameter: float  # the largest, mm
    malignancy: int  # 1-5, as radiologists would rate it in the mean
    kind: str  # solid, calcified, part-solid, ground-glass, cavitary


@dataclass(frozen=True, eq=False)
class SyntheticScan:
    """Axial slices of a synthetic chest, and what is in them.

    Parameters
    ----------
    volume : Volume
        Whole Hounsfield units, -1024 to 3071, in slices from the feet to the head; slices are as
        thick as they are apart.
    nodules : tuple of ScanNodule
        Those whose centre lies in the volume.
    mask : array of uint8 (D, H, W)
        0, or k where at least half of the voxel is nodule k, counted from 1. A nodule smaller than
        a voxel may have none.
    lungs : array of bool (D, H, W)
        Where at least half of the voxel is lung, nodules included.
    identifier : int
        Of the scan: the same for the same seed.
    """

    volume: Volume
    nodules: tuple[ScanNodule, ...]
    mask: NDArray[np.uint8]
    lungs: NDArray[np.bool_]
    identifier: int


def synthesise_volume(
    generator: np.random.Generator | None = None,
    shape: Sequence[int] = (64, 256, 256),
    spacing: Sequence[float] = (3.0, 1.4, 1.4),
    *,
    centre: Sequence[float] = (0.0, 0.0, 5.0),
) -> SyntheticScan:
    """Return a CT volume of a synthetic patient with at least one nodule in it.

    Parameters
    ----------
    generator : numpy.random.Generator, optional
        The default one where none is given.
    shape : (int, int, int)
        Slices, rows, columns. The defaults hold most of the lungs, 192 mm of their height.
    spacing : (float, float, float)
        Between slices, rows and columns in mm; rows and columns alike. Slices are as thick as they
        are apart.
    centre : (float, float, float)
        x, y, z in mm of the middle of the volume; the lungs reach from about -140 to 140 in x, -90
        to 100 in y and -110 to 120 in z.

    Raises
    ------
    ValueError
        A shape or spacing that is not positive, rows and columns that differ, more voxels than
        2^29, or a volume that no nodule falls into (one far from the lungs).

    Notes
    -----
    Patches of `synthesise`, slices and volumes are cuts of the same kind of chest. About 1.5 s
    for the default shape.

    Examples
    --------
    >>> scan = synthesise_volume(np.random.default_rng(0), (4, 64, 64), (10.0, 6.0, 6.0))
    >>> scan.volume.hounsfield.shape, len(scan.nodules) > 0
    ((4, 64, 64), True)
    >>> scan.volume.patch(scan.nodules[0].position).shape
    (50, 50)
    """
    depth, height, width = _checked_shape("synthesise_volume", shape)
    apart, pixel = _checked_spacing("synthesise_volume", spacing)
    middle = np.array(centre, float)
    if middle.shape != (3,) or not np.isfinite(middle).all():
        raise ValueError(f"synthesise_volume: centre is {centre}, three finite numbers expected")
    generator = or_default(generator)
    reach = np.array([width, height, depth]) / 2 * (pixel, pixel, apart)
    for _ in range(_ATTEMPTS):
        patient = draw_patient(generator)
        offsets = [np.abs(nodule.centre - middle) for nodule in _true_nodules(patient)]
        if any((offset < reach).all() for offset in offsets):
            return _scan(patient, (depth, height, width), apart, pixel, middle, generator)
    raise ValueError(
        f"synthesise_volume: no nodule falls into {2 * reach} mm (x, y, z) about {middle}; "
        "move the centre into the lungs or widen the volume"
    )


def synthesise_slice(
    generator: np.random.Generator | None = None, size: int = 512, thickness: float = 2.5
) -> SyntheticScan:
    """Return one axial slice of a whole chest, through a nodule: shape (1, size, size).

    Parameters
    ----------
    generator : numpy.random.Generator, optional
        The default one where none is given.
    size : int
        Rows and columns, which span 360 mm.
    thickness : float
        Of the slice in mm.

    Raises
    ------
    ValueError
        A size or a thickness that is not positive, or a size above 23170.

    Examples
    --------
    >>> scan = synthesise_slice(np.random.default_rng(0), 128)
    >>> scan.volume.hounsfield.shape, len(scan.nodules) > 0
    ((1, 128, 128), True)
    """
    shape = _checked_shape("synthesise_slice", (1, size, size))
    apart, pixel = _checked_spacing("synthesise_slice", (thickness, *[_CHEST / max(size, 1)] * 2))
    generator = or_default(generator)
    patient = draw_patient(generator)
    largest_first = sorted(_true_nodules(patient), key=lambda nodule: -nodule.diameter)
    scanner = patient.scanner.at(pixel, apart)
    middle = np.array([0.0, 0.0, largest_first[0].centre[2]])
    for nodule in largest_first:  # a flat one may fill no pixel by half
        through = np.array([0.0, 0.0, nodule.centre[2]])
        slab = scanner.slab(through, (size, size))
        if _filled(nodule, slab, patient.lung_share(slab)).any():
            middle = through
            break
    return _scan(patient, shape, apart, pixel, middle, generator)


def synthesise_nodule(
    generator: np.random.Generator | None = None, size: int = 41
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return a cube of CT about a nodule of a synthetic patient, and where that nodule is.

    Parameters
    ----------
    generator : numpy.random.Generator, optional
        The default one where none is given.
    size : int
        Voxels along each side, at least 9; of 0.6 to 0.8 mm, slices 1 to 2 mm apart.

    Returns
    -------
    hounsfield, mask : array of float32 and of bool (size, size, size)
        Slices, rows, columns. The mask holds at least `FEWEST` voxels.

    Raises
    ------
    ValueError
        A smaller size.

    Examples
    --------
    >>> hounsfield, mask = synthesise_nodule(np.random.default_rng(0), 15)
    >>> hounsfield.shape, bool(mask[7, 7, 7])
    ((15, 15, 15), True)
    """
    if operator.index(size) < 9:
        raise ValueError(f"synthesise_nodule: size is {size}, at least 9 voxels expected")
    generator = or_default(generator)
    for _ in range(10 * _ATTEMPTS):  # about one nodule in two is large enough
        patient = draw_patient(generator)
        nodule = max(_true_nodules(patient), key=lambda each: each.diameter, default=None)
        if nodule is None:
            continue
        pixel, apart = generator.uniform(0.6, 0.8), generator.uniform(1.0, 2.0)
        scan = _scan(patient, (size, size, size), apart, pixel, nodule.centre, generator)
        mask = scan.mask == scan.mask[size // 2, size // 2, size // 2]
        if scan.mask[size // 2, size // 2, size // 2] and mask.sum() >= FEWEST:
            return scan.volume.hounsfield, mask
    raise RuntimeError(f"synthesise_nodule: no nodule of {FEWEST} voxels in {size}^3")


def _scan(
    patient: Patient,
    shape: tuple[int, int, int],
    apart: float,
    pixel: float,
    middle: Points,
    generator: np.random.Generator,
) -> SyntheticScan:
    """Return the volume of ``shape`` about ``middle``, slice by slice."""
    scanner = patient.scanner.at(pixel, apart)
    depth, height, width = shape
    reach = np.array([width, height, depth]) / 2 * (pixel, pixel, apart)
    nodules = [n for n in _true_nodules(patient) if (np.abs(n.centre - middle) < reach).all()]
    hu, lungs = np.empty(shape, np.float32), np.empty(shape, bool)
    mask = np.zeros(shape, np.uint8)
    bottom = middle[2] - (depth - 1) / 2 * apart
    for index in range(depth):
        at = np.array([middle[0], middle[1], bottom + index * apart])
        slab = scanner.slab(at, (height, width))
        share = patient.lung_share(slab)
        image = scanner.image(patient.scene(slab, share), generator)
        hu[index] = np.clip(np.rint(image), LOWEST_HU, HIGHEST_HU)
        lungs[index] = _without_margin(share.mean(0)) >= 0.5
        for number, nodule in enumerate(nodules, 1):
            mask[index][_filled(nodule, slab, share)] = number
    x, y, _ = (middle - (reach - 0.5 * np.array([pixel, pixel, apart]))).tolist()
    origin, spacing = (x, y, float(bottom)), (apart, pixel, pixel)
    described = tuple(_described(nodule, origin, spacing) for nodule in nodules)
    identifier = int(generator.integers(2**62))
    name = f"synthetic-{identifier:x}"
    upright = np.eye(3)[::-1]  # slices along z, rows along y, columns along x
    volume = Volume(hu, spacing, origin, upright, group=name, series=name)
    return SyntheticScan(volume, described, mask, lungs, identifier)


def _true_nodules(patient: Patient) -> list[Nodule]:
    return [nodule for nodule in patient.nodules if nodule.kind != "micronodule"]


def _filled(nodule: Nodule, slab: Slab, share: Array) -> NDArray[np.bool_]:
    """Return where at least half of a pixel is nodule (H, W)."""
    filled = np.zeros(slab.shape[1:], bool)
    if (found := nodule.body.coverage(slab)) is not None:
        cover, (rows, columns) = found
        filled[rows, columns] = (cover * share[:, rows, columns]).mean(0) >= 0.5
    return _without_margin(filled)


def _without_margin(image: NDArray[Any]) -> NDArray[Any]:
    return image[MARGIN:-MARGIN, MARGIN:-MARGIN]


def _described(
    nodule: Nodule, origin: tuple[float, float, float], spacing: tuple[float, float, float]
) -> ScanNodule:
    """Return what a user is told of a nodule."""
    x, y, z = nodule.centre.tolist()
    row, column = (y - origin[1]) / spacing[1], (x - origin[0]) / spacing[2]
    voxel = ((z - origin[2]) / spacing[0], row, column)
    return ScanNodule((x, y, z), voxel, nodule.diameter, nodule.malignancy, nodule.kind)


def _checked_shape(function: str, shape: Sequence[int]) -> tuple[int, int, int]:
    sizes = tuple(operator.index(size) for size in shape)
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(
            f"{function}: shape is {shape}, slices, rows and columns of at least 1 expected"
        )
    if math.prod(sizes) > _MOST_VOXELS:
        raise ValueError(
            f"{function}: shape {sizes} has {math.prod(sizes)} voxels, at most 2^29 expected"
        )
    return sizes[0], sizes[1], sizes[2]


def _checked_spacing(function: str, spacing: Sequence[float]) -> tuple[float, float]:
    """Return the distance of slices, and that of rows and of columns."""
    given = np.array(spacing, float)
    if given.shape != (3,) or not (np.isfinite(given).all() and (given > 0).all()):
        raise ValueError(f"{function}: spacing is {spacing}, three positive numbers of mm expected")
    if given[1] != given[2]:
        raise ValueError(
            f"{function}: rows are {given[1]} mm apart and columns {given[2]} mm, the same expected"
        )
    return float(given[0]), float(given[1])
