"""Convolution in CUDA where a group has few channels of results: depthwise.cu, sums in order."""

from __future__ import annotations

import functools
import math

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.conv.cuda import SCALARS, Axes, gradient, layer, table, triple
from tinymed.kernels.conv.reference import Ints
from tinymed.kernels.cuda import Grid, Variant, empty, launch

__all__ = ["VARIANTS", "choose", "forward", "grad_input", "grad_weight"]

DEPTHWISE = {
    size: Variant(
        f"conv/depthwise_float{8 * size}",
        "conv/depthwise.cu",
        ("sum_of_taps", "grad_weight"),
        (("SCALAR", scalar), ("TILE_M", 1), ("TILE_N", 1024)),
    )
    for size, scalar in SCALARS.items()
}
VARIANTS = tuple(DEPTHWISE.values())


def choose(size: int, rows: int, columns: int, products: int = 1) -> Variant:
    """Return the variant for elements of ``size`` bytes, whatever the sizes."""
    return DEPTHWISE[size]


forward = functools.partial(layer, choose)
grad_input = functools.partial(gradient, choose)


def grad_weight(
    grad_output: Array, x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints,
    groups: int,
) -> Array:  # fmt: skip
    """Return dL/dweight, (K, C / groups, *kernel)."""
    xp = array_module(x)
    grad_output, x = xp.ascontiguousarray(grad_output), xp.ascontiguousarray(x)
    (images, k, *out), channels = grad_output.shape, x.shape[1] // groups
    rows, columns = k // groups, channels * math.prod(kernel)
    axes, source = Axes.of(kernel, stride, padding, dilation), triple(x.shape[2:], 1)
    steps = table(axes, source, channels, math.prod(kernel), None, x)
    result = empty((k, channels, *kernel), x.dtype, x)
    launch(
        DEPTHWISE[x.dtype.itemsize],
        Grid(rows * columns, groups),
        *(grad_output, x, result, steps.places, images, channels, rows, columns),
        *(*source, *triple(tuple(out), 1), *axes.stride),
        entry="grad_weight",
    )
    return result
