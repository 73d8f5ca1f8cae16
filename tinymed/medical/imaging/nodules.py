"""Nodules as radiologists of LIDC-IDRI described them, and scars that look like them.

Only distilled numbers are used: of the 1,391 nodules that three or more of four radiologists marked
(Armato et al. 2011, "The LIDC and IDRI", Medical Physics 38; CC BY 3.0), grouped by the mean of
their malignancy ratings rounded to 1-5. No contour and no pixel of a patient is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinymed.medical.imaging.slabs import Array, Points, Slab, directions
from tinymed.medical.imaging.tubes import Tubes, bent

__all__ = ["MALIGNANCY_SHARE", "Body", "Nodule", "Scar", "draw_nodule", "draw_scar", "micronodule"]

MALIGNANCY_SHARE = (0.083, 0.220, 0.420, 0.239, 0.038)
_DIAMETER = (  # largest, in mm: 10, 50, 90 in a hundred are below
    (5.4, 6.7, 11.0),
    (5.7, 7.5, 11.2),
    (6.0, 8.5, 13.9),
    (9.7, 16.8, 28.3),
    (16.1, 28.0, 38.2),
)
_LOBULATION = (1.10, 1.30, 1.47, 2.21, 3.04)  # means of ratings from 1, none, to 5
_SPICULATION = (1.02, 1.19, 1.33, 2.00, 3.48)
_MARGIN = (4.95, 4.23, 3.99, 3.83, 3.47)  # 5 is sharp
_GROUND_GLASS = (0.0, 0.036, 0.091, 0.060, 0.0)  # shares
_PART_SOLID = (0.0, 0.069, 0.075, 0.073, 0.094)
_CALCIFIED = (0.974, 0.111, 0.003, 0.003, 0.0)
_RATING_SPREAD = 0.3
_Z90 = 1.2816  # standard normal quantile at 0.9
_REACH = 45.0  # mm from its centre beyond which nothing of a nodule is found
_NO_TUBES = Tubes(np.empty((0, 8)))


@dataclass(frozen=True)
class Body:
    """A stretched ball with bumps.

    Parameters
    ----------
    centre : array (3,)
        x, y, z in mm.
    axes : array (3, 3)
        Rows are the unit vectors of its axes.
    radii : array (3,)
        Along them, in mm.
    waves, phases, heights : arrays (K, 3), (K,), (K,)
        Towards a direction the radius is 1 + sum of heights * sin(waves . direction + phases) times
        that of the ellipsoid.
    margin : float
        Width of the transition from inside to outside, in mm.
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
        """Return how much of samples it fills, and their rows and columns; None for nothing."""
        found = slab.part(self.centre - self.reach, self.centre + self.reach)
        if found is None:
            return None
        near, where = found
        x, y, z = (
            axis - np.float32(middle)
            for axis, middle in zip((near.x, near.y, near.z), self.centre, strict=True)
        )
        scaled = (self.axes / self.radii[:, None]).astype(np.float32)
        u, v, w = (row[0] * x + row[1] * y + row[2] * z for row in scaled)
        level = np.sqrt(u * u + v * v + w * w) + np.float32(1e-3)
        u, v, w = u / level, v / level, w / level
        surface = np.ones_like(level)
        bumps = np.column_stack([self.waves, self.phases, self.heights]).astype(np.float32)
        for a, b, c, phase, height in bumps:
            surface += height * np.sin(u * a + v * b + w * c + phase)
        depth = (surface - level) * np.float32(self.radii.mean())
        return np.clip(depth / np.float32(self.margin) + np.float32(0.5), 0, 1), where


@dataclass(frozen=True)
class Nodule:
    """A nodule at a known place."""

    diameter: float  # the largest, mm
    malignancy: int  # 1-5, as radiologists would rate it in the mean
    kind: str  # solid, calcified, part-solid, ground-glass, cavitary
    body: Body
    density: float  # HU
    core: Body | None  # calcium, a solid part, or air
    core_density: float
    spicules: Tubes
    feeders: Tubes = _NO_TUBES  # vessels that end in it

    @property
    def centre(self) -> Points:
        """x, y, z in mm."""
        return self.body.centre

    def paint(self, slab: Slab, hu: Array, grain: Array) -> None:
        """Draw it into ``hu`` (P, H, W); ``grain`` (P, H, W) has deviation 1."""
        if slab.part(self.centre - _REACH, self.centre + _REACH) is None:
            return
        for tubes, share in ((self.feeders, 1.0), (self.spicules, 0.75)):
            hu += share * tubes.coverage(slab) * (30.0 - hu)
        solid = self.density > -200
        _paint(self.body, slab, hu, self.density + (15 if solid else 60) * grain, through=not solid)
        if self.core is not None:
            _paint(self.core, slab, hu, self.core_density + 10 * grain, through=False)


@dataclass(frozen=True)
class Scar:
    """Bands and patches of dense tissue without a round shape."""

    bodies: tuple[Body, ...]
    strands: Tubes
    density: float  # HU

    def paint(self, slab: Slab, hu: Array, grain: Array) -> None:
        """Draw it into ``hu`` (P, H, W); ``grain`` (P, H, W) has deviation 1."""
        centre = self.bodies[0].centre
        if slab.part(centre - _REACH, centre + _REACH) is None:
            return
        hu += 0.8 * self.strands.coverage(slab) * (self.density - hu)
        for body in self.bodies:
            _paint(body, slab, hu, self.density + 60 * grain, through=True)


def draw_nodule(
    centre: Points, malignancy: int, blood: float, generator: np.random.Generator
) -> Nodule:
    """Draw a nodule with the size, shape and make that go with its malignancy.

    Parameters
    ----------
    centre : array (3,)
        x, y, z in mm.
    malignancy : int
        1 (highly unlikely) to 5 (highly suspicious).
    blood : float
        HU; contrast medium brightens nodules too.
    """
    rng, grade = generator, malignancy - 1
    low, median, high = _DIAMETER[grade]
    z = rng.normal()
    wide = np.log(median / low) if z < 0 else np.log(high / median)
    diameter = float(np.clip(median * np.exp(wide * z / _Z90), 3.0, 45.0))
    lobulation, spiculation, sharpness = (
        rng.normal(means[grade], _RATING_SPREAD) for means in (_LOBULATION, _SPICULATION, _MARGIN)
    )
    spiky = max(0.0, spiculation - 1.1)
    body = _body(
        centre,
        diameter / 2,
        rng,
        flat=0.4,
        lobes=0.11 * max(0.0, lobulation - 1.0),
        spikes=0.06 * spiky,
        margin=0.5 + 0.03 * diameter + max(0.0, 5 - sharpness) * rng.uniform(0.3, 1.0),
    )
    radius = float(body.radii.mean())
    kind = _kind(grade, diameter, rng)
    density = rng.normal(20, 25) + 0.25 * (blood - 20)
    core, core_density = None, 0.0
    if kind == "calcified" and rng.random() < 0.7:
        density = rng.uniform(300, 750)
    elif kind == "calcified":
        core = _body(centre, radius * rng.uniform(0.5, 0.85), rng, margin=1.0)
        core_density = rng.uniform(300, 750)
    elif kind == "ground-glass":
        density = rng.normal(-560, 70)
    elif kind != "solid":  # a solid core in haze, or a cave in something solid
        size = radius * (rng.uniform(0.3, 0.7) if kind == "part-solid" else rng.uniform(0.2, 0.6))
        core = _body(centre + rng.normal(0, 0.18 * radius, 3), size, rng, lobes=0.08, margin=1.2)
        core_density = rng.normal(0, 30) if kind == "part-solid" else -950.0
        density = rng.normal(-350, 90) if kind == "part-solid" else density
    spicules = _strands(centre, radius, rng.poisson(9 * spiky), 3 + 0.3 * radius, rng)
    return Nodule(diameter, malignancy, kind, body, density, core, core_density, spicules)


def micronodule(centre: Points, generator: np.random.Generator) -> Nodule:
    """Draw a round opacity below 3 mm, which radiologists of LIDC-IDRI do not call a nodule."""
    diameter = generator.uniform(2.2, 3.0)
    body = _body(centre, diameter / 2, generator, margin=0.6)
    density = generator.normal(0, 40)
    return Nodule(diameter, 1, "micronodule", body, density, None, 0.0, _NO_TUBES)


def draw_scar(centre: Points, generator: np.random.Generator) -> Scar:
    """Draw a scar: one to three flat, ragged patches and some strands."""
    rng = generator
    bodies = [
        _body(
            centre + rng.normal(0, 2.5, 3) * (index > 0),
            np.exp(rng.normal(1.6, 0.45)),
            rng,
            flat=1.2,
            lobes=0.15,
            spikes=0.05,
            margin=rng.uniform(1.0, 4.0),
        )
        for index in range(rng.integers(1, 4))
    ]
    strands = _strands(centre, 0.5, int(rng.integers(1, 6)), 9.0, rng)
    return Scar(tuple(bodies), strands, rng.uniform(-450, 20))


def _kind(grade: int, diameter: float, rng: np.random.Generator) -> str:
    calcified, hazy, cave = rng.random(3)
    if calcified < _CALCIFIED[grade]:
        return "calcified"
    if hazy < _GROUND_GLASS[grade]:
        return "ground-glass"
    if hazy < _GROUND_GLASS[grade] + _PART_SOLID[grade]:
        return "part-solid"
    return "cavitary" if diameter > 14 and cave < 0.1 else "solid"


def _paint(body: Body, slab: Slab, hu: Array, density: Array, *, through: bool) -> None:
    """Draw a body; where one looks ``through`` it, what is denser stays visible."""
    if (found := body.coverage(slab)) is None:
        return
    cover, (rows, columns) = found
    view = hu[:, rows, columns]
    drawn = view + cover * (density[:, rows, columns] - view)
    view[...] = np.maximum(view, drawn) if through else drawn


def _body(
    centre: Points,
    longest: float,
    rng: np.random.Generator,
    *,
    flat: float = 0.15,
    lobes: float = 0.03,
    spikes: float = 0.0,
    margin: float,
) -> Body:
    """Return a body; the longest axis lies in the axial plane, where radiologists measure it.

    The others are shorter by exp(-|N(0, flat)|).
    """
    columns = rng.normal(size=(3, 3))
    columns[2, 0] = 0
    axes = np.linalg.qr(columns)[0].T  # the first is along the first column
    radii = longest * np.exp(-np.abs(rng.normal(0, flat, 3)) * (0, 1, 1))
    waves = np.concatenate([rng.normal(0, 2.0, (4, 3)), rng.normal(0, 6.0, (3, 3))])
    heights = np.repeat([0.03 + 1.4 * lobes, 0.015 + 1.4 * spikes], [4, 3])
    return Body(centre, axes, radii, waves, rng.uniform(0, 2 * np.pi, 7), heights, margin)


def _strands(
    centre: Points, radius: float, count: int, length: float, rng: np.random.Generator
) -> Tubes:
    """Return thin tapering strands outward from a ball."""
    outward = directions(rng, count)
    roots = centre + 0.7 * radius * outward
    tips = roots + (0.3 * radius + rng.exponential(length, (count, 1))) * outward
    thick = rng.uniform(0.45, 1.1, count)
    return Tubes(bent(np.column_stack([roots, tips, thick, 0.2 * thick]), rng))
