"""The benchmark of the applications: its record, its table, what is not trained again."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from benchmarks import tasks
from tinymed.medical.tasks.task import task_of

ROOT = Path(__file__).parent.parent


def run_of(work: tasks.Work, seed: int, value: float) -> tasks.Run:
    facts = {"work": work.name, "seed": seed, "score": work.score, "value": value}
    return {**facts, "baseline": "something simple", "baseline_value": value / 2}


@pytest.fixture
def fake(monkeypatch):
    """Trainings that take no time, and a list of those that were made."""
    made = []

    def trained(work, data, seed):
        made.append((work.name, data, seed))
        return run_of(work, seed, 0.5 + seed / 100)

    monkeypatch.setattr(tasks, "trained", trained)
    return made


def called(monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr("sys.argv", ["tasks", *map(str, arguments)])
    tasks.main()


def test_each_work_is_a_command_with_the_score_it_names():
    for work in tasks.WORKS:
        task = task_of(work.command[0])
        kind = work.command[2] if len(work.command) > 1 else getattr(task, "default", None)
        own = task.kinds[kind] if kind else task
        assert own.score == work.score


def test_what_the_record_holds_is_not_trained_again(fake, monkeypatch, tmp_path, capsys):
    (tmp_path / "splice_dna.csv").write_text("seq,cls\n")
    record = tmp_path / "record.json"
    options = ["--data", tmp_path, "--record", record, "--only", "splice"]
    called(monkeypatch, *options, "--seeds", "0")
    called(monkeypatch, *options, "--seeds", "0,1")
    data = str(tmp_path / "splice_dna.csv")
    assert fake == [("splice", data, 0), ("splice", data, 1)]
    assert [run["seed"] for run in json.loads(record.read_text())["runs"]] == [0, 1]
    called(monkeypatch, *options, "--seeds", "0", "--again")
    assert len(fake) == 3
    assert len(json.loads(record.read_text())["runs"]) == 2
    capsys.readouterr()


def test_missing_data_are_told_and_left_out(fake, monkeypatch, tmp_path, capsys):
    called(
        monkeypatch, "--data", tmp_path, "--record", tmp_path / "record.json", "--only", "splice"
    )
    assert fake == []
    assert "splice: splice_dna.csv is not here" in capsys.readouterr().err


def test_the_table_has_mean_and_spread_and_says_what_is_not_measured():
    work, values = tasks.WORKS[0], [0.81, 0.84, 0.86]
    lines = list(tasks.table([run_of(work, seed, value) for seed, value in enumerate(values)]))
    assert (
        f"| {statistics.fmean(values):.3f} ({statistics.stdev(values):.3f}), 3 seeds |" in lines[2]
    )
    assert "0.418 (0.013): something simple" in lines[2]
    assert "| not yet measured |" in lines[3]


def test_the_readme_has_the_table_of_the_record():
    runs = json.loads(tasks.RECORD.read_text())["runs"]
    text = (ROOT / "README.md").read_text()
    own = text.partition(tasks.MARKERS[0])[2].partition(tasks.MARKERS[1])[0]
    assert own.strip("\n").split("\n") == list(tasks.table(runs))
