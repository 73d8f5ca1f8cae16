"""How channels of (N, C, L) are dealt out to blocks: channels.cuh, in Python."""

from __future__ import annotations

from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda.row_threads import ALIGNED, aligned
from tinymed.kernels.cuda.variant import blocks

__all__ = ["THREADS", "across", "parts_of"]

THREADS, SLICE = 256, 4096  # of a block, and of a channel of one sample: as channels.cuh has them
ENOUGH, MOST_PARTS = 1024, 64  # blocks that keep a GPU busy, and parts of one channel


def parts_of(samples: int, channels: int, length: int) -> int:
    """Return how many blocks share a channel of (samples, channels, length).

    Examples
    --------
    >>> parts_of(32, 64, 3136), parts_of(32, 2048, 49), parts_of(1, 3, 512 * 512)
    (16, 1, 64)
    """
    slices = samples * blocks(length, SLICE)
    return max(1, min(blocks(ENOUGH, channels), slices, MOST_PARTS))


def across(length: int, *arrays: Array) -> tuple[int, bool]:
    """Return how many threads share a slice, a power of 2, and whether they take 16 bytes each."""
    wide = aligned(length, *arrays)
    packs = blocks(min(length, SLICE), ALIGNED // arrays[0].dtype.itemsize if wide else 1)
    return min(THREADS, 1 << max(0, packs - 1).bit_length()), wide
