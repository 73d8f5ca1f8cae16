"""Reading parts of a tensor; the derivative of reading is writing into zeros, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.autograd import Function, Variable
from tinymed.errors import check_dim
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape, expand

__all__ = ["getitem", "put_along_dim", "take_along_dim"]


class GetItem(Function):
    """y = x[index];  dL/dx = zeros with dL/dy added at the index."""

    def __init__(self, index: Any) -> None:
        self.index = index

    def output_shape(self, x: Shape) -> Shape:
        return np.broadcast_to(np.False_, x)[self.index].shape

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
        xp = array_module(x)
        y = xp.zeros(self.shape, x.dtype)
        if is_basic(self.index):
            y[self.index] = x  # slices never meet a place twice
        else:
            xp.add.at(y, self.index, x)
        return y

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (GetItem(self.index)(grad_output),)


class TakeAlongDim(Function):
    """y[i] = x[index[i]] along one axis;  dL/dx = dL/dy added at the index."""

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
        xp = array_module(x)
        y = xp.zeros(self.shape, x.dtype)
        places = list(xp.indices(index.shape, sparse=True))
        places[self.dim] = index
        xp.add.at(y, tuple(places), x)
        return y

    def backward(self, grad_output: Array, index: Array) -> tuple[Any, ...]:
        return TakeAlongDim(self.dim)(grad_output, index), None


def is_basic(index: Any) -> bool:
    """Tell whether ``index`` holds only integers, slices, ... and None: a view, no place twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is ... or isinstance(part, (int, slice)) for part in parts)


def plain_index(index: Any) -> Any:
    """Return ``index`` with arrays in place of Tensors and lists, and plain integers.

    Raises
    ------
    TypeError
        For an index that is neither integers, slices, None, ... nor an integer or bool array.
    """
    if isinstance(index, tuple):
        return tuple(plain_index(part) for part in index)
    if isinstance(index, Variable):
        index = index.data
    elif isinstance(index, list):
        index = np.asarray(index, np.int64 if not index else None)
    if isinstance(index, (np.integer, int)) and not isinstance(index, bool):
        return int(index)
    if index is None or index is ... or isinstance(index, (slice, bool)):
        return index
    if getattr(index, "dtype", np.dtype(object)).kind not in "iub":
        raise TypeError(
            f"index: {type(index).__name__} {getattr(index, 'dtype', '')} cannot select; use "
            "integers, slices, None, ... or tensors of integers or bools"
        )
    return index


def getitem(x: Any, index: Any) -> Any:
    """Return ``x[index]``: integers, slices, None, ``...``, integer and bool tensors, as NumPy."""
    return GetItem(plain_index(index))(x)


def take_along_dim(x: Any, indices: Any, dim: int) -> Any:
    """Return the elements of ``x`` that ``indices`` names along ``dim``; other axes broadcast."""
    axis = check_dim("take_along_dim", dim, x.ndim)
    if x.ndim == indices.ndim:
        along = slice(axis, axis + 1)
        others = [(*a.shape[:axis], 1, *a.shape[axis + 1 :]) for a in (x, indices)]
        if others[0] != others[1]:
            shape = list(np.broadcast_shapes(*others))
            shape[along] = x.shape[along]
            x = expand(x, tuple(shape))
            shape[along] = indices.shape[along]
            indices = expand(indices, tuple(shape))
    return TakeAlongDim(axis)(x, indices)


def put_along_dim(x: Any, indices: Any, dim: int, shape: Shape) -> Any:
    """Return zeros of ``shape`` with ``x`` added at the places that ``indices`` names."""
    return PutAlongDim(check_dim("put_along_dim", dim, x.ndim), shape)(x, indices)
