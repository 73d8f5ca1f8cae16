"""The record as one page of HTML that needs nothing else: tables, bars and curves."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from tinymed.bench import text
from tinymed.bench.drawing import bars, curves
from tinymed.bench.record import Record, Row
from tinymed.bench.scaling import exponent, series

__all__ = ["page"]

TEMPLATE = Path(__file__).with_name("page.html")


def page(record: Record) -> str:
    """Return the page.

    Raises
    ------
    ImportError
        Without jinja2.
    """
    try:
        from jinja2 import Environment
        from markupsafe import Markup
    except ImportError as error:
        raise ImportError("page: needs jinja2: pip install tinymed[report]") from error

    contests = []
    for (work, case, threads), group in groupby(record.rows, lambda r: (r.work, r.case, r.threads)):
        rows = [row for row in group if row.state != "cannot"]
        contests.append(
            {
                "title": f"{work}: {case}, {threads} thread{'s' * (threads > 1)}",
                "picture": Markup(bars(rows)),
                "rows": [(row.candidate, row.ours, _cells(row)) for row in rows],
            }
        )
    drawn = []
    for name, lines in groupby(series(record.curves), lambda one: one[0]):
        named = [(f"{who}: size^{exponent(line):.2f}", line) for _, who, line in lines]
        drawn.append({"title": name, "picture": Markup(curves(named))})
    goals = [_split(line) for line in text.goal_table(record.rows)]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text()).render(
        header=list(text.header(record)),
        means=list(text.means(record.rows)),
        repeats=record.repeats,
        columns=goals[0],
        goals=goals[2:],
        contests=contests,
        curves=drawn,
    )


def _cells(row: Row) -> str:
    return ", ".join(filter(None, text.timed_text(row)))


def _split(line: str) -> list[Any]:
    """Return the cells of a line of a Markdown table."""
    return [cell.strip().replace("**", "") for cell in line.strip("|").split("|")]
