"""Sums, means, spreads and extremes over axes. dim=None takes all axes, as does dim=()."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tinymed.autograd import Function
from tinymed.errors import check_dim, check_dims
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape, expand, total
from tinymed.ops.elementwise import exp, sqrt, where
from tinymed.ops.indexing import put_along_dim
from tinymed.ops.promotion import cast, floating
from tinymed.ops.shaping import reshape

__all__ = ["argmax", "argmin", "logsumexp", "max", "mean", "min", "std", "sum", "var"]

Dims = int | tuple[int, ...] | None


class Extremes(NamedTuple):
    """What `max` and `min` along an axis return."""

    values: Any
    indices: Any


class Reduction(Function):
    """The family of ops that take away axes, or leave them with length 1."""

    def __init__(self, dims: tuple[int, ...], keepdim: bool) -> None:
        self.dims, self.keepdim = dims, keepdim

    def output_shape(self, x: Shape) -> Any:
        if self.keepdim:
            return tuple(1 if i in self.dims else n for i, n in enumerate(x))
        return tuple(n for i, n in enumerate(x) if i not in self.dims)

    def spread(self, values: Any, shape: Shape) -> Any:
        """Return something of the output's shape repeated to the input's."""
        ones = tuple(1 if i in self.dims else n for i, n in enumerate(shape))
        return expand(reshape(values, ones), shape)


class Sum(Reduction):
    """y = sum of x;  dL/dx = dL/dy, repeated."""

    def forward(self, x: Array) -> Array:
        return total(x, self.dims, self.keepdim)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (self.spread(grad_output, self.input_shape()),)


class LogSumExp(Reduction):
    """y = log sum exp(x);  dL/dx = exp(x - y) dL/dy.  The largest x is taken out first."""

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        if x.size == 0:
            return xp.full(self.output_shape(x.shape), -np.inf, x.dtype)
        largest = x.max(axis=self.dims, keepdims=True)
        largest = xp.where(xp.isfinite(largest), largest, x.dtype.type(0))
        with np.errstate(divide="ignore"):  # the logarithm of nothing but exp(-inf) is -inf
            y = xp.log(xp.exp(x - largest).sum(axis=self.dims, keepdims=True)) + largest
        return y.reshape(self.output_shape(x.shape))

    def backward(self, grad_output: Array, x: Array, output: Array) -> tuple[Any, ...]:
        share = exp(x - self.spread(output, x.shape))
        return (self.spread(grad_output, x.shape) * share,)


class Extreme(Reduction):
    """y = the largest (smallest) x;  dL/dy is divided evenly among equal ones."""

    def __init__(self, dims: tuple[int, ...], keepdim: bool, largest: bool) -> None:
        super().__init__(dims, keepdim)
        self.largest = largest

    def forward(self, x: Array) -> Array:
        method = x.max if self.largest else x.min
        return method(axis=self.dims, keepdims=self.keepdim)

    def backward(self, grad_output: Array, x: Array, output: Array) -> tuple[Any, ...]:
        chosen = (x == self.spread(output, x.shape)) | (x != x)  # NaN wins over everything
        count = self.spread(sum(chosen, self.dims), x.shape)
        return (where(chosen, self.spread(grad_output, x.shape) / cast(count, x.dtype), 0.0),)


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


def sum(x: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the sum over ``dim``; bools and integers are counted in int64."""
    if dtype is not None:
        x = cast(x, dtype)
    elif x.dtype.kind in "biu":
        x = cast(x, np.int64)
    return Sum(check_dims("sum", dim, x.ndim), keepdim)(x)


def mean(x: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Return the mean over ``dim``: NaN of nothing. Integers are refused, as in PyTorch."""
    check_floating("mean", x)
    if x.dtype == np.float16:  # the sum of many may lie beyond its range, the mean does not
        return cast(mean(cast(x, np.float32), dim, keepdim), np.float16)
    dims = check_dims("mean", dim, x.ndim)
    count = math.prod(x.shape[d] for d in dims)
    return Sum(dims, keepdim)(x) / (count if count else math.nan)


def var(
    x: Any, dim: Dims = None, keepdim: bool = False, *, correction: float = 1, unbiased: Any = None
) -> Any:
    """Return the variance over ``dim``: sum of squared deviations / (count - correction).

    ``unbiased=False`` is PyTorch's older word for ``correction=0``.
    """
    check_floating("var", x)
    if unbiased is not None:
        correction = 1 if unbiased else 0
    if x.dtype == np.float16:  # as in mean
        return cast(var(cast(x, np.float32), dim, keepdim, correction=correction), np.float16)
    dims = check_dims("var", dim, x.ndim)
    deviation = x - mean(x, dims, keepdim=True)
    count = math.prod(x.shape[d] for d in dims) - correction
    squares = Sum(dims, keepdim)(deviation * deviation)
    return squares / (count if count > 0 else math.nan)


def std(
    x: Any, dim: Dims = None, keepdim: bool = False, *, correction: float = 1, unbiased: Any = None
) -> Any:
    """Return the standard deviation over ``dim``, the square root of `var`.

    Its derivative is taken as 0 where all elements are equal, where it has none, as in PyTorch.
    """
    variance = var(x, dim, keepdim, correction=correction, unbiased=unbiased)
    flat = variance == 0
    return where(flat, 0.0, sqrt(where(flat, 1.0, variance)))


def max(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the largest element, or along ``dim`` (values, indices). NaN wins."""
    return extreme("max", x, dim, keepdim, largest=True)


def min(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the smallest element, or along ``dim`` (values, indices). NaN wins."""
    return extreme("min", x, dim, keepdim, largest=False)


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


def logsumexp(x: Any, dim: Dims, keepdim: bool = False) -> Any:
    """Return log(sum(exp(x))) over ``dim``, without overflow; -inf of nothing."""
    return LogSumExp(check_dims("logsumexp", dim, x.ndim), keepdim)(floating(x))


def extreme(name: str, x: Any, dim: int | None, keepdim: bool, *, largest: bool) -> Any:
    """Return the extreme of all elements, or `Extremes` along an axis."""
    check_not_empty(name, x, dim)
    if dim is None:
        return Extreme(tuple(range(x.ndim)), keepdim, largest)(x)
    return Extremes(*ExtremeAlong(check_dim(name, dim, x.ndim), keepdim, largest)(x))


def check_floating(name: str, x: Any) -> None:
    """Raise for dtypes that have no mean."""
    if x.dtype.kind != "f":
        raise TypeError(f"{name}: x is {x.dtype}, expected a floating dtype; use x.float() first")


def check_not_empty(name: str, x: Any, dim: int | None) -> None:
    """Raise where there is nothing to choose from."""
    size = (
        math.prod(x.shape) if dim is None or not x.shape else x.shape[check_dim(name, dim, x.ndim)]
    )
    if size == 0:
        raise IndexError(f"{name}: x {x.shape} has no elements along dim={dim}")
