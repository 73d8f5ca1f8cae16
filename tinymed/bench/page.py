"""The record as one page of HTML that needs nothing else: tables, bars and curves."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from tinymed.bench import text
from tinymed.bench.drawing import bars, curves
from tinymed.bench.record import Record, Row
from tinymed.bench.scaling import exponent

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
    lines = text.lines_of(record)
    for name, some in groupby(lines, lambda line: line.work):
        named = [(f"{line.who}: size^{exponent(line.points):.2f}", line) for line in some]
        quantity = partial(text.quantity, unit=named[0][1].unit)
        picture = curves([(label, line.points) for label, line in named], quantity)
        drawn.append({"title": name, "picture": Markup(picture)})
    goals, figures = (
        [_split(line) for line in table]
        for table in (text.goal_table(record.rows), text.figure_table(record.figures))
    )
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text()).render(
        header=list(text.header(record)),
        means=list(text.means(record.rows)),
        repeats=record.repeats,
        columns=goals[0],
        goals=goals[2:],
        figure_columns=figures[0] if figures else [],
        figures=figures[2:],
        contests=contests,
        curves=drawn,
        growth=list(text.growth_lines(lines)),
    )


def _cells(row: Row) -> str:
    return ", ".join(filter(None, text.timed_text(row)))


def _split(line: str) -> list[Any]:
    """Return the cells of a line of a Markdown table."""
    return [cell.strip().replace("**", "") for cell in line.strip("|").split("|")]
