"""The compiled loops of a convolution of many small images: the lanes run along the batch.

A map of 2x2 positions fills no register, and most of what its 3x3 windows see is padding. So the
images of the batch are laid side by side, [channel][position][image]. For one position of the
result and one tap that is a plain matrix product, (K, C) x (C, images), and of the products only
those are made that meet the image: 16 of 36 on 2x2, 100 of 144 on 4x4. A *pair* is a position of
the source and the tap that brings it to a position of the result.

The gradient of the weight is a product for each tap, its sum runs over pairs and images. There the
lanes run along the channels of x, [channels][position][image][lane].

A tap in the padding is no product here: an infinite weight there makes no NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.conv.geometry import ROWS as SIZES
from tinymed.kernels.conv.sum_of_taps import to_result
from tinymed.kernels.simd.loops import elementwise
from tinymed.kernels.simd.tile import tile
from tinymed.kernels.simd.transpose import transpose
from tinymed.kernels.simd.vector import VECTOR_BYTES

__all__ = [
    "ROWS",
    "channels_side_by_side",
    "images_side_by_side",
    "sums_of_images",
    "sums_of_pairs",
]

ROWS = SIZES[0]  # of a tile
BYTES = 256 * 1024  # of the source at a time, a part of the second cache

_one, _two = tile(ROWS, 1), tile(ROWS, 2)
_copy = elementwise(lambda code, x: x)


@compiled
def _add_products(
    y: Any, y_at: int, y_row: int, a: Any, a_at: int, a_row: int, a_step: int,
    b: Any, b_at: int, b_step: int, width: int, steps: int,
) -> None:  # fmt: skip
    """Add products to a tile of ROWS rows, ``width`` numbers wide: one register or two."""
    if width == VECTOR_BYTES // y.itemsize:
        _one(y, y_at, y_row, a, a_at, a_row, a_step, b, b_at, b_step, steps, True)
    else:
        _two(y, y_at, y_row, a, a_at, a_row, a_step, b, b_at, b_step, steps, True)


@compiled
def images_side_by_side(first: int, last: int, x: Any, laid: Any, images: int, width: int) -> None:
    """Lay out chunks of ``width`` images: x (N, numbers) to [chunk][number][image in the chunk].

    What the last chunk lacks gets copies.
    """
    lanes = VECTOR_BYTES // x.itemsize
    numbers = x.size // images
    size = -(-numbers // lanes) * lanes * width
    for chunk in range(first, last):
        for v in range(0, width, lanes):
            n = min(chunk * width + v, images - 1)
            to, some = chunk * size + v, min(lanes, images - n)
            transpose(laid, to, width, x, n * numbers, numbers, some, numbers)


@compiled
def sums_of_pairs(
    first: int, last: int, laid: Any, weight: Any, turned: bool, bias: Any, activation: int,
    y: Any, sizes: Any, begins: Any, sources: Any, taps: Any, width: int,
) -> None:  # fmt: skip
    """Compute the items first to last - 1: chunks of images x blocks of ROWS channels.

    ``sizes``: images, channels of the source and of the result, positions of both, taps. The pairs
    of result position p are ``begins[p]`` to ``begins[p + 1] - 1``. weight is (K, C, taps), or
    ``turned`` (C, K, taps).
    """
    lanes = VECTOR_BYTES // y.itemsize
    images, channels, results, source, positions, window = sizes
    size = -(-channels * source // lanes) * lanes * width
    at_once = max(16, BYTES // (source * width * y.itemsize))  # channels
    weights = np.zeros(min(at_once, channels) * ROWS * window, y.dtype)
    sums = np.empty(ROWS * positions * width, y.dtype)
    square = np.empty(lanes * lanes, y.dtype)
    blocks = -(-results // ROWS)
    for item in range(first, last):
        chunk, k = item // blocks, item % blocks * ROWS
        real = min(ROWS, results - k)
        sums[:] = 0
        for c in range(0, channels, at_once):
            some = min(at_once, channels - c)
            row, step = (window, ROWS * window) if turned else (some * window, window)
            lines, length = (some, real * window) if turned else (real, some * window)
            for line in range(lines):
                at = ((c + line) * results + k if turned else (k + line) * channels + c) * window
                to = line * (step if turned else row)
                _copy(((weights, to),), ((weight, at),), length, ())
            for p in range(positions):
                for pair in range(begins[p], begins[p + 1]):
                    b = chunk * size + (c * source + sources[pair]) * width
                    _add_products(
                        *(sums, p * width, positions * width, weights, taps[pair], row, step),
                        *(laid, b, source * width, width, some),
                    )
        for r in range(real):
            at = r * positions * width
            to_result(sums, at, 1, sums, at, positions * width, bias[k + r], activation)
        n = chunk * width
        to = (n * results + k) * positions
        _to_images(y, to, results * positions, sums, real * positions, width, images - n, square)


@compiled
def _to_images(
    y: Any, at: int, image: int, sums: Any, count: int, width: int, images: int, square: Any
) -> None:
    """Store ``count`` numbers of each image of a chunk, of which ``images`` are left."""
    lanes = VECTOR_BYTES // y.itemsize
    for v in range(0, min(width, images), lanes):
        for j in range(0, count, lanes):
            some = min(lanes, count - j)
            transpose(square, 0, lanes, sums, j * width + v, width, some, lanes)
            for n in range(min(lanes, images - v)):
                to = at + (v + n) * image + j
                _copy(((y, to),), ((square, n * lanes),), some, ())


@compiled
def channels_side_by_side(first: int, last: int, x: Any, laid: Any, sizes: Any, width: int) -> None:
    """Lay out chunks of ``width`` channels: x (N, C, source) to [chunk][position][image][channel].

    ``sizes`` as in `sums_of_pairs`. What the last chunk lacks gets copies; a chunk has room for
    whole registers of positions.
    """
    lanes = VECTOR_BYTES // x.itemsize
    images, channels, source = sizes[0], sizes[1], sizes[3]
    size = -(-source // lanes) * lanes * images * width
    for chunk in range(first, last):
        for v in range(0, width, lanes):
            c = min(chunk * width + v, channels - 1)
            for n in range(images):
                to, at = chunk * size + n * width + v, (n * channels + c) * source
                some = min(lanes, channels - c)
                transpose(laid, to, images * width, x, at, source, some, source)


@compiled
def sums_of_images(
    first: int, last: int, dy: Any, laid: Any, dw: Any, sizes: Any, runs: Any, width: int
) -> None:
    """Compute blocks first to last - 1 of ROWS channels of dy: dw (K, C, taps).

    A run (tap, p, q, length) is a line of pairs: positions p, p + 1, ... of dy meet q, q + 1, ...
    """
    lanes = VECTOR_BYTES // dy.itemsize
    images, channels, results, source, positions, window = sizes
    size = -(-source // lanes) * lanes * images * width
    block = np.zeros(positions * images * ROWS, dy.dtype)  # [position][image][row]
    sums = np.empty(window * ROWS * width, dy.dtype)
    line = np.empty(width * window + lanes, dy.dtype)
    for item in range(first, last):
        k = item * ROWS
        real = min(ROWS, results - k)
        for n in range(images):
            for r in range(real):
                at = (n * results + k + r) * positions
                for p in range(positions):
                    block[(p * images + n) * ROWS + r] = dy[at + p]
        for c in range(0, channels, width):
            sums[:] = 0
            for run in range(runs.shape[0]):
                tap, p, q, length = runs[run]
                b = c // width * size + q * images * width
                _add_products(
                    *(sums, tap * ROWS * width, width, block, p * images * ROWS, 1, ROWS),
                    *(laid, b, width, width, length * images),
                )
            for r in range(real):
                to, count = ((k + r) * channels + c) * window, min(width, channels - c) * window
                if window == 1:
                    _copy(((dw, to),), ((sums, r * width),), count, ())
                else:
                    _taps_side_by_side(line, sums, r * width, window, width)
                    _copy(((dw, to),), ((line, 0),), count, ())


@compiled
def _taps_side_by_side(line: Any, sums: Any, at: int, window: int, width: int) -> None:
    """Put the taps of each channel side by side, from [tap][row][channel]; ``at`` is of the row.

    Whole registers are stored, so that each one is followed by what it must not overwrite: the last
    taps come first.
    """
    lanes = VECTOR_BYTES // line.itemsize
    for tap in range((window - 1) // lanes * lanes, -1, -lanes):
        some, x = min(lanes, window - tap), at + tap * ROWS * width
        transpose(line, tap, window, sums, x, ROWS * width, some, width)
