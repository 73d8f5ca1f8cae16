"""How time grows: against batch, channels, length and threads, one size changed at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from tinymed.bench.record import Row
from tinymed.bench.workloads import Conv, Recurrent, Spec, Workload

__all__ = ["CURVES", "Curve", "exponent", "points", "series"]


@dataclass(frozen=True)
class Curve:
    """A workload with one size left open."""

    name: str
    values: tuple[int, ...]
    spec: Callable[[int], Spec]

    def workload(self, value: int) -> Workload:
        """Return the workload at a size; it has no goal."""
        return Workload(self.name, self.spec(value), {}, 1e-3)


CURVES = (
    Curve(
        "conv 3x3, 32 channels, by batch", (1, 2, 4, 8, 16, 32, 64), lambda n: Conv(n, 32, 32, 32)
    ),
    Curve("conv 3x3 on 28x28, by channels", (8, 16, 32, 64, 128), lambda c: Conv(8, c, 28, c)),
    Curve(
        "LSTM 4x32, H 64, by length",
        (10, 100, 1000, 10_000),
        lambda t: Recurrent("lstm", t, 4, 32, 64),
    ),
    Curve(
        "GRU 4x32, H 64, by length",
        (10, 100, 1000, 10_000),
        lambda t: Recurrent("gru", t, 4, 32, 64),
    ),
    Curve(
        "tanh-RNN 4x32, H 64, by length",
        (10, 100, 1000, 10_000),
        lambda t: Recurrent("rnn", t, 4, 32, 64),
    ),
)


def points() -> Iterator[tuple[Workload, int]]:
    """Yield all workloads, and the size that each stands for."""
    for curve in CURVES:
        for value in curve.values:
            yield curve.workload(value), value


def series(rows: Iterable[Row]) -> list[tuple[str, str, list[tuple[float, float]]]]:
    """Return (curve, who and threads, [(size, seconds), ...]) of rows whose case is a size."""

    def key(row: Row) -> tuple[str, str, int]:
        return row.work, row.candidate, row.threads

    found = []
    timed = sorted((row for row in rows if row.wall is not None), key=key)
    for (work, candidate, threads), group in groupby(timed, key):
        line = sorted((float(r.case), r.wall.median) for r in group if r.wall is not None)
        found.append((work, f"{candidate}, {threads} thread{'s' * (threads > 1)}", line))
    return found


def exponent(line: Sequence[tuple[float, float]]) -> float:
    """Return p of the best fit seconds = a size^p to the upper half of the sizes; NaN for one.

    Small sizes are mostly overhead, which is why they do not count.
    """
    upper = [(math.log(x), math.log(y)) for x, y in line[len(line) // 2 - (len(line) < 4) :]]
    if len(upper) < 2:
        return math.nan
    mean_x, mean_y = (sum(values) / len(upper) for values in zip(*upper, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in upper)
    return sum((x - mean_x) * (y - mean_y) for x, y in upper) / spread
