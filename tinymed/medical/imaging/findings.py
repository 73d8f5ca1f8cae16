"""Where nodules sit in a lung, and what is mistaken for one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinymed.medical.imaging.lungs import Lungs, places_in_lung
from tinymed.medical.imaging.nodules import (
    MALIGNANCY_SHARE,
    Nodule,
    Scar,
    draw_nodule,
    draw_scar,
    micronodule,
)
from tinymed.medical.imaging.slabs import Points
from tinymed.medical.imaging.thorax import Thorax
from tinymed.medical.imaging.tubes import Tubes

__all__ = ["MIMIC_SHARE", "Finding", "draw_mimics", "draw_nodules"]

MIMIC_SHARE = {
    "vessel": 0.45,
    "bifurcation": 0.25,
    "scar": 0.15,
    "pleura": 0.1,
    "micronodule": 0.05,
}
_NEAR = 18.0  # mm: as near to the pleura lie seven of ten nodules, and more of what is mistaken
_NEAR_SHARE = 0.25  # put there on purpose: then as much tissue is around nodules as in real patches
_MORE_NODULES = 2.0  # mean number after the first
_MALIGNANCY = np.array(MALIGNANCY_SHARE) / sum(MALIGNANCY_SHARE)


@dataclass(frozen=True)
class Finding:
    """A place that a detector would stop at."""

    place: Points  # x, y, z in mm
    kind: str  # nodule, or one of MIMIC_SHARE
    height: float  # mm within which slices show it
    nodule: int | None = None  # its index, where a nodule is there


def draw_nodules(
    thorax: Thorax, lungs: Lungs, generator: np.random.Generator
) -> tuple[list[Nodule], list[Finding]]:
    """Draw nodules, each found in one or two slices."""
    rng = generator
    nodules, findings = [], []
    for index in range(1 + rng.poisson(_MORE_NODULES)):
        centre = _place(thorax, rng, 1.0, _NEAR_SHARE)
        malignancy = 1 + int(rng.choice(5, p=_MALIGNANCY))
        nodule = draw_nodule(centre, malignancy, lungs.blood, rng)
        nodules.append(replace(nodule, feeders=_feeders(centre, lungs, rng)))
        height = float(nodule.body.radii.min())
        found = Finding(centre, "nodule", height, index)
        findings += [found] * int(rng.integers(1, 3))
    return nodules, findings


def draw_mimics(
    thorax: Thorax, lungs: Lungs, count: int, generator: np.random.Generator
) -> tuple[tuple[Nodule, ...], tuple[Scar, ...], list[Finding]]:
    """Draw what is taken for a nodule; micronodules and scars are drawn into the lung for it."""
    rng = generator
    tiny: list[Nodule] = []
    scars: list[Scar] = []
    findings = []
    vessel, fork = _likely_vessels(thorax, lungs)
    for kind in rng.choice(list(MIMIC_SHARE), count, p=list(MIMIC_SHARE.values())).tolist():
        if kind == "vessel":
            piece = lungs.vessels.pieces[_chosen(vessel, rng)]
            place = piece[:3] + rng.random() * (piece[3:6] - piece[:3])
        elif kind == "bifurcation":
            place = lungs.forks[_chosen(fork, rng), :3]
        elif kind == "pleura":
            place = _on_pleura(thorax, rng)
        else:
            place = _place(thorax, rng, 0.5, 0.6)
        if kind == "scar":
            scars.append(draw_scar(place, rng))
        elif kind == "micronodule":
            tiny.append(micronodule(place, rng))
        findings.append(Finding(place, kind, 1.0))
    return tuple(tiny), tuple(scars), findings


def _place(thorax: Thorax, rng: np.random.Generator, depth: float, near: float) -> Points:
    """Return a place in the lung, with chance ``near`` close to the ribs rather than anywhere."""
    places = places_in_lung(thorax, 24, depth, rng)
    if rng.random() < near:
        lateral = (np.abs(places[:, 0]) > 0.9 * thorax.apart) | (rng.random() < 0.2)
        close = thorax.lung(*places.T) < rng.uniform(4, _NEAR)
        places = np.concatenate([places[close & lateral], places])
    return places[0]


def _attention(thorax: Thorax, places: Points) -> Points:
    """Return how much likelier a detector stops at places than in the middle of the lung."""
    close = thorax.lung(*places.T) < _NEAR
    lateral = np.abs(places[:, 0]) > 0.9 * thorax.apart
    return 1 + close * (7.0 + 12.0 * lateral)


def _likely_vessels(thorax: Thorax, lungs: Lungs) -> tuple[Points, Points]:
    """Return how likely each vessel and each fork is stopped at, as running sums."""
    pieces, forks = lungs.vessels.pieces, lungs.forks
    wide, branching = np.flatnonzero(pieces[:, 6] > 0.65), np.flatnonzero(forks[:, 3] > 0.65)
    vessel, fork = np.zeros(len(pieces)), np.zeros(len(forks))
    vessel[wide] = lungs.served[wide] ** 0.7 * _attention(thorax, pieces[wide, :3])
    fork[branching] = forks[branching, 3] ** 2 * _attention(thorax, forks[branching, :3])
    return np.cumsum(vessel), np.cumsum(fork)


def _chosen(running: Points, rng: np.random.Generator) -> int:
    """Return an index drawn with the weights whose running sums are given."""
    return int(np.searchsorted(running, rng.random() * running[-1], side="right"))


def _on_pleura(thorax: Thorax, rng: np.random.Generator) -> Points:
    """Return a place where lung ends, by Newton's steps from one inside."""
    place, step = places_in_lung(thorax, 1, 0.5, rng), 0.5
    for _ in range(3):
        depth = thorax.lung(*place.T)
        ahead = np.array([thorax.lung(*(place + step * axis).T)[0] for axis in np.eye(3)])
        slope = (ahead - depth) / step
        place = place - depth * slope / (slope @ slope + 1e-3)
    return place[0]


def _feeders(centre: Points, lungs: Lungs, rng: np.random.Generator) -> Tubes:
    """Return up to two vessels from the nearest forks to a nodule."""
    distance = ((lungs.forks[:, :3] - centre) ** 2).sum(1)
    nearest = lungs.forks[np.argpartition(distance, 2)[: rng.integers(0, 3)]]
    thick = np.minimum(nearest[:, 3], 0.9)
    ends = np.broadcast_to(centre, (len(nearest), 3))
    return Tubes(np.column_stack([nearest[:, :3], ends, thick, np.full(len(nearest), 0.5)]))
