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

__all__ = [
    "VARIANTS",
    "bag_max",
    "bag_sum",
    "forward",
    "grad_weight",
    "renormalize",
    "sum_rows",
]

OF_DTYPE = {
    dtype: Variant(
        f"embedding/{dtype}",
        "embedding/tables.cu",
        ("forward", "group_sums", "bag_sums", "bag_maxima", "renormalize"),
        (("SCALAR", scalar),),
    )
    for dtype, scalar in (("float32", "float"), ("float64", "double"))
}
VARIANTS = tuple(OF_DTYPE.values())
WARP = 32  # threads that share a row whose norm is asked for
NORMS = {1.0: 1, 2.0: 2, math.inf: 3}  # as tables.cu numbers them
OTHER_NORM = 4


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


def bag_sum(weight: Array, ids: Array, offsets: Array, scale: Array | None) -> Array:
    """Return the sums (B, D) of the rows of each bag, times ``scale`` (n,) if given; 0 of none."""
    return _bags("bag_sums", weight, ids, offsets, scale)


def bag_max(weight: Array, ids: Array, offsets: Array) -> tuple[Array, Array]:
    """Return the largest elements (B, D) over the rows of each bag, and the ids that had them."""
    winner = empty((len(offsets) - 1, weight.shape[1]), np.int64, weight)
    return _bags("bag_maxima", weight, ids, offsets, winner), winner


def renormalize(weight: Array, rows: Array, max_norm: float, norm_type: float) -> bool:
    """Shorten, in place, the different ``rows`` (k,) whose p-norm is above ``max_norm``.

    Whether one was too long is read from the GPU, which the host waits for.
    """
    xp, variant, scalar = array_module(weight), OF_DTYPE[weight.dtype.name], weight.dtype.type
    table, rows = xp.ascontiguousarray(weight), xp.ascontiguousarray(rows)
    shortened = xp.zeros(1, np.int32)
    grid = Grid(blocks(len(rows), variant.threads // WARP))
    norm = NORMS.get(norm_type, OTHER_NORM), scalar(norm_type), scalar(max_norm)
    sizes = np.int64(len(rows)), weight.shape[1]
    launch(variant, grid, table, rows, shortened, *sizes, *norm, entry="renormalize")
    if table is not weight:
        weight[...] = table
    return bool(shortened.any())


def _bags(entry: str, weight: Array, ids: Array, offsets: Array, also: Array | None) -> Array:
    """Return what becomes of each bag (B, D); ``also``: factors, or where winners are put."""
    xp = array_module(weight)
    y = empty((len(offsets) - 1, weight.shape[1]), weight.dtype, weight)
    given = [None if a is None else xp.ascontiguousarray(a) for a in (weight, ids, offsets, also)]
    _launch(entry, len(y), (*given, y), weight.shape[1])
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
