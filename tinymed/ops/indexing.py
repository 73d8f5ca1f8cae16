"""Reading parts of a tensor; the derivative of reading is writing into zeros, and back.

`scatter` has the functions that write at places.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from tinymed.autograd import Function, Variable
from tinymed.errors import check_dim, check_size
from tinymed.kernels.arrays import Array, array_module, is_array, to_host
from tinymed.kernels.recording import active, values_known
from tinymed.ops.broadcasting import Shape, broadcast_shapes, expand
from tinymed.ops.index_parts import in_turn, is_view, meets_once, plain_index
from tinymed.ops.shaping import reshape

__all__ = [
    "argwhere",
    "gather",
    "getitem",
    "index_select",
    "masked_select",
    "narrow",
    "nonzero",
    "put_along_dim",
    "select",
    "take",
    "take_along_dim",
]


class GetItem(Function):
    """y = x[index];  dL/dx = zeros with dL/dy added at the index."""

    as_given = True

    def __init__(self, index: Any) -> None:
        self.index = index

    def output_shape(self, x: Shape) -> Shape:
        several = isinstance(self.index, tuple)
        parts = [
            to_host(p) if is_array(p) else p for p in (self.index if several else [self.index])
        ]
        return np.broadcast_to(np.False_, x)[tuple(parts) if several else parts[0]].shape

    def forward(self, x: Array) -> Array:
        self.keep(index=self.index)  # so that a later write into it is noticed
        return x[self.index]

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (AddAt(self.index, self.input_shape())(grad_output),)


class AddAt(Function):
    """y = zeros, y[index] += x;  dL/dx = dL/dy[index].  An index met twice is added twice."""

    def __init__(self, index: Any, shape: Shape) -> None:
        self.index, self.shape = index, shape

    def output_shape(self, x: Shape) -> Shape:
        return self.shape

    def forward(self, x: Array) -> Array:
        self.keep(index=self.index)
        if not meets_once(self.index):
            return added_at(self.index, self.shape, x)
        if active() is not None and is_view(self.index):
            from tinymed.kernels.copying import placed

            return placed(x, self.index, self.shape)
        y = array_module(x).zeros(self.shape, x.dtype)
        y[self.index] = x
        return y

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (GetItem(self.index)(grad_output),)


class TakeAlongDim(Function):
    """y[i] = x[index[i]] along one axis;  dL/dx = dL/dy added at the index."""

    as_given = True

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def output_shape(self, x: Shape, index: Shape) -> Shape:
        if len(x) != len(index):
            raise ValueError(f"take_along_dim: x {x} and indices {index} differ in number of axes")
        return index

    def forward(self, x: Array, index: Array) -> Array:
        self.output_shape(x.shape, index.shape)
        return array_module(x).take_along_axis(x, index, self.dim)

    def backward(self, grad_output: Array, index: Array) -> tuple[Any, ...]:
        return put_along_dim(grad_output, index, self.dim, self.input_shape()), None


class PutAlongDim(Function):
    """y = zeros, y[index[i]] += x[i] along one axis;  dL/dx = dL/dy taken at the index."""

    def __init__(self, dim: int, shape: Shape) -> None:
        self.dim, self.shape = dim, shape

    def output_shape(self, x: Shape, index: Shape) -> Shape:
        return self.shape

    def forward(self, x: Array, index: Array) -> Array:
        return added_at(along(index, self.dim), self.shape, x)

    def backward(self, grad_output: Array, index: Array) -> tuple[Any, ...]:
        return TakeAlongDim(self.dim)(grad_output, index), None


def array_of(x: Any) -> Array:
    """Return the array of a Tensor; an array as it is."""
    return x.data if isinstance(x, Variable) else x


def check_index(name: str, index: Any, length: int, from_end: bool = False) -> Array:
    """Return the array of an index that names places 0 ... length - 1, or raise.

    Checked here because NumPy counts negative places from the end, which PyTorch's functions
    refuse unless ``from_end``, and CuPy lets places beyond the end go round without a word.

    Raises
    ------
    TypeError
        The index does not hold integers.
    IndexError
        A place is out of range.
    """
    array = array_of(index)
    kind = getattr(array, "dtype", type(array).__name__)
    if getattr(kind, "kind", "") != "i":
        raise TypeError(f"{name}: the index is {kind}, a tensor of int64 is expected")
    if not values_known():  # they were checked when the step ran for the first time
        return array_module(array).where(array < 0, array + length, array) if from_end else array
    if array.size:
        low, high = int(array.min()), int(array.max())
        least = -length if from_end else 0
        if low < least or high >= length:
            raise IndexError(
                f"{name}: index {low if low < least else high} is out of range for {length} "
                f"elements, {least} to {length - 1} are expected"
            )
        if low < 0:
            array = array_module(array).where(array < 0, array + length, array)
    return array


def along(index: Array, dim: int) -> tuple[Array, ...]:
    """Return an index along one axis as one of all axes, each place in its own row."""
    xp, axes = array_module(index), index.ndim
    return tuple(
        index if i == dim else xp.arange(n).reshape((-1,) + (1,) * (axes - i - 1))
        for i, n in enumerate(index.shape)
    )


def added_at(index: Any, shape: Shape, x: Array) -> Array:
    """Return zeros with ``x`` added at the index, one after the other: the same bits each time.

    As one row, which `add.at` goes through several times as fast as through several axes.
    """
    xp = array_module(x)
    y = xp.zeros(math.prod(shape), x.dtype)
    number = np.int32 if y.size < 2**31 else np.int64
    places = xp.arange(y.size, dtype=number).reshape(shape)[index]
    xp.add.at(y, places.reshape(-1), x.reshape(-1))
    return y.reshape(shape)


def getitem(x: Any, index: Any) -> Any:
    """Return ``x[index]``: integers, slices, None, ``...``, integer and bool tensors.

    Integers take their axes away before tensors select, as in PyTorch: ``x[0, :, [1, 2]]`` is
    ``x[0][:, [1, 2]]``. NumPy lets them broadcast with the tensors, whose axes it puts first then.
    """
    for part in in_turn(plain_index(index), x.ndim):
        x = GetItem(part)(x)
    return x


def take_along_dim(x: Any, indices: Any, dim: int | None = None) -> Any:
    """Return the elements of ``x`` that ``indices`` names along ``dim``; other axes broadcast.

    Without ``dim``, ``x`` and ``indices`` are one row each. Negative indices count from the end.
    """
    if dim is None:
        x, indices, dim = reshape(x, (-1,)), reshape(indices, (-1,)), 0
    if x.ndim != indices.ndim or x.ndim == 0:
        raise ValueError(
            f"take_along_dim: x {x.shape} and indices {indices.shape} differ in number of axes"
            if x.ndim
            else "take_along_dim: x () has no axis to take along"
        )
    axis = check_dim("take_along_dim", dim, x.ndim)
    places = check_index("take_along_dim", indices, x.shape[axis], from_end=True)
    others = [(*a.shape[:axis], 1, *a.shape[axis + 1 :]) for a in (x, places)]
    if others[0] != others[1]:
        shape = list(broadcast_shapes("take_along_dim", *others))
        shape[axis] = x.shape[axis]
        x = expand(x, tuple(shape))
        shape[axis] = places.shape[axis]
        places = expand(places, tuple(shape))
    return TakeAlongDim(axis)(x, places)


def put_along_dim(x: Any, indices: Any, dim: int, shape: Shape) -> Any:
    """Return zeros of ``shape`` with ``x`` added at the places that ``indices`` names."""
    check_size("put_along_dim", shape)
    return PutAlongDim(check_dim("put_along_dim", dim, x.ndim), shape)(x, indices)


def gather(x: Any, dim: int, index: Any) -> Any:
    """Return y with y[i][j][k] = x[index[i][j][k]][j][k] for dim 0, and so on for the others.

    Parameters
    ----------
    x : Tensor
    dim : int
    index : Tensor of int64, of as many axes as ``x`` and along the others no longer

    Returns
    -------
    Tensor, of the shape of ``index``
    """
    axis = check_dim("gather", dim, x.ndim)
    row, places = with_axes(x), with_axes(index)
    check_covers("gather", places.shape, row.shape, but=axis)
    places = check_index("gather", places, row.shape[axis])
    covered = tuple(
        slice(None) if i == axis or n == m else slice(n)
        for i, (n, m) in enumerate(zip(places.shape, row.shape, strict=True))
    )
    if any(part != slice(None) for part in covered):
        row = getitem(row, covered)
    return reshape(TakeAlongDim(axis)(row, places), index.shape)


def index_select(x: Any, dim: int, index: Any) -> Any:
    """Return the parts of ``x`` along ``dim`` that ``index`` (K,) names, in its order."""
    axis = check_dim("index_select", dim, x.ndim)
    if index.ndim > 1 or (x.ndim == 0 and index.shape not in ((), (1,))):
        raise ValueError(f"index_select: index {index.shape} for x {x.shape}; (K,) is expected")
    row = with_axes(x)
    places = check_index("index_select", with_axes(index), row.shape[axis])
    y = getitem(row, (slice(None),) * axis + (places,))
    return y if x.ndim else reshape(y, ())


def take(x: Any, index: Any) -> Any:
    """Return the elements of ``x``, seen as one row, that ``index`` names, in its shape."""
    row = reshape(x, (-1,)) if x.ndim != 1 else x
    return getitem(row, check_index("take", index, row.shape[0], from_end=True))


def select(x: Any, dim: int, index: int) -> Any:
    """Return the part ``index`` of ``x`` along ``dim``, without this axis: a view."""
    axis = _axis("select", x, dim)
    if not -x.shape[axis] <= index < x.shape[axis]:
        raise IndexError(
            f"select: index {index} is out of range for dim {dim} of x {x.shape}, "
            f"{-x.shape[axis]} to {x.shape[axis] - 1} are expected"
        )
    return getitem(x, (slice(None),) * axis + (operator.index(index),))


def narrow(x: Any, dim: int, start: int, length: int) -> Any:
    """Return ``length`` parts of ``x`` along ``dim`` from ``start`` (from the end if < 0)."""
    axis = _axis("narrow", x, dim)
    size, first, length = x.shape[axis], operator.index(start), operator.index(length)
    if not -size <= first <= size:
        raise IndexError(f"narrow: start {start} is out of range for dim {dim} of x {x.shape}")
    first += size if first < 0 else 0
    if length < 0 or first + length > size:
        raise ValueError(
            f"narrow: start {start} and length {length} reach beyond dim {dim} of x {x.shape}"
        )
    return getitem(x, (slice(None),) * axis + (slice(first, first + length),))


def masked_select(x: Any, mask: Any) -> Any:
    """Return the elements of ``x`` where ``mask`` (bool) holds, as one row; both broadcast."""
    mask = check_mask("masked_select", mask)
    shape = broadcast_shapes("masked_select", x.shape, mask.shape)
    return getitem(expand(x, shape), expand(mask, shape))


def nonzero(x: Any, *, as_tuple: bool = False) -> Any:
    """Return (K, axes of x), the places where ``x`` is not 0; ``as_tuple`` one (K,) for each axis.

    Not differentiable.
    """
    array = array_of(x)
    xp = array_module(array)
    if as_tuple:
        return tuple(_like(x, part) for part in xp.nonzero(xp.atleast_1d(array)))
    return _like(x, xp.stack(xp.nonzero(xp.atleast_1d(array)), axis=1)[:, : array.ndim])


def argwhere(x: Any) -> Any:
    """Return (K, axes of x), the places where ``x`` is not 0. Not differentiable."""
    return nonzero(x)


# ------------------------------------------------------------------------- what they all need


def with_axes(x: Any) -> Any:
    """Return ``x`` with an axis: where PyTorch takes a tensor () it is one of (1,)."""
    return x if x.ndim else reshape(x, (1,))


def _axis(name: str, x: Any, dim: int) -> int:
    """Return the axis as a number >= 0; a tensor without axes has none."""
    if x.ndim == 0:
        raise IndexError(f"{name}: dim {dim} of a tensor without axes")
    return check_dim(name, dim, x.ndim)


def _like(x: Any, array: Array) -> Any:
    """Return an array as what ``x`` is, an array or a Tensor."""
    return Variable.result_type(array) if isinstance(x, Variable) else array


def check_covers(name: str, index: Shape, x: Shape, but: int = -1, what: str = "x") -> None:
    """Raise unless ``index`` has the axes of another shape, and is nowhere longer ``but`` there."""
    if len(index) != len(x) or any(
        n > m for i, (n, m) in enumerate(zip(index, x, strict=True)) if i != but
    ):
        along = f" apart from dim {but}" if but >= 0 else ""
        raise ValueError(
            f"{name}: index {index} for {what} {x}; as many axes, none longer{along}, are expected"
        )


def check_mask(name: str, mask: Any) -> Array:
    """Return the array of a mask of bools, or raise `TypeError`."""
    array = array_of(mask)
    kind = getattr(array, "dtype", type(array).__name__)
    if getattr(kind, "kind", "") != "b":
        raise TypeError(f"{name}: mask is {kind}, expected bool; compare first, as in x != 0")
    return array
