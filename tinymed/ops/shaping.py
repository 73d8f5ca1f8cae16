"""Other shapes for the same elements: views wherever memory allows it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinymed.autograd import Function, owner
from tinymed.errors import check_dim, check_dims
from tinymed.kernels.arrays import Array
from tinymed.kernels.recording import active, copied
from tinymed.ops.broadcasting import Shape

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "clone",
    "flatten",
    "moveaxis",
    "movedim",
    "permute",
    "ravel",
    "reshape",
    "squeeze",
    "swapaxes",
    "swapdims",
    "transpose",
    "unflatten",
    "unsqueeze",
    "view",
]


class Reshape(Function):
    """y = x in another shape, elements in the same order;  dL/dx = dL/dy in the old one."""

    as_given = True

    def __init__(self, shape: Shape, copy: bool = True) -> None:
        self.shape, self.copy = shape, copy

    def output_shape(self, x: Shape) -> Shape:
        return with_lengths("reshape", x, self.shape)

    def forward(self, x: Array) -> Array:
        y = x.reshape(self.output_shape(x.shape))
        if not self.copy and x.size and owner(y) is not owner(x):
            raise ValueError(
                f"view: x {x.shape} with strides {x.strides} cannot be seen as {self.shape} "
                "without a copy; use reshape"
            )
        if active() is not None and owner(y) is not owner(x):
            y = copied(x).reshape(y.shape)
        return y

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (reshape(grad_output, self.input_shape()),)


class Permute(Function):
    """y = x with its axes in another order;  dL/dx = dL/dy with the order undone."""

    as_given = True

    def __init__(self, dims: Shape) -> None:
        self.dims = dims

    def output_shape(self, x: Shape) -> Shape:
        return tuple(x[d] for d in self.dims)

    def forward(self, x: Array) -> Array:
        return x.transpose(self.dims)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (permute(grad_output, tuple(int(i) for i in np.argsort(self.dims))),)


class Clone(Function):
    """y = a copy of x;  dL/dx = dL/dy."""

    as_given = True

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return copied(x)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (grad_output,)


def with_lengths(name: str, x: Shape, wanted: Shape) -> Shape:
    """Return the shape that is ``wanted`` of x with the length that -1 stands for."""
    known = math.prod(n for n in wanted if n != -1)
    size = math.prod(x)
    if wanted.count(-1) > 1 or any(n < -1 for n in wanted):
        raise ValueError(f"{name}: {wanted} may hold one -1 and no other negative size")
    if known != size if -1 not in wanted else (known == 0 or size % known):
        raise ValueError(f"{name}: x {x} has {size} elements, which do not fit {wanted}")
    return tuple(size // known if n == -1 else n for n in wanted)


def shape_argument(shape: tuple[Any, ...]) -> Shape:
    """Return a shape given as ``(2, 3)`` or as ``2, 3``."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    return tuple(operator.index(n) for n in shape)


def reshape(x: Any, *shape: Any) -> Any:
    """Return ``x`` in another shape of as many elements; one size may be -1."""
    wanted = shape_argument(shape)
    return x if x.shape == wanted else Reshape(wanted)(x)


def view(x: Any, *shape: Any) -> Any:
    """Return ``x`` in another shape on the same memory, or raise `ValueError` if that cannot be."""
    return Reshape(shape_argument(shape), copy=False)(x)


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Return ``x`` with the axes from ``start_dim`` to ``end_dim`` as one."""
    if x.ndim == 0:
        return reshape(x, (1,))
    start, end = check_dim("flatten", start_dim, x.ndim), check_dim("flatten", end_dim, x.ndim)
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} lies behind end_dim {end_dim}")
    middle = math.prod(x.shape[start : end + 1])
    return reshape(x, (*x.shape[:start], middle, *x.shape[end + 1 :]))


def permute(x: Any, *dims: Any) -> Any:
    """Return ``x`` with its axes in the order ``dims``."""
    order = tuple(check_dim("permute", d, x.ndim) for d in shape_argument(dims))
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"permute: dims {order} are not each of the {x.ndim} axes once")
    return Permute(order)(x)


def transpose(x: Any, dim0: int, dim1: int) -> Any:
    """Return ``x`` with two axes exchanged."""
    first, second = check_dim("transpose", dim0, x.ndim), check_dim("transpose", dim1, x.ndim)
    order = list(range(x.ndim))
    if order:
        order[first], order[second] = order[second], order[first]
    return Permute(tuple(order))(x)


def squeeze(x: Any, dim: int | tuple[int, ...] | None = None) -> Any:
    """Return ``x`` without its axes of length 1, or without those of ``dim`` that have length 1."""
    dims = range(x.ndim) if dim is None else ((dim,) if isinstance(dim, int) else dim)
    gone = {check_dim("squeeze", d, x.ndim) for d in dims}
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if n != 1 or i not in gone))


def unsqueeze(x: Any, dim: int) -> Any:
    """Return ``x`` with a new axis of length 1 at ``dim``."""
    at = check_dim("unsqueeze", dim, x.ndim + 1)
    return reshape(x, (*x.shape[:at], 1, *x.shape[at:]))


def clone(x: Any) -> Any:
    """Return a copy of ``x`` with memory of its own."""
    return Clone()(x)


def unflatten(x: Any, dim: int, sizes: Sequence[int]) -> Any:
    """Return ``x`` with the axis ``dim`` as several of these ``sizes``; one may be -1."""
    axis = check_dim("unflatten", dim, x.ndim)
    wanted = shape_argument((sizes,))
    if x.ndim == 0 or not wanted:
        raise ValueError(f"unflatten: dim {dim} of x {x.shape} to {wanted}; an axis, and sizes")
    parts = with_lengths("unflatten", (x.shape[axis],), wanted)
    return reshape(x, (*x.shape[:axis], *parts, *x.shape[axis + 1 :]))


def ravel(x: Any) -> Any:
    """Return the elements of ``x`` as one axis, in row order."""
    return reshape(x, (-1,))


def movedim(x: Any, source: int | tuple[int, ...], destination: int | tuple[int, ...]) -> Any:
    """Return ``x`` with some axes at other places, the rest in their order."""
    given = [n if isinstance(n, (tuple, list)) else (n,) for n in (source, destination)]
    if len(given[0]) != len(given[1]):
        raise ValueError(f"movedim: source {source} and destination {destination} differ in length")
    taken, put = (check_dims("movedim", tuple(n), x.ndim) if n else () for n in given)
    order = [i for i in range(x.ndim) if i not in taken]
    for to, axis in sorted(zip(put, taken, strict=True)):
        order.insert(to, axis)
    return permute(x, tuple(order))


def swapaxes(x: Any, axis0: int, axis1: int) -> Any:
    """Return ``x`` with two axes exchanged, as `transpose` does; NumPy's name for it."""
    return transpose(x, axis0, axis1)


def swapdims(x: Any, dim0: int, dim1: int) -> Any:
    """Return ``x`` with two axes exchanged, as `transpose` does."""
    return transpose(x, dim0, dim1)


def atleast_1d(*tensors: Any) -> Any:
    """Return a tensor with at least one axis; of several tensors, a tuple."""
    return _each(lambda x: reshape(x, (1,)) if x.ndim == 0 else x, tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Return a tensor with at least two axes: (N,) becomes (1, N); of several tensors, a tuple."""
    return _each(lambda x: reshape(x, (1, *(x.shape or (1,)))) if x.ndim < 2 else x, tensors)


def atleast_3d(*tensors: Any) -> Any:
    """Return a tensor with at least three axes: (N,) becomes (1, N, 1), (H, W) (H, W, 1)."""
    return _each(lambda x: reshape(x, (*atleast_2d(x).shape, 1)) if x.ndim < 3 else x, tensors)


def _each(function: Callable[[Any], Any], tensors: tuple[Any, ...]) -> Any:
    """Return the function of one tensor, or of each of several, given apart or in a sequence."""
    if len(tensors) == 1 and not isinstance(tensors[0], (tuple, list)):
        return function(tensors[0])
    return tuple(map(function, tensors[0] if len(tensors) == 1 else tensors))


moveaxis = movedim
