"""Who does not agree has no time; who cannot take part says why; the others are compared."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tinymed.bench.contest import Attempt, CannotError, Contest, Entry, InstallError
from tinymed.bench.contests import has_cases, kernel_contests, workload_contest
from tinymed.bench.record import geometric_mean, goal_rows
from tinymed.bench.roofline import Roofline
from tinymed.bench.workloads import Conv, Workload, workloads
from tinymed.kernels import use_backend

from .kernels import double


def attempt(value, results=lambda found: [found]):
    return Attempt(lambda: np.float32([value]), results)


def refusing(error):
    def make():
        raise error

    return make


def contest(entries, **more):
    return Contest(
        "work", "sizes", lambda: [np.array([1.0])], {np.dtype("f4"): 1e-5}, entries, **more
    )


def test_every_way_to_end_has_its_row():
    rows = contest(
        {
            "ours": Entry(lambda: attempt(1), ours=True),
            "wrong": Entry(lambda: attempt(2)),
            "peer": Entry(lambda: {"": attempt(1), "fused": attempt(1)}, peer=True),
            "absent": Entry(refusing(InstallError("pip install it")), peer=True),
            "other": Entry(refusing(CannotError("no code"))),
            "broken": Entry(refusing(ZeroDivisionError("oops"))),
            "empty": Entry(lambda: attempt(1, lambda found: [None])),
            "late": Entry(lambda: Attempt(lambda: 1 / 0, lambda found: [found])),
        },
        flops=2e9,
        bytes=1e6,
        goal=1e9,
    ).run(7, 1, Roofline(1e10, 1e9))
    found = {row.candidate: row for row in rows}
    assert {name: row.state for name, row in found.items()} == {
        "ours": "timed",
        "wrong": "disagrees",
        "peer": "timed",
        "peer fused": "timed",
        "absent": "not installed",
        "other": "cannot",
        "broken": "failed",
        "empty": "disagrees",
        "late": "failed",
    }
    assert all((row.wall is None) == (row.state != "timed") for row in rows)
    assert "2.0 is not 1.0" in found["wrong"].note
    assert found["broken"].note == "ZeroDivisionError: oops"
    ours = found["ours"]
    assert ours.wall.samples == 7
    assert ours.wall.low <= ours.wall.median <= ours.wall.high
    assert ours.peer in ("peer", "peer fused")
    assert ours.ratio.median > 0
    assert ours.cpu_ratio > 0
    assert ours.limit == pytest.approx(0.2)
    assert ours.met is True
    assert found["peer"].ratio is None
    assert found["peer"].goal is None
    assert goal_rows(rows) == [ours]


def test_without_a_peer_nothing_is_compared():
    (row,) = contest({"ours": Entry(lambda: attempt(1), ours=True)}, goal=0.5).run(2, 2, None)
    assert (row.ratio, row.peer, row.met, row.limit, row.threads) == (None, None, None, None, 2)


def test_an_algorithm_with_a_larger_bound_of_its_own_may_differ_more():
    entries = {
        "strict": Entry(lambda: attempt(1.0001)),
        "larger": Entry(lambda: attempt(1.0001), larger=10),
    }
    assert [r.state for r in contest(entries).run(1, 1, None)] == ["disagrees", "timed"]


def test_implementations_of_a_kernel_are_side_by_side(fake):
    first, second = kernel_contests(fake.name, (), {"mine": double})
    assert (first.case, second.case) == ("64", "128")
    rows = {row.candidate: row for row in first.run(2, 1, None)}
    assert {name: row.state for name, row in rows.items()} == {
        "numba_cpu:right": "timed",
        "numba_cpu:wrong": "disagrees",
        "numba_cpu:never": "cannot",
        "numba_cpu:absent": "not installed",
        "reference": "timed",
        "mine": "timed",
    }
    assert [name for name, row in rows.items() if row.ours] == ["numba_cpu:right"]
    assert rows["mine"].flops == 64


def test_a_kernel_without_cases_is_known(fake, monkeypatch):
    assert has_cases(fake.name)
    monkeypatch.setitem(sys.modules, "tinymed.kernels.fake.cases", None)  # as if not there
    assert not has_cases(fake.name)


def test_a_workload_is_proved_against_the_reference():
    made = Workload("conv", Conv(1, 2, 6, 3), {1: 0.5})
    with use_backend("reference"):
        (row,) = workload_contest(made, (), threads=1).run(1, 1, None)
    assert (row.candidate, row.state, row.ours, row.goal) == ("tinymed", "timed", True, 0.5)
    assert row.flops == 3 * 2 * 3 * 36 * 2 * 9
    assert workload_contest(made, (), threads=2).goal is None


def test_workloads_are_found_by_words():
    assert len(workloads("")) == len(workloads()) > 20
    assert {w.name for w in workloads("resnet step")} == {"ResNet-18 step"}
    assert workloads("no such thing") == []
    assert {w.name for w in workloads() if not w.goal} == {
        "GRU classifier step",
        "GRU classifier step, compiled",
    }
    assert all(w.spec in [e.spec for e in workloads() if not e.compiled] for w in workloads())


def test_the_geometric_mean():
    assert geometric_mean([0.5, 2.0, 8.0]) == pytest.approx(2.0)
    assert np.isnan(geometric_mean([]))
