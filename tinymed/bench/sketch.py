"""Curves drawn with characters, for a terminal: both axes logarithmic, a letter for each line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

__all__ = ["LETTERS", "sketch"]

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WIDTH, HEIGHT = 56, 9  # characters
SEVERAL = "*"  # where lines meet

Points = Sequence[tuple[float, float]]


def sketch(lines: Sequence[Points], quantity: Callable[[float], str]) -> Iterator[str]:
    """Yield the lines of a picture.

    Parameters
    ----------
    lines : sequence of points
        (x, y), all positive; the first is drawn as "a", the next as "b".
    quantity : function
        Returns a y as text.
    """
    every = [point for line in lines for point in line]
    (left, right), (low, high) = ((min(values), max(values)) for values in zip(*every, strict=True))
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    for number, line in enumerate(lines):
        letter = LETTERS[number % len(LETTERS)]
        for x, y in line:
            row = HEIGHT - 1 - _place(y, low, high, HEIGHT)
            column = _place(x, left, right, WIDTH)
            grid[row][column] = letter if grid[row][column] in (" ", letter) else SEVERAL
    labels = {0: quantity(high), HEIGHT - 1: quantity(low)}
    margin = max(map(len, labels.values()))
    for number, cells in enumerate(grid):
        yield f"  {labels.get(number, '').rjust(margin)} |{''.join(cells).rstrip()}"
    yield f"  {' ' * margin} +{'-' * WIDTH}"
    yield f"  {' ' * margin}  {f'{left:g}'}{f'{right:g}'.rjust(WIDTH - len(f'{left:g}'))}"


def _place(value: float, low: float, high: float, cells: int) -> int:
    """Return the cell of a value between ``low`` and ``high``."""
    if low == high:
        return 0
    return round((math.log(value) - math.log(low)) / (math.log(high) - math.log(low)) * (cells - 1))
