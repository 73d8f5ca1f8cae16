"""PyTorch's type promotion, in one place: every public op that mixes its inputs calls `promote`.

Three ranks: tensors with axes, tensors without axes, Python numbers. A lower rank changes the
result only if it is of a higher kind (bool < integer < floating point): int64 * float32 is
float32, float32 * 0-d float64 is float32, int64 * 2.5 is the default floating dtype.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

from tinymed.autograd import Function, Variable
from tinymed.grad_mode import MODE
from tinymed.kernels.arrays import Array, is_at, place, to_place
from tinymed.ops.broadcasting import Shape
from tinymed.precision import (
    NARROW,
    SINGLE,
    any_narrow,
    as_dtype,
    dtype_back,
    finfo,
    is_narrow,
    kind_of,
)

__all__ = [
    "Cast",
    "ToDevice",
    "cast",
    "default_dtype",
    "floating",
    "number_in",
    "promote",
    "result_type",
    "rounded_once",
    "same_dtype",
    "set_default_dtype",
    "to_device",
]

P = ParamSpec("P")
R = TypeVar("R")

_DEFAULT = [np.dtype(np.float32)]
_KINDS = {"b": 0, "i": 1, "u": 1, "f": 2}
NUMBERS = {bool, int, float}


def default_dtype() -> np.dtype[Any]:
    """Return the floating dtype that Python numbers become: float32 unless set otherwise."""
    return _DEFAULT[0]


def set_default_dtype(dtype: Any) -> None:
    """Make ``dtype`` (float16, bfloat16, float32, float64) the one that Python numbers become."""
    dtype = np.dtype(dtype)
    if kind_of(dtype) != "f":
        raise TypeError(f"set_default_dtype: {dtype} is not a floating dtype")
    _DEFAULT[0] = dtype


class Cast(Function):
    """y = x in another dtype;  dL/dx = dL/dy in the dtype of x."""

    as_given = True

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return as_dtype(x, self.dtype)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (cast(grad_output, self.input_made()[1]),)


def cast(x: Any, dtype: Any) -> Any:
    """Return ``x`` in ``dtype``; itself if it already is."""
    dtype = np.dtype(dtype)
    return x if x.dtype == dtype else Cast(dtype)(x)


def rounded_once(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of several ops compute floats of 16 bits in float32, and round its results.

    One op sees to that itself (see `precision`); between two, numbers would be rounded too. Not
    where a ``dtype`` is asked for, nor under `autocast`, which chooses for each op.
    """

    @functools.wraps(function)
    def in_float32(*given: P.args, **named: P.kwargs) -> R:
        inputs = (*given, *named.values())
        left_alone = MODE.casts is not None or named.get("dtype") is not None
        if left_alone or not any_narrow(inputs):
            return function(*given, **named)
        wide: Any = [cast(x, SINGLE) if is_narrow(x) else x for x in inputs]
        words = dict(zip(named, wide[len(given) :], strict=True))
        found: Any = function(*wide[: len(given)], **words)
        return cast(found, dtype_back(inputs)) if found.dtype == SINGLE else found

    return in_float32


class ToDevice(Function):
    """y = x in the memory of another device;  dL/dx = dL/dy, back where x is."""

    stays = False
    as_given = True

    def __init__(self, device: str) -> None:
        self.device = device

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        self.came_from = place(x)
        return to_place(x, self.device)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (to_device(grad_output, self.came_from),)


def to_device(x: Any, device: str) -> Any:
    """Return ``x`` on ``device``, "cpu", "cuda" or "cuda:N"; itself if it is there already.

    Raises what `tinymed.kernels.arrays.to_place` raises.
    """
    array = x.data if isinstance(x, Variable) else x
    return x if is_at(array, device) else ToDevice(device)(x)


def _rank_and_dtype(x: Any) -> tuple[int, np.dtype[Any]]:
    """Return 2 for axes, 1 for none, 0 for a Python number; and its dtype."""
    if isinstance(x, (Variable, np.ndarray, np.generic)) or hasattr(x, "dtype"):
        return (2 if x.ndim else 1), x.dtype
    if isinstance(x, bool):
        return 0, np.dtype(bool)
    if isinstance(x, int):
        return 0, np.dtype(np.int64)
    if isinstance(x, float):
        return 0, default_dtype()
    raise TypeError(
        f"{type(x).__name__} is not a Tensor, an array or a number; tensor(x) makes a Tensor of it"
    )


def _combine(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of the higher kind; within one kind NumPy's rule is PyTorch's.

    float16 and bfloat16, which NumPy's knows no rule for, have float32 in common.
    """
    if _KINDS[kind_of(a)] != _KINDS[kind_of(b)]:
        return a if _KINDS[kind_of(a)] > _KINDS[kind_of(b)] else b
    if a.char in NARROW and b.char in NARROW and a != b:
        return SINGLE
    return np.promote_types(a, b)


def result_type(*inputs: Any) -> np.dtype[Any]:
    """Return the dtype in which PyTorch would combine ``inputs``.

    Examples
    --------
    >>> result_type(np.ones(2, np.int64), np.ones(2, np.float32)).name
    'float32'
    >>> result_type(np.ones(2, np.float32), np.array(1.0)).name   # a 0-d float64 does not widen
    'float32'
    """
    best: np.dtype[Any] | None = None
    for rank in (2, 1, 0):
        found: np.dtype[Any] | None = None
        for x in inputs:
            its_rank, dtype = _rank_and_dtype(x)
            if kind_of(dtype) not in _KINDS:
                raise TypeError(f"dtype {dtype} is not supported; use floats, integers or bool")
            if its_rank == rank:
                found = dtype if found is None else _combine(found, dtype)
        if found is not None and (best is None or _KINDS[kind_of(found)] > _KINDS[kind_of(best)]):
            best = found
    if best is None:
        raise TypeError("result_type: no inputs")
    return best


def promote(a: Any, b: Any) -> tuple[Any, Any]:
    """Return both inputs in their common dtype; Python numbers stay numbers where NumPy agrees."""
    try:  # the common cases first: this stands before every operator
        dtype = a.dtype
        if type(b) is float:
            if dtype.kind == "f" or dtype.char in NARROW:
                return a, b
        elif type(b) is int:
            if dtype.kind != "b":
                return a, b
        elif dtype == b.dtype:
            return a, b
    except AttributeError:  # a number, or something that the general rule refuses by name
        if a.__class__ in NUMBERS and b.__class__ not in NUMBERS:
            b, a = promote(b, a)
            return a, b
    dtype = result_type(a, b)
    return _as(a, dtype), _as(b, dtype)


def _as(x: Any, dtype: np.dtype[Any]) -> Any:
    """Cast an array or Tensor; a Python number becomes one of the dtype's kind."""
    if hasattr(x, "dtype"):
        return cast(x, dtype)
    return dtype.type(x).item() if kind_of(dtype) == "f" else x


def number_in(name: str, value: float, dtype: Any) -> float:
    """Return a number that is to fill places of ``dtype``, or raise `ValueError` if it cannot be.

    PyTorch cuts 0.5 to 0 for integers without a word; here it is refused.
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return bool(value)
    number = float if kind_of(dtype) == "f" else int
    limits: Any = finfo(dtype) if number is float else np.iinfo(dtype)
    fits = number(limits.min) <= value <= number(limits.max)
    if not (fits and value == int(value) if dtype.kind in "iu" else fits or not np.isfinite(value)):
        raise ValueError(f"{name}: the value {value} does not fit {dtype}")
    return value if number is float else int(value)


def same_dtype(name: str, **inputs: Any) -> None:
    """Raise unless all inputs are of one dtype, as products and layers demand.

    Quiet promotion there would double memory and time without a word. The advice leads to the
    default dtype where one of them has it: float64 from NumPy and pixels in uint8 are cast to it.
    """
    first, wanted = "", None
    for argument, x in inputs.items():
        if x is None:
            continue
        dtype = getattr(x, "dtype", None)
        if dtype is None:
            raise TypeError(f"{name}: {argument} is {type(x).__name__}, expected a Tensor or array")
        if wanted is None:
            first, wanted = argument, dtype
        if dtype != wanted and MODE.casts is None:  # `autocast` will make them one
            odd, right = (first, dtype) if dtype == default_dtype() else (argument, wanted)
            raise TypeError(
                f"{name}: {argument} is {dtype} but {first} is {wanted}; cast {odd} to {right}"
            )


def floating(x: Any) -> Any:
    """Return ``x``, integers and bools cast to the default floating dtype (as exp(int) does)."""
    try:
        return x if kind_of(x.dtype) == "f" else cast(x, default_dtype())
    except AttributeError:
        _rank_and_dtype(x)
        return np.asarray(x, default_dtype())
