"""New tensors: of given values, of a pattern, or shaped like another. `sampling` draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinymed.errors import check_size
from tinymed.kernels.arrays import is_array, making, to_place
from tinymed.ops.promotion import default_dtype, number_in, result_type
from tinymed.ops.shaping import shape_argument
from tinymed.precision import as_dtype
from tinymed.tensor import Tensor, array_of, checked, dtype_of

__all__ = [
    "arange",
    "as_tensor",
    "empty",
    "empty_like",
    "eye",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "tensor",
    "tril_indices",
    "triu_indices",
    "zeros",
    "zeros_like",
]

Shape = tuple[int, ...]

# ---------------------------------------------------------------------------- of given values


def tensor(
    data: Any, *, dtype: Any = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Return a Tensor with a copy of ``data``: numbers, nested lists, arrays or a Tensor.

    Python floats become the default dtype (float32), integers int64; arrays keep their dtype.

    Examples
    --------
    >>> tensor([1.0, 2.0]).dtype
    dtype('float32')
    """
    source = array_of(data)
    if is_array(source) or isinstance(source, np.generic):
        array = source.copy() if is_array(source) else np.array(source)
    else:
        try:
            array = np.array(source)
        except ValueError as error:
            raise ValueError(
                "tensor: the nested lists are ragged; rows differ in length"
            ) from error
        of_arrays = isinstance(source, (list, tuple)) and source and hasattr(source[0], "dtype")
        if dtype is None and array.dtype == np.float64 and not of_arrays:
            array = array.astype(default_dtype())
    if dtype is not None:
        array = as_dtype(checked(array), dtype_of(dtype))
    return new(checked(array), device, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """Return ``data`` as a Tensor, sharing memory where dtype and device allow it."""
    if isinstance(data, Tensor):
        x = data
    else:
        x = Tensor(data) if is_array(data) else tensor(data)
    targets = [target for target in (dtype, device) if target is not None]
    return x.to(*targets) if targets else x


def from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
    """Return a Tensor on the memory of ``array``."""
    return Tensor(array)


# --------------------------------------------------------------------------------- of a pattern


def zeros(
    *size: Any, dtype: Any = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Return zeros, in the default dtype unless given; ``zeros(2, 3)`` or ``zeros((2, 3))``."""
    shape, kind = shape_of("zeros", size), floating_or(dtype)
    with making(device) as xp:
        return Tensor(xp.zeros(shape, kind), requires_grad)


def ones(*size: Any, dtype: Any = None, device: str = "cpu", requires_grad: bool = False) -> Tensor:
    """Return ones, in the default dtype unless given."""
    shape, kind = shape_of("ones", size), floating_or(dtype)
    with making(device) as xp:
        return Tensor(xp.ones(shape, kind), requires_grad)


def empty(
    *size: Any, dtype: Any = None, device: str = "cpu", requires_grad: bool = False
) -> Tensor:
    """Return a tensor whose elements are whatever memory held."""
    shape, kind = shape_of("empty", size), floating_or(dtype)
    with making(device) as xp:
        return Tensor(xp.empty(shape, kind), requires_grad)


def full(
    size: Sequence[int] | int,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: str = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor with every element ``fill_value``, whose dtype it has unless given."""
    kind = dtype_of(dtype) if dtype is not None else result_type(fill_value)
    return filled("full", shape_of("full", (size,)), fill_value, kind, device, requires_grad)


def arange(
    start: float | None = None,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    device: str = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """Return start, start + step, ... before ``end``; ``arange(n)`` counts from 0.

    int64 if all are integers, else the default dtype. Each element is start + i step, rounded
    once.

    Raises
    ------
    ValueError
        The step is 0, or leads away from ``end``, or a bound is not finite.
    """
    first, last = (0, start) if end is None else (start or 0, end)
    if last is None:
        raise TypeError("arange: no end given; call arange(end) or arange(start, end)")
    kind = dtype_of(dtype) if dtype is not None else result_type(first, last, step)
    if kind.kind == "b":
        raise TypeError("arange: bool cannot count; an integer or floating dtype is expected")
    given = f"arange: from {first} to {last} by {step}"
    if step == 0 or not all(map(math.isfinite, (first, last, step))):
        raise ValueError(f"{given} never ends; finite bounds and a step other than 0 are expected")
    if (last - first) * step < 0:
        raise ValueError(f"{given} leads away from the end; turn the sign of the step")
    if kind.kind in "iu" and any(n != int(n) for n in (first, last, step)):
        raise ValueError(f"{given} is not of integers, which {kind} holds")
    count = -((first - last) // step)
    check_size("arange", (int(count),))
    array = first + np.arange(int(count)) * step
    return new(array.astype(kind), device, requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: Any = None,
    device: str = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """Return ``steps`` evenly spaced numbers from ``start`` to ``end``, both included."""
    (count,) = shape_of("linspace", (steps,))
    array = np.linspace(start, end, count).astype(floating_or(dtype))
    return new(array, device, requires_grad)


def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: str = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """Return base**start ... base**end, ``steps`` numbers with evenly spaced exponents."""
    (count,) = shape_of("logspace", (steps,))
    array = np.power(float(base), np.linspace(start, end, count)).astype(floating_or(dtype))
    return new(array, device, requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Any = None,
    device: str = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """Return (n, m) with ones on the diagonal; m = n unless given."""
    rows, columns = shape_of("eye", (n, n if m is None else m))
    return new(np.eye(rows, columns, dtype=floating_or(dtype)), device, requires_grad)


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = np.int64, device: str = "cpu"
) -> Tensor:
    """Return (2, K): row and column of each place on or below a diagonal of a (row, col) matrix.

    Examples
    --------
    >>> tril_indices(2, 3).tolist()
    [[0, 1, 1], [0, 0, 1]]
    """
    rows, columns = shape_of("tril_indices", (row, col))
    return places_of(np.tri(rows, columns, offset, bool), dtype, device)


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = np.int64, device: str = "cpu"
) -> Tensor:
    """Return (2, K): row and column of each place on or above a diagonal of a (row, col) matrix."""
    rows, columns = shape_of("triu_indices", (row, col))
    return places_of(~np.tri(rows, columns, offset - 1, bool), dtype, device)


# -------------------------------------------------------------------------------- like another


def zeros_like(
    x: Any, *, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Return zeros of the shape, dtype and device of ``x``, unless others are given."""
    return full_like(x, 0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones_like(
    x: Any, *, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Return ones of the shape, dtype and device of ``x``, unless others are given."""
    return full_like(x, 1, dtype=dtype, device=device, requires_grad=requires_grad)


def empty_like(
    x: Any, *, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor shaped like ``x`` whose elements are whatever memory held."""
    like = Like(x, dtype, device)
    return empty(like.shape, dtype=like.dtype, device=like.device, requires_grad=requires_grad)


def full_like(
    x: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``fill_value`` in the shape, dtype and device of ``x``, unless others are given."""
    like = Like(x, dtype, device)
    shape, place = check_size("full_like", like.shape), like.device
    return filled("full_like", shape, fill_value, like.dtype, place, requires_grad)


# ------------------------------------------------------------------------- what they all need


class Like:
    """Shape, dtype and device of another tensor or array, where no others are given."""

    def __init__(self, x: Any, dtype: Any, device: str | None) -> None:
        tensor = as_tensor(x)
        self.shape = tensor.shape
        self.dtype = tensor.dtype if dtype is None else dtype_of(dtype)
        self.device = tensor.device if device is None else device


def new(array: Any, device: str, requires_grad: bool = False) -> Tensor:
    """Return a leaf on ``device`` with memory of its own."""
    return Tensor(array if device == "cpu" else to_place(array, device), requires_grad)


def filled(
    name: str, shape: Shape, value: Any, dtype: Any, device: str, requires_grad: bool
) -> Tensor:
    """Return a leaf with one value everywhere, which must fit its dtype."""
    fitting = array_of(value) if hasattr(value, "dtype") else number_in(name, value, dtype)
    with making(device) as xp:
        return Tensor(xp.full(shape, fitting, dtype), requires_grad)


def places_of(mask: np.ndarray[Any, Any], dtype: Any, device: str) -> Tensor:
    """Return (2, K), the row and column of each place where a matrix of bools holds."""
    kind = dtype_of(dtype)
    if kind.kind not in "iu":
        raise TypeError(f"indices: dtype {kind}, an integer dtype is expected")
    return new(np.stack(np.nonzero(mask)).astype(kind), device)


def shape_of(name: str, size: tuple[Any, ...]) -> Shape:
    """Return sizes given as ``2, 3`` or ``(2, 3)``: none negative, not too large together."""
    sizes = shape_argument(size)
    if any(n < 0 for n in sizes):
        raise ValueError(f"{name}: the shape {sizes} holds a negative size")
    return check_size(name, sizes)


def floating_or(dtype: Any) -> np.dtype[Any]:
    """Return ``dtype``, or the default floating one for None."""
    return default_dtype() if dtype is None else dtype_of(dtype)
