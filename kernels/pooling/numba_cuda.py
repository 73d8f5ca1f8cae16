"""Pooling in two dimensions in numba-cuda: a thread for each result, which it alone writes.

Counted: a window is read through the caches, so that memory moves once: 4 bytes in and 4 out for
each element, and one for which tap won. Bound: memory.
"""

from __future__ import annotations

import math
from typing import Any

from numba import cuda

from tinymed.kernels.arrays import Array, array_module, is_array
from tinymed.kernels.conv.reference import Ints
from tinymed.kernels.cuda import Grid, blocks, empty, launch_python
from tinymed.kernels.cuda.numba_parts import place_of

__all__ = ["avg_forward", "avg_grad_input", "max_forward", "max_grad_input"]

THREADS = 128  # of a block


@cuda.jit(device=True)
def first_inside(start: int, dilation: int, taps: int) -> int:
    """Return the first tap of an axis that is not in the padding, of a window from ``start``."""
    return min(max(-(start // dilation), 0), taps - 1)


@cuda.jit
def maxima(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, y: Array, winner: Array
) -> None:
    """The largest element of each window, and the number of the tap that holds it."""
    i = cuda.grid(1)
    if i >= y.size:
        return
    n, c, p, q = place_of(i, y.shape)
    top, left = p * stride[0] - padding[0], q * stride[1] - padding[1]
    best = y.dtype.type(-math.inf)
    won = first_inside(top, dilation[0], kernel[0]) * kernel[1]
    won += first_inside(left, dilation[1], kernel[1])
    for r in range(kernel[0]):
        h = top + r * dilation[0]
        if 0 <= h < x.shape[2]:
            for s in range(kernel[1]):
                w = left + s * dilation[1]
                if 0 <= w < x.shape[3]:
                    value = x[n, c, h, w]
                    if value > best or value != value:  # the first of equals; NaN wins
                        best, won = value, r * kernel[1] + s
    y[n, c, p, q] = best
    winner[n, c, p, q] = won


@cuda.jit
def returned(
    dy: Array, winner: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, dx: Array
) -> None:
    """Each place gathers the gradients of the windows that it won."""
    i = cuda.grid(1)
    if i >= dx.size:
        return
    n, c, h, w = place_of(i, dx.shape)
    total = dx.dtype.type(0)
    for r in range(kernel[0]):
        top = h + padding[0] - r * dilation[0]
        p = top // stride[0]
        if top >= 0 and top % stride[0] == 0 and p < dy.shape[2]:
            for s in range(kernel[1]):
                left = w + padding[1] - s * dilation[1]
                q = left // stride[1]
                seen = left >= 0 and left % stride[1] == 0 and q < dy.shape[3]
                if seen and winner[n, c, p, q] == r * kernel[1] + s:
                    total += dy[n, c, p, q]
    dx[n, c, h, w] = total


@cuda.jit
def averages(x: Array, divisor: Array, kernel: Ints, stride: Ints, padding: Ints, y: Array) -> None:
    """The sum under each window, by its divisor."""
    i = cuda.grid(1)
    if i >= y.size:
        return
    n, c, p, q = place_of(i, y.shape)
    top, left = p * stride[0] - padding[0], q * stride[1] - padding[1]
    total = y.dtype.type(0)
    for h in range(max(top, 0), min(top + kernel[0], x.shape[2])):
        for w in range(max(left, 0), min(left + kernel[1], x.shape[3])):
            total += x[n, c, h, w]
    y[n, c, p, q] = total / divisor[p, q]


@cuda.jit
def spread(dy: Array, divisor: Array, kernel: Ints, stride: Ints, padding: Ints, dx: Array) -> None:
    """Each place gathers its share of the windows that cover it: top - kernel < p stride <= top."""
    i = cuda.grid(1)
    if i >= dx.size:
        return
    n, c, h, w = place_of(i, dx.shape)
    top, left = h + padding[0], w + padding[1]
    first_p = max(0, (top - kernel[0]) // stride[0] + 1)
    first_q = max(0, (left - kernel[1]) // stride[1] + 1)
    total = dx.dtype.type(0)
    for p in range(first_p, min(top // stride[0] + 1, dy.shape[2])):
        for q in range(first_q, min(left // stride[1] + 1, dy.shape[3])):
            total += dy[n, c, p, q] / divisor[p, q]
    dx[n, c, h, w] = total


def grid(results: int) -> Grid:
    """Return a thread for each result."""
    return Grid(blocks(results, THREADS))


def max_forward(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
) -> tuple[Array, Array]:
    """Return the largest element under each window, and the number of the tap that held it."""
    y = empty((*x.shape[:2], *out), x.dtype, x)
    winner = empty(y.shape, "u1" if math.prod(kernel) <= 256 else "i4", x)
    settings = kernel, stride, padding, dilation
    launch_python(maxima, grid(y.size), THREADS, x, *settings, y, winner)
    return y, winner


def max_grad_input(
    grad_output: Array, winner: Array, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints,
    dilation: Ints,
) -> Array:  # fmt: skip
    """Return dL/dx: each window's gradient goes to the place that won it."""
    dx = empty((*grad_output.shape[:2], *spatial), grad_output.dtype, grad_output)
    settings = kernel, stride, padding, dilation
    launch_python(returned, grid(dx.size), THREADS, grad_output, winner, *settings, dx)
    return dx


def avg_forward(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, out: Ints, divisor: Any
) -> Array:
    """Return the sum under each window divided by ``divisor``."""
    y = empty((*x.shape[:2], *out), x.dtype, x)
    settings = _divisors(divisor, out, x), kernel, stride, padding
    launch_python(averages, grid(y.size), THREADS, x, *settings, y)
    return y


def avg_grad_input(
    grad_output: Array, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, divisor: Any
) -> Array:
    """Return dL/dx: each place gets its share from every window that covers it."""
    dx = empty((*grad_output.shape[:2], *spatial), grad_output.dtype, grad_output)
    divisors = _divisors(divisor, grad_output.shape[2:], grad_output)
    settings = divisors, kernel, stride, padding
    launch_python(spread, grid(dx.size), THREADS, grad_output, *settings, dx)
    return dx


def _divisors(divisor: Any, out: Ints, like: Array) -> Array:
    """Return the divisors of a plane's windows, (*out), in the dtype of ``like``."""
    xp = array_module(like)
    return (
        xp.asarray(divisor, like.dtype) if is_array(divisor) else xp.full(out, divisor, like.dtype)
    )
