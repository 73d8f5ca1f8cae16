"""The loops of embedding: arrays are flat, a row has ``width`` elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.loops import elementwise, reduction
from tinymed.kernels.simd.vector import Code, Vector

copy_row = elementwise(lambda code, x: x)
add_row = elementwise(lambda code, total, x: total + x)
add_scaled_row = elementwise(lambda code, total, x, scale: code.fma(x, scale, total))
add_four_rows = elementwise(lambda code, total, a, b, c, d: total + a + b + c + d)
scale_row = elementwise(lambda code, x, scale: x * scale)
fill = elementwise(lambda code, value: value)
sum_of_sizes = reduction(
    lambda code, x: code.call("fabs", x), 0.0, lambda code, total, size: total + size
)
sum_of_squares = reduction(lambda code, x: x * x, 0.0, lambda code, total, square: total + square)


def _add_four_scaled(code: Code, total: Vector, *rows_and_scales: Vector) -> Vector:
    """Return the total and four rows, each times its factor, added one after the other."""
    for row, scale in zip(rows_and_scales[:4], rows_and_scales[4:], strict=True):
        total = code.fma(row, scale, total)
    return total


add_four_scaled_rows = elementwise(_add_four_scaled)


def _larger(code: Code, a: Vector, b: Vector) -> Vector:
    """Return the larger of two; a NaN where one is."""
    return code.select(code.is_nan(b), b, code.maximum(a, b))


largest_size = reduction(lambda code, x: code.call("fabs", x), 0.0, _larger)


def _lead(
    code: Code, best: Vector, leader: Vector, x: Vector, place: Vector
) -> tuple[Vector, Vector]:
    """Return the larger element, and the place of it; a NaN is larger than any number."""
    chosen = [
        code.select(
            code.is_nan(best),
            held,
            code.select(code.is_nan(x), new, code.select(x > best, new, held)),
        )
        for held, new in ((best, x), (leader, place))
    ]
    return chosen[0], chosen[1]


lead = elementwise(_lead)


@compiled
def take(first: int, last: int, y: Any, weight: Any, width: int, ids: Any) -> None:
    """Copy the rows of ids first to last - 1.

    Ids are checked before; once more here, for steps that are repeated without the Python.
    """
    rows = weight.size // max(1, width)
    for i in range(first, last):
        if width and not 0 <= ids[i] < rows:
            raise IndexError("embedding: an id is out of range")
        copy_row(((y, i * width),), ((weight, ids[i] * width),), width, ())


@compiled
def sum_group(y: Any, y_at: int, values: Any, width: int, places: Any) -> None:
    """Set a row to the sum of the rows of ``values`` at some places, one at least."""
    copy_row(((y, y_at),), ((values, places[0] * width),), width, ())
    for i in range(1, places.size):
        add_row(((y, y_at),), ((y, y_at), (values, places[i] * width)), width, ())


@compiled
def sum_groups(
    first: int, last: int, sums: Any, values: Any, width: int, order: Any, starts: Any
) -> None:
    """Set the rows first to last - 1 of ``sums``, one for each group of places."""
    for i in range(first, last):
        sum_group(sums, i * width, values, width, order[starts[i] : starts[i + 1]])


@compiled
def sum_groups_in_place(
    first: int,
    last: int,
    grad: Any,
    values: Any,
    width: int,
    order: Any,
    touched: Any,
    starts: Any,
    different: Any,
) -> None:
    """Set the rows first to last - 1 of ``grad``: those ``touched`` to their sums, others to 0.

    ``different`` holds how many are touched.
    """
    group, above, groups = 0, different[0], different[0]
    while group < above:  # the first group in the range
        middle = (group + above) // 2
        if touched[middle] < first:
            group = middle + 1
        else:
            above = middle
    row = first
    while row < last:
        following = min(last, touched[group]) if group < groups else last
        fill(((grad, row * width),), (), (following - row) * width, (0.0,))
        if following < last:
            places = order[starts[group] : starts[group + 1]]
            sum_group(grad, following * width, values, width, places)
        group, row = group + 1, following + 1


@compiled
def bag_sum(first: int, last: int, y: Any, weight: Any, width: int, ids: Any, offsets: Any) -> None:
    """Set the sums of bags first to last - 1.

    Four rows at a time, one after the other all the same: the sum so far is read less often.
    """
    for bag in range(first, last):
        total, i, end = (y, bag * width), offsets[bag], offsets[bag + 1]
        fill((total,), (), width, (0.0,))
        while i + 4 <= end:
            a, b = (weight, ids[i] * width), (weight, ids[i + 1] * width)
            c, d = (weight, ids[i + 2] * width), (weight, ids[i + 3] * width)
            add_four_rows((total,), (total, a, b, c, d), width, ())
            i += 4
        while i < end:
            add_row((total,), (total, (weight, ids[i] * width)), width, ())
            i += 1


@compiled
def bag_weighted_sum(
    first: int, last: int, y: Any, weight: Any, width: int, ids: Any, offsets: Any, scale: Any
) -> None:
    """Set the sums of bags first to last - 1, each row times its factor; see `bag_sum`."""
    for bag in range(first, last):
        total, i, end = (y, bag * width), offsets[bag], offsets[bag + 1]
        fill((total,), (), width, (0.0,))
        while i + 4 <= end:
            a, b = (weight, ids[i] * width), (weight, ids[i + 1] * width)
            c, d = (weight, ids[i + 2] * width), (weight, ids[i + 3] * width)
            factors = scale[i], scale[i + 1], scale[i + 2], scale[i + 3]
            add_four_scaled_rows((total,), (total, a, b, c, d), width, factors)
            i += 4
        while i < end:
            given = total, (weight, ids[i] * width)
            add_scaled_row((total,), given, width, (scale[i],))
            i += 1


@compiled
def bag_max(
    first: int, last: int, y: Any, winner: Any, weight: Any, width: int, ids: Any, offsets: Any
) -> None:
    """Set the maxima of bags first to last - 1 and the ids that had them; 0 and -1 of none.

    Which place of the bag leads is held in a number like the elements, for the same registers.
    """
    leader = np.empty(width, y.dtype)
    for bag in range(first, last):
        at, start, end = bag * width, offsets[bag], offsets[bag + 1]
        fill(((y, at),), (), width, (0.0,))
        fill(((leader, 0),), (), width, (0.0,))
        if start == end:
            winner[at : at + width] = -1
            continue
        copy_row(((y, at),), ((weight, ids[start] * width),), width, ())
        for i in range(start + 1, end):
            given = (y, at), (leader, 0), (weight, ids[i] * width)
            lead(((y, at), (leader, 0)), given, width, (i - start,))
        for d in range(width):
            winner[at + d] = ids[start + int(leader[d])]


EPSILON = 1e-7  # as in the reference


@compiled
def shorten(weight: Any, at: int, width: int, norm: float, max_norm: float) -> bool:
    """Bring a row just below ``max_norm`` if its norm is above, and return whether it was."""
    if norm > max_norm:
        scale_row(((weight, at),), ((weight, at),), width, (max_norm / (norm + EPSILON),))
    return norm > max_norm


@compiled
def renormalize_1(
    first: int, last: int, weight: Any, width: int, rows: Any, max_norm: float, shortened: Any
) -> None:
    """Shorten rows by the sum of the absolute values."""
    for i in range(first, last):
        norm = sum_of_sizes(((weight, rows[i] * width),), width, ())
        shortened[i] = shorten(weight, rows[i] * width, width, norm, max_norm)


@compiled
def renormalize_2(
    first: int, last: int, weight: Any, width: int, rows: Any, max_norm: float, shortened: Any
) -> None:
    """Shorten rows by the Euclidean norm."""
    for i in range(first, last):
        norm = math.sqrt(sum_of_squares(((weight, rows[i] * width),), width, ()))
        shortened[i] = shorten(weight, rows[i] * width, width, norm, max_norm)


@compiled
def renormalize_inf(
    first: int, last: int, weight: Any, width: int, rows: Any, max_norm: float, shortened: Any
) -> None:
    """Shorten rows by the largest absolute value."""
    for i in range(first, last):
        norm = largest_size(((weight, rows[i] * width),), width, ())
        shortened[i] = shorten(weight, rows[i] * width, width, norm, max_norm)


RENORMALIZE = {1: renormalize_1, 2: renormalize_2, math.inf: renormalize_inf}
