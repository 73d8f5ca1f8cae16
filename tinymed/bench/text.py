"""Rows as text: for the terminal, and as the table of the README between its markers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

from tinymed.bench.record import (
    TIMED,
    Figure,
    Record,
    Row,
    geometric_mean,
    goal_rows,
    untimed_goals,
)
from tinymed.bench.scaling import GAIN, STEEP, Line, exponent, gains, series
from tinymed.bench.sketch import LETTERS, sketch
from tinymed.bench.timing import Interval
from tinymed.errors import DataError

__all__ = [
    "blocks",
    "curve_lines",
    "figure_block",
    "figure_table",
    "goal_table",
    "growth_lines",
    "header",
    "limit_line",
    "lines_of",
    "means",
    "quantity",
    "seconds",
    "update_readme",
    "write_between",
]

MARKERS = ("<!-- bench -->", "<!-- /bench -->")
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))


def seconds(value: float) -> str:
    """Return a time with three digits, in the unit that suits it."""
    scale, unit = next(((s, u) for s, u in UNITS if value >= s), UNITS[-1])
    return f"{value / scale:.3g} {unit}"


def quantity(value: float, unit: str) -> str:
    """Return a number of the unit "s" or "B" as text."""
    return seconds(value) if unit == "s" else f"{value / 1e6:.3g} MB"


def interval(found: Interval) -> str:
    """Return "median (low to high)", without unit."""
    if found.low is None or found.high is None:
        return f"{found.median:.3g}"
    return f"{found.median:.3g} ({found.low:.3g} to {found.high:.3g})"


def timed_text(row: Row) -> list[str]:
    """Return what is shown of a row's times, one text for each column."""
    if row.state != TIMED or row.wall is None or row.cpu is None:
        return [f"{row.state}: {row.note}" if row.note else row.state]
    low, high = row.wall.low, row.wall.high
    spread = "" if low is None or high is None else f"{seconds(low)} to {seconds(high)}"
    median = row.wall.median
    texts = [seconds(median), spread, f"min {seconds(row.wall.minimum)}"]
    texts += [f"cpu {seconds(row.cpu.median)}"]
    if row.flops:
        texts.append(f"{row.flops / median / 1e9:.1f} GFLOP/s")
    if row.bytes:
        texts.append(f"{row.bytes / median / 1e9:.1f} GB/s")
    if row.words:
        texts.append(f"{row.words / median / 1e3:.0f}k words/s")
    if row.limit is not None:
        texts.append(f"{row.limit / median:.0%} of the limit")
    if row.ratio is not None:
        cores = "" if row.cpu_ratio is None else f" (cpu {row.cpu_ratio:.2f})"
        texts.append(f"{row.ratio.median:.2f} of {row.peer}{cores}")
    if row.met is not None:
        texts.append(f"goal {row.goal:g} {'met' if row.met else 'not met'}")
    if row.cold is not None:
        texts.append(f"first call {seconds(row.cold)}")
    return texts


def blocks(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of one contest: its title, then a line for each row, the fastest first.

    What has no code for the case is left out; ``*`` is what tinymed runs by itself.
    """
    if not rows:
        return
    first = rows[0]
    plural = "s" * (first.threads > 1)
    yield f"{first.work}: {first.case}, {first.threads} thread{plural}"
    shown = [row for row in rows if row.state != "cannot"]
    shown.sort(key=lambda row: row.wall.median if row.wall else float("inf"))
    width = max((len(row.candidate) for row in shown), default=0)
    for row in shown:
        mark = "*" if row.ours else " "
        yield f"  {mark} {row.candidate.ljust(width)}  {'  '.join(filter(None, timed_text(row)))}"


def figure_block(figures: Sequence[Figure]) -> Iterator[str]:
    """Yield a title, then a line for each figure, the smallest first."""
    shown = [figure for figure in figures if figure.state != "cannot"]
    if not shown:
        return
    shown.sort(key=lambda figure: figure.value.median if figure.value else float("inf"))
    first, width = shown[0], max(len(figure.candidate) for figure in shown)
    title = f"{first.work}: {first.case}" if first.case else first.work
    yield f"{title}, {first.threads} thread{'s' * (first.threads > 1)}"
    for figure in shown:
        mark, parts = "*" if figure.ours else " ", _figure_text(figure)
        yield f"  {mark} {figure.candidate.ljust(width)}  {'  '.join(filter(None, parts))}"


def _figure_text(figure: Figure) -> list[str]:
    """Return what is shown of a figure, one text for each column."""
    value, unit = figure.value, figure.unit
    if value is None:
        return [f"{figure.state}: {figure.note}"]
    texts = [quantity(value.median, unit)]
    if value.samples > 1:
        if value.low is not None and value.high is not None:
            texts.append(f"{quantity(value.low, unit)} to {quantity(value.high, unit)}")
        texts.append(f"min {quantity(value.minimum, unit)}")
    if figure.met is not None and figure.goal is not None:
        met = "met" if figure.met else "not met"
        texts.append(f"goal {quantity(figure.goal, unit)} {met}")
    return [*texts, figure.note]


def header(record: Record) -> Iterator[str]:
    """Yield lines that say where and with what a record was made."""
    facts = record.machine
    versions = ", ".join(f"{name} {v}" for name, v in facts["versions"].items() if v)
    commit = facts.get("commit") or "unknown"
    yield f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']}, {facts['system']}"
    yield f"Python {facts['python']}, {versions}; commit {commit}, {facts['date']}"
    if facts["load"] is not None and facts["load"] > facts["cores"]:
        yield "this machine is busy: trust minima and cpu times rather than medians"
    for threads, limit in record.rooflines.items():
        yield limit_line(threads, limit)


def limit_line(threads: str, limit: dict[str, float] | None) -> str:
    """Return what the machine can do with so many threads."""
    if limit is None:
        return f"{threads} thread(s): limits not measured, they need numba"
    flops, moved = limit["flops"] / 1e9, limit["bytes"] / 1e9
    return f"{threads} thread(s): at most {flops:.0f} GFLOP/s, {moved:.1f} GB/s"


def means(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the geometric means of time / fastest peer, for each number of threads."""
    rows = list(rows)
    compared = goal_rows(rows)
    for threads in sorted({row.threads for row in compared}):
        for title, some in (
            ("rows with a goal", [r for r in compared if r.threads == threads and r.goal]),
            ("all rows", [r for r in compared if r.threads == threads]),
        ):
            if some:
                mean = geometric_mean(r.ratio.median for r in some if r.ratio)
                met = sum(r.met is True for r in some)
                goals = f"; {met} of {len(some)} goals met" if some[0].goal else ""
                plural = "s" * (threads > 1)
                yield (
                    f"{threads} thread{plural}: geometric mean of time / fastest peer over "
                    f"{title} ({len(some)}): {mean:.2f}{goals}"
                )
    for row in untimed_goals(rows):
        yield f"without a time, so in no mean: {row.work}, {row.threads} threads: {row.state}"


def goal_table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a Markdown table of what tinymed runs by itself beside the fastest peer."""
    torch = {(r.work, r.case, r.threads): r for r in rows if r.candidate == "torch" and r.wall}
    yield "| work | sizes | threads | tinymed | fastest peer | time / peer | / torch | goal |"
    yield "| --- | --- | --: | --: | --- | --: | --: | --- |"
    for row in goal_rows(rows):
        other = torch.get((row.work, row.case, row.threads))
        if row.wall is None or row.ratio is None:
            continue
        against = "-"
        if other is not None and other.wall is not None:
            against = f"{row.wall.median / other.wall.median:.2f}"
        goal = "-" if row.met is None else f"{row.goal:g} {'met' if row.met else '**not met**'}"
        cells = [row.work, row.case, row.threads, seconds(row.wall.median), row.peer]
        cells += [interval(row.ratio), against, goal]
        yield _table_row(cells)
    for row in untimed_goals(rows):
        goal = f"{row.goal:g} **not met**"
        said = f"{row.state}: {row.note}"
        yield _table_row([row.work, row.case, row.threads, said, "-", "-", "-", goal])


def _table_row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def figure_table(figures: Iterable[Figure]) -> Iterator[str]:
    """Yield a Markdown table of figures that are not points of a curve."""
    rows = []
    for figure in figures:
        if figure.value is not None and not sized(figure):
            goal = "-" if figure.goal is None else quantity(figure.goal, figure.unit)
            met = {None: "", True: " met", False: " **not met**"}[figure.met]
            shown = quantity(figure.value.median, figure.unit)
            name = ", ".join(filter(None, [figure.work, figure.case]))
            rows.append([name, figure.threads, figure.candidate, shown, goal + met])
    if rows:
        yield "| figure | threads | of | value | goal |"
        yield "| --- | --: | --- | --: | --- |"
        yield from map(_table_row, rows)


def lines_of(record: Record) -> list[Line]:
    """Return the lines of all curves of a record, of times and of memory."""
    return [*series(record.curves), *series([one for one in record.figures if sized(one)])]


def sized(figure: Figure) -> bool:
    """Return whether a figure is a point of a curve."""
    return figure.case.isdigit()


def curve_lines(lines: Iterable[Line]) -> Iterator[str]:
    """Yield a picture of each curve, and below it the points of each candidate and their growth."""
    for work, group in groupby(lines, lambda line: line.work):
        some = list(group)
        shown = partial(quantity, unit=some[0].unit)
        yield work
        yield from sketch([line.points for line in some], shown)
        for letter, line in zip(LETTERS, some, strict=False):
            points = ", ".join(f"{x:g}: {shown(y)}" for x, y in line.points)
            growth = f"grows as size^{exponent(line.points):.2f}"
            yield f"  {letter} {line.who}: {points}; {growth}, as work^{line.growth:.2f}"


def growth_lines(lines: Sequence[Line]) -> Iterator[str]:
    """Yield where tinymed's cost grows faster than the work, and what more threads gain."""
    ours = [line for line in lines if line.ours]
    steep = [line for line in ours if line.steep]
    for line in steep:
        yield f"grows faster than the work: {line.work}, {line.who}: as work^{line.growth:.2f}"
    if ours and not steep:
        yield f"no cost grows faster than work^{STEEP:g}, on {len(ours)} curves of tinymed"
    for line, found in gains(lines):
        short = line.work.startswith("conv") and min(found) < GAIN
        yield (
            f"{line.work}: {line.threads} threads are {min(found):.2f} to {max(found):.2f} times "
            f"as fast as one{f', less than {GAIN:g}' if short else ''}"
        )


def update_readme(path: Path, record: Record) -> None:
    """Write the table of goals between the markers in a Markdown file, in place of what is there.

    Raises
    ------
    DataError
        If the file does not have both markers once, in order.
    """
    facts = " ".join(line + "." for line in header(record))
    figures = list(figure_table(record.figures))
    lines = [
        *goal_table(record.rows),
        "",
        *(f"{line}." for line in means(record.rows)),
        "",
        *([*figures, ""] if figures else []),
        f"Medians with 95 % intervals of {record.repeats} runs made in turns. {facts}",
    ]
    write_between(path, MARKERS, lines)


def write_between(path: Path, markers: tuple[str, str], lines: Iterable[str]) -> None:
    """Write lines between two markers in a text file, in place of what is there.

    Raises
    ------
    DataError
        If the file does not have both markers once, in order.
    """
    begin, end = markers
    text = path.read_text()
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise DataError(f"update_readme: {path} needs a line {begin} and, after it, one {end}")
    table = "\n".join([begin, *lines, end])
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    path.write_text(re.sub(pattern, lambda _: table, text, flags=re.DOTALL))
