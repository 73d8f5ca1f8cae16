"""Timing candidates against each other, in turns, so that what disturbs one disturbs all."""

from __future__ import annotations

import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["Interval", "alternate", "cores", "machine", "median_interval", "ratio"]

MEASUREMENT = 0.005  # seconds that one measurement takes at least, for the clock to be exact
PAUSE = 0.05  # seconds before each, for idle threads of the one before to stop spinning
MAX_CALLS = 1000


@dataclass(frozen=True)
class Interval:
    """A median, and the interval that holds the true one with at least 95 % probability.

    ``low`` and ``high`` are None below six samples, which cannot tell.
    """

    median: float
    low: float | None
    high: float | None
    samples: int


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
    return Interval(statistics.median(ordered), low, high, n)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Return ours / theirs of each round, whose two measurements were made side by side."""
    return median_interval([a / b for a, b in zip(ours, theirs, strict=True)])


def alternate(
    candidates: Mapping[str, Callable[[], object]], repeats: int
) -> dict[str, list[float]]:
    """Return the seconds that one call takes, ``repeats`` measurements for each candidate.

    In each round every candidate has its turn, another one first each time; an untimed call before
    each measurement fills the caches again. The garbage collector runs as it does for users.
    """
    calls = {name: _calls(candidate) for name, candidate in candidates.items()}
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    for turn in range(repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            candidate = candidates[name]
            time.sleep(PAUSE)
            candidate()
            start = time.perf_counter()
            for _ in range(calls[name]):
                candidate()
            seconds[name].append((time.perf_counter() - start) / calls[name])
    return seconds


def _calls(candidate: Callable[[], object]) -> int:
    """Return how many calls one measurement needs."""
    candidate()
    start = time.perf_counter()
    candidate()
    seconds = max(time.perf_counter() - start, 1e-9)
    return min(max(1, math.ceil(MEASUREMENT / seconds)), MAX_CALLS)


def machine() -> dict[str, Any]:
    """Return what must be known of the machine to read its numbers."""
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("tinymed", "numpy", "torch")},
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "date": time.strftime("%Y-%m-%d"),
    }


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    """Return the version of a distribution, None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
