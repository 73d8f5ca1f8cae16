"""Dropout by a counter in numba-cuda: the numbers of the reference and of dropout.cu, bit by bit.

A thread draws the word of its own element and throws three away: dropout.cu draws four at once.
Counted: 8 bytes and some hundred integer operations for each element. Bound: the integer units.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, blocks, empty, launch_python
from tinymed.kernels.dropout import reference

__all__ = ["forward"]

THREADS = 128  # of a block
ROUNDS = reference.ROUNDS
# In 64 bits without a sign throughout: with one on either side, numba would compute in float64.
WORD, HALF = np.uint64(reference.WORD), np.uint64(32)
MULTIPLIER_0, MULTIPLIER_2 = map(np.uint64, reference.MULTIPLIERS)
STEP_0, STEP_1 = map(np.uint64, reference.KEY_STEPS)


@cuda.jit(device=True)
def philox(counter: Any, seed: Any) -> Any:
    """Return the four words of Philox-4x32-10 for a counter of 64 bits, each in 64 bits."""
    c0, c1 = counter & WORD, counter >> HALF
    c2 = c3 = WORD - WORD
    k0, k1 = seed & WORD, seed >> HALF
    for _ in range(ROUNDS):
        left, right = c0 * MULTIPLIER_0, c2 * MULTIPLIER_2
        c0, c1 = (right >> HALF) ^ c1 ^ k0, right & WORD
        c2, c3 = (left >> HALF) ^ c3 ^ k1, left & WORD
        k0, k1 = (k0 + STEP_0) & WORD, (k1 + STEP_1) & WORD
    return c0, c1, c2, c3


@cuda.jit
def drop(
    x: Array, inner: int, threshold: Any, seed: Any, scale: Any, shift: Any, floor: Any, y: Array
) -> None:
    """Write scale x + shift where the word of an element's group is not below the threshold."""
    i = cuda.grid(1)
    if i >= x.size:
        return
    group = i // inner
    words = philox(np.uint64(group // 4), seed)
    word = words[group % 4]
    if word < threshold:
        y[i] = x[i] * x.dtype.type(0) + floor  # NaN stays NaN
    else:
        y[i] = x[i] * scale + shift


def forward(
    x: Array, inner: int, p: float, seed: int, scale: float, shift: float, floor: float
) -> Array:
    """Return scale x + shift where an element is kept, 0 x + floor where it is not."""
    y = empty(x.shape, x.dtype, x)
    drawn = np.uint64(reference.threshold(p)), np.uint64(seed)
    line = map(x.dtype.type, (scale, shift, floor))
    flat = array_module(x).ascontiguousarray(x).reshape(-1)
    grid = Grid(blocks(math.prod(x.shape), THREADS))
    launch_python(drop, grid, THREADS, flat, inner, *drawn, *line, y.reshape(-1))
    return y
