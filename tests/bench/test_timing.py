"""The statistics are right, and candidates take turns."""

from __future__ import annotations

import math
import time
from itertools import groupby

import numpy as np
import pytest

from tinymed.bench import timing
from tinymed.bench.timing import Interval, alternate, median_interval, ratio


@pytest.mark.parametrize(
    ("n", "low", "high"), [(6, 1, 6), (9, 2, 8), (30, 10, 21), (60, 22, 39), (100, 40, 61)]
)
def test_the_interval_has_the_ranks_of_the_binomial_tables(n, low, high):
    samples = np.random.default_rng(0).permutation(np.arange(1.0, n + 1)).tolist()
    assert median_interval(samples) == Interval((n + 1) / 2, low, high, 1.0, n)


def test_few_samples_have_no_interval():
    assert median_interval([3.0, 1.0]) == Interval(2.0, None, None, 1.0, 2)
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0]).low is None


def test_the_interval_covers_the_median():
    rng = np.random.default_rng(1)
    runs = [median_interval(rng.exponential(size=30).tolist()) for _ in range(2000)]
    covered = np.mean([run.low <= math.log(2) <= run.high for run in runs])
    assert 0.94 < covered < 0.97  # 0.957 by the binomial


def test_the_ratio_is_that_of_each_round():
    found = ratio([2.0, 4.0, 9.0], [1.0, 2.0, 3.0])
    assert (found.median, found.minimum, found.samples) == (2.0, 2.0, 3)


def test_candidates_take_turns_in_changing_order(monkeypatch):
    monkeypatch.setattr(timing, "LONG", 0.001)  # so that no call is made before a measurement
    calls = []

    def candidate(name, seconds):
        calls.append(name)
        time.sleep(seconds)

    found = alternate(
        {name: lambda name=name: candidate(name, 0.002) for name in "abc"}, repeats=20
    )
    rounds = ["".join(calls[i : i + 3]) for i in range(6, len(calls), 3)]
    assert calls[:6] == list("aabbcc")  # how long each takes
    assert {"".join(sorted(one)) for one in rounds} == {"abc"}
    assert len(rounds) == 20
    assert len(set(rounds)) > 3
    for samples in found.values():
        assert len(samples.wall) == len(samples.cpu) == 20
        assert min(samples.wall) >= 0.002
        assert np.median(samples.cpu) < 0.002  # sleeping costs no core


def test_short_calls_are_repeated(monkeypatch):
    monkeypatch.setattr(timing, "MEASUREMENT", 1.0)
    calls = []
    alternate({"short": lambda: calls.append(1)}, repeats=1)
    assert len(calls) == 3 + timing.MAX_CALLS


def test_there_is_a_pause_before_each_measurement(monkeypatch):
    pauses = []
    monkeypatch.setattr(timing.time, "sleep", pauses.append)
    alternate({"a": lambda: None, "b": lambda: None}, repeats=3, pause=0.5)
    assert [(key, len(list(group))) for key, group in groupby(pauses)] == [(0.5, 6)]
