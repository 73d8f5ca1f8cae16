"""Adam's step in numba-cuda: one pass over memory, a launch for each array of parameters.

Counted: 28 bytes for each parameter, four numbers read and three written. Bound: memory; and for
small arrays the launches, which steps.cu shares among up to 64 of them.
"""

from __future__ import annotations

import math
from typing import Any

from numba import cuda

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, blocks, launch_python
from tinymed.kernels.optimizer.coefficients import decays

__all__ = ["adam"]

THREADS = 128  # of a block
Arrays = list[Array]


@cuda.jit
def step_of(
    param: Array, grad: Array, mean: Array, square: Array, largest: Array | None,
    size: Any, correction: Any, beta1: Any, rest1: Any, beta2: Any, rest2: Any, eps: Any,
    joins: Any, kept: Any,
) -> None:  # fmt: skip
    """Write m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;  param -= lr m^ / (sqrt(v^) + eps)."""
    i = cuda.grid(1)
    if i >= param.size:
        return
    g = grad[i]
    if joins != param.dtype.type(0):  # without weight decay the parameter is not looked at
        g += joins * param[i]
    mean[i] = beta1 * mean[i] + rest1 * g
    square[i] = beta2 * square[i] + rest2 * g * g
    second = square[i]
    if largest is not None:
        if second > largest[i] or second != second:  # NaN in either stays
            largest[i] = second
        second = largest[i]
    param[i] = kept * param[i] - size * mean[i] / (math.sqrt(second) / correction + eps)


def adam(
    param: Arrays, grad: Arrays, exp_avg: Arrays, exp_avg_sq: Arrays, step: int, lr: float,
    beta1: float, beta2: float, eps: float, max_exp_avg_sq: Arrays | None, weight_decay: float,
    decoupled: bool,
) -> None:  # fmt: skip
    """Step as the reference does, in place."""
    kept, joins = decays(lr, weight_decay, decoupled)
    numbers = (
        lr / (1 - beta1**step),
        math.sqrt(1 - beta2**step),
        *(beta1, 1 - beta1, beta2, 1 - beta2, eps, joins, kept),
    )
    largest = max_exp_avg_sq or [None] * len(param)
    for given in zip(param, grad, exp_avg, exp_avg_sq, largest, strict=True):
        flat: list[Any] = [None if a is None else _flat(a) for a in given]
        scalars = map(given[0].dtype.type, numbers)
        launch_python(step_of, Grid(blocks(given[0].size, THREADS)), THREADS, *flat, *scalars)
        for array, whole in zip(given, flat, strict=True):
            if array is not None and array is not given[1] and not array.flags.c_contiguous:
                array[...] = whole.reshape(array.shape)


def _flat(array: Array) -> Array:
    """Return all numbers of an array in a row: itself if it is contiguous, else a copy."""
    return array_module(array).ascontiguousarray(array).reshape(-1)
