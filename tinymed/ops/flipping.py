"""Elements in another order along their axes: mirrored, rotated, rolled."""

from __future__ import annotations

import operator
from typing import Any

from tinymed.autograd import Function
from tinymed.errors import check_dim, check_dims
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape
from tinymed.ops.shaping import reshape, transpose

__all__ = ["flip", "fliplr", "flipud", "roll", "rot90"]


class Flip(Function):
    """y[i] = x[n - 1 - i] along some axes;  dL/dx = dL/dy, flipped back.  A copy, not a view."""

    as_given = True

    def __init__(self, dims: tuple[int, ...]) -> None:
        self.dims = dims

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return array_module(x).flip(x, self.dims).copy()

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (Flip(self.dims)(grad_output),)


class Roll(Function):
    """y[i + shift] = x[i], going round, along some axes;  dL/dx = dL/dy, rolled back."""

    as_given = True

    def __init__(self, shifts: tuple[int, ...], dims: tuple[int, ...]) -> None:
        self.shifts, self.dims = shifts, dims

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return array_module(x).roll(x, self.shifts, self.dims)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (Roll(tuple(-n for n in self.shifts), self.dims)(grad_output),)


def flip(x: Any, dims: tuple[int, ...] | list[int]) -> Any:
    """Return a copy of ``x`` with the order along each of ``dims`` reversed."""
    if not isinstance(dims, (tuple, list)):
        raise TypeError(f"flip: dims {dims!r} is not a tuple of axes")
    return Flip(check_dims("flip", tuple(dims), x.ndim) if dims else ())(x)


def fliplr(x: Any) -> Any:
    """Return ``x`` mirrored left to right: the second axis reversed."""
    if x.ndim < 2:
        raise ValueError(f"fliplr: x {x.shape} has no second axis")
    return flip(x, (1,))


def flipud(x: Any) -> Any:
    """Return ``x`` turned upside down: the first axis reversed."""
    if x.ndim < 1:
        raise ValueError("flipud: x () has no axes")
    return flip(x, (0,))


def roll(
    x: Any,
    shifts: int | tuple[int, ...],
    dims: int | tuple[int, ...] | None = None,
) -> Any:
    """Return ``x`` with its elements moved along ``dims``; what leaves at one end enters the other.

    Without ``dims`` the elements are rolled as one row.

    Examples
    --------
    >>> import numpy as np
    >>> roll(np.arange(5), 2)
    array([3, 4, 0, 1, 2])
    """
    moved = tuple(shifts) if isinstance(shifts, (tuple, list)) else (shifts,)
    if dims is None and len(moved) == 1:
        return reshape(Roll((operator.index(moved[0]),), (0,))(reshape(x, (-1,))), x.shape)
    axes = () if dims is None else tuple(dims) if isinstance(dims, (tuple, list)) else (dims,)
    if len(moved) != len(axes) or not moved:
        raise ValueError(f"roll: {len(moved)} shifts for {len(axes)} dims; give one for each")
    if x.ndim == 0:
        raise IndexError(f"roll: dims {dims} of a tensor without axes")
    order = tuple(check_dim("roll", d, x.ndim) for d in axes)
    return Roll(tuple(map(operator.index, moved)), order)(x)


def rot90(x: Any, k: int = 1, dims: tuple[int, int] | list[int] = (0, 1)) -> Any:
    """Return ``x`` rotated by ``k`` quarters in the plane of ``dims``, the first to the second.

    Examples
    --------
    >>> import numpy as np
    >>> rot90(np.array([[1, 2], [3, 4]]))
    array([[2, 4],
           [1, 3]])
    """
    if len(dims) != 2:
        raise ValueError(f"rot90: {len(dims)} dims, the two of a plane are expected")
    first, second = check_dims("rot90", tuple(dims), x.ndim)
    if k % 4 == 0:
        return flip(x, ())
    if k % 4 == 2:
        return flip(x, (first, second))
    return flip(transpose(x, first, second), (first if k % 4 == 1 else second,))
