"""Adam and SGD in CUDA: up to 64 arrays of parameters in one launch."""

from __future__ import annotations

import math
from typing import Any

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, Struct, Variant, blocks, launch

__all__ = ["MOST", "VARIANTS", "adam", "sgd"]

MOST, STATES = 64, 3  # arrays of a launch, and what a rule may keep of each: as steps.cu has them
ALIGNED = 16  # bytes that a thread takes of each array

OF_DTYPE = {
    dtype: Variant(
        f"optimizer/{dtype}", "optimizer/steps.cu", ("adam", "sgd"), (("SCALAR", scalar),)
    )
    for dtype, scalar in (("float32", "float"), ("float64", "double"))
}
VARIANTS = tuple(OF_DTYPE.values())

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
    numbers = (
        lr / (1 - beta1**step),
        math.sqrt(1 - beta2**step),
        *(beta1, 1 - beta1, beta2, 1 - beta2, eps),
        0.0 if decoupled else weight_decay,
        1 - lr * weight_decay if decoupled else 1.0,
    )
    amsgrad = max_exp_avg_sq is not None
    floats = map(float, numbers)  # an int, of lr=1 say, would be handed over as one
    _step("adam", param, grad, [exp_avg, exp_avg_sq, max_exp_avg_sq], (*floats, amsgrad))


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
    numbers = (float(lr), float(momentum), 1 - float(dampening), bool(nesterov), bool(first))
    with_momentum = momentum_buffer is not None
    _step("sgd", param, grad, [momentum_buffer], (*numbers, float(weight_decay), with_momentum))


def _step(
    rule: str, param: Arrays, grad: Arrays, states: list[Arrays | None], numbers: tuple[Any, ...]
) -> None:
    """Launch a rule on all arrays that have elements, `MOST` at a time."""
    xp, dtype = array_module(param[0]), param[0].dtype
    written = [one for one in (param, *states) if one is not None]
    whole = {id(array): xp.ascontiguousarray(array) for one in (*written, grad) for array in one}
    each = OF_DTYPE[dtype.name].threads * (ALIGNED // dtype.itemsize)
    scalars = [dtype.type(x) if isinstance(x, float) else x for x in numbers]
    filled = [i for i, array in enumerate(param) if array.size]
    for start in range(0, len(filled), MOST):
        chosen = filled[start : start + MOST]
        last_blocks, total = [], 0
        for i in chosen:
            total += blocks(param[i].size, each)
            last_blocks.append(total)
        kept = [*states, *[None] * (STATES - len(states))]
        columns = [None if one is None else [whole[id(one[i])] for i in chosen]
                   for one in (param, grad, *kept)]  # fmt: skip
        words = [*columns, [param[i].size for i in chosen], last_blocks]
        arrays = Struct(tuple(word for column in words for word in _padded(column)))
        launch(OF_DTYPE[dtype.name], Grid(total), arrays, len(chosen), *scalars, entry=rule)
    for one in written:
        for array in one:
            if whole[id(array)] is not array:
                array[...] = whole[id(array)].reshape(array.shape)


def _padded(column: list[Any] | None) -> list[Any]:
    """Return a member of the struct, which has room for `MOST`."""
    return [*(column or []), *[None] * (MOST - len(column or []))]
