"""Extremes over axes, and where they lie. NaN wins over everything."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tinymed.autograd import Function
from tinymed.errors import check_dim, check_dims
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape
from tinymed.ops.elementwise import where
from tinymed.ops.indexing import put_along_dim
from tinymed.ops.promotion import cast
from tinymed.ops.reduction import Dims, Reduction, sum
from tinymed.ops.shaping import reshape

__all__ = ["amax", "amin", "aminmax", "argmax", "argmin", "max", "min"]


class Extremes(NamedTuple):
    """What `max` and `min` along an axis return."""

    values: Any
    indices: Any


class MinMax(NamedTuple):
    """What `aminmax` returns."""

    min: Any
    max: Any


class Chosen(Reduction):
    """The family of reductions to one of the elements: dL/dy is divided evenly among equal ones."""

    def backward(self, grad_output: Array, x: Array, output: Array) -> tuple[Any, ...]:
        y = self.spread(output, x.shape)
        chosen = (x == y) | ((x != x) & (y != y))  # NaN is found like any other
        count = self.spread(sum(chosen, self.dims), x.shape)
        return (where(chosen, self.spread(grad_output, x.shape) / cast(count, x.dtype), 0.0),)


class Extreme(Chosen):
    """y = the largest (smallest) x;  dL/dy is divided evenly among equal ones."""

    def __init__(self, dims: tuple[int, ...], keepdim: bool, largest: bool) -> None:
        super().__init__(dims, keepdim)
        self.largest = largest

    def forward(self, x: Array) -> Array:
        method = x.max if self.largest else x.min
        return method(axis=self.dims, keepdims=self.keepdim)


class ExtremeAlong(Function):
    """y, index = the largest (smallest) x along an axis and its place;  dL/dy goes there."""

    def __init__(self, dim: int, keepdim: bool, largest: bool) -> None:
        self.dim, self.keepdim, self.largest = dim, keepdim, largest

    def output_shape(self, x: Shape) -> Any:
        shape = Reduction((self.dim,), self.keepdim).output_shape(x)
        return shape, shape

    def forward(self, x: Array) -> tuple[Array, Array]:
        xp = array_module(x)
        if x.ndim == 0:
            return x.copy(), xp.zeros((), np.int64)
        index = xp.expand_dims((x.argmax if self.largest else x.argmin)(axis=self.dim), self.dim)
        values = xp.take_along_axis(x, index, self.dim)
        self.keep(index=index)
        if self.keepdim:
            return values, index
        return values.squeeze(self.dim), index.squeeze(self.dim)

    def backward(self, grad_output: tuple[Array, None]) -> tuple[Any, ...]:
        shape = self.input_shape()
        if not shape:
            return (grad_output[0],)
        index = self.kept("index")
        return (put_along_dim(reshape(grad_output[0], index.shape), index, self.dim, shape),)


class ArgExtreme(Function):
    """y = the place of the largest (smallest) x, the first of equal ones, or of the first NaN."""

    differentiable = False

    def __init__(self, dim: int | None, keepdim: bool, largest: bool) -> None:
        self.dim, self.keepdim, self.largest = dim, keepdim, largest

    def output_shape(self, x: Shape) -> Shape:
        dims = tuple(range(len(x))) if self.dim is None else (self.dim,)
        shape: Shape = Reduction(dims, self.keepdim).output_shape(x)
        return shape

    def forward(self, x: Array) -> Array:
        place = (x.argmax if self.largest else x.argmin)(axis=self.dim)
        return place.reshape(self.output_shape(x.shape))


def max(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the largest element, or along ``dim`` (values, indices). NaN wins."""
    return extreme("max", x, dim, keepdim, largest=True)


def min(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the smallest element, or along ``dim`` (values, indices). NaN wins."""
    return extreme("min", x, dim, keepdim, largest=False)


def amax(x: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Return the largest element over ``dim``; equal ones share its gradient. NaN wins."""
    return Extreme(check_not_empty("amax", x, dim), keepdim, True)(x)


def amin(x: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Return the smallest element over ``dim``; equal ones share its gradient. NaN wins."""
    return Extreme(check_not_empty("amin", x, dim), keepdim, False)(x)


def aminmax(x: Any, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """Return (min, max) over ``dim``, as `amin` and `amax`."""
    dims = check_not_empty("aminmax", x, dim)
    return MinMax(Extreme(dims, keepdim, False)(x), Extreme(dims, keepdim, True)(x))


def argmax(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the place of the largest element: along ``dim``, or in the flattened ``x``."""
    check_not_empty("argmax", x, dim)
    dim = None if dim is None else check_dim("argmax", dim, x.ndim)
    return ArgExtreme(dim if x.ndim else None, keepdim, True)(x)


def argmin(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the place of the smallest element: along ``dim``, or in the flattened ``x``."""
    check_not_empty("argmin", x, dim)
    dim = None if dim is None else check_dim("argmin", dim, x.ndim)
    return ArgExtreme(dim if x.ndim else None, keepdim, False)(x)


def extreme(name: str, x: Any, dim: int | None, keepdim: bool, *, largest: bool) -> Any:
    """Return the extreme of all elements, or `Extremes` along an axis."""
    check_not_empty(name, x, dim)
    if dim is None:
        return Extreme(tuple(range(x.ndim)), keepdim, largest)(x)
    return Extremes(*ExtremeAlong(check_dim(name, dim, x.ndim), keepdim, largest)(x))


def check_not_empty(name: str, x: Any, dim: Dims) -> tuple[int, ...]:
    """Return the axes of ``dim``, or raise where there is nothing to choose from."""
    dims = check_dims(name, dim, x.ndim)
    if math.prod(x.shape[d] for d in dims) == 0:
        raise IndexError(f"{name}: x {x.shape} has no elements along dim={dim}")
    return dims
