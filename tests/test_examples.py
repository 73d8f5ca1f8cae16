"""The examples run, as a reader would run them; the long one is cut short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def output_of(source: str) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", source], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_autograd_by_hand_agrees_with_the_engine():
    out = output_of((EXAMPLES / "01_autograd_by_hand.py").read_text())
    assert "gradcheck: True" in out
    assert "anomaly: Log: made -inf" in out
    by_hand, by_engine = out.split("by hand:")[1].split("recorded:")[0], out.split("engine:")[1]
    assert by_engine.strip().startswith(by_hand.strip())


def test_lung_from_scratch_reports_accuracy_and_recall():
    pytest.importorskip("scipy", reason="augmentation needs the extra `medical`")
    source = (EXAMPLES / "02_lung_from_scratch.py").read_text()
    short = source.replace("range(12)", "range(1)").replace("synthesise(100,", "synthesise(20,")
    assert short != source
    assert "recall" in output_of(short)


def test_truncated_backpropagation_remembers_and_forgets_what_it_says():
    out = output_of((EXAMPLES / "03_truncated_backpropagation.py").read_text())
    carried, anew, naive = (
        float(out.split(f"error, {name}:")[1].split()[0])
        for name in ("state carried on", "state begun anew", "value as it was")
    )
    assert carried < 0.8 * anew
    assert carried < 0.6 * naive
    assert "its loss reaches: 10, detached: 0" in out
    full, cut = out.split("held for backward: ")[1].split(" MB, detached: ")
    assert float(cut.split()[0]) < float(full) / 50
