"""Sums, products, means and spreads over axes. dim=None takes all axes, as does dim=()."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.autograd import Function
from tinymed.errors import check_dim, check_dims
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape, expand
from tinymed.ops.cumulative import CumProd, counted, moved
from tinymed.ops.division import divide
from tinymed.ops.elementwise import exp, sqrt, where
from tinymed.ops.promotion import cast, floating, rounded_once
from tinymed.ops.shaping import clone, reshape
from tinymed.precision import kind_of

__all__ = [
    "all",
    "any",
    "count_nonzero",
    "logsumexp",
    "mean",
    "nanmean",
    "nansum",
    "prod",
    "std",
    "std_mean",
    "sum",
    "var",
    "var_mean",
]

Dims = int | tuple[int, ...] | None


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
        return x.sum(axis=self.dims, keepdims=self.keepdim).astype(x.dtype, copy=False)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (self.spread(grad_output, self.input_shape()),)


class Prod(Reduction):
    """y = product of x;  dL/dx_i = dL/dy times the product of all other x.

    Those before times those behind: nothing is divided by x, so zeros are no special case.
    """

    def forward(self, x: Array) -> Array:
        return x.prod(axis=self.dims, keepdims=self.keepdim, dtype=x.dtype)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        (dim,) = self.dims
        before = moved(CumProd(dim)(x), dim, 1, 1.0)
        behind = moved(CumProd(dim, backwards=True)(x), dim, -1, 1.0)
        return (self.spread(grad_output, x.shape) * (before * behind),)


class AnyAll(Reduction):
    """y = (x != 0) for any of them, or for all."""

    differentiable = False

    def __init__(self, dims: tuple[int, ...], keepdim: bool, of_all: bool) -> None:
        super().__init__(dims, keepdim)
        self.of_all = of_all

    def forward(self, x: Array) -> Array:
        holds = x != 0
        method = holds.all if self.of_all else holds.any
        return method(axis=self.dims, keepdims=self.keepdim)


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


def sum(x: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the sum over ``dim``; bools and integers are counted in int64."""
    return Sum(check_dims("sum", dim, x.ndim), keepdim)(counted(x, dtype))


def nansum(x: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the sum over ``dim`` of what is not NaN."""
    x = counted(x, dtype)
    there = where(x != x, 0.0, x) if kind_of(x.dtype) == "f" else x
    return sum(there, dim, keepdim, dtype=x.dtype)


def prod(x: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the product over ``dim``, or of all elements; bools and integers in int64.

    The gradient is exact with any number of zeros, and where an element is infinite.
    """
    x = counted(x, dtype)
    if dim is None:
        every = Prod((0,), False)(reshape(x, (math.prod(x.shape),)))
        return reshape(every, (1,) * x.ndim) if keepdim else every
    axis = check_dim("prod", dim, x.ndim)
    return Prod((axis,), keepdim)(x) if x.ndim else clone(x)


@rounded_once
def mean(x: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the mean over ``dim``: NaN of nothing. Integers are refused, as in PyTorch."""
    x = x if dtype is None else cast(x, dtype)
    check_floating("mean", x)
    dims = check_dims("mean", dim, x.ndim)
    count = math.prod(x.shape[d] for d in dims)
    return divide(Sum(dims, keepdim)(x), count if count else math.nan)


@rounded_once
def nanmean(x: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the mean over ``dim`` of what is not NaN: NaN where there is nothing else."""
    x = x if dtype is None else cast(x, dtype)
    check_floating("nanmean", x)
    count = cast(sum(x == x, dim, keepdim), x.dtype)
    return divide(nansum(x, dim, keepdim), where(count == 0, math.nan, count))


@rounded_once
def var(
    x: Any, dim: Dims = None, keepdim: bool = False, *, correction: float = 1, unbiased: Any = None
) -> Any:
    """Return the variance over ``dim``: sum of squared deviations / (count - correction).

    ``unbiased=False`` is PyTorch's older word for ``correction=0``.
    """
    check_floating("var", x)
    if unbiased is not None:
        correction = 1 if unbiased else 0
    dims = check_dims("var", dim, x.ndim)
    deviation = x - mean(x, dims, keepdim=True)
    count = math.prod(x.shape[d] for d in dims) - correction
    squares = Sum(dims, keepdim)(deviation * deviation)
    return divide(squares, count if count > 0 else math.nan)


@rounded_once
def std(
    x: Any, dim: Dims = None, keepdim: bool = False, *, correction: float = 1, unbiased: Any = None
) -> Any:
    """Return the standard deviation over ``dim``, the square root of `var`.

    Its derivative is taken as 0 where all elements are equal, where it has none, as in PyTorch.
    """
    variance = var(x, dim, keepdim, correction=correction, unbiased=unbiased)
    flat = variance == 0
    return where(flat, 0.0, sqrt(where(flat, 1.0, variance)))


def var_mean(
    x: Any, dim: Dims = None, keepdim: bool = False, *, correction: float = 1, unbiased: Any = None
) -> tuple[Any, Any]:
    """Return (variance, mean) over ``dim``: see `var`."""
    spread = var(x, dim, keepdim, correction=correction, unbiased=unbiased)
    return spread, mean(x, dim, keepdim)


def std_mean(
    x: Any, dim: Dims = None, keepdim: bool = False, *, correction: float = 1, unbiased: Any = None
) -> tuple[Any, Any]:
    """Return (standard deviation, mean) over ``dim``: see `std`."""
    spread = std(x, dim, keepdim, correction=correction, unbiased=unbiased)
    return spread, mean(x, dim, keepdim)


def logsumexp(x: Any, dim: Dims, keepdim: bool = False) -> Any:
    """Return log(sum(exp(x))) over ``dim``, without overflow; -inf of nothing."""
    return LogSumExp(check_dims("logsumexp", dim, x.ndim), keepdim)(floating(x))


def any(x: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Return whether any element over ``dim`` is not 0 (NaN is not): False of nothing.

    As in PyTorch the result is bool, of uint8 uint8, and ``dim=()`` takes no axis.
    """
    return any_all("any", x, dim, keepdim, of_all=False)


def all(x: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Return whether no element over ``dim`` is 0: True of nothing. See `any`."""
    return any_all("all", x, dim, keepdim, of_all=True)


def any_all(name: str, x: Any, dim: Dims, keepdim: bool, *, of_all: bool) -> Any:
    """Return `any` or `all`."""
    dims = () if dim == () else check_dims(name, dim, x.ndim)
    holds = AnyAll(dims, keepdim, of_all)(x)
    return cast(holds, np.uint8) if x.dtype == np.uint8 else holds


def count_nonzero(x: Any, dim: Dims = None) -> Any:
    """Return the number (int64) of elements over ``dim`` that are not 0; NaN is not."""
    return sum(x != 0, dim)


def check_floating(name: str, x: Any) -> None:
    """Raise for dtypes that have no mean."""
    if kind_of(x.dtype) != "f":
        raise TypeError(f"{name}: x is {x.dtype}, expected a floating dtype; use x.float() first")
