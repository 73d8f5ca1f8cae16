"""Repeating along axes and its opposite, summing over them: each is the other's derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.autograd import Function
from tinymed.errors import check_size
from tinymed.kernels.arrays import Array, array_module

__all__ = ["Broadcasting", "Expand", "SumTo", "broadcast_shapes", "expand", "sum_to"]

Shape = tuple[int, ...]


class Expand(Function):
    """y = x repeated along axes of length 1 and new leading ones;  dL/dx = sum over them."""

    as_given = True

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def output_shape(self, x: Shape) -> Shape:
        fits = len(x) <= len(self.shape) and all(
            n in (1, m) for n, m in zip(reversed(x), reversed(self.shape), strict=False)
        )
        if not fits:
            raise ValueError(
                f"expand: x {x} cannot be repeated to {self.shape}; only axes of 1 can"
            )
        return self.shape

    def forward(self, x: Array) -> Array:
        return array_module(x).broadcast_to(x, self.shape)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (sum_to(grad_output, self.input_shape()),)


class SumTo(Function):
    """y = x summed down to a shape that broadcasts to x's;  dL/dx = dL/dy repeated."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def output_shape(self, x: Shape) -> Shape:
        Expand(x).output_shape(self.shape)
        return self.shape

    def forward(self, x: Array) -> Array:
        extra = x.ndim - len(self.shape)
        ones = tuple(i for i in range(extra, x.ndim) if self.shape[i - extra] == 1 != x.shape[i])
        return x.sum(axis=(*range(extra), *ones), keepdims=True).reshape(self.shape)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (expand(grad_output, self.input_shape()),)


class Broadcasting(Function):
    """The family of elementwise ops on several inputs, repeated where their shapes differ."""

    def output_shape(self, *shapes: Shape) -> Shape:
        return broadcast_shapes(type(self).__name__.lower(), *shapes)

    def fit(self, gradient: Any, shape: Shape) -> Any:
        return sum_to(gradient, shape)


def broadcast_shapes(name: str, *shapes: Shape) -> Shape:
    """Return the shape to which all are repeated where they meet, or raise `ValueError`."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(
            f"{name}: shapes {' and '.join(map(str, shapes))} do not broadcast; axes are "
            "matched from the last, and must be equal or 1"
        ) from None


def expand(x: Any, shape: Shape) -> Any:
    """Return ``x`` repeated to ``shape``; -1 keeps an axis. A read-only view, not a copy."""
    extra = len(shape) - x.ndim
    if -1 in shape:
        if extra < 0 or any(n == -1 for n in shape[:extra]):
            raise ValueError(f"expand: x {x.shape} has no axis to keep for a -1 in {shape}")
        shape = tuple(x.shape[i - extra] if n == -1 else n for i, n in enumerate(shape))
    if any(n < 0 for n in shape):
        raise ValueError(f"expand: x {x.shape} to {shape}; lengths >= 0 are expected, or -1")
    return x if x.shape == shape else Expand(check_size("expand", shape))(x)


def sum_to(x: Any, shape: Shape) -> Any:
    """Return ``x`` summed over the axes along which ``shape`` would be repeated to ``x.shape``."""
    return x if x.shape == shape else SumTo(shape)(x)
