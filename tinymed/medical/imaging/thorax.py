"""The chest around the lungs: where lung ends, and what lies beyond, in Hounsfield units.

Lungs are what is left of two ovals when mediastinum, heart, spine and diaphragm are taken away.
Depths are in mm, above 0 inside, and right near the border, where they are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinymed.medical.imaging.slabs import Array, Field, Points, Slab, blend
from tinymed.medical.imaging.tubes import Tubes

__all__ = ["Thorax", "draw_thorax"]

_AIR, _FAT, _SKIN, _WALL, _CANAL = -1000.0, -100.0, 30.0, 20.0, 25.0  # HU
_FRONT = 5.0  # mm by which the middle of the lungs lies behind that of the chest
_SHOULDER = 25.0  # mm above which the lungs narrow to their tips


@dataclass(frozen=True)
class Thorax:
    """Size and make of a chest; lengths in mm, densities in HU."""

    oval: tuple[float, float, float]  # half width, half depth and height of the tip of a lung
    apart: float  # of the middle of each lung from the midline
    middle: float  # half width of the mediastinum
    heart: tuple[float, ...]  # centre x, y, z
    heart_size: tuple[float, ...]  # half axes
    diaphragm: tuple[float, float]  # height under the right and the left lung
    dome: float  # how much the diaphragm is vaulted
    fat: float  # thickness under the skin
    muscle: float  # thickness, ribs included
    rib_spacing: float
    rib_phase: float
    rib_slope: float  # how far ribs descend from the spine to the front
    cortex: float
    marrow: float
    muscle_hu: float
    grain: float  # deviation within muscle
    lean: float  # the leaner, the less fat there is between muscles
    blood: float
    great_vessels: Tubes
    airways: Tubes  # outside of trachea and main bronchi
    lumen: Tubes  # their inside
    field: Field

    # ------------------------------------------------------------------------------ the shape

    def lung(self, x: Any, y: Any, z: Any) -> Any:
        """Return how deep in a lung places are, below 0 outside; x, y, z in mm, of any shape."""
        wide, deep, high = self.oval
        u, v = (np.abs(x) - self.apart) / wide, (y - _FRONT) / deep
        w = np.maximum(z - _SHOULDER, 0) / high
        flat = u * u + v * v
        depth = _ellipsoid((u, v, w), self.oval)
        front = np.clip((y + 35) / 50, -1, 0)  # the lungs nearly meet before the heart
        behind = np.clip((y - 45) / 30, 0, 1)
        edge = self.middle * (1 + 0.75 * front - 0.3 * behind)
        depth = np.minimum(depth, np.abs(x - 0.04 * np.minimum(z, 0)) - edge)
        depth = np.minimum(depth, -self._heart(x, y, z))
        depth = np.minimum(depth, np.sqrt(x * x + (y - deep + 18) ** 2) - 24)  # the spine
        return np.minimum(depth, 0.75 * (z - self._floor(x, flat)))

    def border(self, slab: Slab) -> Array:
        """Return `lung` on a slab (P, H, W), with the unevenness of a real border."""
        depth: Array = self.lung(slab.x, slab.y, slab.z)
        central = np.clip((self.apart - np.abs(slab.x)) / 20, 0, 1)
        fine, coarse, folds = (
            self.field(slab, mm, shift) for mm, shift in ((3.0, 9.0), (10.0, 4.0), (12.0, 14.0))
        )
        return depth + 0.25 * fine + 0.7 * coarse + 4 * central * folds

    def _heart(self, x: Any, y: Any, z: Any) -> Any:
        """Return the depth in the heart."""
        u, v, w = (
            (axis - middle) / half
            for axis, middle, half in zip((x, y, z), self.heart, self.heart_size, strict=True)
        )
        return (1 - np.sqrt(u * u + v * v + w * w)) * min(self.heart_size)

    def _floor(self, x: Any, flat: Any) -> Any:
        """Return the height of the diaphragm; ``flat`` is 0 in the middle of a lung, 1 outside."""
        right, left = self.diaphragm
        return np.where(x < 0, right, left).astype(x.dtype) + self.dome * (
            1 - np.minimum(flat, 1.4)
        )

    # ----------------------------------------------------------------------------- what is there

    def hu(self, slab: Slab) -> Array:
        """Return all that is not lung, as if there were none (P, H, W)."""
        marbling = self.field(slab, 5.0, 7.0) + 0.7 * self.field(slab, 2.2, 3.0)
        fat = _FAT + 12 * marbling
        hu = self._wall(slab, marbling, fat)
        u, v = slab.x / (self.apart + 0.3 * self.oval[0]), (slab.y - _FRONT) / (0.95 * self.oval[1])
        central = np.clip((1 - np.sqrt(u * u + v * v)) * 15, 0, 1) * (np.abs(slab.x) < self.apart)
        soft = self.muscle_hu + 8 * marbling
        hu = blend(hu, np.where(marbling > 0.4 * self.lean - 0.2, fat, soft), central)
        hu = blend(hu, self.blood + 5 * marbling, _share(self._heart(slab.x, slab.y, slab.z), slab))
        hu = self._with_belly(slab, hu, marbling)
        hu = self._with_spine(slab, hu, marbling)
        hu = blend(hu, self.blood, self.great_vessels.coverage(slab))
        hu = blend(hu, _WALL, self.airways.coverage(slab))
        return blend(hu, -990.0, self.lumen.coverage(slab))

    def _wall(self, slab: Slab, marbling: Array, fat: Array) -> Array:
        """Return ribs, muscle, fat, skin and the air around."""
        wide, deep, _ = self.oval
        side, v = np.abs(slab.x) - self.apart, (slab.y - _FRONT) / deep
        own = -_ellipsoid((side / wide, v), (wide, deep))
        whole = -_ellipsoid((slab.x / (self.apart + wide), v), (self.apart + wide, deep))
        depth = np.where(side > 0, own, np.minimum(whole, own))  # outward from the lungs
        layer = depth > self.muscle + 6 * self.field(slab, 18.0)
        between = (marbling > self.lean) & (depth > 3)
        hu = np.where(layer | between, fat, self.muscle_hu + self.grain * marbling)
        inner = np.clip(1 - np.abs(depth - 2.5 - self.field(slab, 9.0, 11.0)) / 1.5, 0, 1)
        hu = blend(hu, fat, 0.9 * inner * (self.field(slab, 14.0, 21.0) > -0.1))
        hu = self._with_ribs(slab, hu, depth)
        skin = self.muscle + self.fat - depth
        hu = blend(hu, _SKIN, np.clip(1 - (skin - 2) / slab.pixel, 0, 1))
        return blend(hu, _AIR, np.clip(0.5 - skin / slab.pixel, 0, 1))

    def _with_ribs(self, slab: Slab, hu: Array, depth: Array) -> Array:
        """Add ribs: each slopes down from the spine, so that a slice cuts them obliquely."""
        turn = np.arctan2(np.abs(slab.x), slab.y - _FRONT) / np.pi  # 0 behind, 1 in front
        drop = self.rib_slope * (0.5 - 0.5 * np.cos(np.minimum(turn / 0.75, 1) * np.pi))
        rise = (slab.z + drop + self.rib_phase) % self.rib_spacing - self.rib_spacing / 2
        inside = 4.2 * (1 - np.sqrt((rise / 8.5) ** 2 + ((depth - 5.5) / 4.2) ** 2))
        bone = np.clip((0.9 - turn) * 8, 0.15, 1)  # cartilage in front
        hu = blend(hu, 60 + (self.cortex - 60) * bone, _share(inside, slab))
        return blend(hu, 40 + (self.marrow - 40) * bone, _share(inside - 1.0, slab))

    def _with_belly(self, slab: Slab, hu: Array, marbling: Array) -> Array:
        """Add what lies under the diaphragm: liver, and spleen among fat."""
        u, v = (np.abs(slab.x) - self.apart) / self.oval[0], (slab.y - _FRONT) / self.oval[1]
        flat = u * u + v * v
        liver, spleen = 45 + 0.4 * self.blood + 4 * marbling, 35 + 4 * marbling
        left = np.where(marbling > 0.8, _FAT, spleen)
        below = np.clip(self._floor(slab.x, flat) - slab.z, 0, 1) * (flat < 1)
        return blend(hu, np.where(slab.x < 25, liver, left), below)

    def _with_spine(self, slab: Slab, hu: Array, marbling: Array) -> Array:
        """Add a vertebra: body, transverse and spinous processes, canal."""
        x, y = slab.x, slab.y - self.oval[1] + 18
        body = 16 - np.sqrt(x * x + y * y)
        arch = np.minimum(3.5 - np.abs(np.abs(x) * 0.6 + (y - 26) * 0.8), 24 - np.abs(x))
        spinous = np.minimum(3.5 - np.abs(x), 14 - np.abs(y - 40))
        for bone in (body, np.maximum(arch, spinous)):
            hu = blend(hu, self.cortex, _share(bone, slab))
            hu = blend(hu, self.marrow + 20 * marbling, _share(bone - 1.2, slab))
        return blend(hu, _CANAL, _share(8 - np.sqrt(x * x + (y - 23) ** 2), slab))


def draw_thorax(generator: np.random.Generator, blood: float, field: Field) -> Thorax:
    """Draw a chest; ``blood`` in HU."""
    rng = generator
    size, middle, right = rng.normal(1, 0.06), rng.normal(34, 4), rng.normal(-82, 8)
    airways = _airways(middle)
    return Thorax(
        oval=(72 * size, rng.normal(92, 6) * size, rng.normal(95, 8) * size),
        apart=62 * size,
        middle=middle,
        heart=tuple(rng.normal((14, -22, -58), (4, 4, 6)).tolist()),
        heart_size=tuple(rng.normal((58, 46, 52), (5, 4, 4)).tolist()),
        diaphragm=(right, right - rng.normal(10, 4)),
        dome=rng.uniform(22, 40),
        fat=3 + rng.gamma(4, 4),
        muscle=rng.uniform(14, 26),
        rib_spacing=rng.normal(22, 1.5),
        rib_phase=rng.uniform(0, 25),
        rib_slope=rng.normal(95, 10),
        cortex=rng.normal(680, 120),
        marrow=rng.normal(190, 60),
        muscle_hu=rng.normal(42, 12),
        grain=rng.uniform(6, 22),
        lean=rng.uniform(-0.9, 1.3),
        blood=blood,
        great_vessels=Tubes(_great_vessels(middle)),
        airways=Tubes(airways + np.repeat([0.0, 1.5], [6, 2])),
        lumen=Tubes(airways),
        field=field,
    )


def _great_vessels(middle: float) -> Points:
    """Return aorta, upper caval vein, trunk and arms of the pulmonary artery (n, 8)."""
    hilum = middle + 4
    path = [
        ((20, 48, -130), (20, 50, 10), 12, 12),
        ((20, 50, 10), (12, 25, 42), 12, 12),
        ((12, 25, 42), (-8, -15, 40), 12, 13),
        ((-8, -15, 40), (-4, -20, -20), 14, 15),
        ((-10, -15, 42), (-20, -18, 100), 7, 6),
        ((4, 0, 45), (14, 5, 110), 6, 5),
        ((-28, -18, 70), (-28, -15, -20), 9, 9),
        ((14, -32, -20), (10, -8, 8), 13, 12),
        ((10, -8, 8), (hilum, 8, 6), 11, 9),
        ((10, -8, 4), (-hilum, 6, 0), 11, 9),
    ]
    return np.array([[*a, *b, r, s] for a, b, r, s in path], float)


def _airways(middle: float) -> Points:
    """Return trachea and main bronchi (n, 8)."""
    hilum = middle + 2
    path = [
        ((0, 12, 140), (0, 18, 24), 9, 8.5),
        ((0, 18, 24), (hilum, 20, -6), 7, 5.5),
        ((0, 18, 24), (-hilum, 18, 0), 7.5, 6),
    ]
    return np.array([[*a, *b, r, s] for a, b, r, s in path], float)


def _ellipsoid(place: tuple[Any, ...], half_axes: tuple[float, ...]) -> Any:
    """Return the depth in an ellipsoid, to first order; ``place`` in units of its half axes."""
    level = np.sqrt(sum(u * u for u in place)) + 1e-6
    slope = np.sqrt(sum((u / a) ** 2 for u, a in zip(place, half_axes, strict=True))) + 1e-5
    return (1 - level) * level / slope


def _share(depth: Array, slab: Slab) -> Array:
    """Return how much of a sample is filled, from its depth in mm."""
    return np.clip(depth / slab.pixel + 0.5, 0, 1)
