"""The record of a run: machine, limits and rows, as JSON; what became worse since another one."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from tinymed.bench.timing import Interval
from tinymed.errors import DataError

__all__ = [
    "MEASURED",
    "TIMED",
    "Figure",
    "Record",
    "Row",
    "exactly",
    "geometric_mean",
    "goal_rows",
    "slower",
    "untimed_goals",
]

FORMAT = 1
TIMED, MEASURED = "timed", "measured"
SLACK = {"B": 1.05}  # by how much a figure in bytes may grow: it has hardly any spread


@dataclass(frozen=True)
class Row:
    """One candidate on one case; times in seconds.

    Attributes
    ----------
    work, case, candidate : str
        "conv.forward" or a workload, its sizes, and whose code ran.
    threads : int
    state : str
        "timed", "disagrees", "not installed", "cannot", "refused" (by `tinymed.compile`) or
        "failed"; ``note`` says more.
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
    words : float
        Of text that a call reads; 0 for other work.
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
    words: float = 0
    limit: float | None = None
    cold: float | None = None
    goal: float | None = None

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What makes it the same row in another record."""
        return self.work, self.case, self.candidate, self.threads

    @property
    def measured(self) -> Interval | None:
        """What `slower` compares."""
        return self.wall

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, where there is one and a peer to compare with."""
        if self.goal is None or self.ratio is None:
            return None
        return self.ratio.median <= self.goal


@dataclass(frozen=True)
class Figure:
    """A number that is no call's time: seconds of an import, bytes of memory or on the disk.

    Attributes
    ----------
    work, case, candidate : str
        What it is a figure of, and of whose code.
    threads : int
    state : str
        "measured", "not installed", "cannot" or "failed"; ``note`` says more.
    unit : str
        "s" or "B".
    ours : bool
        Whether it is tinymed's.
    value : Interval or None
    goal : float or None
        What ``value`` should be at most.
    """

    work: str
    case: str
    candidate: str
    threads: int
    state: str
    unit: str
    note: str = ""
    ours: bool = False
    value: Interval | None = None
    goal: float | None = None

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What makes it the same figure in another record."""
        return self.work, self.case, self.candidate, self.threads

    @property
    def measured(self) -> Interval | None:
        """What `slower` compares."""
        return self.value

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, where there is one."""
        if self.goal is None or self.value is None:
            return None
        return self.value.median <= self.goal


def exactly(value: float) -> Interval:
    """Return the interval of a number that is known, not sampled."""
    return Interval(value, value, value, value, 1)


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
    figures : list of Figure
        What `importing` and `memory` measure.
    """

    machine: dict[str, Any]
    repeats: int
    rooflines: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    curves: list[Row] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"format": FORMAT} | asdict(self), indent=1) + "\n")

    def with_threads(self, threads: Collection[int]) -> Record:
        """Return what was measured with one of these numbers of threads."""
        return replace(
            self,
            rooflines={n: limit for n, limit in self.rooflines.items() if int(n) in threads},
            rows=[row for row in self.rows if row.threads in threads],
            curves=[row for row in self.curves if row.threads in threads],
            figures=[one for one in self.figures if one.threads in threads],
        )

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
            found["figures"] = [figure_from_json(one) for one in found.get("figures", [])]
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


def figure_from_json(found: dict[str, Any]) -> Figure:
    """Return the figure of a JSON object."""
    value = found.get("value")
    return Figure(**(found | {"value": Interval(**value) if value else None}))


Kind = TypeVar("Kind", Row, Figure)


def slower(now: Iterable[Kind], before: Iterable[Kind]) -> Iterator[tuple[Kind, Kind]]:
    """Yield (row now, row before) where all of the interval now is above all of that before.

    Rows without an interval cannot tell, nor can those that only one of the two has.
    """
    old = {row.key: row for row in before}
    for row in now:
        earlier = old.get(row.key)
        if earlier is None or row.measured is None or earlier.measured is None:
            continue
        low, high = row.measured.low, earlier.measured.high
        slack = SLACK.get(getattr(row, "unit", ""), 1.0)
        if low is not None and high is not None and low > high * slack:
            yield row, earlier


def goal_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of what tinymed runs by itself, where a peer was timed beside it."""
    return [row for row in rows if row.ours and row.ratio is not None]


def untimed_goals(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of tinymed's with a goal that have no time to hold against it."""
    return [row for row in rows if row.ours and row.goal is not None and row.state != TIMED]


def geometric_mean(values: Iterable[float]) -> float:
    """Return exp(mean(log(values))); NaN of none."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan
