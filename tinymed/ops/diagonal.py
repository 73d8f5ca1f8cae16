"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.autograd import Function
from tinymed.errors import check_dim, check_dims, check_size
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape
from tinymed.ops.elementwise import where
from tinymed.ops.indexing import array_of
from tinymed.ops.joining import cat
from tinymed.ops.padding import Pad
from tinymed.ops.promotion import cast, result_type
from tinymed.ops.shaping import atleast_2d, clone, reshape

__all__ = ["block_diag", "diag", "diag_embed", "diagflat", "diagonal", "tril", "triu"]


class Diagonal(Function):
    """y = the diagonal of x over two axes, as the last;  dL/dx = zeros with dL/dy there."""

    as_given = True

    def __init__(self, offset: int, dim1: int, dim2: int) -> None:
        self.offset, self.dim1, self.dim2 = offset, dim1, dim2

    def output_shape(self, x: Shape) -> Shape:
        rows, columns = x[self.dim1], x[self.dim2]
        length = max(0, min(rows, columns, rows + self.offset, columns - self.offset))
        return (*(n for i, n in enumerate(x) if i not in (self.dim1, self.dim2)), length)

    def forward(self, x: Array) -> Array:
        return x.diagonal(self.offset, self.dim1, self.dim2)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (OnDiagonal(self.offset, self.dim1, self.dim2, self.input_shape())(grad_output),)


class OnDiagonal(Function):
    """y = zeros with the last axis of x on a diagonal;  dL/dx = the diagonal of dL/dy."""

    def __init__(self, offset: int, dim1: int, dim2: int, shape: Shape) -> None:
        self.offset, self.dim1, self.dim2, self.shape = offset, dim1, dim2, shape

    def output_shape(self, x: Shape) -> Shape:
        return self.shape

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        y = xp.zeros(check_size("diagonal", self.shape), x.dtype)
        places = xp.arange(x.shape[-1])
        matrices = xp.moveaxis(y, (self.dim1, self.dim2), (-2, -1))  # a view: written into y
        matrices[..., places + max(-self.offset, 0), places + max(self.offset, 0)] = x
        return y

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (Diagonal(self.offset, self.dim1, self.dim2)(grad_output),)


def diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """Return the diagonal over ``dim1`` and ``dim2`` as the last axis: a read-only view.

    ``offset`` > 0 lies above the main diagonal, < 0 below; one outside is empty.
    """
    first, second = check_dim("diagonal", dim1, x.ndim), check_dim("diagonal", dim2, x.ndim)
    if first == second:
        raise ValueError(f"diagonal: dim1={dim1} and dim2={dim2} are the same axis")
    return Diagonal(offset, first, second)(x)


def diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Return square matrices over two axes, with the last axis of ``x`` on a diagonal."""
    if x.ndim == 0:
        raise IndexError("diag_embed: x () has no axis to put on a diagonal")
    axes = x.ndim + 1
    first, second = check_dim("diag_embed", dim1, axes), check_dim("diag_embed", dim2, axes)
    if first == second:
        raise ValueError(f"diag_embed: dim1={dim1} and dim2={dim2} are the same axis")
    shape = list(x.shape[:-1])
    for axis in sorted((first, second)):
        shape.insert(axis, x.shape[-1] + abs(offset))
    return OnDiagonal(offset, first, second, check_size("diag_embed", tuple(shape)))(x)


def diag(x: Any, diagonal: int = 0) -> Any:
    """Return a matrix with ``x`` (N,) on a diagonal, or the diagonal of a matrix ``x``."""
    if x.ndim not in (1, 2):
        raise ValueError(f"diag: x {x.shape}, (N,) or (N, M) is expected")
    return diag_embed(x, diagonal) if x.ndim == 1 else clone(Diagonal(diagonal, 0, 1)(x))


def diagflat(x: Any, offset: int = 0) -> Any:
    """Return a matrix with all elements of ``x`` on a diagonal."""
    return diag_embed(reshape(x, (int(np.prod(x.shape)),)), offset)


def block_diag(*tensors: Any) -> Any:
    """Return a matrix with the tensors, of at most two axes, as blocks along its diagonal.

    Examples
    --------
    >>> block_diag(np.array([[1, 2]]), np.array(3))
    array([[1, 2, 0],
           [0, 0, 3]])
    """
    if not tensors or any(t.ndim > 2 for t in tensors):
        raise ValueError(f"block_diag: {[t.shape for t in tensors]}; one or two axes are expected")
    dtype = result_type(*tensors)
    blocks = [cast(atleast_2d(t), dtype) for t in tensors]
    widths = [block.shape[1] for block in blocks]
    rows = [
        Pad(((0, 0), (sum(widths[:i]), sum(widths[i + 1 :]))), 0)(block)
        for i, block in enumerate(blocks)
    ]
    return cat(rows, 0)


def tril(x: Any, diagonal: int = 0) -> Any:
    """Return matrices (..., N, M) with 0 above a diagonal: the main one, or so many above it."""
    return _triangle("tril", x, diagonal, lower=True)


def triu(x: Any, diagonal: int = 0) -> Any:
    """Return matrices (..., N, M) with 0 below a diagonal: the main one, or so many above it."""
    return _triangle("triu", x, diagonal, lower=False)


def _triangle(name: str, x: Any, diagonal: int, lower: bool) -> Any:
    if x.ndim < 2:
        raise ValueError(f"{name}: x {x.shape} is not a matrix (..., N, M)")
    rows, columns = check_dims(name, (-2, -1), x.ndim)
    xp = array_module(array_of(x))
    above = xp.arange(x.shape[columns]) - xp.arange(x.shape[rows])[:, None]  # (M,) - (N, 1)
    return where(above <= diagonal if lower else above >= diagonal, x, False)
