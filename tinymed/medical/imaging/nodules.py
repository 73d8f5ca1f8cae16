"""Nodules, and scars that look like them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinymed.medical.imaging.slabs import Array, Points, Slab, directions
from tinymed.medical.imaging.tubes import Tubes, bent

__all__ = ["MALIGNANCY_SHARE", "Body", "Nodule", "Scar", "draw_nodule", "draw_scar"]

# Of 1,391 nodules of LIDC-IDRI that three or more radiologists marked, by the mean of their
# malignancy ratings rounded to 1-5 (Armato et al. 2011; CC BY 3.0).
MALIGNANCY_SHARE = (0.083, 0.220, 0.420, 0.239, 0.038)
_DIAMETER = ((5.4, 6.7, 11.0), (5.7, 7.5, 11.2), (6.0, 8.5, 13.9), (9.7, 16.8, 28.3), (16.1, 28.0, 38.2))
_LOBULATION = (1.10, 1.30, 1.47, 2.21, 3.04)
_SPICULATION = (1.02, 1.19, 1.33, 2.00, 3.48)
_MARGIN_RATING = (4.95, 4.23, 3.99, 3.83, 3.47)
_GROUND_GLASS = (0.0, 0.036, 0.091, 0.060, 0.0)
_PART_SOLID = (0.0, 0.069, 0.075, 0.073, 0.094)
_CALCIFIED = (0.974, 0.111, 0.003, 0.003, 0.0)
_FAR = 45.0
_Z90 = 1.2816


@dataclass(frozen=True)
class Body:
    """A stretched ball with bumps.

    Parameters
    ----------
    axes : array (3, 3)
        Rows are the unit vectors of its axes.
    radii : array (3,)
        Along them in mm.
    waves, phases, heights : arrays (K, 3), (K,), (K,)
        Bumps: the radius grows by heights * sin(waves . direction + phases), as a share of it.
    margin : float
        Width of the transition from inside to outside in mm.
    """

    centre: Points
    axes: Points
    radii: Points
    waves: Points
    phases: Points
    heights: Points
    margin: float

    @property
    def reach(self) -> float:
        """No point of it is further from its centre, mm."""
        return float(self.radii.max() * (1 + np.abs(self.heights).sum()) + self.margin)

    def coverage(self, slab: Slab) -> tuple[Array, tuple[slice, slice]] | None:
        """Return how much of the samples it fills, and their rows and columns; None for nothing."""
        found = slab.part(self.centre - self.reach, self.centre + self.reach)
        if found is None:
            return None
        near, where = found
        scaled = (self.axes / self.radii[:, None]).astype(np.float32)
        dx, dy, dz = (axis - np.float32(c) for axis, c in zip((near.x, near.y, near.z), self.centre, strict=True))
        u, v, w = (row[0] * dx + row[1] * dy + row[2] * dz for row in scaled)
        level = np.sqrt(u * u + v * v + w * w) + np.float32(1e-3)
        u, v, w = u / level, v / level, w / level
        surface = np.ones_like(level)
        for wave, phase, height in zip(self.waves.astype(np.float32), self.phases, self.heights, strict=True):
            surface += np.float32(height) * np.sin(u * wave[0] + v * wave[1] + w * wave[2] + np.float32(phase))
        depth = (surface - level) * np.float32(self.radii.mean())
        return np.clip(depth / np.float32(self.margin) + np.float32(0.5), 0, 1), where


@dataclass(frozen=True)
class Nodule:
    """A nodule at a known place."""

    centre: Points  # x, y, z in mm
    diameter: float  # the largest, mm
    malignancy: int  # 1-5 as radiologists rate it
    kind: str  # solid, part-solid, ground-glass, calcified
    body: Body
    density: float  # HU
    unevenness: float  # HU
    core: Body | None  # denser, or air
    core_hu: float
    spicules: Tubes
    feeders: Tubes  # vessels that end in it

    def paint(self, slab: Slab, hu: Array, blood: float, grain: Array) -> None:
        """Draw it into ``hu`` (P, H, W); ``grain`` (P, H, W) has deviation 1."""
        if slab.part(self.centre - _FAR, self.centre + _FAR) is None:
            return
        for tubes, share in ((self.feeders, 1.0), (self.spicules, 0.75)):
            cover = share * tubes.coverage(slab)
            hu += cover * (min(blood, 40.0) - hu)
        found = self.body.coverage(slab)
        if found is None:
            return
        cover, where = found
        view = hu[:, where[0], where[1]]
        inner = self.density + self.unevenness * grain[:, where[0], where[1]]
        drawn = view + cover * (inner - view)
        view[...] = drawn if self.density > -200 else np.maximum(view, drawn)
        if self.core is not None and (found := self.core.coverage(slab)) is not None:
            cover, where = found
            view = hu[:, where[0], where[1]]
            view += cover * (self.core_hu - view)


@dataclass(frozen=True)
class Scar:
    """Bands and patches of dense tissue without a round shape."""

    centre: Points
    bodies: tuple[Body, ...]
    strands: Tubes
    density: float

    def paint(self, slab: Slab, hu: Array, blood: float, grain: Array) -> None:
        """Draw it into ``hu`` (P, H, W)."""
        if slab.part(self.centre - _FAR, self.centre + _FAR) is None:
            return
        cover = 0.8 * self.strands.coverage(slab)
        hu += cover * (self.density - hu)
        for body in self.bodies:
            if (found := body.coverage(slab)) is not None:
                cover, where = found
                view = hu[:, where[0], where[1]]
                inner = self.density + 60 * grain[:, where[0], where[1]]
                np.maximum(view, view + cover * (inner - view), out=view)


def draw_nodule(
    centre: Points, malignancy: int, blood: float, generator: np.random.Generator
) -> Nodule:
    """Draw a nodule as often and as large as radiologists of LIDC-IDRI saw them."""
    rng, grade = generator, malignancy - 1
    low, median, high = _DIAMETER[grade]
    z = rng.normal()
    diameter = median * np.exp(z / _Z90 * (np.log(median / low) if z < 0 else np.log(high / median)))
    diameter = float(np.clip(diameter, 3.0, 45.0))
    lobulation = max(0.0, rng.normal(_LOBULATION[grade], 0.5) - 0.8)
    spiculation = max(0.0, rng.normal(_SPICULATION[grade], 0.5) - 1.1)
    fuzz = max(0.0, 5 - rng.normal(_MARGIN_RATING[grade], 0.5))
    body = _body(centre, diameter / 2, rng, flat=0.4, lobulation=0.06 * lobulation, spikes=0.03 * spiculation, margin=0.5 + fuzz * rng.uniform(0.3, 1.0) + 0.03 * diameter)
    radius = float(body.radii.mean())
    spicules = _spicules(centre, radius, rng.poisson(4.5 * spiculation), rng)
    chance = rng.random()
    kind, density, unevenness, core, core_hu = "solid", rng.normal(20, 25) + 0.25 * (blood - 20), 15.0, None, 0.0
    if chance < _CALCIFIED[grade]:
        kind = "calcified"
        if rng.random() < 0.7:
            density = rng.uniform(300, 750)
        else:
            core, core_hu = _body(centre, radius * rng.uniform(0.5, 0.85), rng, margin=1.0), rng.uniform(300, 750)
    elif (chance := rng.random()) < _GROUND_GLASS[grade]:
        kind, density, unevenness = "ground-glass", rng.normal(-560, 70), 60.0
    elif chance < _GROUND_GLASS[grade] + _PART_SOLID[grade]:
        kind, density, unevenness = "part-solid", rng.normal(-350, 90), 60.0
        core = _body(centre + rng.normal(0, 0.2 * radius, 3), radius * rng.uniform(0.3, 0.7), rng, lobulation=0.1, margin=1.5)
        core_hu = rng.normal(0, 30)
    elif diameter > 14 and rng.random() < 0.1:
        core = _body(centre + rng.normal(0, 0.15 * radius, 3), radius * rng.uniform(0.2, 0.6), rng, lobulation=0.1, margin=1.0)
        core_hu = -950.0
    return Nodule(centre, diameter, malignancy, kind, body, density, unevenness, core, core_hu, spicules, Tubes(np.empty((0, 8))))


def draw_scar(centre: Points, generator: np.random.Generator) -> Scar:
    """Draw a scar: one to three flat, ragged patches and some strands."""
    rng = generator
    bodies = []
    for _ in range(rng.integers(1, 4)):
        at = centre + rng.normal(0, 2.5, 3)
        size = np.exp(rng.normal(1.6, 0.45))
        bodies.append(_body(at, size, rng, flat=1.2, lobulation=0.15, spikes=0.05, margin=rng.uniform(1.0, 4.0)))
    strands = _spicules(centre, 0.5, rng.integers(1, 6), rng, length=9.0)
    return Scar(centre, tuple(bodies), strands, float(rng.uniform(-450, 20)))


def _body(
    centre: Points,
    longest: float,
    rng: np.random.Generator,
    *,
    flat: float = 0.15,
    lobulation: float = 0.03,
    spikes: float = 0.0,
    margin: float,
) -> Body:
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    radii = longest * np.exp(-np.abs(rng.normal(0, flat, 3)))
    radii[0] = longest
    waves = np.concatenate([rng.normal(0, 2.0, (4, 3)), rng.normal(0, 6.0, (3, 3))])
    heights = np.repeat([lobulation + 0.02, spikes + 0.01], [4, 3]) * 1.4
    return Body(centre, axes, radii, waves, rng.uniform(0, 2 * np.pi, 7), heights, margin)


def _spicules(
    centre: Points, radius: float, count: int, rng: np.random.Generator, length: float = 3.0
) -> Tubes:
    """Return thin tapering strands outward from a surface."""
    outward = directions(rng, count)
    roots = centre + 0.7 * radius * outward
    reach = 0.3 * radius + rng.exponential(length + 0.3 * radius, (count, 1))
    tips = roots + reach * outward
    thick = rng.uniform(0.4, 0.9, count)
    return Tubes(bent(np.column_stack([roots, tips, thick, 0.2 * thick]), rng))
