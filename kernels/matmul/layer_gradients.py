"""The gradient of a layer's bias: sums over all axes but the channels'."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.loops import elementwise, reduction

__all__ = ["channel_sums", "column_sums"]

ROWS = 256  # rows added up before their sum joins the others: rounding errors stay small

_add = elementwise(lambda code, total, x: total + x)
_sum = reduction(lambda code, x: x, 0.0, lambda code, a, b: a + b)


@compiled
def column_sums(
    first: int, last: int, total: Any, x: Any, part: Any, rows: int, columns: int
) -> None:
    """Sum over the rows of x (rows, columns), columns ``first`` to ``last`` - 1; scratch: part."""
    count = last - first
    total[first:last] = 0
    for top in range(0, rows, ROWS):
        part[first:last] = 0
        for row in range(top, min(top + ROWS, rows)):
            here = ((part, first),)
            _add(here, ((part, first), (x, row * columns + first)), count, ())
        _add(((total, first),), ((total, first), (part, first)), count, ())


@compiled
def channel_sums(
    first: int, last: int, total: Any, x: Any, images: int, channels: int, size: int
) -> None:
    """Channels ``first`` to ``last`` - 1 of the sum over images and places, x (N, C, size)."""
    for channel in range(first, last):
        so_far = total.dtype.type(0)
        for image in range(images):
            so_far += _sum(((x, (image * channels + channel) * size),), size, ())
        total[channel] = so_far
