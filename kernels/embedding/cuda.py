"""Embedding in CUDA: rows are copied 16 bytes at a time, their gradients sorted and added in order.

The sort is a stable one of the array module's (CuPy's radix sort on a GPU); the sums are ours.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, Variant, blocks, empty, launch
from tinymed.kernels.cuda.row_threads import ALIGNED, aligned

__all__ = ["VARIANTS", "forward", "grad_weight", "sum_rows"]

OF_DTYPE = {
    dtype: Variant(
        f"embedding/{dtype}",
        "embedding/tables.cu",
        ("forward", "group_sums"),
        (("SCALAR", scalar),),
    )
    for dtype, scalar in (("float32", "float"), ("float64", "double"))
}
VARIANTS = tuple(OF_DTYPE.values())


def forward(weight: Array, ids: Array) -> Array:
    """Return the rows of ``weight`` (V, D) at ``ids`` (*): (*, D)."""
    xp = array_module(weight)
    y = empty((*ids.shape, *weight.shape[1:]), weight.dtype, weight)
    table, flat = xp.ascontiguousarray(weight), xp.ascontiguousarray(ids)
    _launch("forward", ids.size, (table, flat, y), weight.shape[1])
    return y


def sum_rows(values: Array, ids: Array) -> tuple[Array, Array]:
    """Return the different ids in ascending order (k,), and the sums (k, D) of their values."""
    order, starts, different = _groups(ids)
    y = empty((different.size, *values.shape[1:]), values.dtype, values)
    given = array_module(values).ascontiguousarray(values)
    _launch("group_sums", different.size, (given, order, starts, None, y), _width(values))
    return different, y


def grad_weight(grad_output: Array, ids: Array, rows: int) -> Array:
    """Return dL/dweight (rows, D): each row's sum of dL/dy (n, D) over the places that read it."""
    xp = array_module(grad_output)
    order, starts, different = _groups(ids)
    y = xp.zeros((rows, *grad_output.shape[1:]), grad_output.dtype)
    given = xp.ascontiguousarray(grad_output)
    arrays = (given, order, starts, different, y)
    _launch("group_sums", different.size, arrays, _width(grad_output))
    return y


def _groups(ids: Array) -> tuple[Array, Array, Array]:
    """Return the places by their ids, where each id's begin and the last one's end, and the ids."""
    xp = array_module(ids)
    order = xp.argsort(ids, kind="stable")
    ordered = ids[order]
    first = xp.ones(ordered.shape, bool)
    first[1:] = ordered[1:] != ordered[:-1]
    starts = xp.flatnonzero(first)
    end = xp.full((1,), ids.size, np.int64)
    return order, xp.concatenate((starts, end)), ordered[starts]


def _launch(entry: str, rows: int, arrays: tuple[Any, ...], width: int) -> None:
    """Launch a group of threads, a power of 2, for each of ``rows`` of ``width`` columns."""
    x, y = arrays[0], arrays[-1]
    variant, wide = OF_DTYPE[y.dtype.name], aligned(width, x, y)
    packs = blocks(width, ALIGNED // y.dtype.itemsize if wide else 1)
    across = min(variant.threads, 1 << max(0, packs - 1).bit_length())
    grid = Grid(blocks(rows, variant.threads // across) if width else 0)
    launch(variant, grid, *arrays, np.int64(rows), width, across, wide, entry=entry)


def _width(values: Array) -> int:
    """Return how many columns (n, D) has; a table of single numbers, (n,), has one."""
    return math.prod(values.shape[1:])
