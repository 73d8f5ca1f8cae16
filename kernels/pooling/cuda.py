"""Pooling in CUDA: floats, 1 to 3 axes, a thread for each result. See windows.cu."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module, is_array
from tinymed.kernels.conv.reference import Ints
from tinymed.kernels.cuda import SCALARS, Grid, Variant, blocks, empty, launch
from tinymed.precision import of_sums

__all__ = [
    "VARIANTS",
    "avg_forward",
    "avg_grad_input",
    "max_forward",
    "max_gather",
    "max_grad_input",
]

MAX = tuple(
    f"max_{name}_{winner}"
    for name in ("forward", "grad_input", "gather")
    for winner in ("u1", "i4")
)
WINDOWS = {
    dtype: Variant(
        f"pooling/{dtype}",
        "pooling/windows.cu",
        (*MAX, "avg_forward", "avg_grad_input"),
        (("SCALAR", scalar), ("SUM", of_sum)),
    )
    for dtype, (scalar, of_sum) in SCALARS.items()
}
VARIANTS = tuple(WINDOWS.values())


def _launch(entry: str, result: Array, given: tuple[Any, ...], *settings: Ints) -> Array:
    """Fill ``result``; settings are size, out, kernel, stride, padding and dilation."""
    missing = (1, 1, 1, 1, 0, 1)
    numbers = [
        n
        for setting, one in zip(settings, missing, strict=True)
        for n in (one,) * (3 - len(setting)) + tuple(setting)
    ]
    xp = array_module(result)
    given = tuple(xp.ascontiguousarray(one) if is_array(one) else one for one in given)
    variant = WINDOWS[result.dtype.name]
    grid = Grid(blocks(result.size, variant.threads))
    launch(variant, grid, *given, np.int64(result.size), *numbers, entry=entry)
    return result


def _name(winner: Array) -> str:
    return "u1" if winner.dtype == np.uint8 else "i4"


def max_forward(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
) -> tuple[Array, Array]:
    """Return the largest element under each window, and the number of the tap that held it."""
    y = empty((*x.shape[:2], *out), x.dtype, x)
    winner = empty(y.shape, "u1" if math.prod(kernel) <= 256 else "i4", x)
    settings = (x.shape[2:], out, kernel, stride, padding, dilation)
    _launch(f"max_forward_{_name(winner)}", y, (x, y, winner), *settings)
    return y, winner


def max_grad_input(
    grad_output: Array, winner: Array, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints,
    dilation: Ints,
) -> Array:  # fmt: skip
    """Return dL/dx: each window's gradient goes to the place that won it."""
    dx = empty((*grad_output.shape[:2], *spatial), grad_output.dtype, grad_output)
    settings = (spatial, grad_output.shape[2:], kernel, stride, padding, dilation)
    return _launch(f"max_grad_input_{_name(winner)}", dx, (grad_output, winner, dx), *settings)


def max_gather(
    x: Array, winner: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Array:
    """Return x at the winning places: the derivative of `max_grad_input`."""
    y = empty(winner.shape, x.dtype, x)
    settings = (x.shape[2:], winner.shape[2:], kernel, stride, padding, dilation)
    return _launch(f"max_gather_{_name(winner)}", y, (x, winner, y), *settings)


def _divisor(divisor: Any, like: Array) -> tuple[Array | None, np.float64]:
    """Return the divisors of a plane's windows, or one for all of them."""
    if is_array(divisor):
        return array_module(like).asarray(divisor, of_sums(like.dtype)), np.float64(1)
    return None, np.float64(divisor)


def avg_forward(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, out: Ints, divisor: Any
) -> Array:
    """Return the sum under each window divided by ``divisor``."""
    y = empty((*x.shape[:2], *out), x.dtype, x)
    divisors, number = _divisor(divisor, x)
    settings = (x.shape[2:], out, kernel, stride, padding, (1,) * len(kernel))
    return _launch("avg_forward", y, (x, divisors, y, number), *settings)


def avg_grad_input(
    grad_output: Array, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, divisor: Any
) -> Array:
    """Return dL/dx: each place gets its share from every window that covers it."""
    dx = empty((*grad_output.shape[:2], *spatial), grad_output.dtype, grad_output)
    divisors, number = _divisor(divisor, grad_output)
    settings = (spatial, grad_output.shape[2:], kernel, stride, padding, (1,) * len(kernel))
    return _launch("avg_grad_input", dx, (grad_output, divisors, dx, number), *settings)
