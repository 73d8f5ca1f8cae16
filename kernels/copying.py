"""Arrays laid out anew, by a compiled call: NumPy's own copies are made once and not repeated."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels import recording
from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty
from tinymed.kernels.compiled import compiled
from tinymed.kernels.parallel import parallel

__all__ = ["contiguous", "copy", "flat"]

WORTH = 1 << 16  # elements that are worth a thread


@compiled
def _copy_items(first: int, last: int, target: Any, source: Any) -> None:
    """Copy what is at ``first`` to ``last`` - 1 along the first axis."""
    target[first:last] = source[first:last]


def copy(array: Array) -> Array:
    """Return a contiguous copy, of any strides."""
    made = empty(array.shape, array.dtype)
    if array.size:
        target, source = (a if a.ndim else a.reshape(1) for a in (made, array))
        least = 1 + WORTH * len(source) // array.size
        parallel(_copy_items, len(source), least, target, source)
    return made


def contiguous(array: Array) -> Array:
    """Return ``array``, or a contiguous copy; what kernels take in place of `np.ascontiguousarray`."""
    if array.flags.c_contiguous:
        return array
    return np.ascontiguousarray(array) if recording.active() is None else copy(array)


def flat(array: Array) -> Array:
    """Return the elements in a row, copied only if they are not contiguous."""
    return contiguous(array).reshape(-1)
