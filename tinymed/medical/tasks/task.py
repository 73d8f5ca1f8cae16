"""What an application is: the `Task` protocol, the file a trained model is kept in, the registry.

The command line knows tasks only through this: ``tinymed <task.name>`` trains one, ``tinymed
evaluate`` and ``tinymed predict`` find the task that a model was trained for in its file.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tinymed import nn, serialization
from tinymed.errors import CheckpointError
from tinymed.medical.models import MODELS
from tinymed.medical.tasks.options import MODEL

__all__ = [
    "TASKS",
    "SavedModel",
    "Task",
    "WritesPredictions",
    "load_model",
    "save_model",
    "task_of",
]

# name of the task -> where it is; imported when it is asked for, so that `tinymed --help` is quick
TASKS = {
    "dna": "tinymed.medical.tasks.dna:DNA_TASKS",
    "drug": "tinymed.medical.tasks.drug:DRUG_TASKS",
    "ecg": "tinymed.medical.tasks.ecg:ECG",
    "enhance": "tinymed.medical.tasks.enhance:ENHANCE",
    "generate": "tinymed.medical.tasks.generate:GENERATE",
    "lung": "tinymed.medical.tasks.lung:LUNG_TASKS",
    "notes": "tinymed.medical.tasks.notes:NOTES",
    "pretrain": "tinymed.medical.tasks.pretrain:PRETRAIN",
    "segment": "tinymed.medical.tasks.segment:SEGMENT",
    "treatment": "tinymed.medical.tasks.treatment:TREATMENT",
    "xray": "tinymed.medical.tasks.xray:XRAY",
}


@dataclass(frozen=True)
class SavedModel:
    """A network with all that is needed to use it on new data."""

    network: nn.Module
    about: dict[str, Any]  # task, model, preprocessing, classes, threshold, data, training
    path: Path

    @property
    def symmetric(self) -> bool:
        """Whether its predictions are means over an image turned and mirrored."""
        return bool(self.about.get("symmetric", False))


class Task(Protocol):
    """One application: what it reads, how it learns, how it is judged."""

    name: str
    help: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options of training."""

    def train(self, options: argparse.Namespace) -> dict[str, Any]:
        """Read, check, preprocess, train, choose a threshold, evaluate, write; return metrics."""

    def evaluate(self, saved: SavedModel, data: Path, split: str | None) -> dict[str, Any]:
        """Return the metrics of a model on a file."""

    def predict(self, saved: SavedModel, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """Return a prediction for each image in each file."""


@runtime_checkable
class WritesPredictions(Protocol):
    """A task whose predictions do not fit into a line: images, masks."""

    def write_predictions(
        self, saved: SavedModel, paths: Sequence[Path], folder: Path
    ) -> list[dict[str, Any]]:
        """Do what `Task.predict` does, and write what it found into files of ``folder``."""


def task_of(name: str) -> Task:
    """Return a task by name, or raise `CheckpointError` for one that this version does not know."""
    if name not in TASKS:
        raise CheckpointError(f"task: {name!r} is not known here; known: {', '.join(TASKS)}")
    module, _, attribute = TASKS[name].partition(":")
    task: Task = getattr(importlib.import_module(module), attribute)
    return task


def save_model(network: nn.Module, about: dict[str, Any], path: Path) -> None:
    """Write a network and its configuration to one safetensors file."""
    serialization.save(network.state_dict(), path, about)


def load_model(path: str | Path) -> SavedModel:
    """Read a file that `save_model` wrote, or that of a run's folder, in eval mode.

    Raises
    ------
    CheckpointError
        If the file is damaged, holds no configuration, or one that this version cannot build.
    """
    path = Path(path) / MODEL if Path(path).is_dir() else Path(path)
    arrays, about = serialization.read(path)
    if "task" not in about or "model" not in about:
        raise CheckpointError(
            f"load: {path} holds tensors but no tinymed model; expected a model.safetensors that a "
            "task wrote"
        )
    kind = about["model"]["class"]
    if kind not in MODELS:
        raise CheckpointError(f"load: {path} holds a {kind}, which this version does not have")
    network = MODELS[kind](**about["model"]["arguments"])
    try:
        network.load_state_dict(arrays)
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"load: {path} does not fit its own configuration: {error}"
        ) from error
    network.eval()
    return SavedModel(network, about, path)
