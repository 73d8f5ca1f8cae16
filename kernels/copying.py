"""Arrays laid out anew, by a compiled call: NumPy's own copies are made once and not repeated."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels import recording
from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty
from tinymed.kernels.compiled import compiled
from tinymed.kernels.parallel import parallel

__all__ = ["contiguous", "copy", "flat", "joined", "placed", "put_rows", "take_rows"]

WORTH = 1 << 16  # elements that are worth a thread


@compiled
def _copy_items(first: int, last: int, target: Any, source: Any) -> None:
    """Copy what is at ``first`` to ``last`` - 1 along the first axis."""
    target[first:last] = source[first:last]


def copy(array: Array) -> Array:
    """Return a contiguous copy, of any strides."""
    made = empty(array.shape, array.dtype)
    _copy_to(made, array)
    return made


def contiguous(array: Array) -> Array:
    """Return ``array``, or a contiguous copy: `np.ascontiguousarray` for kernels."""
    if array.flags.c_contiguous:
        return array
    return np.ascontiguousarray(array) if recording.active() is None else copy(array)


def flat(array: Array) -> Array:
    """Return the elements in a row, copied only if they are not contiguous."""
    return contiguous(array).reshape(-1)


@compiled
def _fill(first: int, last: int, target: Any, value: float) -> None:
    """Set elements ``first`` to ``last`` - 1 to a number."""
    target[first:last] = value


@compiled
def _take(first: int, last: int, target: Any, source: Any, rows: Any) -> None:
    """Copy to rows ``first`` to ``last`` - 1 of (n, D) those with the numbers in ``rows``."""
    for i in range(first, last):
        target[i] = source[rows[i]]


@compiled
def _put(first: int, last: int, target: Any, source: Any, rows: Any) -> None:
    """Copy rows ``first`` to ``last`` - 1 of (n, D) to where ``rows`` says; none is said twice."""
    for i in range(first, last):
        target[rows[i]] = source[i]


def take_rows(x: Array, rows: Array) -> Array:
    """Return the rows of x (N, *) with these numbers."""
    width = x.size // max(1, len(x))
    made = empty((len(rows), *x.shape[1:]), x.dtype)
    given = made.reshape(-1, width), contiguous(x).reshape(-1, width), rows
    parallel(_take, len(rows), 1 + WORTH // max(1, width), *given)
    return made


def put_rows(x: Array, rows: Array, count: int, value: float) -> Array:
    """Return (count, *) with x (N, *) in rows of these numbers, ``value`` in the others."""
    made, width = empty((count, *x.shape[1:]), x.dtype), x.size // max(1, len(x))
    parallel(_fill, made.size, WORTH, made.reshape(-1), float(value))
    given = made.reshape(-1, width), contiguous(x).reshape(-1, width), rows
    parallel(_put, len(x), 1 + WORTH // max(1, width), *given)
    return made


def placed(x: Array, index: Any, shape: tuple[int, ...]) -> Array:
    """Return zeros of a shape with ``x`` at an index that gives a view."""
    made = empty(shape, x.dtype)
    parallel(_fill, made.size, WORTH, made.reshape(-1), 0.0)
    _copy_to(made[index], x)
    return made


def joined(arrays: tuple[Array, ...], dim: int, shape: tuple[int, ...]) -> Array:
    """Return arrays one after the other along an axis, of this shape together."""
    made, start = empty(shape, arrays[0].dtype), 0
    for array in arrays:
        end = start + array.shape[dim]
        _copy_to(made[(slice(None),) * dim + (slice(start, end),)], array)
        start = end
    return made


def _copy_to(target: Array, source: Array) -> None:
    """Copy, by a compiled call, into a view; ``source`` is of its shape."""
    if source.size:
        target, source = (a if a.ndim else a.reshape(1) for a in (target, source))
        parallel(_copy_items, len(source), 1 + WORTH * len(source) // source.size, target, source)
