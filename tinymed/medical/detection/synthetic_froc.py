"""How well candidates are found and ranked, on synthetic scans whose nodules are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.detection.candidates import Candidate
from tinymed.medical.detection.scan import MOST, scan
from tinymed.medical.imaging.synthetic_scan import ScanNodule, synthesise_volume
from tinymed.medical.tasks.task import SavedModel
from tinymed.metrics import FALSE_ALARMS, froc_curve, froc_score, froc_sensitivity
from tinymed.random import or_default, spawn

__all__ = ["matched", "synthetic_froc"]


def synthetic_froc(
    scans: int, model: SavedModel | None = None, generator: np.random.Generator | None = None
) -> dict[str, Any]:
    """Return sensitivity at 1/8 to 8 false positives a scan, on new synthetic scans.

    Parameters
    ----------
    scans : int
        At least 1; each takes some 5 s.
    model : SavedModel, optional
        Of `tinymed lung`; without one the proposal is judged alone.
    generator : numpy.random.Generator, optional
        The default one where none is given. Scan i depends on it and i alone.

    Returns
    -------
    dict
        "froc" is the mean sensitivity, "sensitivity" that at each rate, "found" the share of
        nodules among the candidates at all, "missed" the nodules that are not.

    Notes
    -----
    A candidate hits a nodule if it lies within the ball of the nodule's diameter, as in LUNA16.
    """
    if scans < 1:
        raise ValueError(f"synthetic_froc: {scans} scans, at least 1 expected")
    generator = or_default(generator)
    scores: list[float] = []
    hits: list[NDArray[np.int64]] = []
    nodules: list[ScanNodule] = []
    for number in range(scans):
        drawn = synthesise_volume(spawn(generator, number))
        found = scan(drawn.volume, model, MOST).candidates
        hit = matched(found, drawn.nodules)
        hits.append(np.where(hit >= 0, hit + len(nodules), -1))
        scores += [candidate.score for candidate in found]
        nodules += drawn.nodules
    lesion = np.concatenate(hits)
    curve = froc_curve(scores, lesion, num_lesions=len(nodules), num_scans=scans)
    missed = sorted(set(range(len(nodules))) - set(lesion.tolist()))
    return {
        "froc": froc_score(curve),
        "sensitivity": {
            f"{rate:g}": float(value)
            for rate, value in zip(FALSE_ALARMS, froc_sensitivity(curve), strict=True)
        },
        "found": float(curve.sensitivity[-1]),
        "scans": scans,
        "nodules": len(nodules),
        "candidates_per_scan": len(scores) / scans,
        "missed": [f"{nodules[i].kind}, {nodules[i].diameter:.1f} mm" for i in missed],
    }


def matched(candidates: Sequence[Candidate], nodules: Sequence[ScanNodule]) -> NDArray[np.int64]:
    """Return the index of the nodule that each candidate hits, the nearest of several, or -1."""
    hit = np.full(len(candidates), -1, np.int64)
    if not nodules:
        return hit
    centres = np.array([nodule.position for nodule in nodules])
    radii = np.array([nodule.diameter for nodule in nodules]) / 2
    for i, candidate in enumerate(candidates):
        distance = np.linalg.norm(centres - candidate.position, axis=1)
        nearest = int(np.where(distance <= radii, distance, np.inf).argmin())
        if distance[nearest] <= radii[nearest]:
            hit[i] = nearest
    return hit
