"""The benchmark of the engine runs where PyTorch is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
WITHOUT_TORCH = (
    "import runpy, sys; sys.modules['torch'] = None;"
    "runpy.run_module('benchmarks.engine', run_name='__main__', alter_sys=True)"
)


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
