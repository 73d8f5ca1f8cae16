"""One command for several kinds: each trains with its own settings, and help tells them all."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from tinymed import nn
from tinymed.errors import CheckpointError
from tinymed.medical.tasks.dna import DNA_TASKS, PeptideTask, SpliceTask
from tinymed.medical.tasks.drug import DRUG_TASKS
from tinymed.medical.tasks.kinds import Kinds
from tinymed.medical.tasks.lung import LUNG, LUNG_TASKS, MALIGNANCY
from tinymed.medical.tasks.options import Settings
from tinymed.medical.tasks.task import SavedModel


class LearningError(Exception):
    """Instead of training, which takes seconds and is tried elsewhere: what it would begin with."""


class First(SpliceTask):
    kind = "first"
    defaults = Settings(epochs=7, quick_epochs=2, lr=0.5)

    def learn(self, network: Any, splits: Any, about: Any, options: Any, out: Path) -> Any:
        raise LearningError(self.kind, options.epochs, options.batch_size, options.lr)


class Second(First):
    kind = "second"
    defaults = Settings(epochs=3, quick_epochs=1, batch_size=16, quick_batch_size=8, lr=0.25)


KINDS = Kinds("both", {"first": First(), "second": Second()})


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    KINDS.add_arguments(made)
    return made


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        ("first", "", (2, 32, 0.5)),
        ("second", "--kind second", (1, 8, 0.25)),
        ("second", "--kind second --lr 0.125 --epochs 2", (2, 8, 0.125)),
    ],
)
def test_each_kind_learns_with_its_own_settings(tmp_path, kind, arguments, expected):
    given = parser().parse_args([*arguments.split(), "--quick", "--out", str(tmp_path / "run")])
    with pytest.raises(LearningError) as learns:
        KINDS.train(given)
    assert learns.value.args == (kind, *expected)


def test_help_tells_the_settings_of_each_kind():
    text = " ".join(parser().format_help().split())
    assert "passes over the data (first 7, second 3; with --quick first 2, second 1)" in text
    assert "examples in a step (first 64, second 16; with --quick first 32, second 8)" in text
    assert "peak learning rate (first 0.5, second 0.25)" in text
    assert "each family is in one (5; with --quick 3)" in text


@pytest.mark.parametrize("kinds", [DNA_TASKS, DRUG_TASKS])
def test_what_is_not_given_is_settled_by_the_kind(kinds):
    made = argparse.ArgumentParser()
    kinds.add_arguments(made)
    for kind, task in kinds.kinds.items():
        given = made.parse_args(["--kind", kind])
        task.settle(given)
        settings = task.defaults
        found = (given.epochs, given.batch_size, given.lr)
        assert found == (settings.epochs, settings.batch_size, settings.lr)


def test_a_model_of_another_kind_is_refused():
    about = {"preprocessing": {"kind": "amp"}}
    with pytest.raises(CheckpointError, match="is of kind 'amp'; known: first, second"):
        KINDS.of(SavedModel(nn.Linear(1, 1), about, Path("m")))
    assert isinstance(DNA_TASKS.of(SavedModel(nn.Linear(1, 1), about, Path("m"))), PeptideTask)


def test_models_from_before_there_were_kinds_are_of_the_first():
    plain = SavedModel(nn.Linear(1, 1), {"preprocessing": {}}, Path("m"))
    assert LUNG_TASKS.of(plain) is LUNG
    named = SavedModel(plain.network, {"kind": "malignancy", "preprocessing": {}}, Path("m"))
    assert LUNG_TASKS.of(named) is MALIGNANCY
    with pytest.raises(CheckpointError, match="is of kind None; known: first, second"):
        KINDS.of(plain)
