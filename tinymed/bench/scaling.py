"""How cost grows: against batch, channels, length and threads, one of them changed at a time.

A curve is judged by the exponent p of cost = a work^p, where the work is the number of operations
if it is known, otherwise the size. Above `STEEP` the cost grows faster than the work; convolutions
on several threads that gain less than `GAIN` do not use them. Both go by the least of the times of
each point, and by the upper half of the sizes: small ones are mostly overhead. The cost on one
thread is the core's time, which other processes hardly disturb; on several, time by the clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from tinymed.bench.record import Figure, Row
from tinymed.bench.timing import Interval
from tinymed.bench.workloads import Conv, Network, Recurrent, Spec, Workload

__all__ = ["CURVES", "GAIN", "STEEP", "Curve", "Line", "exponent", "gains", "points", "series"]

STEEP = 1.1
GAIN = 1.7  # times as fast as on one thread, on two

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Curve:
    """A workload with one size left open."""

    name: str
    values: tuple[int, ...]
    spec: Callable[[int], Spec]

    def workload(self, value: int) -> Workload:
        """Return the workload at a size; it has no goal."""
        return Workload(self.name, self.spec(value), {}, 1e-3)


BATCHES, LENGTHS = (1, 2, 4, 8, 16, 32, 64), (10, 100, 1000, 10_000)
CURVES = (
    Curve("conv 3x3, 32 channels, by batch", BATCHES, lambda n: Conv(n, 32, 32, 32)),
    Curve("conv 3x3 on 28x28, by channels", (8, 16, 32, 64, 128), lambda c: Conv(8, c, 28, c)),
    Curve(
        "LSTM 4x32, H 64, by length", LENGTHS, lambda t: Recurrent("lstm", t, 4, 32, 64)
    ),
    Curve("GRU 4x32, H 64, by length", LENGTHS, lambda t: Recurrent("gru", t, 4, 32, 64)),
    Curve("tanh-RNN 4x32, H 64, by length", LENGTHS, lambda t: Recurrent("rnn", t, 4, 32, 64)),
    Curve(
        "LSTM T 50, D 32, H 64, by batch", BATCHES, lambda n: Recurrent("lstm", 50, n, 32, 64)
    ),
    Curve("lung CNN step, by batch", BATCHES, lambda n: Network("cnn", n, (1, 64, 64))),
)  # fmt: skip


def points(words: str = "") -> Iterator[tuple[Workload, int]]:
    """Yield all workloads whose name contains all of ``words``, and the size of each."""
    for curve in CURVES:
        if all(word in curve.name.lower() for word in words.split()):
            for value in curve.values:
                yield curve.workload(value), value


@dataclass(frozen=True)
class Line:
    """One candidate along a curve.

    Attributes
    ----------
    work, candidate : str
    threads : int
    ours : bool
    unit : str
        Of the cost, "s" or "B".
    points : list of (float, float)
        Size, and time by the clock or bytes.
    efforts, costs : list of float
        The work at each point, and what it cost.
    """

    work: str
    candidate: str
    threads: int
    ours: bool
    unit: str
    points: list[tuple[float, float]]
    efforts: list[float]
    costs: list[float]

    @property
    def who(self) -> str:
        """The candidate, and its threads."""
        return f"{self.candidate}, {self.threads} thread{'s' * (self.threads > 1)}"

    @property
    def growth(self) -> float:
        """The exponent of the cost against the work."""
        return exponent(list(zip(self.efforts, self.costs, strict=True)))

    @property
    def steep(self) -> bool:
        """Whether the cost grows faster than the work."""
        return self.growth > STEEP


def series(rows: Iterable[Row | Figure]) -> list[Line]:
    """Return the lines of rows and figures whose case is a size."""

    def key(row: Row | Figure) -> tuple[str, str, int]:
        return row.work, row.candidate, row.threads

    found = []
    for (work, candidate, threads), group in groupby(sorted(rows, key=key), key):
        members = list(group)
        places = sorted(_place(row, row.measured) for row in members if row.measured is not None)
        if places:
            unit, ours = getattr(members[0], "unit", "s"), members[0].ours
            line = [(size, shown) for size, shown, *_ in places]
            efforts, costs = ([place[i] for place in places] for i in (2, 3))
            found.append(Line(work, candidate, threads, ours, unit, line, efforts, costs))
    return found


def _place(row: Row | Figure, measured: Interval) -> tuple[float, float, float, float]:
    """Return the size, what is shown of it, the work and the cost."""
    size, shown = float(row.case), measured.minimum
    if isinstance(row, Figure):
        return size, shown, size, shown
    alone = row.cpu if row.threads == 1 else None
    return size, shown, row.flops or size, shown if alone is None else alone.minimum


def exponent(line: Points) -> float:
    """Return p of the best fit cost = a size^p to the upper half of the sizes; NaN for one."""
    upper = [(math.log(x), math.log(y)) for x, y in _upper(line)]
    if len(upper) < 2:
        return math.nan
    mean_x, mean_y = (sum(values) / len(upper) for values in zip(*upper, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in upper)
    return sum((x - mean_x) * (y - mean_y) for x, y in upper) / spread


def _upper(line: Points) -> Points:
    """Return the upper half of the points, two at least if there are."""
    return line[len(line) // 2 - (len(line) < 4) :] if len(line) > 1 else line


def gains(lines: Iterable[Line]) -> Iterator[tuple[Line, list[float]]]:
    """Yield tinymed's lines on several threads, and how much faster than one they are.

    One number for each size of the upper half that both have.
    """
    ours = [line for line in lines if line.ours and line.unit == "s"]
    alone = {(line.work, line.candidate): dict(line.points) for line in ours if line.threads == 1}
    for line in ours:
        single = alone.get((line.work, line.candidate), {})
        found = [single[size] / cost for size, cost in _upper(line.points) if size in single]
        if line.threads > 1 and found:
            yield line, found
