"""Simple features of grey patches (n, 50, 50): what can be said of them without learning."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["FEATURES", "TISSUE", "all_features"]

Array = np.ndarray[Any, Any]

SIDE = 50
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
RADIUS = np.hypot(ROWS, COLUMNS)
ANGLE = np.arctan2(ROWS, COLUMNS)
TISSUE = 127  # grey value of -300 HU


def radial_profile(images: Array) -> Array:
    """Return mean, deviation, largest and least of rings, and sorted means of eight sectors."""
    grey = images.astype(np.float32) / 255
    features = []
    for inner in range(0, 25, 2):
        ring = grey[:, (inner <= RADIUS) & (inner + 2 > RADIUS)]
        features += [ring.mean(1), ring.std(1), ring.max(1), ring.min(1)]
    sector = np.floor((ANGLE + np.pi) / (2 * np.pi) * 8)
    around = (RADIUS > 5) & (RADIUS < 14)
    sectors = np.stack([grey[:, around & (sector == index)].mean(1) for index in range(8)], axis=1)
    return np.concatenate([np.stack(features, axis=1), np.sort(sectors, axis=1)], axis=1)


def histogram(images: Array) -> Array:
    """Return the shares of 24 equal intervals of grey values."""
    edges = np.linspace(0, 256, 25)
    return np.stack([np.histogram(image, edges)[0] for image in images]) / SIDE**2


def spectrum(images: Array) -> Array:
    """Return the log power in 14 rings of spatial frequency, and that down over that across."""
    grey = images.astype(np.float32)
    taper = np.hanning(SIDE)[:, None] * np.hanning(SIDE)
    power = np.abs(np.fft.rfft2((grey - grey.mean((1, 2), keepdims=True)) * taper)) ** 2
    down, across = np.meshgrid(
        np.abs(np.fft.fftfreq(SIDE)), np.abs(np.fft.rfftfreq(SIDE)), indexing="ij"
    )
    frequency = np.hypot(down, across)
    edges = np.linspace(0.02, 0.7, 15)
    rings = [
        np.log(power[:, (low <= frequency) & (frequency < high)].mean(1) + 1)
        for low, high in pairwise(edges)
    ]
    middle = (frequency > 0.15) & (frequency < 0.45)
    upright = power[:, middle & (down > 2 * across)].mean(1) + 1
    lying = power[:, middle & (across > 2 * down)].mean(1) + 1
    return np.stack([*rings, np.log(upright / lying)], axis=1)


def edges_and_grain(images: Array) -> Array:
    """Return quantiles of the gradient and of the second difference."""
    grey = images.astype(np.float32)
    down, across = np.diff(grey, axis=1)[:, :, :-1], np.diff(grey, axis=2)[:, :-1]
    slope = np.hypot(down, across).reshape(len(grey), -1)
    inner = 4 * grey[:, 1:-1, 1:-1]
    beside = grey[:, 2:, 1:-1] + grey[:, :-2, 1:-1] + grey[:, 1:-1, 2:] + grey[:, 1:-1, :-2]
    bend = np.abs(inner - beside).reshape(len(grey), -1)
    return np.concatenate(
        [
            np.quantile(slope, [0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99], axis=1).T,
            np.quantile(bend, [0.25, 0.5, 0.75, 0.9, 0.97], axis=1).T,
        ],
        axis=1,
    )


def all_features(images: Array) -> Array:
    """Return the features of all families."""
    return np.concatenate([features(images) for features in FEATURES.values()], axis=1)


FEATURES: dict[str, Callable[[Array], Array]] = {
    "radial profile": radial_profile,
    "histogram": histogram,
    "spectrum": spectrum,
    "edges and grain": edges_and_grain,
}
