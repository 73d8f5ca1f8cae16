"""The launch of what is computed element by element: elements.cuh, in Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda.launcher import empty, launch
from tinymed.kernels.cuda.row_threads import ALIGNED, aligned
from tinymed.kernels.cuda.variant import Grid, Variant, blocks

__all__ = ["for_elements"]


def for_elements(variant: Variant, entry: str, arrays: tuple[Array, ...], *numbers: Any) -> Array:
    """Return y = f(a, b ...) of arrays of one shape and dtype, by an entry point of ``variant``.

    It takes the arrays, y, their size, whether all begin at multiples of 16 bytes, and ``numbers``.
    """
    xp = array_module(*arrays)
    given = [xp.ascontiguousarray(array) for array in arrays]
    y = empty(arrays[0].shape, arrays[0].dtype, arrays[0])
    grid = Grid(blocks(y.size, variant.threads * ALIGNED // y.dtype.itemsize))
    wide = aligned(0, *given)  # the last few elements go one by one
    launch(variant, grid, *given, y, np.int64(y.size), wide, *numbers, entry=entry)
    return y
