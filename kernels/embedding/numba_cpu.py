"""Embedding row by row: each row of a result belongs to one thread, which adds in order of the ids.

That makes the bits the same whatever the number of threads, and each row is written once.
"""

from __future__ import annotations

import math

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty
from tinymed.kernels.copying import contiguous
from tinymed.kernels.embedding import rows as cores
from tinymed.kernels.embedding.groups import group_all
from tinymed.kernels.parallel import parallel

ENOUGH = 1 << 15  # elements worth a thread of their own


def least(width: int) -> int:
    """Return how many rows are worth a thread of their own."""
    return ENOUGH // max(1, width) + 1


def flat(array: Array) -> Array:
    """Return the elements in a row, copied only if they are not contiguous."""
    return contiguous(array).reshape(-1)


def forward(weight: Array, ids: Array) -> Array:
    """Return the rows of ``weight`` (V, D) at ``ids`` (*): (*, D)."""
    y = empty((*ids.shape, *weight.shape[1:]), weight.dtype)
    width = math.prod(weight.shape[1:])
    parallel(cores.take, ids.size, least(width), y.reshape(-1), flat(weight), width, flat(ids))
    return y


def sum_rows(values: Array, ids: Array) -> tuple[Array, Array]:
    """Return the different ids in ascending order (k,), and the sums of their values (k, D)."""
    order, touched, starts, found = grouped(ids)
    different = int(found[0])
    touched, starts = touched[:different].copy(), starts[: different + 1]
    width = math.prod(values.shape[1:])
    sums = empty((len(touched), *values.shape[1:]), values.dtype)
    given = sums.reshape(-1), flat(values), width, order, starts
    parallel(cores.sum_groups, len(touched), least(width), *given)
    return touched, sums


def grad_weight(grad_output: Array, ids: Array, rows: int) -> Array:
    """Return dL/dweight (rows, D): each row's sum of dL/dy (n, D) over the places that read it."""
    groups = grouped(ids)
    width = math.prod(grad_output.shape[1:])
    grad = empty((rows, *grad_output.shape[1:]), grad_output.dtype)
    given = grad.reshape(-1), flat(grad_output), width, *groups
    parallel(cores.sum_groups_in_place, rows, least(width), *given)
    return grad


def grouped(ids: Array) -> tuple[Array, Array, Array, Array]:
    """Return places (n,) in the order of their ids, the k different ids, their starts, and k.

    The ids and starts have room for n different ones; (k,) is an array too.
    """
    sizes = ids.size, ids.size, ids.size + 1, 1
    order, touched, starts, found = (empty((size,), np.int64) for size in sizes)
    parallel(group_all, 1, 2, flat(ids), order, touched, starts, found)
    return order, touched, starts, found


def bag_sum(weight: Array, ids: Array, offsets: Array, scale: Array | None) -> Array:
    """Return the sums (B, D) of the rows of each bag, times ``scale`` (n,) if given; 0 of none."""
    bags, width = len(offsets) - 1, weight.shape[1]
    y = empty((bags, width), weight.dtype)
    given = y.reshape(-1), flat(weight), width, flat(ids), flat(offsets)
    worth = least(width * (1 + len(ids) // max(1, bags)))
    if scale is None:
        parallel(cores.bag_sum, bags, worth, *given)
    else:
        parallel(cores.bag_weighted_sum, bags, worth, *given, flat(scale))
    return y


def bag_max(weight: Array, ids: Array, offsets: Array) -> tuple[Array, Array]:
    """Return the largest elements (B, D) over the rows of each bag, and the ids that had them."""
    bags, width = len(offsets) - 1, weight.shape[1]
    y, winner = empty((bags, width), weight.dtype), empty((bags, width), np.int64)
    given = y.reshape(-1), winner.reshape(-1), flat(weight), width, flat(ids), flat(offsets)
    parallel(cores.bag_max, bags, least(2 * width * (1 + len(ids) // max(1, bags))), *given)
    return y, winner


def renormalize(weight: Array, rows: Array, max_norm: float, norm_type: float) -> bool:
    """Shorten, in place, the different ``rows`` (k,) whose p-norm is above ``max_norm``."""
    width, shortened = weight.shape[1], np.zeros(len(rows), np.bool_)
    core = cores.RENORMALIZE[norm_type]
    given = weight.reshape(-1), width, flat(rows), float(max_norm), shortened
    parallel(core, len(rows), least(width), *given)
    return bool(shortened.any())
