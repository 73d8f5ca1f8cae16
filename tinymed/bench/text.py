"""Rows as text: for the terminal, and as the table of the README between its markers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tinymed.bench.record import TIMED, Record, Row, geometric_mean, goal_rows
from tinymed.bench.scaling import exponent, series
from tinymed.bench.timing import Interval
from tinymed.errors import DataError

__all__ = [
    "blocks",
    "curve_lines",
    "goal_table",
    "header",
    "limit_line",
    "means",
    "seconds",
    "update_readme",
]

MARKERS = ("<!-- bench -->", "<!-- /bench -->")
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))


def seconds(value: float) -> str:
    """Return a time with three digits, in the unit that suits it."""
    scale, unit = next(((s, u) for s, u in UNITS if value >= s), UNITS[-1])
    return f"{value / scale:.3g} {unit}"


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
        yield f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def curve_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a line for each curve: its points, and the exponent of its growth."""
    for work, candidate, line in series(rows):
        points = ", ".join(f"{x:g}: {seconds(y)}" for x, y in line)
        yield f"{work}, {candidate}: {points}; grows as size^{exponent(line):.2f}"


def update_readme(path: Path, record: Record) -> None:
    """Write the table of goals between the markers in a Markdown file, in place of what is there.

    Raises
    ------
    DataError
        If the file does not have both markers once, in order.
    """
    begin, end = MARKERS
    text = path.read_text()
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise DataError(f"update_readme: {path} needs a line {begin} and, after it, one {end}")
    facts = " ".join(line + "." for line in header(record))
    lines = [
        *goal_table(record.rows),
        "",
        *(f"{line}." for line in means(record.rows)),
        "",
        f"Medians with 95 % intervals of {record.repeats} runs made in turns. {facts}",
    ]
    table = "\n".join([begin, *lines, end])
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    path.write_text(re.sub(pattern, lambda _: table, text, flags=re.DOTALL))
