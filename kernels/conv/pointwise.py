"""The compiled loops of a 1x1 convolution: a matrix product for each image, nothing laid out.

Channels and positions that do not fill a last tile are covered by one that begins earlier and
computes some results again: nothing is padded, and no mask is needed.
"""

from __future__ import annotations

from typing import Any

from tinymed.kernels.compiled import compiled
from tinymed.kernels.conv.geometry import ROWS
from tinymed.kernels.conv.sum_of_taps import to_result
from tinymed.kernels.simd.prefetch import prefetch_to_write
from tinymed.kernels.simd.tile import tile
from tinymed.kernels.simd.vector import VECTOR_BYTES

__all__ = ["LEAST", "pack_rows", "packed_rows", "positions_at_once", "products"]

MOST, WIDE, ONE_WIDE = ROWS[0], *((3, 12) if VECTOR_BYTES == 64 else (2, 8))
LEAST = 16  # positions: a register of float32 at its widest
BYTES = 128 * 1024  # of x at a time, a part of the second cache

_most, _most_end = tile(MOST, WIDE), tile(MOST, 1)
_one, _one_end = tile(1, ONE_WIDE), tile(1, 1)


def positions_at_once(channels: int, itemsize: int) -> int:
    """Return how many positions of x stay in the cache while all results are made of them."""
    width = WIDE * VECTOR_BYTES // itemsize
    return max(1, BYTES // max(1, channels * itemsize * width)) * width


def packed_rows(results: int) -> int:
    """Return how many rows the tiles of ``results`` channels have."""
    return -(-results // MOST) * MOST if results >= MOST else results


@compiled
def pack_rows(
    first: int, last: int, weight: Any, row: int, step: int, results: int, channels: int,
    packed: Any,
) -> None:  # fmt: skip
    """Put the weights of a tile side by side: [group][tile][channel][row], of some groups.

    The last tile ends where the rows end. Fewer rows than a tile has are tiles of one.
    """
    rows = MOST if results >= MOST else 1
    to = first * -(-results // rows) * rows * channels
    for g in range(first, last):
        for begin in range(0, results, rows):
            k = min(begin, results - rows)
            at = g * results * channels + k * row
            for c in range(channels):
                for r in range(rows):
                    packed[to + r] = weight[at + c * step + r * row]
                to += rows


@compiled
def products(
    first: int,
    last: int,
    x: Any,
    weight: Any,
    bias: Any,
    activation: int,
    y: Any,
    groups: int,
    at_once: int,
) -> None:
    """Compute the items first to last - 1: images x groups x chunks of ``at_once`` positions.

    x (N, groups, C, P) and y (N, groups, K, P), P >= lanes; weight packed, bias (groups K,).
    """
    lanes = VECTOR_BYTES // y.itemsize
    channels, results, positions = x.shape[2], y.shape[2], x.shape[3]
    rows = MOST if results >= MOST else 1
    tiles, chunks = -(-results // rows), -(-positions // at_once)
    from_x, to_y = x.reshape(-1), y.reshape(-1)
    for item in range(first, last):
        image, begin = item // chunks, item % chunks * at_once  # image and group
        g, end = image % groups, min(begin + at_once, positions)
        begin = min(begin, positions - lanes)
        b = image * channels * positions
        for number in range(tiles):
            k = min(number * rows, results - rows)
            a = (g * tiles + number) * channels * rows
            at = (image * results + k) * positions
            for r in range(rows):
                prefetch_to_write(to_y, at + r * positions + begin, end - begin)
            _strip(to_y, at, weight, a, from_x, b, rows, begin, end, positions, channels)
            for r in range(rows):
                to = at + r * positions + begin
                shift = bias[g * results + k + r]
                to_result(to_y, to, 1, to_y, to, end - begin, shift, activation)


@compiled
def _strip(
    y: Any,
    at: int,
    a: Any,
    a_at: int,
    x: Any,
    x_at: int,
    rows: int,
    begin: int,
    end: int,
    positions: int,
    channels: int,
) -> None:
    """Sum the channels for positions begin to end - 1 of a tile's rows."""
    lanes = VECTOR_BYTES // y.itemsize
    q = begin
    if rows == MOST:
        while q + WIDE * lanes <= end:
            _most(y, at + q, positions, a, a_at, 1, MOST, x, x_at + q, positions, channels, False)
            q += WIDE * lanes
        while q < end:
            p = min(q, end - lanes)
            _most_end(
                y, at + p, positions, a, a_at, 1, MOST, x, x_at + p, positions, channels, False
            )
            q += lanes
    else:
        while q + ONE_WIDE * lanes <= end:
            _one(y, at + q, positions, a, a_at, 1, 1, x, x_at + q, positions, channels, False)
            q += ONE_WIDE * lanes
        while q < end:
            p = min(q, end - lanes)
            _one_end(y, at + p, positions, a, a_at, 1, 1, x, x_at + p, positions, channels, False)
            q += lanes
