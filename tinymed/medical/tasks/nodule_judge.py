"""What a trained nodule network says of images before and after they were changed.

An image that looks better may show a nodule that is not there, or no longer one that is. A network
that has learned from clean images finds both, as far as it can see nodules at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.errors import DataError
from tinymed.medical.tasks.preprocessing import Preprocessing
from tinymed.medical.tasks.task import SavedModel, load_model
from tinymed.medical.tasks.views import probabilities
from tinymed.metrics import roc_auc

__all__ = ["judged_nodules", "read_judge"]

Array = np.ndarray[Any, Any]
TASK, KIND = "lung", "nodule"


def read_judge(path: Path) -> SavedModel:
    """Return the model of a run of ``tinymed lung``, from its folder or its file.

    Raises
    ------
    DataError
        A model of another task.
    CheckpointError, FileNotFoundError
        As `load_model`.
    """
    saved = load_model(path)
    if saved.about["task"] != TASK:
        raise DataError(f"judge: {path} was trained for {saved.about['task']}, {TASK} expected")
    if (kind := saved.about.get("kind", KIND)) != KIND:
        raise DataError(f"judge: {path} was trained for {TASK} --task {kind}, {KIND} expected")
    return saved


def judged_nodules(
    judge: SavedModel, images: Mapping[str, Array], labels: Array | None
) -> dict[str, Any]:
    """Return how the judge's probabilities and decisions change from clean to other images.

    Parameters
    ----------
    judge : SavedModel
    images : mapping of str to array (n, H, W)
        Grey values in [0, 1] over the judge's window; "clean" and other versions of the same.
    labels : array (n,) or None
        1 for a nodule, 0 for a mimic. Without both among them only changes are told.

    Returns
    -------
    dict
        For each version: ``judge_auc_*``; and for all but the clean one ``judge_change_*``, the
        mean absolute change of the probability, ``judge_new_nodules_*``, how many mimics are called
        nodules at the judge's threshold that were not when clean, and ``judge_lost_nodules_*``, how
        many nodules no longer are. Without labels ``judge_changed_*``: how many decisions change.
    """
    preprocessing = Preprocessing.kept(judge.about["preprocessing"])
    low, span = preprocessing.low, preprocessing.high - preprocessing.low
    scores = {
        name: probabilities(
            judge.network, preprocessing(version * span + low), symmetric=judge.symmetric
        )
        for name, version in images.items()
    }
    said = {name: each >= judge.about["threshold"] for name, each in scores.items()}
    if labels is not None and set(np.unique(labels).tolist()) != {0, 1}:
        labels = None
    facts: dict[str, Any] = {}
    for name in images:
        if labels is not None:
            facts[f"judge_auc_{name}"] = roc_auc(labels, scores[name])
        if name == "clean":
            continue
        facts[f"judge_change_{name}"] = float(np.abs(scores[name] - scores["clean"]).mean())
        if labels is not None:
            new, lost = said[name] & ~said["clean"], said["clean"] & ~said[name]
            facts[f"judge_new_nodules_{name}"] = int((new & (labels == 0)).sum())
            facts[f"judge_lost_nodules_{name}"] = int((lost & (labels == 1)).sum())
        else:
            facts[f"judge_changed_{name}"] = int((said[name] != said["clean"]).sum())
    return facts
