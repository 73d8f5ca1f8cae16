"""How a row is dealt out to the threads of a block: what rows.cuh says, in Python."""

from __future__ import annotations

from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda.launcher import address
from tinymed.kernels.cuda.variant import blocks

__all__ = ["ALIGNED", "MOST_THREADS", "aligned", "row_threads"]

ALIGNED = 16  # bytes of one access
MOST_THREADS = 512


def row_threads(length: int, itemsize: int) -> int:
    """Return how many threads hold a row in registers, whole warps, 16 of them at most.

    Examples
    --------
    >>> row_threads(10, 4), row_threads(1024, 4), row_threads(1025, 4), row_threads(10**6, 4)
    (32, 32, 64, 512)
    """
    depth = 32 // itemsize  # packs of a thread
    of_warp = 32 * depth * ALIGNED // itemsize
    return min(MOST_THREADS, 32 * max(1, blocks(length, of_warp)))


def aligned(length: int, *arrays: Array) -> bool:
    """Return whether all rows of ``length`` elements begin at multiples of 16 bytes."""
    whole = length * arrays[0].dtype.itemsize % ALIGNED == 0
    return whole and all(address(array) % ALIGNED == 0 for array in arrays)
