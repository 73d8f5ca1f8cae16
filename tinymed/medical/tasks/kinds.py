"""One command for tasks of one kind of data: ``--kind`` chooses which of them is learned."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinymed.errors import CheckpointError
from tinymed.medical.tasks.options import declare
from tinymed.medical.tasks.supervised import SupervisedTask
from tinymed.medical.tasks.task import SavedModel

__all__ = ["Kinds"]

Facts = dict[str, Any]


class Kinds:
    """Tasks under one name; a `tinymed.medical.tasks.task.Task`.

    Parameters
    ----------
    help : str
        The sub-command's line of help.
    kinds : mapping of str to SupervisedTask
        The first is the default. All have one name and the same options, each with its own
        `Settings`; their preprocessing says "kind".
    """

    def __init__(self, help: str, kinds: Mapping[str, SupervisedTask]) -> None:
        self.kinds, self.help = dict(kinds), help
        self.default = next(iter(self.kinds))
        self.name = self.kinds[self.default].name

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options of training."""
        settings = {kind: task.defaults for kind, task in self.kinds.items()}
        files = "what --kind says (default: synthetic examples)"
        declare(parser, self.name, files, settings)
        self.kinds[self.default].add_own_arguments(parser)
        told = "; ".join(f"{kind}: {task.help}, {task.files}" for kind, task in self.kinds.items())
        parser.add_argument(
            "--kind",
            choices=list(self.kinds),
            default=self.default,
            help=f"{told} ({self.default})",
        )

    def train(self, options: argparse.Namespace) -> Facts:
        """Train the task of ``--kind``; return metrics."""
        return self.kinds[options.kind].train(options)

    def evaluate(self, saved: SavedModel, data: Path, split: str | None) -> Facts:
        """Return the metrics of a model on a file."""
        return self.of(saved).evaluate(saved, data, split)

    def predict(self, saved: SavedModel, paths: Sequence[Path]) -> list[Facts]:
        """Return a prediction for each example of each file."""
        return self.of(saved).predict(saved, paths)

    def of(self, saved: SavedModel) -> SupervisedTask:
        """Return the task that a model was trained for."""
        kind = saved.about["preprocessing"].get("kind")
        if kind not in self.kinds:
            raise CheckpointError(
                f"{self.name}: {saved.path} is of kind {kind!r}; known: {', '.join(self.kinds)}"
            )
        return self.kinds[kind]
