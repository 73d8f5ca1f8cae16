"""What every task inherits: splits by group, a saved model that repeats its metrics, bad data."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinymed import nn
from tinymed.cli import main
from tinymed.data import DataLoader, TensorDataset
from tinymed.errors import DataError
from tinymed.medical.models import MODELS
from tinymed.medical.report import run_page
from tinymed.medical.report.evidence import Evidence
from tinymed.medical.tasks import options as task_options
from tinymed.medical.tasks.examples import Examples, by_split, dealt, leaks
from tinymed.medical.tasks.options import METRICS, MODEL, Settings
from tinymed.medical.tasks.run_folder import check_folder, digest_of, run_folder
from tinymed.medical.tasks.supervised import SupervisedTask
from tinymed.medical.tasks.task import load_model
from tinymed.medical.tasks.training_groups import groups_seen_again, remembered_groups
from tinymed.metrics import MulticlassMetrics


class Signs(SupervisedTask):
    """Whether the sum of two numbers is positive; the files are npz."""

    name = "signs"
    help = "signs of sums"
    files = "an npz file"
    meaning = "1: the sum is positive."
    network = "Signs"
    defaults = Settings(epochs=12, quick_epochs=3, batch_size=16, lr=0.1)
    score = "accuracy"
    group = "pair"
    beaten = 0.5

    def read(self, path: Path) -> Examples:
        with np.load(path) as archive:
            return Examples(**archive)

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        x = generator.standard_normal((60 if quick else 200, 2)).astype(np.float32)
        return Examples(x, (x.sum(1) > 0).astype(np.int64), np.arange(len(x)) // 2)

    def preprocessing(self, train: Examples, options: argparse.Namespace) -> dict[str, Any]:
        return {"mean": train.inputs.mean(0).tolist()}

    def arguments(self, preprocessing: dict[str, Any], quick: bool) -> dict[str, Any]:
        return {"in_features": 2, "out_features": 2}

    def loader(
        self,
        examples: Examples,
        preprocessing: dict[str, Any],
        batch_size: int,
        seed: int | None = None,
    ) -> DataLoader:
        columns = [(examples.inputs - preprocessing["mean"]).astype(np.float32)]
        if examples.targets is not None:
            columns.append(examples.targets)
        train = seed is not None
        generator = np.random.default_rng(seed)
        return DataLoader(
            TensorDataset(*columns), batch_size, train, drop_last=train, generator=generator
        )

    def loss(self, about: dict[str, Any]) -> nn.Module:
        return nn.CrossEntropyLoss()

    def measure(self, outputs: Any, examples: Examples, about: dict[str, Any]) -> dict[str, Any]:
        collected = MulticlassMetrics(2)
        collected.update(examples.targets, np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True))
        return collected.compute()

    def evidence(self, outputs: Any, examples: Examples, about: dict[str, Any]) -> Evidence:
        odds = np.exp(outputs - outputs.max(1, keepdims=True))
        shares = odds / odds.sum(1, keepdims=True)
        return Evidence(examples.targets, shares, ("minus", "plus"), groups=examples.groups)

    def describe(self, outputs: Any, examples: Examples, about: dict[str, Any]) -> list[Any]:
        return [{"class": int(row.argmax())} for row in outputs]

    def baseline(self, train: Examples, judged: Examples) -> tuple[str, float]:
        return "a coin", self.beaten


@pytest.fixture(autouse=True)
def _network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "Signs", nn.Linear)


def options(task: SupervisedTask, *arguments: Any) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    task.add_arguments(parser)
    return parser.parse_args([*map(str, arguments)])


def written(task: Signs, folder: Path, **changed: Any) -> Path:
    examples = task.synthesise(False, np.random.default_rng(3))
    path = folder / "signs.npz"
    columns = {name: column for name, column in vars(examples).items() if column is not None}
    np.savez(path, **(columns | changed))
    return path


def test_a_run_leaves_a_model_that_repeats_its_metrics(tmp_path: Path) -> None:
    task = Signs()
    data = written(task, tmp_path)
    metrics = task.train(options(task, "--data", data, "--out", tmp_path / "run"))
    assert metrics["accuracy"] > 0.9
    assert (metrics["baseline"], metrics["baseline_accuracy"]) == ("a coin", 0.5)
    assert metrics["warnings"] == []
    assert json.loads((tmp_path / "run" / METRICS).read_text()) == metrics
    saved = load_model(tmp_path / "run" / MODEL)
    again = task.evaluate(saved, data, "test")
    assert {key: metrics[key] for key in again if key != "warnings"} == {
        key: value for key, value in again.items() if key != "warnings"
    }
    card = (tmp_path / "run" / "model_card.md").read_text()
    assert "Split by pair" in card
    assert "the sum is positive" in card


def test_a_file_without_splits_is_evaluated_whole(tmp_path: Path) -> None:
    task = Signs()
    data = written(task, tmp_path)
    task.train(options(task, "--data", data, "--out", tmp_path / "run"))
    saved = load_model(tmp_path / "run" / MODEL)
    assert task.evaluate(saved, data, None)["n"] == 200
    assert task.evaluate(saved, data, "val")["n"] == 40
    with pytest.raises(DataError, match="holds train, val, test, not 'exam'"):
        task.evaluate(saved, data, "exam")
    no_targets = tmp_path / "new.npz"
    np.savez(no_targets, inputs=np.float32([[5, 5], [-5, -5]]))
    with pytest.raises(DataError, match="no targets to compare with"):
        task.evaluate(saved, no_targets, None)
    found = task.predict(saved, [no_targets])
    assert [each["class"] for each in found] == [1, 0]
    assert [each["index"] for each in found] == [0, 1]


def test_groups_of_the_training_are_known_again_and_others_are_not(tmp_path: Path) -> None:
    task = Signs()
    names = np.array(["train"] * 120 + ["val"] * 40 + ["test"] * 40)
    groups = np.repeat([f"pair {n}" for n in range(100)], 2)
    data = written(task, tmp_path, splits=names, groups=groups)
    task.train(options(task, "--data", data, "--out", tmp_path / "run", "--epochs", 1))
    saved = load_model(tmp_path / "run" / MODEL)
    assert "pair" not in saved.about["data"]["training_groups"]

    def warnings(split: str | None = None, **changed: Any) -> list[str]:
        columns = {name: each for name, each in vars(task.read(data)).items() if each is not None}
        columns = {name: each for name, each in (columns | changed).items() if each is not None}
        np.savez(tmp_path / "judged.npz", **columns)
        return task.evaluate(saved, tmp_path / "judged.npz", split)["warnings"]

    assert warnings() == []  # its test
    assert warnings("val") == []
    (of_train,) = warnings("train")
    assert of_train.startswith("60 of 60 groups (pair) are named as in training")
    (of_all,) = warnings(splits=None)
    assert of_all.startswith("60 of 100 groups")
    assert warnings(splits=None, groups=np.char.add("another ", groups)) == []
    assert warnings(splits=None, groups=None) == []
    del saved.about["data"]["training_groups"]  # a model of before
    assert warnings(splits=None) == []


def test_names_are_the_same_as_numbers_and_as_text() -> None:
    remembered = remembered_groups(np.array([7, 100, 7]))
    assert groups_seen_again(remembered, ["100", "101"], "patient")[0].startswith("1 of 2 groups")
    assert groups_seen_again(remembered, ["10", "70"], "patient") == []
    assert remembered == remembered_groups(["100", "7"])
    many = remembered_groups(range(5000))
    assert len(many) < 5000 * 11
    assert groups_seen_again(many, range(4999, 6000), "patient")[0].startswith("1 of 1001 ")
    assert groups_seen_again(many, range(5000, 90_000), "patient") == []


def test_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    task = Signs()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        task.train(options(task, "--quick", "--out", tmp_path / name, "--seed", seed))
    first, same, other = ((tmp_path / name / MODEL).read_bytes() for name in "abc")
    assert first == same != other


def test_splits_of_the_file_are_kept_and_leaks_refused(tmp_path: Path) -> None:
    task = Signs()
    names = np.array(["train"] * 120 + ["val"] * 40 + ["test"] * 40)
    data = written(task, tmp_path, splits=names)
    metrics = task.train(options(task, "--data", data, "--out", tmp_path / "a", "--epochs", 1))
    assert metrics["n"] == 40
    leaking = written(task, tmp_path, splits=names, groups=np.arange(200) % 150)
    with pytest.raises(DataError, match="groups are in train and in test: 10, 11, 12"):
        task.train(options(task, "--data", leaking, "--out", tmp_path / "b"))
    assert not (tmp_path / "b").exists()


def test_a_network_below_its_baseline_says_so(tmp_path: Path) -> None:
    task = Signs()
    task.beaten = 1.0
    metrics = task.train(options(task, "--quick", "--out", tmp_path / "run"))
    assert metrics["warnings"] == ["the network does not beat its baseline, a coin"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--epochs", 0), "--epochs 0 is not positive"),
        (("--lr", "nan"), "--lr nan is not a positive number"),
        (("--seed", -1), "--seed -1 is negative"),
        (("--resume",), "--resume needs --out"),
    ],
)
def test_options_out_of_range(arguments: tuple[Any, ...], message: str) -> None:
    task = Signs()
    with pytest.raises(ValueError, match=message):
        task.train(options(task, *arguments))


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / MODEL).touch()
    with pytest.raises(FileExistsError, match="already holds a run"):
        check_folder(argparse.Namespace(out=tmp_path, resume=False), "signs")


def test_runs_that_begin_together_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = argparse.Namespace(out=None, resume=False)
    with run_folder(own, "signs") as first, run_folder(own, "signs") as second:
        assert (first, second) == (Path("runs/signs-1"), Path("runs/signs-2"))


@pytest.mark.parametrize("out", [None, Path("new/run")])
def test_a_run_that_is_refused_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: Path | None
) -> None:
    monkeypatch.chdir(tmp_path)
    own = argparse.Namespace(out=out, resume=False)

    def refused(written: str | None) -> Path:
        with suppress(DataError), run_folder(own, "signs") as folder:
            assert folder.is_dir()
            if written is not None:
                (folder / written).touch()
            raise DataError("no")
        return folder

    refused(None)
    assert not list(tmp_path.iterdir())
    assert (refused("log") / "log").exists()


def test_of_two_runs_in_one_folder_the_second_is_refused(tmp_path: Path) -> None:
    own = argparse.Namespace(out=tmp_path / "run", resume=True)
    with run_folder(own, "signs"):
        with pytest.raises(FileExistsError, match="another run is"), run_folder(own, "signs"):
            pass
        assert own.out.is_dir()
    with run_folder(own, "signs"):  # the first is over
        pass


def test_objects_count_by_what_they_hold_never_by_where_they_lie() -> None:
    texts = [np.array([["CCO", None], [name, 3]], dtype=object) for name in ("a", "a", "b")]
    first, same, other = (digest_of([each]) for each in texts)
    assert first == same != other
    with pytest.raises(TypeError, match="Nameless has no __repr__"):
        digest_of([np.array([type("Nameless", (), {})()], dtype=object)])


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    text = (
        "import argparse, pathlib, sys, time; "
        "from tinymed.medical.tasks.run_folder import run_folder\n"
        "with run_folder(argparse.Namespace(out=pathlib.Path(sys.argv[1])), 'signs'):\n"
        "    print('in', flush=True); time.sleep(60)"
    )
    own = argparse.Namespace(out=tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", text, str(tmp_path)], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(FileExistsError), run_folder(own, "signs"):
            pass
        other.kill()
    with run_folder(own, "signs"):
        pass


@pytest.mark.parametrize(
    "name", ["dna", "drug", "enhance", "lung", "notes", "pretrain", "segment", "xray"]
)
def test_tasks_that_need_scipy_say_so_before_they_begin(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(task_options, "find_spec", lambda package: None)
    monkeypatch.chdir(tmp_path)
    assert main([name, "--quick"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert f"{name}: needs scipy; pip install tinymed[medical]" in told.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["scan", "ct"], "scan: needs scipy, nibabel, PIL; pip install tinymed[medical]"),
        (["check", "x.npz", "--page", "p.html"], "needs jinja2, matplotlib; pip install tinymed["),
    ],
)
def test_other_commands_ask_for_packages_before_they_begin(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: list[str],
    expected: str,
) -> None:
    monkeypatch.setattr(task_options, "find_spec", lambda package: None)
    monkeypatch.chdir(tmp_path)  # where there is nothing to read: it is not even looked for
    assert main(given) == 1
    assert expected in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_package_that_training_needs_is_asked_for_first(tmp_path: Path) -> None:
    class Needy(Signs):
        defaults = Settings(epochs=1, quick_epochs=1, needs=("no_such_package",))

    task = Needy()
    with pytest.raises(ImportError, match=r"needs no_such_package; pip install tinymed\[medical"):
        task.train(options(task, "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_groups_are_dealt_whole_and_classes_in_proportion() -> None:
    rng = np.random.default_rng(0)
    examples = Examples(np.arange(500), rng.integers(0, 2, 500), np.repeat(np.arange(100), 5))
    splits = dealt(examples, 4)
    assert leaks(splits) == []
    assert sorted(np.concatenate([part.inputs for part in splits.values()])) == list(range(500))
    assert [len(splits[name]) for name in ("train", "val", "test")] == pytest.approx(
        [300, 100, 100], abs=10
    )
    shares = [part.targets.mean() for part in splits.values()]
    assert max(shares) - min(shares) < 0.05
    assert all(
        np.array_equal(part.inputs, dealt(examples, 4)[name].inputs)
        for name, part in splits.items()
    )
    assert not np.array_equal(splits["test"].inputs, dealt(examples, 5)["test"].inputs)


def test_examples_that_cannot_be_dealt() -> None:
    with pytest.raises(DataError, match="3 groups in 6 examples, at least 5 expected"):
        dealt(Examples(np.zeros(6), np.zeros(6), np.arange(6) // 2), 0)
    with pytest.raises(DataError, match="no targets to learn"):
        dealt(Examples(np.zeros(6)), 0)
    with pytest.raises(DataError, match="5 targets for 6 inputs"):
        Examples(np.zeros(6), np.zeros(5))
    with pytest.raises(DataError, match=r"splits \['dev'\], train, val, test expected"):
        by_split(Examples(np.zeros(2), splits=np.array(["train", "dev"])))


def test_a_run_leaves_a_report_or_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = all(find_spec(name) for name in run_page.NEEDED)
    for hidden in (False, True):
        if hidden:
            monkeypatch.setattr(run_page, "find_spec", lambda name: None)
        out = tmp_path / str(hidden)
        Signs().train(options(Signs(), "--quick", "--out", out))
        there = installed and not hidden
        assert (out / MODEL).exists()
        assert (out / "report.html").exists() == there
        assert ("pip install tinymed[report]" in capsys.readouterr().out) != there
        if there:
            page = (out / "report.html").read_text()
            assert "the sum is positive" in page
            assert "no pair is in two splits" in page
            assert page.count("<img") == 1 + 2  # learning curves; decisions, calibration
