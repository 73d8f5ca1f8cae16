"""Planes of places, row by row, for the compiled gradients of pooling: each sums up its shares.

Where the vector code is not for the settings, the windows hand out their shares one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.pooling.geometry import (
    AHEAD,
    ANY,
    ONE,
    PAIRS,
    TRIPLES,
    kind_of,
    windows_over,
)
from tinymed.kernels.pooling.shares import shares
from tinymed.kernels.simd.prefetch import prefetch_to_read, prefetch_to_write

__all__ = ["avg_shares", "max_shares"]

shares_of_pairs, shares_of_pairs_at_edge = shares(2, 2, False), shares(2, 2, True)
shares_of_triples, shares_of_triples_at_edge = shares(2, 3, False), shares(2, 3, True)
shares_in_step, shares_in_step_at_edge = shares(1, 0, False), shares(1, 0, True)


@compiled
def max_shares(
    first: int, last: int, grad_x: Any, g: Any, winner: Any, window: Any, lanes: int
) -> None:
    """Give the gradients of planes first to last - 1 to the places that won."""
    kind, axes = _kind(window), (_axis(window, 0), _axis(window, 1))
    inner, outer = window[0] * window[1] * window[2], window[3] * window[4] * window[5]
    for plane in range(first, last):
        if kind != ANY:
            _collect(
                grad_x, plane * inner, g, plane * outer, winner, plane * outer, axes, window, lanes
            )
            continue
        grad_x[plane * inner : (plane + 1) * inner] = 0
        at = plane * outer
        for d in range(window[3]):
            for h in range(window[4]):
                for w in range(window[5]):
                    tap = np.int64(winner[at])
                    to = _place(d, h, w, tap, window)
                    if to >= 0:
                        grad_x[plane * inner + to] += g[at]
                    at += 1


@compiled
def avg_shares(
    first: int, last: int, grad_x: Any, g: Any, by: Any, window: Any, lanes: int
) -> None:
    """Give the gradients of planes first to last - 1, divided, to all places they come from."""
    kind, axes = _kind(window), (_axis(window, 0), _axis(window, 1))
    inner, outer = window[0] * window[1] * window[2], window[3] * window[4] * window[5]
    for plane in range(first, last):
        if kind != ANY:
            _collect(grad_x, plane * inner, g, plane * outer, by, 0, axes, window, lanes)
            continue
        grad_x[plane * inner : (plane + 1) * inner] = 0
        at = 0
        for d in range(window[3]):
            for h in range(window[4]):
                for w in range(window[5]):
                    share = g[plane * outer + at] / by[at]
                    for tap in range(window[6] * window[7] * window[8]):
                        to = _place(d, h, w, tap, window)
                        if to >= 0:
                            grad_x[plane * inner + to] += share
                    at += 1


@compiled
def _kind(window: Any) -> int:
    """Return which vector code the gradient takes: that of a row, without dilation."""
    if window[15] != 1 or window[16] != 1 or window[17] != 1:
        return ANY
    return kind_of(window[8], window[11], window[17])


@compiled
def _place(d: int, h: int, w: int, tap: int, window: Any) -> int:
    """Return which place of the plane a tap of window (d, h, w) is, -1 if it is padding."""
    z = d * window[9] - window[12] + tap // (window[7] * window[8]) * window[15]
    i = h * window[10] - window[13] + tap // window[8] % window[7] * window[16]
    j = w * window[11] - window[14] + tap % window[8] * window[17]
    if 0 <= z < window[0] and 0 <= i < window[1] and 0 <= j < window[2]:
        return (z * window[1] + i) * window[2] + j
    return -1


@compiled
def _axis(window: Any, axis: int) -> Any:
    """Return `windows_over` the places along one axis."""
    return windows_over(
        window[axis], window[3 + axis], window[6 + axis], window[9 + axis], window[12 + axis]
    )


@compiled
def _collect(
    grad_x: Any, at: int, g: Any, g_at: int, other: Any, other_at: int, axes: Any, window: Any,
    lanes: int,
) -> None:  # fmt: skip
    """Sum up the shares of a plane's places, row by row."""
    depth, height, width, _, height_out, width_out = window[:6]
    taps, stride, padding = window[8], window[11], window[14]
    kind = kind_of(taps, stride, 1)
    earlier = (taps - 1) // stride  # how many windows before lane 0's have a share in its place
    masked = padding > 0 or width % (stride * lanes) > 0
    deep, high = axes
    for z in range(depth):
        d, d_tap, planes = deep[z, 0], deep[z, 1], deep[z, 2]
        for i in range(height):
            h, h_tap, rows = high[i, 0], high[i, 1], high[i, 2]
            ahead = (d * height_out + h) * width_out
            meets = (
                *(planes, -height_out * width_out, window[9] * window[7] * taps),
                *(rows, -width_out, window[10] * taps, (d_tap * window[7] + h_tap) * taps),
            )
            from_g, from_other = g_at + ahead, other_at + ahead
            if masked:
                prefetch_to_read(g, from_g + AHEAD, width_out)
                prefetch_to_write(grad_x, at + AHEAD, width)
            w = padding // stride
            while w * stride - padding < width:
                place = w * stride - padding
                whole = place >= 0 and place + stride * lanes <= width
                whole = whole and w >= earlier and w + lanes <= width_out
                if kind == PAIRS and whole:
                    shares_of_pairs(
                        grad_x, at, place, width, g, from_g, meets, w, width_out, taps, other,
                        from_other,
                    )  # fmt: skip
                elif kind == PAIRS:
                    shares_of_pairs_at_edge(
                        grad_x, at, place, width, g, from_g, meets, w, width_out, taps, other,
                        from_other,
                    )  # fmt: skip
                elif kind == TRIPLES and whole:
                    shares_of_triples(
                        grad_x, at, place, width, g, from_g, meets, w, width_out, taps, other,
                        from_other,
                    )  # fmt: skip
                elif kind == TRIPLES:
                    shares_of_triples_at_edge(
                        grad_x, at, place, width, g, from_g, meets, w, width_out, taps, other,
                        from_other,
                    )  # fmt: skip
                elif kind == ONE and whole:
                    shares_in_step(
                        grad_x, at, place, width, g, from_g, meets, w, width_out, taps, other,
                        from_other,
                    )  # fmt: skip
                else:
                    shares_in_step_at_edge(
                        grad_x, at, place, width, g, from_g, meets, w, width_out, taps, other,
                        from_other,
                    )  # fmt: skip
                w += lanes
            at += width
