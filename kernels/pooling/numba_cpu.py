"""Pooling in vector code: registers of neighbouring windows, see `windows` and `shares`.

Planes, one channel of one image each, are the items that threads take. One and two spatial axes
are three with a single place in front.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty, full
from tinymed.kernels.conv.reference import Ints
from tinymed.kernels.copying import contiguous
from tinymed.kernels.parallel import parallel
from tinymed.kernels.pooling.backward import avg_shares, max_shares
from tinymed.kernels.pooling.forward import avg_planes, gather_planes, max_planes
from tinymed.kernels.pooling.geometry import geometry
from tinymed.kernels.pooling.whole import plane_means, plane_shares
from tinymed.kernels.recording import constant
from tinymed.kernels.simd.vector import lanes_of

WORTH = 1 << 15  # taps that are worth a thread


def max_forward(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
) -> tuple[Array, Array]:
    """Return the largest element under each window, and the number of the tap that held it."""
    taps = math.prod(kernel)
    y = empty((*x.shape[:2], *out), x.dtype)
    winner = empty(y.shape, np.uint8 if taps <= 256 else np.int32)
    if not y.size:
        return y, winner
    window = geometry(x.shape[2:], out, kernel, stride, padding, dilation)
    planes = x.shape[0] * x.shape[1]
    parallel(
        max_planes, planes, 1 + WORTH * planes // (taps * y.size), y.reshape(-1),
        winner.reshape(-1), _flat(x), window, lanes_of(x.dtype),
    )  # fmt: skip
    return y, winner


def max_grad_input(
    grad_output: Array,
    winner: Array,
    spatial: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
) -> Array:
    """Return dL/dx: each window's gradient goes to the place that won it."""
    return _backward(max_shares, grad_output, winner, spatial, kernel, stride, padding, dilation)


def max_gather(
    x: Array, winner: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Array:
    """Return x at the winning places: the derivative of `max_grad_input`."""
    y = empty(winner.shape, x.dtype)
    if y.size:
        window = geometry(x.shape[2:], winner.shape[2:], kernel, stride, padding, dilation)
        planes = x.shape[0] * x.shape[1]
        least = 1 + WORTH * planes // (4 * y.size)
        parallel(gather_planes, planes, least, y.reshape(-1), _flat(winner), _flat(x), window)
    return y


def avg_forward(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, out: Ints, divisor: Any
) -> Array:
    """Return the sum under each window divided by ``divisor``."""
    y = empty((*x.shape[:2], *out), x.dtype)
    if not y.size:
        return y
    planes = x.shape[0] * x.shape[1]
    least = 1 + WORTH * planes // (math.prod(kernel) * y.size)
    to, by, source = y.reshape(-1), _flat(_divisors(divisor, out, x.dtype)), _flat(x)
    if _is_whole(x.shape[2:], kernel, padding, out):
        parallel(plane_means, planes, least, to, by, source, math.prod(kernel))
        return y
    window = geometry(x.shape[2:], out, kernel, stride, padding, (1,) * len(kernel))
    parallel(avg_planes, planes, least, to, by, source, window, lanes_of(x.dtype))
    return y


def avg_grad_input(
    grad_output: Array, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, divisor: Any
) -> Array:
    """Return dL/dx: each place gets its share from every window that covers it."""
    g, out = grad_output, grad_output.shape[2:]
    by = _divisors(divisor, out, g.dtype)
    if not _is_whole(spatial, kernel, padding, out):
        ones = (1,) * len(kernel)
        return _backward(avg_shares, g, by, spatial, kernel, stride, padding, ones)
    grad_x, size = empty((*g.shape[:2], *spatial), g.dtype), math.prod(spatial)
    if grad_x.size:
        least = 1 + WORTH // size
        parallel(plane_shares, g.size, least, grad_x.reshape(-1), _flat(g), _flat(by), size)
    return grad_x


def _is_whole(spatial: Ints, kernel: Ints, padding: Ints, out: Ints) -> bool:
    """Tell whether the one window of a plane is the plane."""
    return tuple(kernel) == tuple(spatial) and not any(padding) and math.prod(out) == 1


def _backward(core: Any, g: Array, other: Array, spatial: Ints, *window: Ints) -> Array:
    """Return dL/dx from dL/dy and what decides about the shares: winners or divisors."""
    grad_x = empty((*g.shape[:2], *spatial), g.dtype)
    if not grad_x.size:
        return grad_x
    planes = g.shape[0] * g.shape[1]
    least = 1 + WORTH * planes // (4 * grad_x.size)
    shape = geometry(spatial, g.shape[2:], *window)
    lanes = lanes_of(g.dtype)
    parallel(core, planes, least, grad_x.reshape(-1), _flat(g), _flat(other), shape, lanes)
    return grad_x


def _divisors(divisor: Any, out: Ints, dtype: Any) -> Array:
    """Return what each window's sum is divided by, (*out)."""
    if isinstance(divisor, (int, float)):
        return full(out, divisor, dtype)
    made: Array = constant(np.ascontiguousarray(divisor))
    return made


def _flat(array: Array) -> Array:
    return contiguous(array).reshape(-1)
