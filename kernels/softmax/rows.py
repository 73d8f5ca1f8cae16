"""Softmax for the compiled kernels: item m of (M, C, L) by row, or by rows where L > 1.

With L = 1 the classes of an item are a contiguous row. Otherwise each class has a row of L places,
and the lanes are neighbouring places.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.functions import exp, log
from tinymed.kernels.simd.loops import elementwise, reduction

__all__ = [
    "loss",
    "loss_grad",
    "mean",
    "mean_grad",
    "spread",
    "spread_grad",
    "spread_log",
    "spread_log_grad",
]


def _larger(code: Any, a: Any, b: Any) -> Any:
    """Return the larger of two; a NaN may be lost, and comes back with the sum."""
    return code.maximum(a, b)


def _plus(code: Any, a: Any, b: Any) -> Any:
    return a + b


largest_of = reduction(lambda code, x: x, -math.inf, _larger)
sum_of = reduction(lambda code, x: x, 0, _plus)
sum_of_exp = reduction(lambda code, x, shift: exp(code, x - shift), 0, _plus)
sum_of_products = reduction(lambda code, a, b: a * b, 0, _plus)
exp_of = elementwise(lambda code, x, shift: exp(code, x - shift))
times = elementwise(lambda code, x, factor: x * factor)
minus = elementwise(lambda code, x, shift, more: x - shift - more)
softmax_share = elementwise(lambda code, g, y, total: y * (g - total))
log_share = elementwise(lambda code, g, y, total: g - exp(code, y) * total)

larger = elementwise(lambda code, so_far, x: code.maximum(so_far, x))
plus = elementwise(lambda code, so_far, x: so_far + x)
plus_exp = elementwise(lambda code, so_far, x, shift: so_far + exp(code, x - shift))
plus_product = elementwise(lambda code, so_far, a, b: code.fma(a, b, so_far))
exp_and_plus = elementwise(lambda code, so_far, x, shift: _both(exp(code, x - shift), so_far))
over = elementwise(lambda code, x, total: x / total)
log_of = elementwise(lambda code, x: log(code, x))


def _both(y: Any, so_far: Any) -> Any:
    return y, so_far + y


@compiled
def loss(first: int, last: int, losses: Any, x: Any, target: Any, classes: int) -> None:
    """Find the cross-entropy of rows first to last - 1.

    Targets are checked before; once more here, for steps that are repeated without the Python.
    """
    for m in range(first, last):
        if not 0 <= target[m] < classes:
            raise IndexError(
                "cross_entropy: a class index in target is out of range; none is ignored here"
            )
        row = ((x, m * classes),)
        shift = largest_of(row, classes, ())
        total = sum_of_exp(row, classes, (shift,))
        losses[m] = math.log(total) - (x[m * classes + target[m]] - shift)


@compiled
def loss_grad(
    first: int, last: int, grad_x: Any, g: Any, x: Any, target: Any, classes: int
) -> None:
    """Find the gradient of rows first to last - 1."""
    for m in range(first, last):
        at = m * classes
        total = _exp_of_row(grad_x, x, at, classes)
        right = grad_x[at + target[m]] / total
        times(((grad_x, at),), ((grad_x, at),), classes, (g[m] / total,))
        grad_x[at + target[m]] = (right - 1) * g[m]


@compiled
def mean(first: int, last: int, y: Any, x: Any) -> None:
    """Set y, of one element, to the mean of x."""
    y[0] = sum_of(((x, 0),), x.size, ()) / x.size


@compiled
def mean_grad(first: int, last: int, grad_x: Any, g: Any) -> None:
    """Give each element of x its share of g, which has one."""
    grad_x[:] = g[0] / grad_x.size


@compiled
def _exp_of_row(y: Any, x: Any, at: int, classes: int) -> Any:
    """Set a row to exp(x - the largest x), and return its sum."""
    shift = largest_of(((x, at),), classes, ())
    exp_of(((y, at),), ((x, at),), classes, (shift,))
    return sum_of(((y, at),), classes, ())


@compiled
def spread(first: int, last: int, y: Any, x: Any, classes: int, length: int) -> None:
    """Take softmax of items first to last - 1."""
    for m in range(first, last):
        at = m * classes * length
        if length == 1:
            total = _exp_of_row(y, x, at, classes)
            times(((y, at),), ((y, at),), classes, (1 / total,))
            continue
        shift, total = _largest_of_rows(x, at, classes, length), np.zeros(length, x.dtype)
        for row in range(at, at + classes * length, length):
            inputs = (total, 0), (x, row), (shift, 0)
            exp_and_plus(((y, row), (total, 0)), inputs, length, ())
        for row in range(at, at + classes * length, length):
            over(((y, row),), ((y, row), (total, 0)), length, ())


@compiled
def spread_log(first: int, last: int, y: Any, x: Any, classes: int, length: int) -> None:
    """Take log softmax of items first to last - 1."""
    for m in range(first, last):
        at = m * classes * length
        if length == 1:
            shift = largest_of(((x, at),), classes, ())
            more = math.log(sum_of_exp(((x, at),), classes, (shift,)))
            minus(((y, at),), ((x, at),), classes, (shift, more))
            continue
        shift, total = _largest_of_rows(x, at, classes, length), np.zeros(length, x.dtype)
        for row in range(at, at + classes * length, length):
            plus_exp(((total, 0),), ((total, 0), (x, row), (shift, 0)), length, ())
        log_of(((total, 0),), ((total, 0),), length, ())
        for row in range(at, at + classes * length, length):
            minus(((y, row),), ((x, row), (shift, 0), (total, 0)), length, ())


@compiled
def _largest_of_rows(x: Any, at: int, classes: int, length: int) -> Any:
    """Return the largest of all classes at each place."""
    found = x[at : at + length].copy()
    for row in range(at + length, at + classes * length, length):
        larger(((found, 0),), ((found, 0), (x, row)), length, ())
    return found


@compiled
def spread_grad(
    first: int, last: int, grad_x: Any, g: Any, y: Any, classes: int, length: int
) -> None:
    """Find the gradient of softmax for items first to last - 1."""
    for m in range(first, last):
        at = m * classes * length
        if length == 1:
            rows = (g, at), (y, at)
            total = sum_of_products(rows, classes, ())
            softmax_share(((grad_x, at),), rows, classes, (total,))
            continue
        sums = np.zeros(length, g.dtype)
        for row in range(at, at + classes * length, length):
            plus_product(((sums, 0),), ((sums, 0), (g, row), (y, row)), length, ())
        for row in range(at, at + classes * length, length):
            softmax_share(((grad_x, row),), ((g, row), (y, row), (sums, 0)), length, ())


@compiled
def spread_log_grad(
    first: int, last: int, grad_x: Any, g: Any, y: Any, classes: int, length: int
) -> None:
    """Find the gradient of log softmax for items first to last - 1."""
    for m in range(first, last):
        at = m * classes * length
        if length == 1:
            total = sum_of(((g, at),), classes, ())
            log_share(((grad_x, at),), ((g, at), (y, at)), classes, (total,))
            continue
        sums = np.zeros(length, g.dtype)
        for row in range(at, at + classes * length, length):
            plus(((sums, 0),), ((sums, 0), (g, row)), length, ())
        for row in range(at, at + classes * length, length):
            log_share(((grad_x, row),), ((g, row), (y, row), (sums, 0)), length, ())
