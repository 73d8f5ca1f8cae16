"""Where windows lie: the arithmetic of sizes, strides, padding and dilation for compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.conv.reference import Ints

__all__ = [
    "AHEAD",
    "ANY",
    "ONE",
    "PAIRS",
    "TRIPLES",
    "geometry",
    "kind_of",
    "taps_inside",
    "windows_over",
]

# How the taps of a row are read: any stride, stride 1, stride 2 with 2 and with 3 of them.
ANY, ONE, PAIRS, TRIPLES = range(4)

AHEAD = 1 << 9  # elements: so long before their turn rows that masks are for are asked for


def geometry(
    spatial: Ints, out: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Ints:
    """Return all settings for three axes in one tuple: spatial, out, kernel, ..."""
    before = 3 - len(kernel)
    one, none = (1,) * before, (0,) * before
    return (
        *(*one, *spatial, *one, *out, *one, *kernel),
        *(*one, *stride, *none, *padding, *one, *dilation),
    )


@compiled
def kind_of(kernel: int, stride: int, dilation: int) -> int:
    """Return which vector code windows with these settings along a row are for."""
    if stride == 1:
        return ONE
    if stride == 2 and dilation == 1 and kernel == 2:
        return PAIRS
    if stride == 2 and dilation == 1 and kernel == 3:
        return TRIPLES
    return ANY


@compiled
def taps_inside(out: int, size: int, kernel: int, stride: int, padding: int, dilation: int) -> Any:
    """Return for each window along an axis: (place of its first tap, its number, how many taps).

    Counted are those that meet the input. The first is at most the last there is, as in the
    reference.
    """
    found = np.empty((out, 3), np.int64)
    for window in range(out):
        start = window * stride - padding
        first = min(max(-(start // dilation), 0), kernel - 1)
        last = min((size - 1 - start) // dilation, kernel - 1)
        found[window, 0] = start + first * dilation
        found[window, 1] = first
        found[window, 2] = max(last - first + 1, 0)
    return found


@compiled
def windows_over(size: int, out: int, kernel: int, stride: int, padding: int) -> Any:
    """Return for each place along an axis: (the last window over it, the tap, how many windows).

    The tap is what the place is to that window; to the window before it is one ``stride`` on.
    """
    found = np.empty((size, 3), np.int64)
    for place in range(size):
        window, tap = (place + padding) // stride, (place + padding) % stride
        beyond = max(window - out + 1, 0)
        window, tap = window - beyond, tap + beyond * stride
        found[place, 0] = window
        found[place, 1] = tap
        found[place, 2] = max(min((kernel - 1 - tap) // stride, window) + 1, 0)
    return found
