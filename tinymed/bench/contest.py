"""Candidates for the same work, proved on the very numbers they are then timed on.

Whoever does not agree is not timed: a wrong result has no speed.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinymed.bench import timing
from tinymed.bench.proof import DisagreementError, Limits, compare
from tinymed.bench.record import TIMED, Row
from tinymed.bench.roofline import Roofline
from tinymed.bench.timing import Samples, alternate, median_interval, ratio
from tinymed.errors import CompileError

__all__ = ["Attempt", "CannotError", "Contest", "Entry", "InstallError", "Referee"]


class CannotError(Exception):
    """A candidate has no code for this case."""


class InstallError(Exception):
    """A candidate needs a package that is not installed."""


@dataclass(frozen=True)
class Attempt:
    """A call that is timed, and its results as they are compared.

    Parameters
    ----------
    call : function
        Does the work; results of peers stay in their own arrays.
    results : function
        ``results(call())`` are arrays in the order of the expected ones; None where a library has
        nothing like it, and fewer than expected if the rest is like that.
    """

    call: Callable[[], Any]
    results: Callable[[Any], Sequence[Any]]


@dataclass(frozen=True)
class Entry:
    """A candidate: how it is made, and what it is.

    ``make`` returns one attempt, or several by what sets them apart ({"": .., "fused": ..}). It
    raises `CannotError` or `InstallError` where there is nothing to time.
    """

    make: Callable[[], Attempt | Mapping[str, Attempt]]
    peer: bool = False
    ours: bool = False
    larger: float = 1  # than the contest's bound may this one's errors be


class Referee:
    """Says who takes part in a contest, hears of each what it does, and takes the times.

    This one lets all take part, with the clock of this machine.
    """

    def __init__(self, threads: int) -> None:
        # Alone on one core, nobody's threads spin in the time of the others.
        self.pause = 0.0 if threads == 1 else timing.PAUSE

    def admits(self, candidate: str) -> bool:
        """Return whether a candidate takes part; whoever does not has no row."""
        return True

    def begins(self, candidate: str) -> None:
        """Hear that a candidate is about to be made or proved."""

    def drops(self, candidate: str) -> None:
        """Hear that a candidate will not be timed; an error raised here ends the contest."""

    def measure(
        self, calls: Mapping[str, Callable[[], Any]], repeats: int
    ) -> Mapping[str, Samples]:
        """Return the times of each call."""
        return alternate(calls, repeats, self.pause)


@dataclass(frozen=True)
class Contest:
    """One case of a kernel or a workload, and who takes part."""

    work: str
    case: str
    expected: Callable[[], list[Any]]
    limits: Limits
    entries: Mapping[str, Entry]
    flops: float = 0
    bytes: float = 0
    words: float = 0
    goal: float | None = None

    def run(
        self,
        repeats: int,
        threads: int,
        roofline: Roofline | None,
        referee: Referee | None = None,
    ) -> list[Row]:
        """Prove, then time who agrees; return a row for each."""
        referee = referee or Referee(threads)
        draft = Row(self.work, self.case, "", threads, TIMED, flops=self.flops, bytes=self.bytes)
        draft = replace(draft, words=self.words)
        if roofline is not None and (self.flops or self.bytes):
            draft = replace(draft, limit=roofline.seconds(self.flops, self.bytes))
        rows: dict[str, Row] = {}
        agreed: dict[str, Attempt] = {}
        peers: list[str] = []
        expected = self.expected()
        for name, entry in self.entries.items():
            if not referee.admits(name):
                continue
            referee.begins(name)
            made, refusal = self._made(entry)
            begun = replace(draft, ours=entry.ours, goal=self.goal if entry.ours else None)
            if refusal is not None:
                rows[name] = replace(begun, candidate=name, state=refusal[0], note=refusal[1])
                referee.drops(name)
            for suffix, attempt in made.items():
                full = f"{name} {suffix}".strip()
                if not referee.admits(full):
                    continue
                referee.begins(full)
                state, note = self._proved(attempt, expected, entry.larger)
                rows[full] = replace(begun, candidate=full, state=state, note=note)
                if state == TIMED:
                    agreed[full] = attempt
                    peers += [full] * entry.peer
                else:
                    referee.drops(full)
        calls = {name: attempt.call for name, attempt in agreed.items()}
        samples = referee.measure(calls, repeats)
        rows |= {name: _timed(rows[name], name, samples, peers) for name in agreed}
        return list(rows.values())

    @staticmethod
    def _made(entry: Entry) -> tuple[Mapping[str, Attempt], tuple[str, str] | None]:
        """Return the attempts of an entry, or why there are none: (state, note)."""
        try:
            made = entry.make()
        except CannotError as error:
            return {}, ("cannot", str(error))
        except CompileError as error:
            return {}, ("refused", str(error))
        except InstallError as error:
            return {}, ("not installed", str(error))
        except Exception as error:  # of a peer or of a user's file: its row says so, others go on
            return {}, ("failed", _said(error))
        return (made if isinstance(made, Mapping) else {"": made}), None

    def _proved(self, attempt: Attempt, expected: list[Any], larger: float) -> tuple[str, str]:
        """Return the state and the note of an attempt's row, whose errors may be ``larger``."""
        limits = {dtype: bound * larger for dtype, bound in self.limits.items()}
        try:
            found = attempt.results(attempt.call())
            pairs = zip(found, expected, strict=False)
            given = [(a, b) for a, b in pairs if a is not None or b is None]
            if not given:
                return "disagrees", "nothing of it can be compared"
            compare([a for a, _ in given], [b for _, b in given], limits)
        except DisagreementError as error:
            return "disagrees", str(error)
        except CompileError as error:
            return "refused", str(error)
        except Exception as error:  # as above
            return "failed", _said(error)
        return TIMED, ""


def _said(error: Exception) -> str:
    """Return what an error says, on one line."""
    first, *_ = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {first}"


def _timed(row: Row, name: str, samples: Mapping[str, Samples], peers: list[str]) -> Row:
    """Return the row with its times, and against the fastest peer."""
    own = samples[name]
    row = replace(row, wall=median_interval(own.wall), cpu=median_interval(own.cpu))
    if name in peers or not peers:
        return row
    fastest = min(peers, key=lambda peer: median_interval(samples[peer].wall).median)
    theirs = samples[fastest]
    return replace(
        row,
        peer=fastest,
        ratio=ratio(own.wall, theirs.wall),
        cpu_ratio=statistics.median(own.cpu) / max(statistics.median(theirs.cpu), 1e-9),
    )
