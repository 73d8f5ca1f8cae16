"""Other shapes for the same elements: views wherever memory allows it."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinymed.autograd import Function, owner
from tinymed.errors import check_dim, refuse
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape
from tinymed.ops.indexing import getitem
from tinymed.ops.promotion import cast, result_type

__all__ = [
    "cat",
    "clone",
    "flatten",
    "pad",
    "permute",
    "reshape",
    "split",
    "squeeze",
    "stack",
    "transpose",
    "unsqueeze",
    "view",
]


class Reshape(Function):
    """y = x in another shape, elements in the same order;  dL/dx = dL/dy in the old one."""

    def __init__(self, shape: Shape, copy: bool = True) -> None:
        self.shape, self.copy = shape, copy

    def output_shape(self, x: Shape) -> Shape:
        known = math.prod(n for n in self.shape if n != -1)
        size = math.prod(x)
        if self.shape.count(-1) > 1 or any(n < -1 for n in self.shape):
            raise ValueError(f"reshape: {self.shape} may hold one -1 and no other negative size")
        if known != size if -1 not in self.shape else (known == 0 or size % known):
            raise ValueError(f"reshape: x {x} has {size} elements, which do not fit {self.shape}")
        return tuple(size // known if n == -1 else n for n in self.shape)

    def forward(self, x: Array) -> Array:
        y = x.reshape(self.output_shape(x.shape))
        if not self.copy and x.size and owner(y) is not owner(x):
            raise ValueError(
                f"view: x {x.shape} with strides {x.strides} cannot be seen as {self.shape} "
                "without a copy; use reshape"
            )
        return y

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (reshape(grad_output, self.input_shape()),)


class Permute(Function):
    """y = x with its axes in another order;  dL/dx = dL/dy with the order undone."""

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

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return x.copy()

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (grad_output,)


class Cat(Function):
    """y = the inputs one after the other along an axis;  each gets its part of dL/dy."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def output_shape(self, *shapes: Shape) -> Shape:
        first = shapes[0]
        for number, shape in enumerate(shapes):
            same = len(shape) == len(first) and all(
                n == m for i, (n, m) in enumerate(zip(shape, first, strict=True)) if i != self.dim
            )
            if not same:
                raise ValueError(
                    f"cat: tensor {number} is {shape}, tensor 0 is {first}; "
                    f"all axes but dim={self.dim} must be equal"
                )
        total = sum(shape[self.dim] for shape in shapes)
        return (*first[: self.dim], total, *first[self.dim + 1 :])

    def forward(self, *arrays: Array) -> Array:
        self.output_shape(*(a.shape for a in arrays))
        self.ends = [0, *itertools.accumulate(a.shape[self.dim] for a in arrays)]
        return array_module(*arrays).concatenate(arrays, axis=self.dim)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        before = (slice(None),) * self.dim
        return tuple(
            getitem(grad_output, (*before, slice(start, end))) if edge else None
            for edge, (start, end) in zip(self.edges, itertools.pairwise(self.ends), strict=True)
        )


class Pad(Function):
    """y = x with a constant around it (cut off, where negative);  dL/dx = the inside of dL/dy."""

    def __init__(self, amounts: tuple[tuple[int, int], ...], value: float) -> None:
        self.amounts, self.value = amounts, value

    def output_shape(self, x: Shape) -> Shape:
        shape = tuple(n + low + high for n, (low, high) in zip(x, self.amounts, strict=True))
        cut = (
            n + min(low, 0) + min(high, 0) for n, (low, high) in zip(x, self.amounts, strict=True)
        )
        if any(n < 0 for n in cut):
            raise ValueError(f"pad: amounts {self.amounts} cut off more than there is of x {x}")
        return shape

    def forward(self, x: Array) -> Array:
        y = array_module(x).full(self.output_shape(x.shape), self.value, x.dtype)
        into = tuple(
            slice(max(low, 0), n - max(high, 0))
            for n, (low, high) in zip(y.shape, self.amounts, strict=True)
        )
        taken = tuple(
            slice(max(-low, 0), n - max(-high, 0))
            for n, (low, high) in zip(x.shape, self.amounts, strict=True)
        )
        y[into] = x[taken]
        return y

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (Pad(tuple((-low, -high) for low, high in self.amounts), 0)(grad_output),)


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


def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Return the tensors one after the other along ``dim``, in their common dtype."""
    if not tensors:
        raise ValueError("cat: no tensors given")
    if tensors[0].ndim == 0:
        raise ValueError("cat: tensors without axes cannot be joined; use stack")
    dtype = result_type(*tensors)
    return Cat(check_dim("cat", dim, tensors[0].ndim))(*(cast(t, dtype) for t in tensors))


def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Return tensors of one shape side by side along a new axis ``dim``."""
    shapes = {tuple(t.shape) for t in tensors}
    if len(shapes) != 1:
        raise ValueError(f"stack: tensors of one shape are expected, these are {sorted(shapes)}")
    return cat([unsqueeze(t, dim) for t in tensors], check_dim("stack", dim, tensors[0].ndim + 1))


def split(x: Any, split_size: int | Sequence[int], dim: int = 0) -> tuple[Any, ...]:
    """Return ``x`` in parts along ``dim``: of one size (the last may be smaller), or of these."""
    axis = check_dim("split", dim, x.ndim)
    if x.ndim == 0:
        raise ValueError("split: a tensor without axes cannot be split")
    length = x.shape[axis]
    if isinstance(split_size, int):
        if split_size <= 0:
            raise ValueError(f"split: split_size {split_size} is not positive")
        starts = range(0, max(length, 1), split_size)
        sizes = [min(split_size, length - start) for start in starts]
    else:
        sizes = list(split_size)
        if sum(sizes) != length or any(n < 0 for n in sizes):
            raise ValueError(f"split: sizes {sizes} do not add up to {length}, dim {dim} of x")
    before = (slice(None),) * axis
    ends = [0, *itertools.accumulate(sizes)]
    return tuple(getitem(x, (*before, slice(a, b))) for a, b in itertools.pairwise(ends))


def pad(x: Any, pad: Sequence[int], mode: str = "constant", value: float = 0) -> Any:
    """Return ``x`` with ``value`` around it.

    ``pad`` holds (low, high) for the last axis, then for the one before it, and so on, as in
    PyTorch; a negative amount cuts off.
    """
    refuse("pad", mode=(mode, "constant"))
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad: {len(pad)} amounts for {x.ndim} axes; give (low, high) per axis")
    pairs = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)]
    amounts = ((0, 0),) * (x.ndim - len(pairs)) + tuple(reversed(pairs))
    return Pad(amounts, value)(x)
