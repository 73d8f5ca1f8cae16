"""A contest on a GPU: whoever takes the GPU along is named, and the others go on without it.

A kernel that writes where it may not ruins the context of the whole process, so that everybody
after it fails. The contest therefore ends at the first, in another process it is held again without
that one, and what is in the journal tells who was meant.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tinymed.bench.contest import Contest, Referee
from tinymed.bench.gpu.checks import At, LostError, lost
from tinymed.bench.gpu.device import Gpu
from tinymed.bench.gpu.journal import Row
from tinymed.bench.timing import Samples

__all__ = ["GpuReferee"]

LONGEST = 0.4  # seconds that the measurements of one candidate may take
FEWEST = 3


class GpuReferee(Referee):
    """The referee of a contest on a GPU.

    Parameters
    ----------
    gpu : Gpu
    contest : Contest
    at : function
        Told each candidate before it begins.
    without : collection of str
        Candidates that do not take part. One that is made in several ways is known by its name
        with the way, "torch fused"; by its name alone, no way of it takes part.
    """

    def __init__(self, gpu: Gpu, contest: Contest, at: At, without: Collection[str] = ()) -> None:
        self.gpu, self.contest, self.at, self.without = gpu, contest, at, without

    def admits(self, candidate: str) -> bool:
        """Return whether a candidate takes part."""
        return candidate not in self.without

    def begins(self, candidate: str) -> None:
        """Say who is at work, for whoever looks when the process does not come back."""
        row = self._row(candidate)
        self.at(f"{row['work']} {row['case']}: {candidate}", **row)

    def drops(self, candidate: str) -> None:
        """End the contest if this candidate took the GPU along.

        Raises
        ------
        LostError
            Then; its row names the candidate.
        """
        if said := lost(self.gpu):
            note = f"the GPU is lost after it ({said})"
            raise LostError(self._row(candidate) | {"state": "crashed", "note": note})

    def measure(
        self, calls: Mapping[str, Callable[[], Any]], repeats: int
    ) -> Mapping[str, Samples]:
        """Return seconds of each call: those of the GPU as ``wall``, those of the host as ``cpu``.

        Each round takes all candidates in a new order. The first two calls of each are not timed:
        they compile, choose algorithms and fill the pool.
        """
        slowest = 0.0
        for name, call in calls.items():
            with self._watched(name):
                call()
                slowest = max(slowest, self.gpu.timed(call).device)
        rounds = repeats if not slowest else max(FEWEST, min(repeats, int(LONGEST / slowest)))
        found = {name: Samples() for name in calls}
        order, chance = list(calls), random.Random(0)
        for _ in range(rounds):
            chance.shuffle(order)
            for name in order:
                with self._watched(name):
                    took = self.gpu.timed(calls[name])
                found[name].wall.append(took.device)
                found[name].cpu.append(took.host)
        return found

    @contextmanager
    def _watched(self, candidate: str) -> Iterator[None]:
        """Name the candidate that is timed inside, and whether the GPU is lost by it."""
        self.begins(candidate)
        try:
            yield
        except Exception:
            self.drops(candidate)
            raise

    def _row(self, candidate: str) -> Row:
        return {"work": self.contest.work, "case": self.contest.case, "candidate": candidate}
