"""The benchmark runs where PyTorch is not, and its statistics are right."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
WITHOUT_TORCH = (
    "import runpy, sys; sys.modules['torch'] = None;"
    "runpy.run_module('benchmarks.engine', run_name='__main__', alter_sys=True)"
)


@pytest.fixture
def timing(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    import benchmarks.timing

    return benchmarks.timing


def test_it_runs_without_torch(tmp_path):
    record = tmp_path / "record.json"
    options = ["--repeats", "2", "--batch", "2", "--json", record]
    command = [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, *options]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    written = json.loads(record.read_text())
    rows = written["rows"]
    table = [line for line in run.stdout.splitlines() if line.startswith("|")]
    assert len(table) == len(rows) + 2
    assert {row["work"].split(",")[0] for row in rows} == {
        "y = y * 1.01",
        "y = y * x",
        "lung CNN step",
        "import tinymed",
    }
    for row in rows:
        assert row["theirs"] is None
        if row["ours"] is None:
            assert row["note"].startswith(("needs threadpoolctl", "this machine has one core"))
        else:
            assert 1e-7 < row["ours"]["median"] < 60
            assert row["ours"]["samples"] == 2
        if row["peer"] != "none" and row["ours"] is not None:
            assert row["note"] == "PyTorch is not installed"
    assert written["machine"]["versions"]["numpy"] == np.__version__
    assert written["machine"]["cores"] >= 1


@pytest.mark.parametrize("option", ["--repeats", "--batch"])
def test_numbers_must_be_positive(option):
    command = [sys.executable, "-m", "benchmarks.engine", option, "0"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert f"{option} 0 is not positive" in run.stderr


@pytest.mark.parametrize(
    ("n", "low", "high"), [(6, 1, 6), (9, 2, 8), (30, 10, 21), (60, 22, 39), (100, 40, 61)]
)
def test_the_interval_has_the_ranks_of_the_binomial_tables(timing, n, low, high):
    samples = np.random.default_rng(0).permutation(np.arange(1.0, n + 1)).tolist()
    found = timing.median_interval(samples)
    assert found == timing.Interval((n + 1) / 2, low, high, n)


def test_few_samples_have_no_interval(timing):
    assert timing.median_interval([3.0, 1.0]) == timing.Interval(2.0, None, None, 2)
    assert timing.median_interval([1.0, 2.0, 3.0, 4.0, 5.0]).low is None


def test_the_interval_covers_the_median(timing):
    rng = np.random.default_rng(1)
    runs = [timing.median_interval(rng.exponential(size=30).tolist()) for _ in range(2000)]
    covered = np.mean([run.low <= math.log(2) <= run.high for run in runs])
    assert 0.94 < covered < 0.97  # 0.957 by the binomial


def test_candidates_take_turns_and_their_ratio_is_found(timing, monkeypatch):
    monkeypatch.setattr(timing, "PAUSE", 0.0)
    calls = []

    def candidate(name, seconds):
        calls.append(name)
        time.sleep(seconds)

    seconds = timing.alternate(
        {"a": lambda: candidate("a", 0.02), "b": lambda: candidate("b", 0.01)}, repeats=4
    )
    assert "".join(calls) == "aabb" + 2 * "aabbbbaa"
    assert all(s >= 0.02 for s in seconds["a"])
    assert len(seconds["a"]) == len(seconds["b"]) == 4
    assert timing.ratio([2.0, 4.0, 9.0], [1.0, 2.0, 3.0]).median == 2.0


def test_short_calls_are_repeated(timing, monkeypatch):
    monkeypatch.setattr(timing, "PAUSE", 0.0)
    calls = []
    timing.alternate({"short": lambda: calls.append(1)}, repeats=1)
    assert len(calls) == 3 + timing.MAX_CALLS
