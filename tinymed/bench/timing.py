"""Timing candidates against each other, in turns, so that what disturbs one disturbs all."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Interval", "Samples", "alternate", "median_interval", "ratio"]

MEASUREMENT = 0.005  # seconds that one measurement takes at least, for the clock to be exact
PAUSE = 0.03  # seconds before each, for idle threads of the one before to stop spinning
MAX_CALLS = 1000
LONG = 0.02  # seconds of a call that fills the caches itself: it needs no untimed call before


@dataclass(frozen=True)
class Interval:
    """A median, and the interval that holds the true one with at least 95 % probability.

    ``low`` and ``high`` are None below six samples, which cannot tell. On a machine with other
    work to do, ``minimum`` is what least of it disturbed.
    """

    median: float
    low: float | None
    high: float | None
    minimum: float
    samples: int


@dataclass(frozen=True)
class Samples:
    """Seconds of one call, measured several times: by the clock, and of all cores together."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def median_interval(samples: Sequence[float]) -> Interval:
    """Return the median with its interval between two order statistics.

    The true median is below the k-th smallest of n samples with the probability that fewer than k
    of n fair coins show heads, whatever the distribution. k is the largest with at most 2.5 %.

    References
    ----------
    Conover (1999), "Practical nonparametric statistics", section 3.2.
    """
    ordered, n = sorted(samples), len(samples)
    k, below = 0, 0.5**n
    while below <= 0.025:
        k += 1
        below += math.comb(n, k) * 0.5**n
    low, high = (ordered[k - 1], ordered[n - k]) if k else (None, None)
    return Interval(statistics.median(ordered), low, high, ordered[0], n)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Return ours / theirs of each round, whose two measurements were made side by side."""
    return median_interval([a / b for a, b in zip(ours, theirs, strict=True)])


def alternate(
    candidates: Mapping[str, Callable[[], object]], repeats: int, pause: float | None = None
) -> dict[str, Samples]:
    """Return the seconds that one call takes, ``repeats`` measurements for each candidate.

    In each round every candidate has its turn, in a new order by chance; before each measurement
    of short calls, an untimed one fills the caches again. The garbage collector runs as it does
    for users.
    """
    pause = PAUSE if pause is None else pause
    plans = {name: _plan(candidate) for name, candidate in candidates.items()}
    found = {name: Samples() for name in candidates}
    order, chance = list(candidates), random.Random(0)
    for _ in range(repeats):
        chance.shuffle(order)
        for name in order:
            candidate, (calls, warm) = candidates[name], plans[name]
            time.sleep(pause)
            if warm:
                candidate()
            cpu, wall = time.process_time(), time.perf_counter()
            for _ in range(calls):
                candidate()
            found[name].wall.append((time.perf_counter() - wall) / calls)
            found[name].cpu.append((time.process_time() - cpu) / calls)
    return found


def _plan(candidate: Callable[[], object]) -> tuple[int, bool]:
    """Return how many calls one measurement needs, and whether it needs one before."""
    candidate()
    start = time.perf_counter()
    candidate()
    seconds = max(time.perf_counter() - start, 1e-9)
    return min(max(1, math.ceil(MEASUREMENT / seconds)), MAX_CALLS), seconds < LONG
