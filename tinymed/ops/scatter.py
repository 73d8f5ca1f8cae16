"""Writing at places of a tensor; the result is a new one. `indexing` has what reads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.autograd import Function
from tinymed.errors import check_dim, check_size
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.arithmetic import add, multiply
from tinymed.ops.broadcasting import Shape, broadcast_shapes, expand, sum_to
from tinymed.ops.comparison import eq
from tinymed.ops.elementwise import where
from tinymed.ops.indexing import (
    AddAt,
    GetItem,
    along,
    array_of,
    check_covers,
    check_index,
    check_mask,
    getitem,
    with_axes,
)
from tinymed.ops.promotion import cast, number_in, same_dtype
from tinymed.ops.shaping import reshape, unsqueeze

__all__ = [
    "index_add",
    "index_copy",
    "index_fill",
    "masked_fill",
    "masked_scatter",
    "one_hot",
    "scatter",
    "scatter_add",
]


class SetAt(Function):
    """y = x, y[index] = value;  dL/dx = dL/dy, 0 at the index;  dL/dvalue = dL/dy[index].

    Of values for the same place the last stays, and only that one has a gradient. On a GPU, which
    writes them all at once, it may be any of them.
    """

    def __init__(self, index: Any) -> None:
        self.index = index

    def output_shape(self, x: Shape, value: Shape) -> Shape:
        return x

    def forward(self, x: Array, value: Any) -> Array:
        self.keep(index=self.index)  # so that a later write into it is noticed
        y = x.copy()
        y[self.index] = value
        return y

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        to_x, to_value = self.edges
        return (
            SetAt(self.index)(grad_output, 0.0) if to_x else None,
            self.taken(grad_output) if to_value else None,
        )

    def taken(self, grad_output: Any) -> Any:
        """Return dL/dy[index], 0 where a later value took the place."""
        shape = grad_output.shape
        xp = array_module(array_of(grad_output))
        last = xp.empty(shape, np.int64)
        wanted = last[self.index].shape
        number = xp.arange(math.prod(wanted)).reshape(wanted)
        last[self.index] = number
        return where(last[self.index] == number, getitem(grad_output, self.index), 0.0)

    def fit(self, gradient: Any, shape: Shape) -> Any:
        return sum_to(gradient, shape)  # one value for all places


# ------------------------------------------------------------------------ an index for each place


def scatter(
    x: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Any:
    """Return ``x`` with y[index[i][j][k]][j][k] = src[i][j][k] for dim 0, and so on.

    Parameters
    ----------
    x : Tensor
    dim : int
    index : Tensor of int64, of as many axes as ``x`` and along the others no longer
    src : Tensor of the dtype of ``x``, nowhere shorter than ``index``; or a number
    value : float
        Another name for ``src`` where it is a number.
    reduce : str, optional
        "add" or "multiply" instead of replacing.

    Notes
    -----
    Of several values for one place the last stays and has the gradient; in PyTorch it is unsaid
    which stays, and all of them have it.
    """
    if (src is None) == (value is None):
        raise TypeError("scatter: give src, a tensor or number, or value, a number")
    given = src if value is None else value
    row, places, part = _places("scatter", x, dim, index, given)
    if reduce == "add":
        written = add(row, AddAt(places, row.shape)(part))
    elif reduce == "multiply":
        written = _multiplied(row, places, part)
    elif reduce is None:
        written = SetAt(places)(row, part)
    else:
        raise ValueError(f"scatter: reduce={reduce!r} is not None, 'add' or 'multiply'")
    return reshape(written, x.shape)


def scatter_add(x: Any, dim: int, index: Any, src: Any) -> Any:
    """Return ``x`` with src[i][j][k] added at [index[i][j][k]][j][k] for dim 0, and so on.

    The shapes are those of `scatter`. Added one after the other in row order, so that the same
    input gives the same bits (on the CPU).
    """
    if not hasattr(src, "dtype"):
        raise TypeError(f"scatter_add: src is {type(src).__name__}, a tensor is expected")
    row, places, part = _places("scatter_add", x, dim, index, src)
    return reshape(add(row, AddAt(places, row.shape)(part)), x.shape)


def _multiplied(x: Any, places: tuple[Array, ...], values: Any) -> Any:
    """Multiply by each value, one round for each time that a place is met again."""
    xp = array_module(array_of(x))
    shape = np.broadcast_shapes(*(p.shape for p in places))
    flat = xp.ravel_multi_index([xp.broadcast_to(p, shape).reshape(-1) for p in places], x.shape)
    values, left = reshape(expand(values, shape), (-1,)), xp.arange(flat.size)
    y = reshape(x, (-1,))
    while left.size:
        _, first = xp.unique(flat[left], return_index=True)
        now = left[first]
        y = SetAt(flat[now])(y, multiply(getitem(y, flat[now]), getitem(values, now)))
        left = xp.delete(left, first)
    return reshape(y, x.shape)


def _places(name: str, x: Any, dim: int, index: Any, src: Any) -> tuple[Any, Any, Any]:
    """Return x, the places as arrays for each axis, and what goes there: checked, with axes."""
    axis = check_dim(name, dim, x.ndim)
    row, index = with_axes(x), with_axes(index)
    check_covers(name, index.shape, row.shape, but=axis)
    array = check_index(name, index, row.shape[axis])
    places = along(array, axis)
    if not hasattr(src, "dtype"):
        xp = array_module(array_of(x))
        return row, places, xp.full(array.shape, number_in(name, src, x.dtype), x.dtype)
    same_dtype(name, src=src, x=x)
    part = with_axes(src)
    check_covers(name, array.shape, part.shape, what="src")
    return row, places, getitem(part, tuple(map(slice, array.shape)))


# -------------------------------------------------------------------- an index for parts of an axis


def index_add(x: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    """Return ``x`` with ``alpha`` times the parts of ``source`` added to those ``index`` names.

    ``source`` has the shape of ``x`` but for ``dim``, along which it is as long as ``index`` (K,).
    """
    row, places = _parts("index_add", x, dim, index, source)
    if alpha != 1:
        source = multiply(source, number_in("index_add", alpha, x.dtype))
    added = AddAt(places, row.shape)(reshape(source, GetItem(places).output_shape(row.shape)))
    return reshape(add(row, added), x.shape)


def index_copy(x: Any, dim: int, index: Any, source: Any) -> Any:
    """Return ``x`` with the parts along ``dim`` that ``index`` (K,) names replaced.

    ``source`` has the shape of ``x`` but for ``dim``, along which it is as long as ``index``.
    """
    row, places = _parts("index_copy", x, dim, index, source)
    source = reshape(source, GetItem(places).output_shape(row.shape))
    return reshape(SetAt(places)(row, source), x.shape)


def index_fill(x: Any, dim: int, index: Any, value: Any) -> Any:
    """Return ``x`` with ``value`` (a number or tensor ()) in the parts ``index`` (K,) names."""
    row, places = _parts("index_fill", x, dim, index, None)
    return reshape(SetAt(places)(row, _filling("index_fill", value, x)), x.shape)


def _parts(name: str, x: Any, dim: int, index: Any, source: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return x with axes, and the index of its parts along ``dim``, checked."""
    axis = check_dim(name, dim, x.ndim)
    row = with_axes(x)
    if index.ndim > 1:
        raise ValueError(f"{name}: index {index.shape}, one axis is expected")
    count = index.shape[0] if index.ndim else 1
    if source is not None:
        expected = (*row.shape[:axis], count, *row.shape[axis + 1 :])
        if (source.shape or (1,)) != expected:
            raise ValueError(
                f"{name}: source {source.shape} for index {index.shape} of dim {dim} of x "
                f"{x.shape}, {expected} is expected"
            )
        same_dtype(name, source=source, x=x)
    places = check_index(name, index, row.shape[axis], from_end=source is None)
    return row, (slice(None),) * axis + (places.reshape(count),)


# ---------------------------------------------------------------------------------------- a mask


def masked_fill(x: Any, mask: Any, value: Any) -> Any:
    """Return ``x`` with ``value`` (a number or 0-d tensor) where ``mask`` (bool) holds.

    Both broadcast; the dtype stays that of ``x``.
    """
    check_mask("masked_fill", mask)
    return where(mask, _filling("masked_fill", value, x), x)


def masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    """Return ``x`` with the elements of ``source``, in row order, where ``mask`` (bool) holds."""
    mask = check_mask("masked_scatter", mask)
    same_dtype("masked_scatter", source=source, x=x)
    shape = broadcast_shapes("masked_scatter", x.shape, mask.shape)
    mask = expand(mask, shape)
    count, having = int(mask.sum()), int(np.prod(source.shape))
    if having < count:
        raise ValueError(f"masked_scatter: source has {having} elements, the mask wants {count}")
    values = getitem(reshape(source, (having,)), slice(count))
    return SetAt(mask)(expand(x, shape), values)


def _filling(name: str, value: Any, x: Any) -> Any:
    """Return one value in the dtype of ``x``."""
    if not hasattr(value, "dtype"):
        return array_module(array_of(x)).asarray(number_in(name, value, x.dtype), x.dtype)
    if value.ndim:
        raise ValueError(f"{name}: value {value.shape}, a number or a tensor () is expected")
    return cast(value, x.dtype)


def one_hot(x: Any, num_classes: int = -1) -> Any:
    """Return (..., classes) with 1 at the class that ``x`` (...) of int64 holds, else 0, in int64.

    Parameters
    ----------
    x : Tensor of int64, classes from 0
    num_classes : int
        One more than the largest class that occurs, for -1.

    Examples
    --------
    >>> one_hot(np.array([0, 2]))
    array([[1, 0, 0],
           [0, 0, 1]])
    """
    array = array_of(x)
    if num_classes < 1:
        if num_classes != -1 or array.size == 0:
            raise ValueError(
                f"one_hot: num_classes={num_classes} for {array.size} elements; a positive number, "
                "or -1 where there are elements, is expected"
            )
        num_classes = int(check_index("one_hot", array, 2**40).max()) + 1
    check_index("one_hot", array, num_classes)
    check_size("one_hot", (*array.shape, num_classes))
    classes = array_module(array).arange(num_classes)
    return cast(eq(unsqueeze(x, array.ndim), classes), np.int64)
