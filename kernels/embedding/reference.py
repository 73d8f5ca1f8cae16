"""Embedding as array operations; what meets in one row is sorted together and added in order.

Adding in the order of the ids, not as threads come by, gives the same bits at each run.
"""

from __future__ import annotations

import math

import numpy as np

from tinymed.kernels.arrays import Array, array_module

EPSILON = 1e-7  # PyTorch's: a row is brought just below max_norm


def forward(weight: Array, ids: Array) -> Array:
    """Return the rows of ``weight`` (V, D) at ``ids`` (*): (*, D)."""
    return array_module(weight).take(weight, ids, axis=0)


def sum_rows(values: Array, ids: Array) -> tuple[Array, Array]:
    """Return the different ids in ascending order (k,), and the sum of the values of each (k, D).

    Sorting brings equal ids together: O(n log n + n D).
    """
    xp = array_module(values)
    order = xp.argsort(ids, kind="stable")
    ordered = ids[order]
    first = xp.ones(ordered.shape, bool)  # where an id stands for the first time
    first[1:] = ordered[1:] != ordered[:-1]
    starts = xp.flatnonzero(first)
    return ordered[starts], segment_sums(values[order], starts)


def grad_weight(grad_output: Array, ids: Array, rows: int) -> Array:
    """Return dL/dweight (rows, D): each row's sum of dL/dy (n, D) over the places that read it."""
    grad = array_module(grad_output).zeros((rows, *grad_output.shape[1:]), grad_output.dtype)
    touched, sums = sum_rows(grad_output, ids)
    grad[touched] = sums
    return grad


def bag_sum(weight: Array, ids: Array, offsets: Array, scale: Array | None) -> Array:
    """Return the sums (B, D) of the rows of each bag, times ``scale`` (n,) if given; 0 of none."""
    rows = forward(weight, ids)
    if scale is not None:
        rows *= scale[:, None]
    y = array_module(weight).zeros((len(offsets) - 1, weight.shape[1]), weight.dtype)
    filled = offsets[1:] > offsets[:-1]
    y[filled] = segment_sums(rows, offsets[:-1][filled])
    return y


def bag_max(weight: Array, ids: Array, offsets: Array) -> tuple[Array, Array]:
    """Return the largest elements (B, D) over the rows of each bag, and the ids that had them.

    The first of equal elements wins, and a NaN wins over everything. An empty bag has 0 and id -1.
    One pass over the places in the bags, all bags at once: as many as the longest bag has.
    """
    xp = array_module(weight)
    lengths = offsets[1:] - offsets[:-1]
    y = xp.zeros((len(lengths), weight.shape[1]), weight.dtype)
    winner = xp.full(y.shape, -1, np.int64)
    for place in range(int(lengths.max()) if len(lengths) else 0):
        bags = xp.flatnonzero(lengths > place)
        candidates = ids[offsets[:-1][bags] + place]  # (b,): the ids at this place of their bags
        rows, best, leader = forward(weight, candidates), y[bags], winner[bags]
        better = (rows > best) | (leader < 0)
        better |= (rows != rows) & (best == best)
        y[bags] = xp.where(better, rows, best)
        winner[bags] = xp.where(better, candidates[:, None], leader)
    return y, winner


def renormalize(weight: Array, rows: Array, max_norm: float, norm_type: float) -> bool:
    """Shorten, in place, the different ``rows`` (k,) whose p-norm is above ``max_norm``."""
    xp = array_module(weight)
    values = weight[rows]
    size = abs(values)
    if norm_type == math.inf:
        norms = size.max(axis=1) if size.shape[1] else size.sum(axis=1)  # 0 without columns
    else:
        norms = (size**norm_type).sum(axis=1) ** (1 / norm_type)
    long = xp.flatnonzero(norms > max_norm)
    scale = max_norm / (norms[long] + EPSILON)
    weight[rows[long]] = values[long] * scale[:, None]
    return bool(len(long))


def segment_sums(values: Array, starts: Array) -> Array:
    """Return the sums (k, D) of the rows from each start up to the next one, the last to the end.

    No segment is empty.
    """
    if len(starts) == 0:
        return values[:0]
    return array_module(values).add.reduceat(values, starts, axis=0)
