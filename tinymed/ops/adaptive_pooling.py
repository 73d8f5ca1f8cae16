"""Adaptive pooling: the mean over a given number of stretches of each axis, one matrix per axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.autograd import Function
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape
from tinymed.ops.conv import per_axis
from tinymed.ops.pooling import batched
from tinymed.ops.reduction import check_floating
from tinymed.ops.shaping import squeeze

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"]


class AdaptiveAvgPool(Function):
    """y = A x along each spatial axis: row i of A averages places floor(i L/O) .. ceil((i+1) L/O).

    dL/dx = A^T dL/dy along each axis.
    """

    def __init__(self, sizes: Shape, transposed_from: Shape | None = None) -> None:
        self.sizes, self.transposed_from = sizes, transposed_from

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:2], *(self.sizes if self.transposed_from is None else self.transposed_from))

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        for axis, size in enumerate(self.sizes):
            if self.transposed_from is None:
                matrix = averaging(x.shape[axis + 2], size)
            else:
                matrix = averaging(self.transposed_from[axis], size).T
            x = xp.moveaxis(
                xp.moveaxis(x, axis + 2, -1) @ xp.asarray(matrix.T, x.dtype), -1, axis + 2
            )
        return xp.ascontiguousarray(x)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        source = self.input_shape()[2:] if self.transposed_from is None else None
        return (AdaptiveAvgPool(self.sizes, source)(grad_output),)


def averaging(size: int, out: int) -> np.ndarray[Any, Any]:
    """Return the matrix (out, size) whose row i is the mean over its stretch of the axis."""
    matrix = np.zeros((out, size))
    for i in range(out):
        start, end = i * size // out, -(-(i + 1) * size // out)
        matrix[i, start:end] = 1 / (end - start)
    return matrix


def adaptive_avg_pool(axes: int, x: Any, output_size: Any) -> Any:
    """Return the mean over ``output_size`` stretches of each of ``axes`` axes; None keeps one."""
    name = f"adaptive_avg_pool{axes}d"
    check_floating(name, x)
    x, unbatched = batched(name, axes, x)
    given = (output_size,) * axes if isinstance(output_size, (int, type(None))) else output_size
    if len(given) != axes:
        raise ValueError(f"{name}: output_size={output_size!r} must hold {axes} sizes")
    sizes = tuple(m if n is None else n for n, m in zip(given, x.shape[2:], strict=True))
    node = AdaptiveAvgPool(per_axis(name, "output_size", sizes, axes, 1))
    return squeeze(node(x), 0) if unbatched else node(x)


def adaptive_avg_pool1d(x: Any, output_size: Any) -> Any:
    """Return the means over ``output_size`` stretches of (N, C, L)."""
    return adaptive_avg_pool(1, x, output_size)


def adaptive_avg_pool2d(x: Any, output_size: Any) -> Any:
    """Return the means over ``output_size`` x ``output_size`` stretches of (N, C, H, W)."""
    return adaptive_avg_pool(2, x, output_size)


def adaptive_avg_pool3d(x: Any, output_size: Any) -> Any:
    """Return the means over ``output_size`` cubed stretches of (N, C, D, H, W)."""
    return adaptive_avg_pool(3, x, output_size)
