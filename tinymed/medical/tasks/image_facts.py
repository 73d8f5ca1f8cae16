"""What the model file of an image diagnosis says of the network and its training."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tinymed import __version__, nn
from tinymed.medical.tasks.augmentation_search import settings_of
from tinymed.medical.tasks.image_options import options_given
from tinymed.medical.tasks.image_transfer import Source
from tinymed.medical.tasks.preprocessing import Preprocessing

if TYPE_CHECKING:
    from tinymed.medical.tasks.image_diagnosis import ImageDiagnosis

__all__ = ["begun", "training_facts"]


def begun(task: ImageDiagnosis, preprocessing: Preprocessing) -> dict[str, Any]:
    """Return what a model file says before the network is trained."""
    return {
        "task": task.name,
        **({} if task.kind is None else {"kind": task.kind}),
        "tinymed": __version__,
        "preprocessing": preprocessing.to_dict(),
        "symmetric": task.symmetric,
        "classes": list(task.classes),
    }


def training_facts(
    task: ImageDiagnosis,
    network: nn.Module,
    options: argparse.Namespace,
    source: Source | None,
) -> dict[str, Any]:
    """Return what the model card says of the training."""
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "optimizer": "AdamW, one cycle of the learning rate, cross-entropy",
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "learning_rate": options.lr,
        "class_weights": options.class_weights,
        "augmentation": settings_of(task.augment),
        **({} if source is None else {"from": source.told, "frozen": options.freeze}),
        "options": options_given(options),
        "seed": options.seed,
        "quick": options.quick,
        "device": options.device,
        "data_file": None if options.data is None else options.data.name,
    }
