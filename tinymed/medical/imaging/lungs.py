"""What lungs hold: parenchyma, arteries, veins, bronchi, fissures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinymed.medical.imaging.slabs import (
    Array,
    Field,
    Integers,
    Points,
    Slab,
    blend,
    directions,
    unit,
)
from tinymed.medical.imaging.thorax import Thorax
from tinymed.medical.imaging.tubes import Tubes, bent, grow

__all__ = ["Lungs", "draw_lungs", "places_in_lung"]

_LEAVES = 3000  # ends of arteries, and of veins, in each lung
_FROM_PLEURA = 3.0  # mm at which vessels end
_LEAF_RADIUS = 0.37  # mm, of the last vessel that is drawn
_SMALLEST_BRONCHUS = 12  # ends that its artery serves; walls of smaller ones are not seen
_BRONCHUS_WALL, _LUMEN = -80.0, -985.0  # HU


@dataclass(frozen=True)
class Lungs:
    """Parenchyma and trees of both lungs; densities in HU."""

    air: float  # mean of the parenchyma between what is drawn
    texture: float  # deviation of the parenchyma
    grain: float  # mm between lattice points of that variation
    gravity: float  # how much denser the parenchyma is at the back than in the middle
    emphysema: float  # depth of its holes, 0 where there are none
    haze: float  # of clouds of ground glass, 0 where there are none
    fissure: float  # how much denser the oblique fissures are
    blood: float
    vessels: Tubes  # arteries and veins
    served: Integers  # how many ends each of them serves (n,)
    forks: Points  # where vessels fork: x, y, z, radius (k, 4)
    bronchi: Tubes  # their outside
    lumen: Tubes  # their inside
    field: Field

    def hu(self, slab: Slab) -> Array:
        """Return Hounsfield units as if all were lung (P, H, W)."""
        grain = self.field(slab, self.grain, 17.0) + self.field(slab, 4 * self.grain, 5.0)
        hu: Array = self.air + 0.7 * self.texture * grain + self.gravity * (slab.y / 90)
        if self.emphysema:
            holes = 0.7 * (self.field(slab, 3.0, 23.0) + self.field(slab, 9.0, 13.0))
            hu = hu - self.emphysema * np.clip(holes - 0.3, 0, 1)
        if self.haze:
            hu = hu + self.haze * np.clip(self.field(slab, 7.0, 29.0) + 0.2, 0, 2)
        across = 0.75 * (slab.z + 10) - 0.65 * (slab.y - 5) + 6 * self.field(slab, 30.0, 2.0)
        hu = hu + self.fissure * np.clip(1 - np.abs(across), 0, 1)
        hu = blend(hu, _BRONCHUS_WALL, self.bronchi.coverage(slab))
        hu = blend(hu, self.blood, self.vessels.coverage(slab))
        return blend(hu, _LUMEN, self.lumen.coverage(slab))


def draw_lungs(thorax: Thorax, field: Field, generator: np.random.Generator) -> Lungs:
    """Draw what the lungs of a chest hold."""
    rng = generator
    ends = places_in_lung(thorax, 4 * _LEAVES, _FROM_PLEURA, rng)
    # trees: arteries of the right and of the left lung, veins of the right and of the left
    tree = (ends[:, 0] > 0) + 2 * (np.arange(len(ends)) % 2)
    hilum = thorax.middle + 5
    roots = np.array([(-hilum, 6, 0), (hilum, 8, 6), (-hilum, -4, -18), (hilum, -2, -14)])
    leaf = np.full(4, _LEAF_RADIUS * np.exp(rng.normal(0, 0.12)))
    pieces, facts = grow(ends, tree, rng.normal(roots, 2), leaf, rng)
    bronchi, lumen = _bronchi(pieces, facts, rng)
    served = facts[:, 1]
    twigs = served == 1
    return Lungs(
        air=rng.normal(-881, 38),
        texture=rng.uniform(6, 22),
        grain=rng.uniform(1.0, 2.5),
        gravity=rng.uniform(10, 70),
        emphysema=rng.uniform(60, 160) if rng.random() < 0.12 else 0.0,
        haze=rng.uniform(20, 110) if rng.random() < 0.4 else 0.0,
        fissure=rng.uniform(60, 260),
        blood=thorax.blood,
        vessels=Tubes(np.concatenate([pieces[twigs], bent(pieces[~twigs], rng)])),
        served=np.concatenate([served[twigs], np.repeat(served[~twigs], 2)]),
        forks=np.column_stack([pieces[:, 3:6], pieces[:, 7]])[~twigs],
        bronchi=bronchi,
        lumen=lumen,
        field=field,
    )


def places_in_lung(
    thorax: Thorax, count: int, depth: float, generator: np.random.Generator
) -> Points:
    """Return places spread evenly over the lungs, at least ``depth`` mm inside (count, 3)."""
    wide, deep, high = thorax.oval
    low = np.array([-thorax.apart - wide, 5 - deep, min(thorax.diaphragm)])
    top = np.array([thorax.apart + wide, 5 + deep, 25 + high])
    found = [np.empty((0, 3))]
    while (missing := count - sum(map(len, found))) > 0:
        tried = generator.uniform(low, top, (2 * missing + 64, 3))
        found.append(tried[thorax.lung(*tried.T) > depth][:missing])
    return np.concatenate(found)


def _bronchi(
    pieces: Points, facts: Integers, generator: np.random.Generator
) -> tuple[Tubes, Tubes]:
    """Return the outside and the inside of the bronchi, which run beside the arteries."""
    chosen = (facts[:, 0] < 2) & (facts[:, 1] >= _SMALLEST_BRONCHUS)
    outer = pieces[chosen]
    axis = unit(outer[:, 3:6] - outer[:, :3])
    side = directions(generator, 2)[facts[chosen, 0]]
    beside = unit(side - (side * axis).sum(1, keepdims=True) * axis)
    offset = (1.95 * outer[:, 6:7] - 0.2) * beside
    outer = outer + np.column_stack([offset, offset, np.zeros((len(outer), 2))])
    outer[:, 6:] *= 0.95
    inner = outer.copy()
    inner[:, 6:] = np.maximum(0.86 * outer[:, 6:] - 0.35, 0.05)
    return Tubes(outer), Tubes(inner)
