"""What the machine can do at most: multiply-adds in registers, and bytes copied from memory.

A kernel of ``flops`` operations on ``bytes`` of memory takes at least max(flops / peak, bytes /
bandwidth). Both limits are measured, not looked up: a micro-kernel whose operands stay in the
first cache, and copies of arrays that fit in none. What stays in a cache between two calls can be
faster than this limit, and so can an algorithm that needs fewer operations than the definition.

Source: Williams, Waterman, Patterson (2009), "Roofline", section 3.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

__all__ = ["Roofline", "measured"]

STEPS = 64  # of the micro-kernel: its operands are a few KB
TILES = 20_000
COPIED = 1 << 25  # bytes of the array that is copied
RUNS = 8


@dataclass(frozen=True)
class Roofline:
    """Operations and bytes per second, at most."""

    flops: float
    bytes: float

    def seconds(self, flops: float, bytes: float) -> float:
        """Return what this much work takes at least."""
        return max(flops / self.flops, bytes / self.bytes)


def measured(dtype: Any = np.float32) -> Roofline | None:
    """Return what kernels can reach with as many threads as they may use; None without Numba."""
    if find_spec("numba") is None:
        return None
    return Roofline(_peak(np.dtype(dtype)), _bandwidth())


def _best(work: Callable[[], object]) -> float:
    """Return the least of several times, in seconds: a limit is what nothing disturbed."""
    work()
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _peak(dtype: np.dtype[Any]) -> float:
    """Return multiply-adds per second, times two."""
    from tinymed.kernels.compiled import compiled
    from tinymed.kernels.parallel import parallel
    from tinymed.kernels.simd.tile import tile
    from tinymed.kernels.simd.vector import REGISTERS, lanes_of

    rows, vectors = REGISTERS // 4, 3  # sums in three quarters of the registers
    multiply, width = tile(rows, vectors), vectors * lanes_of(dtype)

    @compiled
    def work(first: int, last: int, y: Any, a: Any, b: Any, width: int) -> None:
        for _ in range(first, last):
            multiply(y, 0, width, a, 0, STEPS, 1, b, 0, width, STEPS, False)

    y, a, b = (np.ones(n, dtype) for n in (rows * width, rows * STEPS, width * STEPS))
    seconds = _best(lambda: parallel(work, TILES, TILES // 100, y, a, b, width))
    return 2.0 * rows * width * STEPS * TILES / seconds


def _bandwidth() -> float:
    """Return bytes read and written per second."""
    from tinymed.kernels.compiled import compiled
    from tinymed.kernels.parallel import parallel
    from tinymed.kernels.simd.loops import elementwise

    copy = elementwise(lambda code, x: x)
    blocks = 64

    @compiled
    def work(first: int, last: int, y: Any, x: Any, length: int) -> None:
        for block in range(first, last):
            copy(((y, block * length),), ((x, block * length),), length, ())

    x = np.ones(COPIED // 4, np.float32)
    y = np.zeros_like(x)
    seconds = _best(lambda: parallel(work, blocks, 1, y, x, x.size // blocks))
    return 2.0 * COPIED / seconds
