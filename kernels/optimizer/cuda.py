"""The steps of optimizers in CUDA: up to 64 arrays of parameters in one launch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, Struct, Variant, blocks, empty, launch
from tinymed.kernels.cuda.row_threads import ALIGNED, MOST_THREADS
from tinymed.kernels.optimizer.coefficients import decays, rectified

__all__ = [
    "MOST",
    "VARIANTS",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "nadam",
    "radam",
    "rmsprop",
    "sgd",
    "sparse_adam",
    "squares",
]

MOST, STATES = 64, 3  # arrays of a launch, and what a rule may keep of each: as arrays.cuh has them
CHUNK = 1 << 13  # elements that a block of squares.cu adds up

SCALARS = (("float32", "float"), ("float64", "double"))
RULES = (
    *("adam", "sgd", "adamax", "nadam", "radam", "sparse_adam"),
    *("rmsprop", "adagrad", "adadelta"),
)
OF_DTYPE = {
    dtype: Variant(f"optimizer/{dtype}", "optimizer/steps.cu", RULES, (("SCALAR", scalar),))
    for dtype, scalar in SCALARS
}
SQUARES = {
    dtype: Variant(f"optimizer/squares_{dtype}", "optimizer/squares.cu", ("squares", "total"),
                   (("SCALAR", scalar),))
    for dtype, scalar in SCALARS
}  # fmt: skip
VARIANTS = (*OF_DTYPE.values(), *SQUARES.values())

Arrays = list[Array]


def adam(
    param: Arrays,
    grad: Arrays,
    exp_avg: Arrays,
    exp_avg_sq: Arrays,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    max_exp_avg_sq: Arrays | None,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Step as the reference does, in place."""
    kept, joins = decays(lr, weight_decay, decoupled)
    numbers = (
        lr / (1 - beta1**step),
        math.sqrt(1 - beta2**step),
        *(beta1, 1 - beta1, beta2, 1 - beta2, eps, joins, kept),
    )
    amsgrad = max_exp_avg_sq is not None
    _step("adam", param, grad, [exp_avg, exp_avg_sq, max_exp_avg_sq], numbers, amsgrad)


def sgd(
    param: Arrays,
    grad: Arrays,
    momentum_buffer: Arrays | None,
    lr: float,
    momentum: float,
    dampening: float,
    nesterov: bool,
    first: bool,
    weight_decay: float,
) -> None:
    """Step as the reference does, in place."""
    numbers = (lr, momentum, 1 - dampening, weight_decay)
    flags = (bool(nesterov), bool(first), momentum_buffer is not None)
    _step("sgd", param, grad, [momentum_buffer], numbers, *flags)


def adamax(
    param: Arrays,
    grad: Arrays,
    exp_avg: Arrays,
    exp_inf: Arrays,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Step as the reference does, in place."""
    numbers = (lr / (1 - beta1**step), beta1, 1 - beta1, beta2, eps, weight_decay)
    _step("adamax", param, grad, [exp_avg, exp_inf], numbers)


def nadam(
    param: Arrays,
    grad: Arrays,
    exp_avg: Arrays,
    exp_avg_sq: Arrays,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    mu: float,
    mu_next: float,
    mu_product: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Step as the reference does, in place."""
    kept, joins = decays(lr, weight_decay, decoupled)
    numbers = (
        lr * (1 - mu) / (1 - mu_product),
        lr * mu_next / (1 - mu_product * mu_next),
        math.sqrt(1 - beta2**step),
        *(beta1, 1 - beta1, beta2, 1 - beta2, eps, joins, kept),
    )
    _step("nadam", param, grad, [exp_avg, exp_avg_sq], numbers)


def radam(
    param: Arrays,
    grad: Arrays,
    exp_avg: Arrays,
    exp_avg_sq: Arrays,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Step as the reference does, in place."""
    size, trusted = rectified(step, lr, beta1, beta2)
    kept, joins = decays(lr, weight_decay, decoupled)
    numbers = (size, beta1, 1 - beta1, beta2, 1 - beta2, eps, joins, kept)
    _step("radam", param, grad, [exp_avg, exp_avg_sq], numbers, trusted)


def sparse_adam(
    param: Arrays,
    grad: Arrays,
    exp_avg: Arrays,
    exp_avg_sq: Arrays,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    """Step as the reference does, in place."""
    size = lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)
    numbers = (size, 1 - beta1, 1 - beta2, eps)
    _step("sparse_adam", param, grad, [exp_avg, exp_avg_sq], numbers)


def rmsprop(
    param: Arrays,
    grad: Arrays,
    square_avg: Arrays,
    momentum_buffer: Arrays | None,
    grad_avg: Arrays | None,
    lr: float,
    alpha: float,
    eps: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """Step as the reference does, in place."""
    numbers = (lr, alpha, 1 - alpha, eps, momentum, weight_decay)
    there = (momentum_buffer is not None, grad_avg is not None)
    _step("rmsprop", param, grad, [square_avg, momentum_buffer, grad_avg], numbers, *there)


def adagrad(
    param: Arrays, grad: Arrays, total: Arrays, lr: float, eps: float, weight_decay: float
) -> None:
    """Step as the reference does, in place."""
    _step("adagrad", param, grad, [total], (lr, eps, weight_decay))


def adadelta(
    param: Arrays,
    grad: Arrays,
    square_avg: Arrays,
    acc_delta: Arrays,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Step as the reference does, in place."""
    numbers = (lr, rho, 1 - rho, eps, weight_decay)
    _step("adadelta", param, grad, [square_avg, acc_delta], numbers)


def squares(grad: Arrays) -> float:
    """Return the sum of the squares of all elements, added up in float64."""
    xp, variant = array_module(grad[0]), SQUARES[grad[0].dtype.name]
    whole = [xp.ascontiguousarray(array) for array in grad]
    total = sum(blocks(array.size, CHUNK) for array in whole)
    sums, y = empty((total,), np.float64, whole[0]), empty((), np.float64, whole[0])
    first = 0
    for chosen, grid, last_blocks in _launches(whole, CHUNK):
        arrays = _struct(
            [None, [whole[i] for i in chosen]], [whole[i].size for i in chosen], last_blocks
        )
        launch(variant, grid, arrays, len(chosen), sums, np.int64(first))
        first += grid.x
    launch(variant, Grid(1), sums, y, np.int64(total), entry="total", threads=MOST_THREADS)
    return float(y)


def _step(
    rule: str,
    param: Arrays,
    grad: Arrays,
    states: list[Arrays | None],
    numbers: tuple[float, ...],
    *flags: bool,
) -> None:
    """Launch a rule on all arrays that have elements, `MOST` at a time."""
    xp, dtype = array_module(param[0]), param[0].dtype
    written = [one for one in (param, *states) if one is not None]
    whole = {id(array): xp.ascontiguousarray(array) for one in (*written, grad) for array in one}
    variant = OF_DTYPE[dtype.name]
    scalars = map(dtype.type, numbers)  # or an int, of lr=1 say, would be handed over as one
    given = (*scalars, *flags)
    for chosen, grid, last_blocks in _launches(param, variant.threads * ALIGNED // dtype.itemsize):
        columns = [None if one is None else [whole[id(one[i])] for i in chosen]
                   for one in (param, grad, *states)]  # fmt: skip
        arrays = _struct(columns, [param[i].size for i in chosen], last_blocks)
        launch(variant, grid, arrays, len(chosen), *given, entry=rule)
    for one in written:
        for array in one:
            if whole[id(array)] is not array:
                array[...] = whole[id(array)].reshape(array.shape)


def _launches(arrays: Arrays, each: int) -> Iterator[tuple[list[int], Grid, list[int]]]:
    """Yield the numbers of up to `MOST` arrays that have elements, a grid, and where each ends.

    A block takes ``each`` elements of one array.
    """
    filled = [i for i, array in enumerate(arrays) if array.size]
    for start in range(0, len(filled), MOST):
        chosen = filled[start : start + MOST]
        ends = list(itertools.accumulate(blocks(arrays[i].size, each) for i in chosen))
        yield chosen, Grid(ends[-1]), ends


def _struct(columns: list[Arrays | None], sizes: list[int], ends: list[int]) -> Struct:
    """Return the struct of arrays.cuh: parameters, gradients, states; each has room for `MOST`."""
    kept = [*columns, *[None] * (2 + STATES - len(columns))]
    words: list[list[Any]] = [list(column or []) for column in (*kept, sizes, ends)]
    return Struct(tuple(w for column in words for w in (*column, *[None] * (MOST - len(column)))))
