"""One command for several tasks: ``--kind``, or ``--task``, chooses which of them is learned."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tinymed.errors import CheckpointError
from tinymed.medical.tasks.options import Settings, declare
from tinymed.medical.tasks.task import SavedModel

__all__ = ["Kind", "Kinds"]

Facts = dict[str, Any]


class Kind(Protocol):
    """A `tinymed.medical.tasks.task.Task` that can be one of several under a name."""

    @property
    def name(self) -> str:
        """The sub-command."""

    @property
    def help(self) -> str:
        """What is learned, in a line."""

    @property
    def files(self) -> str:
        """What ``--data`` takes."""

    @property
    def defaults(self) -> Settings:
        """How long and how fast it trains."""

    def add_own_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare options of training beside those that every task has."""

    def train(self, options: argparse.Namespace) -> Facts:
        """Train, write, return metrics."""

    def evaluate(self, saved: SavedModel, data: Path, split: str | None) -> Facts:
        """Return the metrics of a model on a file."""

    def predict(self, saved: SavedModel, paths: Sequence[Path]) -> list[Facts]:
        """Return a prediction for each example of each file."""


AnyKind = TypeVar("AnyKind", bound=Kind)


class Kinds(Generic[AnyKind]):
    """Tasks under one name; a `tinymed.medical.tasks.task.Task`.

    Parameters
    ----------
    help : str
        The sub-command's line of help.
    kinds : mapping of str to Kind
        The first is the default. All have one name and the same options, each with its own
        `Settings`; their models, or the preprocessing of these, say "kind".
    option : str
        What chooses, without its dashes.
    unnamed : str, optional
        The kind of models that name none, as they are from before there were several.
    """

    def __init__(
        self,
        help: str,
        kinds: Mapping[str, AnyKind],
        option: str = "kind",
        unnamed: str | None = None,
    ) -> None:
        self.kinds, self.help, self.option, self.unnamed = dict(kinds), help, option, unnamed
        self.default = next(iter(self.kinds))
        self.name = self.kinds[self.default].name

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options of training."""
        settings = {kind: task.defaults for kind, task in self.kinds.items()}
        files = f"what --{self.option} says (default: synthetic examples)"
        declare(parser, self.name, files, settings)
        self.kinds[self.default].add_own_arguments(parser)
        told = "; ".join(f"{kind}: {task.help}, {task.files}" for kind, task in self.kinds.items())
        parser.add_argument(
            f"--{self.option}",
            choices=list(self.kinds),
            default=self.default,
            help=f"{told} ({self.default})",
        )

    def train(self, options: argparse.Namespace) -> Facts:
        """Train the task that was chosen; return metrics."""
        return self.kinds[getattr(options, self.option)].train(options)

    def evaluate(self, saved: SavedModel, data: Path, split: str | None) -> Facts:
        """Return the metrics of a model on a file."""
        return self.of(saved).evaluate(saved, data, split)

    def predict(self, saved: SavedModel, paths: Sequence[Path]) -> list[Facts]:
        """Return a prediction for each example of each file."""
        return self.of(saved).predict(saved, paths)

    def of(self, saved: SavedModel) -> AnyKind:
        """Return the task that a model was trained for."""
        about = saved.about
        kind = about.get("kind", about["preprocessing"].get("kind", self.unnamed))
        if kind not in self.kinds:
            raise CheckpointError(
                f"{self.name}: {saved.path} is of kind {kind!r}; known: {', '.join(self.kinds)}"
            )
        return self.kinds[kind]
