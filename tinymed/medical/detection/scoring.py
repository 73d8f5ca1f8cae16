"""What the network of `tinymed lung` says of candidates: the second stage of the cascade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinymed.errors import CheckpointError
from tinymed.medical.detection.candidates import Candidate
from tinymed.medical.imaging.volume import PATCH, PIXEL, Volume
from tinymed.medical.tasks.preprocessing import Preprocessing
from tinymed.medical.tasks.task import SavedModel
from tinymed.medical.tasks.views import probabilities

__all__ = ["scored"]

_TASK, _KIND = "lung", "nodule"
_MOST_SLICES = 5
_SHOWN = 0.7  # of the patch: wider lesions get larger pixels, so that their border is seen


def scored(candidates: Sequence[Candidate], volume: Volume, model: SavedModel) -> list[Candidate]:
    """Return the candidates with the network's probability, the highest score first.

    The network has learned from axial patches through nodules. It looks at up to five slices
    through the middle half of each candidate, and the mean of what it says counts. What is wider
    than 24 mm is shown smaller than the 0.7 mm pixels of training would show it.

    Raises
    ------
    CheckpointError
        A model of another task.
    """
    task, kind = model.about["task"], model.about.get("kind", _KIND)
    if task != _TASK:
        raise CheckpointError(
            f"scan: {model.path} is a model of `tinymed {task}`, one of `tinymed {_TASK}` expected"
        )
    if kind != _KIND:
        raise CheckpointError(
            f"scan: {model.path} is a model of `tinymed {task} --task {kind}`, one of --task "
            f"{_KIND} expected"
        )
    if not candidates:
        return []
    cut = [_patches(candidate, volume) for candidate in candidates]
    planes = Preprocessing.kept(model.about["preprocessing"])(np.concatenate(cut))
    said = probabilities(model.network, planes, symmetric=model.symmetric)
    parts = np.split(said, np.cumsum([len(patches) for patches in cut])[:-1])
    new = [replace(c, probability=float(p.mean())) for c, p in zip(candidates, parts, strict=True)]
    return sorted(new, key=lambda candidate: -candidate.score)


def _patches(candidate: Candidate, volume: Volume) -> np.ndarray[Any, Any]:
    """Return the patches of a candidate (k, 50, 50), HU."""
    pixel = max(PIXEL, candidate.diameter / (_SHOWN * PATCH))
    step = volume.spacing[0]
    count = int(np.clip(2 * (candidate.diameter / 4 // step) + 1, 1, _MOST_SLICES))
    first = round(candidate.voxel[0]) - count // 2
    # the last slice stands for those beyond it
    number = np.clip(np.arange(first, first + count), 0, len(volume.hounsfield) - 1)
    _, row, column = candidate.voxel
    points = volume.to_patient([(n, row, column) for n in number])
    return np.stack([volume.patch(point, PATCH, pixel) for point in points.tolist()])
