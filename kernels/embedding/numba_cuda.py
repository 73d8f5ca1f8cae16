"""Embedding in numba-cuda: rows are copied; their gradients are sorted, then added in order.

Counted: memory moves once, 4 bytes in and 4 out for each element. Bound: memory.
"""

from __future__ import annotations

import math

from numba import cuda

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, blocks, empty, launch_python

__all__ = ["forward", "grad_weight"]

THREADS = 128  # of a block


@cuda.jit
def rows_of(weight: Array, ids: Array, y: Array) -> None:
    """y[i] = weight[ids[i]]: a thread for each number, neighbours along a row."""
    i = cuda.grid(1)
    if i < y.size:
        row, column = i // y.shape[1], i % y.shape[1]
        y[row, column] = weight[ids[row], column]


@cuda.jit
def sums_of(values: Array, ids: Array, order: Array, y: Array) -> None:
    """y[id] += values[i] over its places i = order[place], next to each other by the sort.

    A thread for each place and column; those at the first place of an id add up all of them.
    """
    i = cuda.grid(1)
    if i >= values.size:
        return
    place, column = i // values.shape[1], i % values.shape[1]
    own = ids[order[place]]
    if place > 0 and ids[order[place - 1]] == own:
        return
    total = y.dtype.type(0)
    while place < order.size and ids[order[place]] == own:
        total += values[order[place], column]
        place += 1
    y[own, column] = total


def forward(weight: Array, ids: Array) -> Array:
    """Return the rows of ``weight`` (V, D) at ``ids`` (*): (*, D)."""
    y = empty((ids.size, weight.shape[1]), weight.dtype, weight)
    launch_python(rows_of, Grid(blocks(y.size, THREADS)), THREADS, weight, ids.reshape(-1), y)
    return y.reshape(*ids.shape, weight.shape[1])


def grad_weight(grad_output: Array, ids: Array, rows: int) -> Array:
    """Return dL/dweight (rows, D): each row's sum of dL/dy (n, D) over the places that read it."""
    xp = array_module(grad_output)
    y = xp.zeros((rows, *grad_output.shape[1:]), grad_output.dtype)
    order = xp.argsort(ids, kind="stable")  # equal ids in the order in which they came
    width = math.prod(grad_output.shape[1:])  # 1 for a table of single numbers
    given = grad_output.reshape(len(ids), width), ids, order, y.reshape(rows, width)
    launch_python(sums_of, Grid(blocks(grad_output.size, THREADS)), THREADS, *given)
    return y
