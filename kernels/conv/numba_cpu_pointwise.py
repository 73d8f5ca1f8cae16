"""Convolution with 1x1 windows, stride 1 and no padding: a matrix product for each image.

    y[n] = f(weight x[n] + bias)   (K, C)(C, P) -> (K, P)      dx[n] = weight^T dy[n]

The rows of x are contiguous positions, just as the tile wants its second operand: nothing is laid
out. The gradient of the weight is a sum over positions like any other (`numba_cpu:direct`).
"""

from __future__ import annotations

import math

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty, full
from tinymed.kernels.conv.numba_cpu_direct import ACTIVATIONS, WORTH
from tinymed.kernels.conv.pointwise import (
    LEAST,
    pack_rows,
    packed_rows,
    positions_at_once,
    products,
)
from tinymed.kernels.conv.reference import Ints
from tinymed.kernels.copying import contiguous
from tinymed.kernels.parallel import parallel


def _products(
    x: Array, weight: Array, turned: bool, bias: Array, groups: int, activation: int, y: Array
) -> Array:
    """Fill y (N, K, *S) with a product for each image and group; ``turned``: weight is (C, K)."""
    n, channels, results = len(x), x.shape[1] // groups, y.shape[1] // groups
    positions = math.prod(x.shape[2:])
    if positions < LEAST:
        raise ValueError(f"conv: {positions} positions are less than {LEAST}; use numba_cpu:direct")
    if not y.size:
        return y
    packed = empty((groups * packed_rows(results) * channels,), x.dtype)
    row, step = (1, results) if turned else (channels, 1)
    flat = weight.reshape(-1)
    parallel(pack_rows, groups, groups + 1, flat, row, step, results, channels, packed)
    at_once = positions_at_once(channels, x.itemsize)
    items = n * groups * -(-positions // at_once)
    least = 1 + WORTH // (1 + results * channels * min(at_once, positions))
    source = x.reshape(n, groups, channels, positions)
    target = y.reshape(n, groups, results, positions)
    given = (source, packed, bias, activation, target, groups, at_once)
    parallel(products, items, least, *given)
    return y


def forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
    activation: str | None,
) -> Array:
    """Return f(weight x + bias), (N, K, *S)."""
    x, weight = contiguous(x), contiguous(weight)
    k = len(weight)
    y = empty((x.shape[0], k, *x.shape[2:]), x.dtype)
    shift = full((k,), 0, x.dtype) if bias is None else contiguous(bias)
    return _products(x, weight, False, shift, groups, ACTIVATIONS[activation], y)


def grad_input(
    grad_output: Array,
    weight: Array,
    spatial: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Array:
    """Return dL/dx = weight^T dy, (N, C, *spatial)."""
    dy, weight = contiguous(grad_output), contiguous(weight)
    c = weight.shape[1] * groups
    dx = empty((dy.shape[0], c, *spatial), dy.dtype)
    return _products(dy, weight, True, full((c,), 0, dy.dtype), groups, 0, dx)
