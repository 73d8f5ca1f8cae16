"""Planes of windows, row by row, for the compiled kernels: the largest, the mean, the winners."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.pooling.geometry import AHEAD, ONE, PAIRS, TRIPLES, kind_of, taps_inside
from tinymed.kernels.pooling.windows import largest, sums
from tinymed.kernels.simd.prefetch import prefetch_to_read

__all__ = ["avg_planes", "gather_planes", "max_planes"]

largest_of_pairs, largest_of_pairs_at_edge = largest(2, 2, False), largest(2, 2, True)
largest_of_triples, largest_of_triples_at_edge = largest(2, 3, False), largest(2, 3, True)
largest_in_step, largest_in_step_at_edge = largest(1, 0, False), largest(1, 0, True)
largest_of_any = largest(0, 0, True)

sum_of_pairs, sum_of_pairs_at_edge = sums(2, 2, False), sums(2, 2, True)
sum_of_triples, sum_of_triples_at_edge = sums(2, 3, False), sums(2, 3, True)
sum_in_step, sum_in_step_at_edge = sums(1, 0, False), sums(1, 0, True)
sum_of_any = sums(0, 0, True)


@compiled
def _axis(window: Any, axis: int) -> Any:
    """Return `taps_inside` along one axis."""
    return taps_inside(
        window[3 + axis], window[axis], window[6 + axis], window[9 + axis], window[12 + axis],
        window[15 + axis],
    )  # fmt: skip


@compiled
def _rows(deep: Any, high: Any, window: Any) -> tuple[Any, int]:
    """Return the rows that windows meet, as `over_rows` takes them, and where the first begins."""
    height, width = window[1], window[2]
    number = (deep[1] * window[7] + high[1]) * window[8]
    in_depth = deep[2], window[15] * height * width, window[7] * window[8]
    return (*in_depth, high[2], window[16] * width, window[8], number), (
        deep[0] * height + high[0]
    ) * width


@compiled
def _reach(kind: int, taps: int, dilation: int, lanes: int) -> int:
    """Return how far behind the place of lane 0 whole registers are read."""
    if kind == ONE:
        return (taps - 1) * dilation + lanes - 1
    return 2 * lanes - 1 + (2 if kind == TRIPLES else 0)


@compiled
def _ask_ahead(x: Any, row: int, rows: Any, window: Any, lanes: int) -> None:
    """Ask for what the windows of a later row read that those before it have not."""
    if window[14] > 0 or window[5] % lanes > 0:  # masked; what is not, the processor foresees
        last = row + (rows[0] - 1) * rows[1] + (rows[3] - 1) * rows[4]
        prefetch_to_read(x, last + AHEAD, window[10] * window[2])


@compiled
def max_planes(first: int, last: int, y: Any, winner: Any, x: Any, window: Any, lanes: int) -> None:
    """Take the largest element under each window of planes first to last - 1."""
    width, (depth_out, height_out, width_out) = window[2], window[3:6]
    taps, stride, padding, dilation = window[8], window[11], window[14], window[17]
    kind = kind_of(taps, stride, dilation)
    reach = _reach(kind, taps, dilation, lanes)
    deep, high, start = _axis(window, 0), _axis(window, 1), _axis(window, 2)[:, 1].copy()
    at = first * depth_out * height_out * width_out
    for plane in range(first, last):
        for d in range(depth_out):
            for h in range(height_out):
                rows, row = _rows(deep[d], high[h], window)
                row += plane * window[0] * window[1] * width
                _ask_ahead(x, row, rows, window, lanes)
                for w in range(0, width_out, lanes):
                    count, place = min(lanes, width_out - w), w * stride - padding
                    along = place, width, taps, dilation, stride
                    whole = count == lanes and place >= 0 and place + reach < width
                    to, x_at = at + w, row + place
                    if kind == PAIRS and whole:
                        largest_of_pairs(y, winner, to, count, x, x_at, rows, along, start, w)
                    elif kind == PAIRS:
                        largest_of_pairs_at_edge(
                            y, winner, to, count, x, x_at, rows, along, start, w
                        )
                    elif kind == TRIPLES and whole:
                        largest_of_triples(y, winner, to, count, x, x_at, rows, along, start, w)
                    elif kind == TRIPLES:
                        largest_of_triples_at_edge(
                            y, winner, to, count, x, x_at, rows, along, start, w
                        )
                    elif kind == ONE and whole:
                        largest_in_step(y, winner, to, count, x, x_at, rows, along, start, w)
                    elif kind == ONE:
                        largest_in_step_at_edge(
                            y, winner, to, count, x, x_at, rows, along, start, w
                        )
                    else:
                        largest_of_any(y, winner, to, count, x, x_at, rows, along, start, w)
                at += width_out


@compiled
def avg_planes(first: int, last: int, y: Any, by: Any, x: Any, window: Any, lanes: int) -> None:
    """Divide the sum under each window of planes first to last - 1."""
    width, (depth_out, height_out, width_out) = window[2], window[3:6]
    taps, stride, padding, dilation = window[8], window[11], window[14], window[17]
    kind = kind_of(taps, stride, dilation)
    reach = _reach(kind, taps, dilation, lanes)
    deep, high = _axis(window, 0), _axis(window, 1)
    at = first * depth_out * height_out * width_out
    for plane in range(first, last):
        by_at = 0
        for d in range(depth_out):
            for h in range(height_out):
                rows, row = _rows(deep[d], high[h], window)
                row += plane * window[0] * window[1] * width
                _ask_ahead(x, row, rows, window, lanes)
                for w in range(0, width_out, lanes):
                    count, place = min(lanes, width_out - w), w * stride - padding
                    along = place, width, taps, dilation, stride
                    whole = count == lanes and place >= 0 and place + reach < width
                    to, by_w, x_at = at + w, by_at + w, row + place
                    if kind == PAIRS and whole:
                        sum_of_pairs(y, to, count, by, by_w, x, x_at, rows, along)
                    elif kind == PAIRS:
                        sum_of_pairs_at_edge(y, to, count, by, by_w, x, x_at, rows, along)
                    elif kind == TRIPLES and whole:
                        sum_of_triples(y, to, count, by, by_w, x, x_at, rows, along)
                    elif kind == TRIPLES:
                        sum_of_triples_at_edge(y, to, count, by, by_w, x, x_at, rows, along)
                    elif kind == ONE and whole:
                        sum_in_step(y, to, count, by, by_w, x, x_at, rows, along)
                    elif kind == ONE:
                        sum_in_step_at_edge(y, to, count, by, by_w, x, x_at, rows, along)
                    else:
                        sum_of_any(y, to, count, by, by_w, x, x_at, rows, along)
                at += width_out
                by_at += width_out


@compiled
def gather_planes(first: int, last: int, y: Any, winner: Any, x: Any, window: Any) -> None:
    """Read x where the winners of planes first to last - 1 stand; 0 where that is padding."""
    depth, height, width, depth_out, height_out, width_out = window[:6]
    at = first * depth_out * height_out * width_out
    for plane in range(first, last):
        for d in range(depth_out):
            for h in range(height_out):
                for w in range(width_out):
                    tap = np.int64(winner[at])
                    z = d * window[9] - window[12] + tap // (window[7] * window[8]) * window[15]
                    i = h * window[10] - window[13] + tap // window[8] % window[7] * window[16]
                    j = w * window[11] - window[14] + tap % window[8] * window[17]
                    inside = 0 <= z < depth and 0 <= i < height and 0 <= j < width
                    y[at] = x[((plane * depth + z) * height + i) * width + j] if inside else 0
                    at += 1
