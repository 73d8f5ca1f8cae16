"""The record of a run: machine, limits and rows, as JSON; what became slower since another one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tinymed.bench.timing import Interval
from tinymed.errors import DataError

__all__ = ["TIMED", "Record", "Row", "geometric_mean", "goal_rows", "slower"]

FORMAT = 1
TIMED = "timed"


@dataclass(frozen=True)
class Row:
    """One candidate on one case; times in seconds.

    Attributes
    ----------
    work, case, candidate : str
        "conv.forward" or a workload, its sizes, and whose code ran.
    threads : int
    state : str
        "timed", "disagrees", "not installed", "cannot" or "failed"; ``note`` says more.
    ours : bool
        Whether it is what tinymed runs by itself.
    wall, cpu : Interval or None
        Of one call, by the clock and summed over cores.
    ratio : Interval or None
        Time / time of the fastest peer, named in ``peer``.
    cpu_ratio : float or None
        The same of the cores' time: what to look at where other work disturbed.
    flops, bytes : float
        Of one call by the definition; 0 if not known.
    limit : float or None
        The time that the machine needs at least for that: see `roofline`.
    cold : float or None
        Time of the first call in a fresh process with an empty cache.
    goal : float or None
        What ``ratio`` should be.
    """

    work: str
    case: str
    candidate: str
    threads: int
    state: str
    note: str = ""
    ours: bool = False
    wall: Interval | None = None
    cpu: Interval | None = None
    ratio: Interval | None = None
    cpu_ratio: float | None = None
    peer: str | None = None
    flops: float = 0
    bytes: float = 0
    limit: float | None = None
    cold: float | None = None
    goal: float | None = None

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What makes it the same row in another record."""
        return self.work, self.case, self.candidate, self.threads

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, where there is one and a peer to compare with."""
        if self.goal is None or self.ratio is None:
            return None
        return self.ratio.median <= self.goal


@dataclass
class Record:
    """One run of the bench.

    Attributes
    ----------
    machine : dict
    rooflines : dict
        Threads -> {"flops", "bytes"} per second, as measured; None where they were not.
    repeats : int
        Measurements of each candidate.
    rows : list of Row
    curves : list of Row
        How times grow, of the workloads in `scaling`.
    """

    machine: dict[str, Any]
    repeats: int
    rooflines: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    curves: list[Row] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"format": FORMAT} | asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read what `write` wrote.

        Raises
        ------
        DataError
            If it is something else.
        """
        try:
            found = json.loads(path.read_text())
            if found.pop("format") != FORMAT:
                raise ValueError("another format")
            for rows in ("rows", "curves"):
                found[rows] = [row_from_json(row) for row in found[rows]]
            return cls(**found)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"Record.read: {path} is not a record of format {FORMAT} ({error}); "
                f"write one with: tinymed bench --json {path}"
            ) from None


def row_from_json(found: dict[str, Any]) -> Row:
    """Return the row of a JSON object."""
    intervals = {
        name: Interval(**found[name]) for name in ("wall", "cpu", "ratio") if found.get(name)
    }
    return Row(**(found | intervals))


def slower(now: Iterable[Row], before: Iterable[Row]) -> Iterator[tuple[Row, Row]]:
    """Yield (row now, row before) where all of the interval now is above all of that before.

    Rows without an interval cannot tell, nor can those that only one of the two has.
    """
    old = {row.key: row for row in before}
    for row in now:
        earlier = old.get(row.key)
        if earlier is None or row.wall is None or earlier.wall is None:
            continue
        low, high = row.wall.low, earlier.wall.high
        if low is not None and high is not None and low > high:
            yield row, earlier


def goal_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of what tinymed runs by itself, where a peer was timed beside it."""
    return [row for row in rows if row.ours and row.ratio is not None]


def geometric_mean(values: Iterable[float]) -> float:
    """Return exp(mean(log(values))); NaN of none."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan
