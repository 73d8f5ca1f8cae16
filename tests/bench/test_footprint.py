"""Memory, imports and installed sizes: measured in processes of their own, counted from lists."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tinymed.bench import importing, memory
from tinymed.bench.contest import Attempt, CannotError
from tinymed.bench.importing import import_figures, import_seconds, installed_bytes, needed
from tinymed.bench.memory import NEEDS, Need, extra_memory, memory_figures
from tinymed.bench.workloads import Adam

MEGABYTE = 1_000_000
ROOT = Path(__file__).parents[2]


def allocating(megabytes):
    """Return an attempt whose call needs so much memory while it runs."""
    return Attempt(lambda: np.ones(megabytes * MEGABYTE, np.uint8).sum(), lambda found: [])


@pytest.mark.skipif(sys.platform != "linux", reason="needs a peak that can be begun anew")
def test_extra_memory_is_what_calls_need_at_once():
    """In a process of its own, as in use: one that ran other tests holds memory it has freed."""
    source = """
from tests.bench.test_footprint import *
np.ones(200 * MEGABYTE, np.uint8)  # a peak that came before does not count
for megabytes in (60, 120):
    print(*extra_memory(lambda spec: spec, allocating(megabytes), allocating(1)))
"""
    run = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for megabytes, line in zip((60, 120), run.stdout.splitlines(), strict=True):
        extra, peak, exact = line.split()
        assert exact == "True"
        assert float(extra) == pytest.approx(megabytes * MEGABYTE, rel=0.1)
        assert float(peak) > float(extra)


def test_a_peak_that_stays_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "RESTART", tmp_path / "missing" / "clear_refs")
    assert extra_memory(lambda spec: spec, allocating(1), allocating(1))[2] is False
    monkeypatch.setattr(memory, "extra_memory", lambda *given: (1.0, 2.0, False))
    assert memory._measured(0, "tinymed")["note"].startswith("at least: the peak before")


def test_a_system_that_does_not_say_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "missing")
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(memory, "NEEDS", (Need("adam", "1", Adam(10), Adam(5)),))
    assert memory._measured(0, "tinymed")["state"] == "cannot"
    with pytest.raises(CannotError, match="does not say how much memory"):
        memory._peak()


def test_memory_is_measured_in_a_process_of_its_own():
    found = list(memory_figures(("jax", "no-such"), 1, only="LSTM 1000"))
    (((ours, jax, wrong)),) = found
    assert (ours.state, ours.candidate, ours.case) == ("measured", "tinymed", "1000")
    gradients = 1000 * 4 * (32 + 64) * 4  # bytes of the output and of dL/dx
    assert gradients < ours.value.median < 100 * gradients
    assert (jax.state, jax.value) == ("cannot", None)
    assert (wrong.state, wrong.note) == ("failed", "KeyError: 'no-such'")


def test_a_step_has_the_memory_of_its_process_too(monkeypatch):
    said = '{"state": "measured", "extra": 290e6, "peak": 700e6}'
    run = SimpleNamespace(returncode=0, stdout=said)
    monkeypatch.setattr(memory.subprocess, "run", lambda *given, **more: run)
    (extra,), (whole,) = memory_figures((), 1, only="resnet")
    assert (extra.value.median, extra.goal, extra.met) == (290e6, 300e6, True)
    assert (whole.work, whole.value.median) == ("memory of the process in a ResNet-18 step", 700e6)


def test_memory_by_size_has_curves():
    sizes = {}
    for need in NEEDS:
        if need.case.isdigit():
            sizes.setdefault(need.work, []).append(int(need.case))
    assert all(len(found) >= 4 and found == sorted(found) for found in sizes.values())
    assert len(sizes) == 2


def test_peers_are_measured_by_their_first_attempt(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(memory, "NEEDS", (Need("adam", "1", Adam(10), Adam(5)),))
    assert memory._measured(0, "torch")["state"] == "measured"
    assert memory._measured(0, "onnxruntime")["state"] in ("cannot", "not installed")


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Three distributions; "b" is wanted by an extra, "gone" only on another system."""
    requires = {
        "a": ["B_c>=1 ; extra == 'fast'", 'gone ; sys_platform == "win32"', "d[x]>2"],
        "b-c": ["a"],
        "d": None,
        "e": ["absent; extra == 'fast'"],
    }
    (tmp_path / "f").write_bytes(b"x" * 100)

    def distribution(name):
        name = importing._plain(name)
        if name not in requires:
            raise metadata.PackageNotFoundError(name)
        file = SimpleNamespace(locate=lambda: tmp_path / "f")
        missing = SimpleNamespace(locate=lambda: tmp_path / "removed")
        return SimpleNamespace(requires=requires[name], files=[file, missing])

    monkeypatch.setattr(metadata, "distribution", distribution)


def test_what_a_distribution_needs(installed):
    assert needed("a") == ["a", "d"]
    assert needed("a[fast]") == ["a", "b-c", "d"]
    assert needed("b-c") == ["b-c", "a", "d"]
    with pytest.raises(metadata.PackageNotFoundError):
        needed("e[fast]")
    assert importing._installed("e[fast]").note == "without absent"
    assert importing._installed("a").value.median == 200


def test_installed_bytes_of_a_checkout_are_those_of_the_package():
    source = sum(path.stat().st_size for path in importing._package_files("tinymed"))
    assert 500_000 < source < 20 * MEGABYTE
    assert not [p for p in importing._package_files("tinymed") if p.suffix in (".nbc", ".nbi")]
    assert any("kernels" in p.parts for p in importing._package_files("tinymed"))
    assert installed_bytes("numpy") > 20 * MEGABYTE


def test_imports_are_timed_in_turns_after_bytecode_is_written(monkeypatch):
    seen = []

    def seconds(code, environment, folder):
        assert "PYTHONDONTWRITEBYTECODE" not in environment
        assert environment["PYTHONPYCACHEPREFIX"] == folder
        seen.append(code)
        if "import json" in code:
            raise RuntimeError("ImportError: no json today")
        return 9.0 if len(seen) <= 4 else 0.03 if "import numpy; begin" in code else 0.25

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(importing, "import_seconds", seconds)
    monkeypatch.setattr(importing, "_installed", lambda name: name)
    for name, package in (("json", "json"), ("absent", "no_such_package")):
        monkeypatch.setitem(importing.PEERS, name, SimpleNamespace(packages=(package,)))
    alone, beyond, sizes = import_figures(("json", "absent"), 3)
    found = {figure.candidate: figure for figure in alone}
    assert found["numpy"].value.samples == 20  # at least
    assert found["numpy"].value.median == 0.25  # the run that wrote bytecode does not count
    assert (found["tinymed"].goal, found["tinymed"].met) == (0.22, False)
    assert (found["json"].state, found["json"].note) == ("failed", "ImportError: no json today")
    assert found["no_such_package"].state == "not installed"
    (figure,) = beyond
    assert (figure.value.median, figure.goal, figure.met) == (0.03, 0.04, True)
    assert sizes == ["numpy", "tinymed", "tinymed[fast]", "json"]


def test_a_fresh_interpreter_imports(tmp_path):
    code = importing._Candidate("import", "json", "numpy").code.replace("numpy", "time")
    assert 0 < import_seconds(code, {}, str(tmp_path)) < 10
    with pytest.raises(RuntimeError, match="No module named 'no_such_package'"):
        import_seconds("import no_such_package", {}, str(tmp_path))
