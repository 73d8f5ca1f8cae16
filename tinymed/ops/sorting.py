"""Sorting, and what is read off a sorted axis: the largest k, the k-th, medians, the mode.

NaN counts as larger than everything. Equal elements keep their order, always: ``stable=False`` and
``sorted=False`` leave PyTorch free to do otherwise and change nothing here.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tinymed.autograd import Function
from tinymed.errors import check_dim
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape
from tinymed.ops.cumulative import running, with_an_axis
from tinymed.ops.elementwise import Unary
from tinymed.ops.extremes import Chosen, check_not_empty
from tinymed.ops.indexing import getitem, put_along_dim, take_along_dim
from tinymed.ops.reduction import mean
from tinymed.ops.shaping import reshape, squeeze
from tinymed.precision import kind_of

__all__ = ["argsort", "kthvalue", "median", "mode", "nanmedian", "sort", "topk"]


class Sorted(NamedTuple):
    """Elements, and where they stood along the axis."""

    values: Any
    indices: Any


class Sort(Function):
    """y, index = x in order along an axis and where each stood;  dL/dx = dL/dy put back there."""

    def __init__(self, dim: int, descending: bool) -> None:
        self.dim, self.descending = dim, descending

    def output_shape(self, x: Shape) -> tuple[Shape, Shape]:
        return x, x

    def forward(self, x: Array) -> tuple[Array, Array]:
        index = order(x, self.dim, self.descending)
        self.keep(index=index)
        return array_module(x).take_along_axis(x, index, self.dim), index

    def backward(self, grad_output: tuple[Array, None]) -> tuple[Any, ...]:
        index = self.kept("index")
        return (put_along_dim(grad_output[0], index, self.dim, self.input_shape()),)


class ArgSort(Unary):
    """y = the places of x in order along an axis."""

    differentiable = False

    def __init__(self, dim: int, descending: bool) -> None:
        self.dim, self.descending = dim, descending

    def forward(self, x: Array) -> Array:
        return order(x, self.dim, self.descending)


class Place(Function):
    """The family of ops that find one place along an axis; the axis stays, with length 1."""

    differentiable = False

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def output_shape(self, x: Shape) -> Shape:
        return (*x[: self.dim], 1, *x[self.dim + 1 :])


class KthPlace(Place):
    """y = the place of the k-th smallest x along an axis, counted from 1."""

    def __init__(self, dim: int, k: int) -> None:
        super().__init__(dim)
        self.k = k

    def forward(self, x: Array) -> Array:
        index = order(x, self.dim)
        return index[(slice(None),) * self.dim + (slice(self.k - 1, self.k),)]


class MedianPlace(Place):
    """y = the place of the middle x along an axis, the lower of two; of the first NaN otherwise."""

    def __init__(self, dim: int, ignore_nan: bool) -> None:
        super().__init__(dim)
        self.ignore_nan = ignore_nan

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        count = (x == x).sum(axis=self.dim, keepdims=True)  # NaN stands behind these
        middle = xp.maximum(count - 1, 0) // 2
        if not self.ignore_nan:
            middle = xp.where(count == x.shape[self.dim], middle, count)
        return xp.take_along_axis(order(x, self.dim), middle, self.dim)


class ModePlace(Place):
    """y = the last place of the most frequent x along an axis, the least of several such."""

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        index = xp.moveaxis(order(x, self.dim), self.dim, -1)
        values = xp.take_along_axis(xp.moveaxis(x, self.dim, -1), index, -1)
        places = xp.arange(x.shape[self.dim], dtype=np.int64)
        starts = xp.zeros(values.shape, np.int64)
        starts[..., 1:] = xp.where(values[..., 1:] != values[..., :-1], places[1:], 0)
        run = places - running(xp.maximum, starts, values.ndim - 1)  # equal ones before each
        last = xp.expand_dims(run.argmax(axis=-1), -1)
        return xp.moveaxis(xp.take_along_axis(index, last, -1), -1, self.dim)


class Median(Chosen):
    """y = the middle one of all x in order, the lower of two;  equal ones share dL/dy.

    NaN wins over everything, or, if it is ignored, only where there is nothing else.
    """

    def __init__(self, dims: tuple[int, ...], ignore_nan: bool) -> None:
        super().__init__(dims, False)
        self.ignore_nan = ignore_nan

    def forward(self, x: Array) -> Array:
        ordered = array_module(x).sort(x.reshape(-1))  # NaN last
        count = int((ordered == ordered).sum())
        ignore_rest = count == len(ordered) or (self.ignore_nan and count > 0)
        return ordered[(count - 1) // 2 if ignore_rest else -1].reshape(())


def order(x: Array, dim: int, descending: bool = False) -> Array:
    """Return the places of the elements in order; equal ones keep theirs, also in descending."""
    xp = array_module(x)
    if not descending:
        return xp.argsort(x, axis=dim, kind="stable")
    turned = xp.argsort(xp.flip(x, dim), axis=dim, kind="stable")
    return x.shape[dim] - 1 - xp.flip(turned, dim)


def sort(x: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Sorted:
    """Return (values, indices) of the elements in order along ``dim``; NaN is the largest.

    Equal elements keep their order: what ``stable`` asks for, and ``stable=False`` does not forbid.

    Examples
    --------
    >>> values, indices = sort(np.array([3, 1, 2]), descending=True)
    >>> values.tolist(), indices.tolist()
    ([3, 2, 1], [0, 2, 1])
    """
    return Sorted(*with_an_axis("sort", Sort, x, dim, descending))


def argsort(x: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Return the places (int64) of the elements in order along ``dim``: see `sort`."""
    return with_an_axis("argsort", ArgSort, x, dim, descending)


def topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Sorted:
    """Return (values, indices) of the ``k`` largest (smallest) elements along ``dim``, in order.

    That they are in order is what ``sorted`` asks for, and ``sorted=False`` does not forbid.

    Raises
    ------
    IndexError
        If there are fewer than ``k`` along ``dim``.
    """
    axis = check_dim("topk", dim, x.ndim)
    length = x.shape[axis] if x.ndim else 1
    if not 0 <= k <= length:
        raise IndexError(f"topk: k={k} is not between 0 and {length}, the length of dim {dim}")
    indices = argsort(x, axis, largest)
    if not x.ndim:
        return Sorted(x, indices)
    indices = getitem(indices, (slice(None),) * axis + (slice(0, k),))
    return Sorted(take_along_dim(x, indices, axis), indices)


def kthvalue(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> Sorted:
    """Return (values, indices) of the ``k``-th smallest elements along ``dim``; 1 is the least.

    Raises
    ------
    IndexError
        If ``k`` is not between 1 and the length of ``dim``.
    """
    axis = check_dim("kthvalue", dim, x.ndim)
    length = x.shape[axis] if x.ndim else 1
    if not 1 <= k <= length:
        raise IndexError(f"kthvalue: k={k} is not between 1 and {length}, the length of dim {dim}")
    return found_at(KthPlace(axis, k), x, keepdim)


def median(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the median of all elements, or along ``dim`` (values, indices).

    Of two in the middle it is the lower; NaN where there is one, and of nothing at all. Equal
    elements share the gradient of the median of all; along ``dim`` it goes to the index.
    """
    return middle("median", x, dim, keepdim, ignore_nan=False)


def nanmedian(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the median of what is not NaN, as `median`; NaN where there is nothing else."""
    return middle("nanmedian", x, dim, keepdim, ignore_nan=True)


def middle(name: str, x: Any, dim: int | None, keepdim: bool, *, ignore_nan: bool) -> Any:
    """Return the median, of NaN too or not."""
    if dim is None:
        if math.prod(x.shape) == 0 and kind_of(x.dtype) == "f":
            return mean(x)  # NaN; integers have none and are refused
        dims = check_not_empty(name, x, None)
        return Median(dims, ignore_nan)(x)
    check_not_empty(name, x, dim)
    return found_at(MedianPlace(check_dim(name, dim, x.ndim), ignore_nan), x, keepdim)


def mode(x: Any, dim: int = -1, keepdim: bool = False) -> Sorted:
    """Return (values, indices) of the most frequent elements along ``dim``.

    The least of several such values, and the last place at which it stands. NaN equals nothing.
    """
    check_not_empty("mode", x, dim)
    return found_at(ModePlace(check_dim("mode", dim, x.ndim)), x, keepdim)


def found_at(place: Place, x: Any, keepdim: bool) -> Sorted:
    """Return the elements of ``x`` at the places that the op finds, and the places."""
    along = x if x.ndim else reshape(x, (1,))
    indices = place(along)
    found = Sorted(take_along_dim(along, indices, place.dim), indices)
    if keepdim and x.ndim:
        return found
    return Sorted(*(squeeze(part, place.dim) for part in found))
