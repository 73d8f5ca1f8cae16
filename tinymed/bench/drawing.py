"""Bars with intervals, and curves on logarithmic axes, as SVG for a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from tinymed.bench.record import Row
from tinymed.bench.text import seconds

__all__ = ["bars", "curves"]

# Okabe and Ito's colours, told apart by colour-blind readers too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A8A8A")
LABEL, BAR, VALUE, LINE = 210, 420, 90, 22  # pixels: widths of the columns, height of a row
WIDTH, HEIGHT, MARGIN = 560, 300, 56

Points = Sequence[tuple[float, float]]


def bars(rows: Sequence[Row]) -> str:
    """Return an SVG with a bar for each timed row, the 95 % interval and the machine's limit."""
    timed = [row for row in rows if row.wall is not None]
    timed.sort(key=lambda row: row.wall.median if row.wall else 0.0)
    if not timed:
        return ""
    longest = max(max(row.wall.high or 0, row.wall.median) for row in timed if row.wall)
    scale, parts = BAR / longest, []
    for number, row in enumerate(timed):
        if row.wall is None:
            continue
        top, median = number * LINE, row.wall.median
        colour = COLOURS[0] if row.ours else COLOURS[6]
        middle = top + LINE * 0.7
        parts.append(_text(LABEL - 8, middle, row.candidate, "end"))
        parts.append(
            f'<rect x="{LABEL}" y="{top + 4}" width="{median * scale:.1f}" '
            f'height="{LINE - 8}" fill="{colour}"/>'
        )
        if row.wall.low is not None and row.wall.high is not None:
            ends = (LABEL + row.wall.low * scale, LABEL + row.wall.high * scale)
            parts.append(_line(ends[0], top + LINE / 2, ends[1], top + LINE / 2, "#000"))
        parts.append(_text(LABEL + BAR + 8, middle, seconds(median)))
    height = LINE * len(timed)
    if timed[0].limit is not None:
        at = LABEL + timed[0].limit * scale
        parts.append(_line(at, 0, at, height, COLOURS[1], dashed=True))
    return _svg(LABEL + BAR + VALUE, height, parts)


def curves(lines: Sequence[tuple[str, Points]], quantity: Callable[[float], str] = seconds) -> str:
    """Return an SVG of curves, both axes logarithmic; a legend beside them.

    ``quantity`` returns a y as text.
    """
    every = [point for _, points in lines for point in points]
    if not every:
        return ""
    x_range, y_range = (_decades([point[axis] for point in every]) for axis in (0, 1))

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x = (math.log10(point[0]) - x_range[0]) / (x_range[1] - x_range[0])
        y = (math.log10(point[1]) - y_range[0]) / (y_range[1] - y_range[0])
        return MARGIN + x * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - y * (HEIGHT - 2 * MARGIN)

    parts = []
    for power in range(x_range[0], x_range[1] + 1):
        x, bottom = place((10.0**power, 10.0 ** y_range[0]))
        parts.append(_line(x, MARGIN, x, bottom, "#ddd"))
        parts.append(_text(x, bottom + 18, f"{10**power:g}", "middle"))
    for power in range(y_range[0], y_range[1] + 1):
        left, y = place((10.0 ** x_range[0], 10.0**power))
        parts.append(_line(left, y, WIDTH - MARGIN, y, "#ddd"))
        parts.append(_text(left - 6, y + 4, quantity(10.0**power), "end"))
    for number, (name, points) in enumerate(lines):
        colour, places = COLOURS[number % len(COLOURS)], [place(point) for point in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        parts.append(_text(WIDTH - MARGIN + 12, MARGIN + 16 * number, name, colour=colour))
    return _svg(WIDTH + 200, HEIGHT, parts)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Return the powers of ten around values, at least one apart."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#222") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dash}/>'
    )


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
        f"{''.join(parts)}</svg>"
    )
