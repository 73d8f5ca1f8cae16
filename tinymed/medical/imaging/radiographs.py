"""Synthetic frontal chest radiographs: clear lungs, or lungs with the opacities of a pneumonia.

Wholly procedural, no pixel of a patient, and much simpler than the synthetic CT: smooth shapes for
lungs, heart, diaphragm, ribs and clavicles; children and adults, breath held well or badly,
exposure, turn and grain differ. Opacities are lobar, in patches, or a haze over a lung. They serve
to try the pipeline, and say nothing about patients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.imaging.dataset import ImageDataset
from tinymed.medical.imaging.synthetic_split import Drawn, split_by_patient

__all__ = ["SIDE", "draw_radiograph", "synthesise_radiographs"]

SIDE = 28  # pixels along each side, as in MedMNIST
FINER = 2  # as many samples make a pixel, along each side
ILL = 0.6  # share of patients with a pneumonia: in PneumoniaMNIST it is 0.74

Array = NDArray[Any]


def synthesise_radiographs(
    patients: int, generator: np.random.Generator | None = None
) -> ImageDataset:
    """Return radiographs with and without a pneumonia, split by patient 70 / 15 / 15.

    Parameters
    ----------
    patients : int >= 7
        Each gives one to three radiographs, all with a pneumonia or all without.
    generator : numpy.random.Generator, optional
        Patient i depends on the generator's seed and on i alone.

    Returns
    -------
    ImageDataset
        ``images`` uint8 (n, 28, 28), bone white; ``labels`` 1 for a pneumonia; ``groups`` the
        patient.

    Raises
    ------
    ValueError
        If there are too few patients for three splits.

    Examples
    --------
    >>> dataset = synthesise_radiographs(10, np.random.default_rng(0))
    >>> dataset["train"].images.shape[1:], dataset["train"].images.dtype.name
    ((28, 28), 'uint8')
    """
    return split_by_patient(
        "synthesise_radiographs", "synthetic_radiographs", patients, generator, _of_one
    )


def _of_one(generator: np.random.Generator) -> Drawn:
    ill = bool(generator.random() < ILL)
    count = int(generator.integers(1, 4))
    images = [draw_radiograph(ill, generator) for _ in range(count)]
    return np.stack(images), [int(ill)] * count


def draw_radiograph(ill: bool, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return one radiograph (28, 28); ``ill``: with a pneumonia."""
    rng = generator
    x, y = _places(rng)
    breath = rng.uniform(-0.15, 0.1)  # low: the diaphragm stands high
    lungs = np.maximum(*(_lung(x, y, side, breath, rng) for side in (-1, 1)))
    chest = 0.7 - 0.6 * _ball(abs(x) - 1.05, y + 1, 0.3, rng.uniform(0.4, 0.9), 1)  # air outside
    chest += 0.1 * np.exp(-((x / rng.uniform(0.12, 0.2)) ** 2))  # spine and mediastinum
    chest -= rng.uniform(0.25, 0.45) * lungs
    for depth in rng.uniform(-0.75, -0.65) + 0.22 * np.arange(7):  # ribs fall outwards
        chest += 0.09 * np.exp(-(((y - depth - 0.35 * x * x) / 0.05) ** 2))
    size = rng.uniform(0.28, 0.42)
    heart = _ball(x - 0.12, y - 0.3, size, 0.9 * size, 0.5)
    chest = np.maximum(chest, 0.74 * heart)
    chest += rng.uniform(0, 0.12) * _ball(abs(x) - 0.45, y - 0.3, 0.3, 0.3, 0.6)  # breasts, muscle
    if ill:
        chest += lungs * (1 - heart) * _opacities(x, y, rng)
    chest = rng.uniform(0.8, 1.2) * chest + rng.uniform(-0.1, 0.1)  # exposure
    chest += rng.normal(0, 0.03, chest.shape)
    grey = chest.reshape(SIDE, FINER, SIDE, FINER).mean((1, 3))
    return np.rint(255 * np.clip(grey, 0, 1)).astype(np.uint8)


def _places(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return x to the right of the picture and y down, -1 to 1, of a patient who lies askew."""
    axis = (np.arange(SIDE * FINER) + 0.5) * 2 / (SIDE * FINER) - 1
    y, x = np.meshgrid(axis, axis, indexing="ij")
    turn, size = np.deg2rad(rng.normal(0, 4)), rng.uniform(0.85, 1.1)
    x, y = x - rng.normal(0, 0.04), y - rng.normal(0, 0.05)
    return (np.cos(turn) * x + np.sin(turn) * y) / size, (
        np.cos(turn) * y - np.sin(turn) * x
    ) / size


def _ball(x: Array, y: Array, across: float, down: float, soft: float) -> Array:
    """Return 1 in an ellipse about 0, 0 outside, and between over ``soft`` of its radius."""
    level = np.hypot(x / across, y / down)
    return np.asarray(1 / (1 + np.exp((level - 1) / (0.25 * soft))))


def _lung(x: Array, y: Array, side: int, breath: float, rng: np.random.Generator) -> Array:
    """Return how much of a lung lies behind each place: down to the dome of the diaphragm."""
    wide, high = rng.uniform(0.3, 0.38), rng.uniform(0.75, 0.9)
    middle = side * (rng.uniform(0.44, 0.52) + 0.22 * y)  # the tips lie near the spine
    shape = _ball(x - middle, y + 0.05, wide, high, 0.5)
    dome = 0.5 + breath - 0.05 * (side < 0) + 1.2 * (x - 0.45 * side) ** 2  # the liver lifts one
    return np.asarray(shape / (1 + np.exp((y - dome) / 0.03)))


def _opacities(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Return what a pneumonia adds where there is lung: a lobe, patches, or a haze."""
    grain = rng.normal(0, 0.25, (7, 7)).repeat(SIDE * FINER // 7, 0).repeat(SIDE * FINER // 7, 1)
    kind = rng.choice(3, p=(0.4, 0.35, 0.25))
    side = rng.choice((-1, 1))
    if kind == 0:
        place = side * rng.uniform(0.3, 0.55), rng.uniform(-0.4, 0.5)
        shape = rng.uniform(0.2, 0.45) * _ball(
            x - place[0], y - place[1], rng.uniform(0.15, 0.35), rng.uniform(0.15, 0.4), 1.2
        )
    elif kind == 1:
        shape = np.zeros_like(x)
        for _ in range(rng.integers(3, 8)):
            place = rng.choice((-1, 1)) * rng.uniform(0.2, 0.65), rng.uniform(-0.6, 0.5)
            radius = rng.uniform(0.06, 0.2)
            shape += rng.uniform(0.08, 0.3) * _ball(x - place[0], y - place[1], radius, radius, 1.5)
    else:
        shape = rng.uniform(0.08, 0.3) * ((side * x > 0) | (rng.random() < 0.6)).astype(float)
    return np.asarray(shape * (1 + grain))
