"""The fake kernel, and timing without pauses."""

from __future__ import annotations

import pytest

import tinymed.bench.contests
import tinymed.bench.verify  # noqa: F401  patched by name
from tinymed.bench import timing

from . import kernels


@pytest.fixture
def fake(monkeypatch):
    return kernels.install(monkeypatch)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(timing, "PAUSE", 0.0)
    monkeypatch.setattr(timing, "MEASUREMENT", 1e-5)
