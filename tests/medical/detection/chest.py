"""A chest of ellipsoids, balls and rods, drawn by formulas: what a detector should make of it."""

from __future__ import annotations

from functools import cache

import numpy as np

from tinymed.medical.imaging import Volume

SHAPE, SPACING = (52, 130, 150), (2.5, 2.0, 2.0)
AXIAL = np.eye(3)[::-1]
LUNG, TISSUE, AIR = -850.0, 40.0, -1000.0
LUNGS = ((-65.0, 0.0, 0.0), (65.0, 0.0, 0.0))  # centres, mm
RADII = np.array([45.0, 70.0, 80.0])
# x, y, z and diameter in mm: free, small, large, and half sunk into the chest wall
BALLS = ((-60, 10, 5, 10), (70, -30, 20, 6), (60, 25, -20, 22), (-109, 0, -10, 14))
NOISE = 25.0


def empty():
    """Return a volume of air about the origin."""
    origin = -(np.array(SHAPE[::-1]) - 1) / 2 * SPACING[::-1]
    return Volume(np.full(SHAPE, AIR, np.float32), SPACING, tuple(origin.tolist()), AXIAL)


@cache
def chest(balls=BALLS):
    """Return a volume and where its lungs are, nodules not counted."""
    volume = empty()
    xyz = volume.to_patient(np.moveaxis(np.indices(SHAPE), 0, -1))
    x, y, _ = np.moveaxis(xyz, -1, 0)
    hu = np.where((x / 135) ** 2 + (y / 105) ** 2 < 1, TISSUE, AIR)
    lungs = np.zeros(SHAPE, bool)
    for centre in LUNGS:
        lungs |= (((xyz - centre) / RADII) ** 2).sum(-1) < 1
    hu[lungs] = LUNG
    rng = np.random.default_rng(0)
    for centre in LUNGS:  # vessels from the hilum to the pleura
        offset = xyz[lungs] - np.array(centre) * 0.6
        for direction in rng.normal(size=(12, 3)):
            unit = direction / np.linalg.norm(direction)
            along = offset @ unit
            away = (offset**2).sum(1) - along**2
            hu[lungs] = np.where((away < 2.0**2) & (along > 0), TISSUE, hu[lungs])
    for *centre, diameter in balls:
        depth = diameter / 2 - np.linalg.norm(xyz - centre, axis=-1)
        share = np.clip(depth / 2 + 0.5, 0, 1)
        hu = hu + share * (TISSUE - hu)
    hu = hu + rng.normal(0, NOISE, SHAPE)
    return Volume(hu.astype(np.float32), SPACING, volume.origin, AXIAL), lungs
