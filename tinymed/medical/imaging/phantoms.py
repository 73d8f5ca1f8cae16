"""Synthetic CT of the lung: axial patches with a nodule, or with what is taken for one.

Wholly procedural: no pixel and no contour comes from a patient, only published ranges of sizes and
densities. Patches of one patient share scanner, contrast medium and lung. To add a structure, make
its coverage (`solids`) and blend it into the scene.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.imaging.dataset import SPLITS, ImageDataset, Split
from tinymed.medical.imaging.solids import (
    Array,
    Points,
    Slice,
    ball,
    directions,
    smooth_noise,
    tree,
    tubes,
)
from tinymed.medical.imaging.windowing import to_uint8
from tinymed.random import default_generator, spawn

__all__ = ["NODULE_SHARE", "PATCH", "Patient", "draw_patches", "draw_patient", "synthesise"]

PATCH = 50  # pixels along each side: 35 mm at the median pixel of 0.7 mm
NODULE_SHARE = 0.4
_PATCHES_PER_PATIENT = (8, 17)  # least, and one more than most
_SPLIT_ENDS = (0.7, 0.85, 1.0)  # the first patients train, the next validate, the last test
_MARGIN = 3  # pixels drawn beyond the patch: the reach of the blur

# What lies at the centre where no nodule does, and how often.
_MIMICS = {"vessel": 0.45, "bifurcation": 0.25, "scar": 0.15, "pleura": 0.15}

# By malignancy 1-5 as the radiologists of LIDC-IDRI rated it: how often it is drawn, diameter in mm
# (median and log-normal sigma), lobulation and spiculation rating (means, 1-5).
_MALIGNANCY_SHARE = (0.15, 0.25, 0.4, 0.13, 0.07)
_DIAMETER = (6.7, 7.5, 8.5, 16.8, 28.0)
_DIAMETER_SIGMA = (0.36, 0.31, 0.38, 0.41, 0.25)
_LARGEST = 32.0  # beyond this diameter a patch would hold nothing else
_LOBULATION = (1.1, 1.3, 1.47, 2.21, 3.04)
_SPICULATION = (1.02, 1.19, 1.33, 2.0, 3.48)


@dataclass(frozen=True)
class Patient:
    """Scanner and lung that all patches of a patient share."""

    pixel: float  # mm
    thickness: float  # of a slice, mm
    blur: float  # sigma of the point spread function, pixels
    noise: float  # standard deviation, HU
    noise_cutoff: float  # cycles per pixel: sharp kernels let high frequencies through
    lung: float  # mean of the parenchyma, HU
    texture: float  # standard deviation of its slow variation, HU
    blood: float  # HU, higher with contrast medium

    @property
    def grid(self) -> Slice:
        """The pixels on which scenes are drawn."""
        return Slice(PATCH + 2 * _MARGIN, self.pixel, self.thickness)


def draw_patient(generator: np.random.Generator) -> Patient:
    """Draw scanner and lung; one in four is reconstructed with a sharp, noisy kernel."""
    sharp = generator.random() < 0.25
    contrast = generator.random() < 0.4
    return Patient(
        pixel=float(np.clip(generator.normal(0.695, 0.083), 0.5, 0.95)),
        thickness=float(generator.choice([1.0, 1.25, 2.0, 2.5, 3.0])),
        blur=generator.uniform(0.35, 0.6) if sharp else generator.uniform(0.5, 0.9),
        noise=generator.uniform(45, 130) if sharp else generator.uniform(12, 35),
        noise_cutoff=generator.uniform(0.30, 0.45) if sharp else generator.uniform(0.18, 0.28),
        lung=generator.normal(-860, 35),
        texture=generator.uniform(8, 35),
        blood=generator.uniform(100, 200) if contrast else generator.uniform(20, 60),
    )


def draw_patches(
    patient: Patient, nodules: NDArray[np.bool_], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return patches of one patient in Hounsfield units.

    Parameters
    ----------
    nodules : array of bool (n,)
        For each patch, whether a nodule or a mimic (vessel, bifurcation, scar, pleura) is drawn at
        its centre, up to a jitter of 1.5 pixels.

    Returns
    -------
    array (n, 50, 50)

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> draw_patches(draw_patient(generator), np.array([True, False]), generator).shape
    (2, 50, 50)
    """
    grid = patient.grid
    scenes = np.stack([_scene(patient, grid, bool(nodule), generator) for nodule in nodules])
    return _acquire(scenes, patient, grid, generator)


def synthesise(patients: int, generator: np.random.Generator | None = None) -> ImageDataset:
    """Return labelled patches of synthetic patients, split by patient 70 / 15 / 15.

    Parameters
    ----------
    patients : int >= 7
        Each gives 8 to 16 patches, four in ten with a nodule.
    generator : numpy.random.Generator, optional
        Patient i depends on the generator's seed and on i alone: the same seed gives the same
        patients, however many are asked for and whatever was drawn before.

    Returns
    -------
    ImageDataset
        ``images`` uint8 (n, 50, 50) over -1000 .. 400 HU, which `to_hounsfield` gives back;
        ``labels`` 1 for a nodule at the centre, 0 for a vessel, bifurcation, scar or pleura;
        ``groups`` the patient.

    Raises
    ------
    ValueError
        If there are too few patients for three splits.

    Notes
    -----
    About 3 ms for a patch. Phantoms serve to learn, to test and to teach; they say nothing about
    patients.

    References
    ----------
    Armato et al. (2011), "The LIDC and IDRI", Medical Physics 38 (sizes and shapes of nodules).

    Examples
    --------
    >>> dataset = synthesise(8, np.random.default_rng(0))
    >>> dataset["train"].images.shape[1:], sorted(set(dataset["test"].labels.tolist()))
    ((50, 50), [0, 1])
    """
    ends = [round(share * patients) for share in _SPLIT_ENDS]
    starts = [0, *ends[:-1]]
    if any(start >= end for start, end in zip(starts, ends, strict=True)):
        raise ValueError(f"synthesise: {patients} patients, at least 7 expected to fill the splits")
    generator = default_generator() if generator is None else generator
    splits = {}
    for name, start, end in zip(SPLITS, starts, ends, strict=True):
        images, labels = zip(
            *(_images_of_one(spawn(generator, index)) for index in range(start, end)), strict=True
        )
        groups = np.repeat(np.arange(start, end), [len(own) for own in labels])
        splits[name] = Split(np.concatenate(images), np.concatenate(labels), groups)
    return ImageDataset("synthetic_ct", splits)


def _images_of_one(generator: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    patient = draw_patient(generator)
    nodules = generator.random(generator.integers(*_PATCHES_PER_PATIENT)) < NODULE_SHARE
    nodules[:2] = False, True  # every patient has both
    return to_uint8(draw_patches(patient, nodules, generator)), nodules.astype(np.int64)


def _scene(patient: Patient, grid: Slice, nodule: bool, rng: np.random.Generator) -> Array:
    """Return what is there in HU (56, 56), before blur and noise."""
    kind = "nodule" if nodule else str(rng.choice(list(_MIMICS), p=list(_MIMICS.values())))
    centre = np.append(rng.normal(0, 1.5 * patient.pixel, 2), 0.0)  # x, y, z in mm
    hu = patient.lung + patient.texture * smooth_noise(grid, rng.uniform(2, 5), rng)
    count = 2 + rng.poisson(8)
    starts = rng.uniform(-22, 22, (count, 3)) * (1, 1, 0.6)
    radii = np.exp(rng.normal(-0.6, 0.5, count))
    vessels = [tree(starts, directions(rng, count), radii, rng)]
    if kind in ("vessel", "bifurcation") or (nodule and rng.random() < 0.35):
        vessels.append(_central_vessel(centre, forks_here=kind == "bifurcation", rng=rng))
    hu = _blend(hu, patient.blood, tubes(grid, np.concatenate(vessels)))
    if rng.random() < 0.25:
        hu = _with_airway(hu, grid, rng)
    if kind == "nodule":
        hu = _with_nodule(hu, centre, patient, grid, rng)
    elif kind == "scar":
        hu = _with_scar(hu, centre, grid, rng)
    if kind == "pleura" or rng.random() < 0.45:
        depth = rng.uniform(-2, 5) if kind == "pleura" else rng.uniform(4, 22)
        hu = _with_chest_wall(hu, depth, patient, grid, rng)
    return hu


def _blend(hu: Array, density: float | Array, coverage: Array) -> Array:
    return hu + coverage * (density - hu)


def _central_vessel(centre: Points, *, forks_here: bool, rng: np.random.Generator) -> Points:
    """Return the pieces of a vessel that comes from 30 mm away through the centre."""
    radius, direction = np.exp(rng.uniform(-0.4, 1.1, 1)), directions(rng, 1)
    origin = centre - 30 * direction - rng.normal(0, 4, (1, 3))
    trunk = np.column_stack([origin, centre[None], 1.2 * radius, radius])
    stem = (0.2, 1.5) if forks_here else (5.0, 12.0)
    return np.concatenate([trunk, tree(centre[None], direction, radius, rng, stem=stem)])


def _with_airway(hu: Array, grid: Slice, rng: np.random.Generator) -> Array:
    """Draw a bronchus: a wall and the air in it."""
    start = rng.uniform(-14, 14, (1, 3)) * (1, 1, 0.3)
    outer = tree(start, directions(rng, 1), np.exp(rng.uniform(0.0, 1.0, 1)), rng)
    inner = outer.copy()
    inner[:, 6:] = 0.7 * outer[:, 6:] - 0.15
    return _blend(_blend(hu, -50.0, tubes(grid, outer)), -990.0, tubes(grid, inner))


def _with_nodule(
    hu: Array, centre: Points, patient: Patient, grid: Slice, rng: np.random.Generator
) -> Array:
    """Draw a solid, part-solid or ground-glass nodule, cut anywhere near its middle."""
    grade = int(rng.choice(5, p=_MALIGNANCY_SHARE))
    diameter = _DIAMETER[grade] * np.exp(rng.normal(0, _DIAMETER_SIGMA[grade]))
    radius = min(diameter, _LARGEST) / 2
    lobulation, margin = 0.07 * _LOBULATION[grade], patient.pixel * rng.uniform(1.0, 3.5)
    centre = centre + (0, 0, rng.uniform(-0.6, 0.6) * radius)
    body = ball(grid, centre, radius, rng, lobulation=lobulation, margin=margin)
    spikes = int(rng.poisson(5 * (_SPICULATION[grade] - 0.9)))
    if spikes:
        outward = directions(rng, spikes) * (1, 1, 0.4)
        tips = centre + outward * (radius + rng.exponential(0.4 * radius + 2, (spikes, 1)))
        roots = np.broadcast_to(centre, tips.shape)
        spicules = np.column_stack([roots, tips, np.full(spikes, 0.7), np.full(spikes, 0.1)])
        body = np.maximum(body, 0.8 * tubes(grid, spicules))
    kind = str(rng.choice(["solid", "part-solid", "ground-glass"], p=[0.7, 0.15, 0.15]))
    if kind == "solid":
        density = rng.normal(20, 25) + 0.3 * patient.blood
        hu = _blend(hu, density + 12 * smooth_noise(grid, 1.6, rng), body)
        if grade < 3 and rng.random() < 0.1:  # calcification, a sign of benign nodules
            hu += ball(grid, centre, radius / 2, rng, lobulation=0.1, margin=1.0) * (
                rng.uniform(150, 700)
            )
        return hu
    mean, deviation = (-560, 70) if kind == "ground-glass" else (-350, 90)
    haze = rng.normal(mean, deviation) + 60 * smooth_noise(grid, 1.6, rng)
    hu = np.maximum(hu, _blend(hu, haze, body))  # vessels in the haze stay visible
    if kind == "part-solid":
        inner = centre + rng.normal(0, 0.2 * radius, 3)
        core = ball(grid, inner, radius / 2, rng, lobulation=0.2, margin=margin)
        hu = _blend(hu, rng.normal(0, 30), core)
    return hu


def _with_scar(hu: Array, centre: Points, grid: Slice, rng: np.random.Generator) -> Array:
    """Draw an irregular, ill-defined density about the centre."""
    near = (grid.x - centre[0]) ** 2 + (grid.y - centre[1]) ** 2
    patches = np.clip(smooth_noise(grid, rng.uniform(1.2, 3.0), rng) - 0.2, 0, 1)
    coverage = patches * np.exp(-near / (2 * rng.uniform(3, 8) ** 2))
    return _blend(hu, rng.uniform(-450, 20), coverage.astype(np.float32))


def _with_chest_wall(
    hu: Array, depth: float, patient: Patient, grid: Slice, rng: np.random.Generator
) -> Array:
    """Draw pleura and muscle, often fat and a rib, beginning ``depth`` mm from the patch centre."""
    angle = rng.uniform(0, 2 * np.pi)
    across = grid.x * np.cos(angle) + grid.y * np.sin(angle)
    along = grid.y * np.cos(angle) - grid.x * np.sin(angle)
    # bent about the lung like a rib cage, or into it like the diaphragm and the heart
    inside = across - depth + rng.normal(0.004, 0.009) * along**2 + 0.5 * smooth_noise(grid, 4, rng)
    muscle = rng.uniform(-10, 50) + 0.5 * patient.blood * rng.integers(2)
    hu = _blend(hu, muscle, np.clip(inside / patient.pixel + 0.5, 0, 1))
    if rng.random() < 0.4:
        hu = _blend(hu, -100.0, np.clip(1.5 - np.abs(inside - rng.uniform(3, 8)), 0, 1))
    if rng.random() < 0.5:
        radius, middle = rng.uniform(3, 5), rng.uniform(-20, 20)
        distance = np.hypot(inside - radius - 2, (along - middle) / rng.uniform(1.5, 4))
        hu = _blend(hu, rng.uniform(400, 700), np.clip(radius - distance + 0.5, 0, 1))
        hu = _blend(hu, rng.uniform(100, 250), np.clip(radius - 1.0 - distance, 0, 1))  # marrow
    return np.asarray(hu, np.float32)


def _acquire(scenes: Array, patient: Patient, grid: Slice, rng: np.random.Generator) -> Array:
    """Blur scenes (n, 56, 56), add noise, cut to (n, 50, 50).

    Filtered back-projection colours its noise: the amplitude is sqrt(f) exp(-(f / cutoff)^2).
    """
    white = rng.standard_normal(scenes.shape, dtype=np.float32)
    colour = np.sqrt(grid.frequency) * np.exp(-((grid.frequency / patient.noise_cutoff) ** 2))
    noise = np.fft.irfft2(np.fft.rfft2(white) * colour)
    hu = grid.blurred(scenes, patient.blur) + noise * (patient.noise / noise.std())
    inner = slice(_MARGIN, _MARGIN + PATCH)
    return np.asarray(hu[:, inner, inner], np.float32)
