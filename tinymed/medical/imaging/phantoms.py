"""Synthetic patients: one chest each, from which patches, slices and volumes of CT are cut.

Wholly procedural: no pixel and no contour comes from a patient. Published numbers steer it: sizes,
shapes and densities of nodules (LIDC-IDRI, see `nodules`), Hounsfield units of tissues, and the
grain, blur and contents of real patches (LUNA16), which the defaults were tuned to resemble. What
that came to is in benchmarks/record/synthetic_ct.json.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.imaging.dataset import ImageDataset
from tinymed.medical.imaging.findings import Finding, draw_mimics, draw_nodules
from tinymed.medical.imaging.jpeg import jpeg_loss
from tinymed.medical.imaging.lungs import Lungs, draw_lungs
from tinymed.medical.imaging.nodules import Nodule, Scar
from tinymed.medical.imaging.scanner import Scanner, draw_scanner
from tinymed.medical.imaging.slabs import Array, Field, Slab, random_field
from tinymed.medical.imaging.synthetic_split import Drawn, split_by_patient
from tinymed.medical.imaging.thorax import Thorax, draw_thorax
from tinymed.medical.imaging.windowing import to_uint8

__all__ = [
    "PATCH",
    "Patient",
    "draw_patient",
    "synthesise",
    "synthesise_malignancy",
    "synthesise_noise_free",
]

PATCH = 50  # pixels along each side: 35 mm at the median pixel of 0.7 mm
READER_SPREAD = 0.75  # deviation of one radiologist's malignancy rating from the mean (LIDC-IDRI)
_JITTER = 1.5  # pixels, of the centre of a patch
_CONTRAST_SHARE = 0.5


@dataclass(frozen=True)
class Patient:
    """A chest, what is found in it, and the scanner that looks at it."""

    scanner: Scanner
    thorax: Thorax
    lungs: Lungs
    nodules: tuple[Nodule, ...]
    scars: tuple[Scar, ...]
    findings: tuple[Finding, ...]  # the nodules, and what is taken for one
    field: Field

    def lung_share(self, slab: Slab) -> Array:
        """Return how much of each sample (P, H, W) is lung, nodules included."""
        share: Array = np.clip(self.thorax.border(slab) / slab.pixel + 0.5, 0, 1)
        return share

    def scene(self, slab: Slab, share: Array) -> Array:
        """Return HU (H, W) before blur and noise; ``share`` (P, H, W) from `lung_share`."""
        hu = self.lungs.hu(slab)
        grain = self.field(slab, 1.1, 3.0)
        drawn: tuple[Nodule | Scar, ...] = (*self.nodules, *self.scars)
        for thing in drawn:
            thing.paint(slab, hu, grain)
        if share.min() < 1:
            hu = share * hu + (1 - share) * self.thorax.hu(slab.middle)
        scene: Array = hu.mean(0)
        return scene

    def patch(self, finding: Finding, generator: np.random.Generator) -> Array:
        """Return a CT image (50, 50) in HU about a finding, up to jitter and slice position."""
        jitter = generator.normal(0, _JITTER * self.scanner.pixel, 2)
        height = generator.uniform(-0.5, 0.5) * finding.height
        centre = finding.place + np.append(jitter, height)
        slab = self.scanner.slab(centre, (PATCH, PATCH))
        return self.scanner.image(self.scene(slab, self.lung_share(slab)), generator)


def draw_patient(generator: np.random.Generator) -> Patient:
    """Draw a patient with at least one nodule, and the scanner that looks.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> patient = draw_patient(generator)
    >>> patient.patch(patient.findings[0], generator).shape
    (50, 50)
    """
    rng = generator
    scanner = draw_scanner(rng)
    contrast = rng.random() < _CONTRAST_SHARE
    blood = rng.uniform(90, 240) if contrast else rng.uniform(20, 60)
    field = random_field(rng)
    thorax = draw_thorax(rng, blood, field)
    lungs = draw_lungs(thorax, field, rng)
    nodules, found = draw_nodules(thorax, lungs, rng)
    extra, scars, mimics = draw_mimics(thorax, lungs, len(found) + int(rng.integers(2, 6)), rng)
    return Patient(scanner, thorax, lungs, (*nodules, *extra), scars, (*found, *mimics), field)


def synthesise(patients: int, generator: np.random.Generator | None = None) -> ImageDataset:
    """Return patches of nodules, and of what is taken for them, split by patient 70 / 15 / 15.

    Parameters
    ----------
    patients : int >= 7
        Each gives about 12 patches from several slices of one scan, four in ten with a nodule.
    generator : numpy.random.Generator, optional
        Patient i depends on the generator's seed and on i alone: the same seed gives the same
        patients, however many are asked for and whatever was drawn before.

    Returns
    -------
    ImageDataset
        ``images`` uint8 (n, 50, 50) over -1000 .. 400 HU, which `to_hounsfield` gives back, as
        JPEG of quality 92 leaves them (real patches are stored so);
        ``labels`` 1 for a nodule at the centre, 0 for a vessel, a fork of vessels, a scar, the
        pleura, or an opacity below 3 mm; ``groups`` the patient.

    Raises
    ------
    ValueError
        If there are too few patients for three splits.

    Notes
    -----
    About 5 ms for a patch. Phantoms serve to learn, to test and to teach; they say nothing about
    patients.

    Examples
    --------
    >>> dataset = synthesise(8, np.random.default_rng(0))
    >>> dataset["train"].images.shape[1:], sorted(set(dataset["test"].labels.tolist()))
    ((50, 50), [0, 1])
    """
    return split_by_patient("synthesise", "synthetic_ct", patients, generator, _nodule_or_not)


def synthesise_malignancy(
    patients: int, generator: np.random.Generator | None = None
) -> ImageDataset:
    """Return patches of nodules that a radiologist calls malignant or benign, split by patient.

    A rating is the malignancy 1-5 of the nodule plus the disagreement of readers, a deviation of
    0.75 rounded: no model can reach an AUC of 1. Ratings 1-2 are benign (0), 4-5 malignant (1),
    those between are left out. Not pathology.

    Parameters
    ----------
    patients : int >= 7
        Each gives one or more patches.
    generator : numpy.random.Generator, optional
        As for `synthesise`.

    Returns
    -------
    ImageDataset
        As from `synthesise`.

    Raises
    ------
    ValueError
        If there are too few patients for three splits.

    Examples
    --------
    >>> synthesise_malignancy(8, np.random.default_rng(0))["train"].images.shape[1:]
    (50, 50)
    """
    return split_by_patient(
        "synthesise_malignancy", "synthetic_malignancy", patients, generator, _benign_or_not
    )


def synthesise_noise_free(
    patients: int, generator: np.random.Generator | None = None
) -> ImageDataset:
    """Return the patches of `synthesise` as a scanner without noise would see them.

    What no patient can give: an image with which one that was freed of noise can be compared.

    Parameters
    ----------
    patients, generator
        As for `synthesise`.

    Returns
    -------
    ImageDataset
        As from `synthesise`, with the scanner's blur, without its noise and the loss of JPEG.

    Raises
    ------
    ValueError
        If there are too few patients for three splits.

    Examples
    --------
    >>> synthesise_noise_free(8, np.random.default_rng(0))["train"].images.shape[1:]
    (50, 50)
    """
    return split_by_patient(
        "synthesise_noise_free", "synthetic_noise_free", patients, generator, _without_noise
    )


def _without_noise(generator: np.random.Generator) -> Drawn:
    patient = draw_patient(generator)
    patient = replace(patient, scanner=replace(patient.scanner, noise=0.0))
    images = [patient.patch(finding, generator) for finding in patient.findings]
    labels = [int(finding.nodule is not None) for finding in patient.findings]
    return to_uint8(np.stack(images)), labels


def _nodule_or_not(generator: np.random.Generator) -> Drawn:
    patient = draw_patient(generator)
    images = [patient.patch(finding, generator) for finding in patient.findings]
    return stored(images), [int(finding.nodule is not None) for finding in patient.findings]


def _benign_or_not(generator: np.random.Generator) -> Drawn:
    """Return what one patient gives; the first patient drawn whose nodules have a label."""
    images: list[Array] = []
    labels: list[int] = []
    while not labels:
        patient = draw_patient(generator)
        ratings: dict[int, float] = {}
        for finding in patient.findings:
            if finding.nodule is None:
                continue
            nodule = patient.nodules[finding.nodule]
            spread = generator.normal(0, READER_SPREAD)
            rating = ratings.setdefault(finding.nodule, np.rint(nodule.malignancy + spread))
            if rating != 3:
                images.append(patient.patch(finding, generator))
                labels.append(int(rating > 3))
    return stored(images), labels


def stored(images: list[Array]) -> NDArray[np.uint8]:
    """Return images in HU (H, W) as they are kept: (n, H, W), bytes that were a JPEG."""
    return jpeg_loss(to_uint8(np.stack(images)))
