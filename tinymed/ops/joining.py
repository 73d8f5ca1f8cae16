"""Tensors joined to one, and one taken apart."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

from tinymed.autograd import Function, Variable
from tinymed.errors import check_dim, check_size
from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.recording import active
from tinymed.ops.broadcasting import Shape
from tinymed.ops.indexing import getitem
from tinymed.ops.promotion import cast, result_type
from tinymed.ops.shaping import atleast_1d, atleast_2d, atleast_3d, reshape, unsqueeze

__all__ = [
    "cat",
    "chunk",
    "column_stack",
    "concat",
    "concatenate",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "split",
    "stack",
    "tensor_split",
    "unbind",
    "vsplit",
    "vstack",
]


class Cat(Function):
    """y = the inputs one after the other along an axis;  each gets its part of dL/dy."""

    as_given = True

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
        shape = check_size("cat", self.output_shape(*(a.shape for a in arrays)))
        self.ends = [0, *itertools.accumulate(a.shape[self.dim] for a in arrays)]
        if active() is not None:
            from tinymed.kernels.copying import joined

            return joined(arrays, self.dim, shape)
        return array_module(*arrays).concatenate(arrays, axis=self.dim)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        before = (slice(None),) * self.dim
        return tuple(
            getitem(grad_output, (*before, slice(start, end))) if edge else None
            for edge, (start, end) in zip(self.edges, itertools.pairwise(self.ends), strict=True)
        )


# --------------------------------------------------------------------------------------- joined


def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Return the tensors one after the other along ``dim``, in their common dtype.

    All axes but ``dim`` are equal. A tensor (0,) goes with any others and adds nothing, so that a
    loop can start from one; its dtype counts.
    """
    check_several("cat", tensors)
    if not tensors:
        raise ValueError("cat: no tensors given")
    dtype = result_type(*tensors)
    tensors = [t for t in tensors if tuple(t.shape) != (0,)] or tensors
    if tensors[0].ndim == 0:
        raise ValueError("cat: tensors without axes cannot be joined; use stack")
    return Cat(check_dim("cat", dim, tensors[0].ndim))(*(cast(t, dtype) for t in tensors))


concat = concatenate = cat


def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Return tensors of one shape side by side along a new axis ``dim``."""
    check_several("stack", tensors)
    shapes = {tuple(t.shape) for t in tensors}
    if len(shapes) != 1:
        raise ValueError(f"stack: tensors of one shape are expected, these are {sorted(shapes)}")
    return cat([unsqueeze(t, dim) for t in tensors], check_dim("stack", dim, tensors[0].ndim + 1))


def check_several(name: str, tensors: Any) -> None:
    """Raise for one tensor where a sequence is wanted: ``cat(a, b)`` for ``cat([a, b])``."""
    if hasattr(tensors, "dtype"):
        raise TypeError(
            f"{name}: tensors is one {type(tensors).__name__} {tensors.shape}, expected a list of "
            f"them; {name}([a, b])"
        )


def hstack(tensors: Sequence[Any]) -> Any:
    """Return the tensors beside each other: along the second axis, 1-D ones along the first."""
    wide = [atleast_1d(t) for t in tensors]
    return cat(wide, 0 if not wide or wide[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Any]) -> Any:
    """Return the tensors below each other: along the first axis; 1-D ones are rows."""
    return cat([atleast_2d(t) for t in tensors], 0)


def dstack(tensors: Sequence[Any]) -> Any:
    """Return the tensors behind each other, along the third axis."""
    return cat([atleast_3d(t) for t in tensors], 2)


def column_stack(tensors: Sequence[Any]) -> Any:
    """Return the tensors beside each other along the second axis; 1-D ones are columns."""
    return cat([reshape(t, (t.shape or (1,))[0], 1) if t.ndim < 2 else t for t in tensors], 1)


# ---------------------------------------------------------------------------------- taken apart


def split(x: Any, split_size: int | Sequence[int], dim: int = 0) -> tuple[Any, ...]:
    """Return ``x`` in parts along ``dim``: of one size (the last may be smaller), or of these."""
    axis, length = _axis("split", x, dim)
    if isinstance(split_size, int):
        if split_size <= 0:
            raise ValueError(f"split: split_size {split_size} is not positive")
        return _cut(x, axis, [*range(0, max(length, 1), split_size), length])
    sizes = list(split_size)
    if sum(sizes) != length or any(n < 0 for n in sizes):
        raise ValueError(f"split: sizes {sizes} do not add up to {length}, dim {dim} of x")
    return _cut(x, axis, [0, *itertools.accumulate(sizes)])


def chunk(x: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """Return ``x`` in at most ``chunks`` parts along ``dim``: all but the last of one size."""
    axis, length = _axis("chunk", x, dim)
    if chunks < 1:
        raise ValueError(f"chunk: chunks {chunks} is not positive")
    if length == 0:
        return _cut(x, axis, [0] * (chunks + 1))
    return split(x, -(-length // chunks), dim)


def tensor_split(x: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Return ``x`` in parts along ``dim``: so many, as equal as can be, or cut at these indices.

    Examples
    --------
    >>> import numpy as np
    >>> [len(part) for part in tensor_split(np.arange(7), 3)]
    [3, 2, 2]
    >>> [len(part) for part in tensor_split(np.arange(7), (1, 5))]
    [1, 4, 2]
    """
    axis, length = _axis("tensor_split", x, dim)
    wanted = indices_or_sections
    wanted = wanted.data if isinstance(wanted, Variable) else wanted
    wanted = wanted.tolist() if hasattr(wanted, "tolist") else wanted
    if isinstance(wanted, (tuple, list)):
        before = (slice(None),) * axis
        ends = [None, *map(operator.index, wanted), None]
        return tuple(getitem(x, (*before, slice(a, b))) for a, b in itertools.pairwise(ends))
    sections = operator.index(wanted)
    if sections < 1:
        raise ValueError(f"tensor_split: {sections} sections; a positive number is expected")
    check_size("tensor_split", (sections,))
    size, longer = divmod(length, sections)
    return _cut(x, axis, [i * size + min(i, longer) for i in range(sections + 1)])


def unbind(x: Any, dim: int = 0) -> tuple[Any, ...]:
    """Return the parts of ``x`` along ``dim``, each without this axis."""
    if x.ndim == 0:
        raise IndexError(f"unbind: dim {dim} of a tensor without axes")
    axis = check_dim("unbind", dim, x.ndim)
    return tuple(getitem(x, (slice(None),) * axis + (i,)) for i in range(x.shape[axis]))


def hsplit(x: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """Return parts along the second axis (of a 1-D tensor the first), cut by `tensor_split`."""
    return _split_along("hsplit", x, indices_or_sections, 0 if x.ndim == 1 else 1, 1)


def vsplit(x: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """Return parts along the first of at least two axes, cut by `tensor_split`."""
    return _split_along("vsplit", x, indices_or_sections, 0, 2)


def dsplit(x: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """Return parts along the third axis, cut by `tensor_split`."""
    return _split_along("dsplit", x, indices_or_sections, 2, 3)


def _split_along(name: str, x: Any, wanted: Any, dim: int, least: int) -> tuple[Any, ...]:
    """Cut along a given axis; a number of parts must divide it."""
    if x.ndim < least:
        raise ValueError(f"{name}: x {x.shape} has {x.ndim} axes, at least {least} are expected")
    if isinstance(wanted, int) and (wanted < 1 or x.shape[dim] % wanted):
        raise ValueError(f"{name}: dim {dim} of x {x.shape} is not divisible by {wanted}")
    return tensor_split(x, wanted, dim)


def _axis(name: str, x: Any, dim: int) -> tuple[int, int]:
    """Return an axis that can be cut, and its length."""
    if x.ndim == 0:
        raise ValueError(f"{name}: a tensor without axes cannot be split")
    axis = check_dim(name, dim, x.ndim)
    return axis, x.shape[axis]


def _cut(x: Any, axis: int, ends: Sequence[int]) -> tuple[Any, ...]:
    """Return the parts of ``x`` between neighbouring ``ends``."""
    before = (slice(None),) * axis
    return tuple(getitem(x, (*before, slice(a, b))) for a, b in itertools.pairwise(ends))
