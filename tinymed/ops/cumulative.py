"""Sums, products and extremes of all elements up to each one along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinymed.autograd import Function
from tinymed.errors import check_dim
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape
from tinymed.ops.elementwise import Unary, exp, where
from tinymed.ops.indexing import put_along_dim
from tinymed.ops.padding import Pad
from tinymed.ops.promotion import cast, floating, rounded_once
from tinymed.ops.shaping import reshape

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "logcumsumexp"]


class CumulativeExtremes(NamedTuple):
    """What `cummax` and `cummin` return."""

    values: Any
    indices: Any


class Accumulation(Unary):
    """The family of ops that add up, or multiply, from one end of an axis to the other."""

    def __init__(self, dim: int, backwards: bool = False) -> None:
        self.dim, self.backwards = dim, backwards

    def along(self, accumulate: Callable[..., Array], x: Array) -> Array:
        """Return NumPy's ``accumulate`` from the chosen end."""
        turn = (slice(None),) * self.dim + (slice(None, None, -1 if self.backwards else 1),)
        return accumulate(x[turn], axis=self.dim, dtype=x.dtype)[turn]


class CumSum(Accumulation):
    """y_i = x_0 + ... + x_i;  dL/dx_i = dL/dy_i + ... + dL/dy_n, the sum from the other end."""

    def forward(self, x: Array) -> Array:
        return self.along(array_module(x).cumsum, x)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (CumSum(self.dim, not self.backwards)(grad_output),)


class CumProd(Accumulation):
    """y_i = x_0 ... x_i;  dL/dx_i = y_(i-1) S_i,  S_i = dL/dy_i + x_(i+1) S_(i+1).

    Nothing is divided by x, so zeros are no special case, in higher derivatives either.
    """

    def forward(self, x: Array) -> Array:
        return self.along(array_module(x).cumprod, x)

    def backward(self, grad_output: Array, x: Array, output: Array) -> tuple[Any, ...]:
        step = -1 if self.backwards else 1
        before = moved(output, self.dim, step, 1.0)
        factors = moved(x, self.dim, -step)
        return (before * recurrence(grad_output, factors, self.dim, step),)


class LogCumSumExp(Unary):
    """y_i = log sum_{j<=i} exp(x_j);  dL/dx_i = exp(x_i - y_i) S_i.

    S_i = dL/dy_i + exp(y_i - y_(i+1)) S_(i+1): no exponent is above 0, so nothing overflows.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Array) -> Array:
        return running(log_add_exp, x, self.dim)

    def backward(self, grad_output: Array, x: Array, output: Array) -> tuple[Any, ...]:
        after = moved(output, self.dim, -1, math.inf)
        sums = recurrence(grad_output, exp_difference(output, after), self.dim, 1)
        return (where(x == -math.inf, 0.0, exp_difference(x, output) * sums),)


class CumulativeExtreme(Function):
    """y_i, index = the largest (smallest) of x_0 ... x_i and its place;  dL/dy_i goes there."""

    def __init__(self, dim: int, largest: bool) -> None:
        self.dim, self.largest = dim, largest

    def output_shape(self, x: Shape) -> tuple[Shape, Shape]:
        return x, x

    def forward(self, x: Array) -> tuple[Array, Array]:
        xp = array_module(x)
        values = running(xp.maximum if self.largest else xp.minimum, x, self.dim)
        shape = tuple(n if i == self.dim else 1 for i, n in enumerate(x.shape))
        places = xp.arange(x.shape[self.dim], dtype=np.int64).reshape(shape)
        reached = (x == values) | (x != x)  # the last of equal ones, and of NaNs, counts
        index = running(xp.maximum, xp.where(reached, places, np.int64(0)), self.dim)
        self.keep(index=index)
        return values, index

    def backward(self, grad_output: tuple[Array, None]) -> tuple[Any, ...]:
        index = self.kept("index")
        return (put_along_dim(grad_output[0], index, self.dim, self.input_shape()),)


def running(combine: Callable[[Array, Array], Array], x: Array, dim: int) -> Array:
    """Return x_0, combine(x_0, x_1) ... along an axis, in log2(n) passes over the array.

    CuPy has no ``ufunc.accumulate``. After a pass each element covers twice as many before it.
    """
    y = x.copy()
    along = array_module(x).moveaxis(y, dim, 0)  # a view: writing into it writes y
    reach = 1
    while reach < len(along):
        along[reach:] = combine(along[reach:], along[:-reach])
        reach *= 2
    return y


def recurrence(values: Any, factors: Any, dim: int, step: int) -> Any:
    """Return S with S_i = values_i + factors_i S_(i+step), in log2(n) passes of recorded ops."""
    reach = 1
    while reach < values.shape[dim]:
        values = values + factors * moved(values, dim, -step * reach)
        factors = factors * moved(factors, dim, -step * reach)
        reach *= 2
    return values


def moved(x: Any, dim: int, by: int, value: float = 0.0) -> Any:
    """Return ``x`` moved towards the end of an axis (or its beginning), ``value`` coming in."""
    by = max(-x.shape[dim], min(by, x.shape[dim]))
    amounts = tuple((by, -by) if i == dim else (0, 0) for i in range(x.ndim))
    return Pad(amounts, value)(x)


def exp_difference(a: Any, b: Any) -> Any:
    """Return exp(a - b), 1 where both are the same infinity."""
    same = a == b
    return exp(where(same, 0.0, a) - where(same, 0.0, b))


def log_add_exp(a: Array, b: Array) -> Array:
    """Return log(exp(a) + exp(b)) of arrays, infinities included."""
    xp = array_module(a)
    with np.errstate(invalid="ignore"):  # inf - inf, replaced at once
        gap = xp.where(a == b, a.dtype.type(0), xp.abs(a - b))
    return xp.maximum(a, b) + xp.log1p(xp.exp(-gap))


def cumsum(x: Any, dim: int, *, dtype: Any = None) -> Any:
    """Return the sums of the elements up to each along ``dim``; integers are counted in int64."""
    return with_an_axis("cumsum", CumSum, counted(x, dtype), dim)


def cumprod(x: Any, dim: int, *, dtype: Any = None) -> Any:
    """Return the products of the elements up to each along ``dim``; integers are int64.

    The gradient is exact with any number of zeros. It takes O(n log n) for n elements along `dim`.
    """
    return with_an_axis("cumprod", CumProd, counted(x, dtype), dim)


@rounded_once
def logcumsumexp(x: Any, dim: int) -> Any:
    """Return log(cumsum(exp(x))) along ``dim``, without overflow.

    The gradient is 0 at x = -inf, where PyTorch's may be NaN.
    """
    return with_an_axis("logcumsumexp", LogCumSumExp, floating(x), dim)


def cummax(x: Any, dim: int) -> CumulativeExtremes:
    """Return (values, indices) of the largest elements up to each along ``dim``. NaN wins.

    Of equal elements the last counts, as in PyTorch.

    Examples
    --------
    >>> cummax(np.array([1, 3, 2, 3]), 0).values.tolist()
    [1, 3, 3, 3]
    """
    found = with_an_axis("cummax", CumulativeExtreme, x, dim, True)
    return CumulativeExtremes(*found)


def cummin(x: Any, dim: int) -> CumulativeExtremes:
    """Return (values, indices) of the smallest elements up to each along ``dim``, as `cummax`."""
    found = with_an_axis("cummin", CumulativeExtreme, x, dim, False)
    return CumulativeExtremes(*found)


def with_an_axis(name: str, op: Callable[..., Function], x: Any, dim: int, *settings: Any) -> Any:
    """Return the op along ``dim``; a tensor without axes gets one for the while."""
    node = op(check_dim(name, dim, x.ndim), *settings)
    if x.ndim:
        return node(x)
    y = node(reshape(x, (1,)))
    return tuple(reshape(part, ()) for part in y) if isinstance(y, tuple) else reshape(y, ())


def counted(x: Any, dtype: Any = None) -> Any:
    """Return ``x`` in ``dtype``, or, if that is None, bools and integers in int64."""
    if dtype is not None:
        return cast(x, dtype)
    return cast(x, np.int64) if x.dtype.kind in "biu" else x
