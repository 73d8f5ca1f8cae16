"""Floats of 16 bits are kept in 16 and computed in 32: the one place that says so.

float16 and bfloat16 halve memory and feed tensor cores, but have too few digits to add up in: 2048
ones are as far as a sum of float16 gets, 256 one of bfloat16. Who computes with arrays, an op or a
kernel, therefore widens those of 16 bits here, computes in float32, and has the results rounded
back here, once. What only moves values leaves them alone, and a kernel for tensor cores adds up in
float32 by itself.

NumPy has no bfloat16. `ml_dtypes` gives it one, which CuPy takes too; it counts as kind "V", like
raw bytes, so that `kind_of` is asked instead. It has the range of float32 and 8 bits of mantissa.

Source: Kalamkar et al. (2019), "A study of BFLOAT16 for deep learning training".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

__all__ = [
    "NARROW",
    "SINGLE",
    "any_narrow",
    "as_dtype",
    "bfloat16",
    "dtype_back",
    "finfo",
    "flat",
    "is_narrow",
    "kind_of",
    "of_sums",
    "rounded",
    "widened",
]

SINGLE = np.dtype(np.float32)
BFLOAT16 = "E"  # its letter, by which CuPy knows it too
NARROW = frozenset(("e", BFLOAT16))  # the letters of what has 16 bits, ``dtype.char``


def bfloat16() -> np.dtype[Any]:
    """Return the dtype bfloat16, or raise `ImportError` with what is missing."""
    try:
        from ml_dtypes import bfloat16 as scalar
    except ImportError as error:
        raise ImportError(
            "bfloat16: NumPy has it from ml_dtypes; pip install tinymed[bfloat16]"
        ) from error
    return np.dtype(scalar)


def kind_of(dtype: np.dtype[Any]) -> str:
    """Return ``dtype.kind``, which is "f" for bfloat16 too."""
    return "f" if dtype.char == BFLOAT16 else dtype.kind


def finfo(dtype: Any) -> Any:
    """Return the limits of a floating dtype, a Tensor's or one of NumPy's: eps, max, tiny ..."""
    dtype = getattr(dtype, "dtype", dtype)
    if dtype == "bfloat16" or np.dtype(dtype).char == BFLOAT16:
        bfloat16()  # says what is missing
        from ml_dtypes import finfo as limits

        return limits(bfloat16())
    return np.finfo(dtype)


def is_narrow(x: Any) -> bool:
    """Tell whether ``x`` is an array, or a Tensor, of floats with 16 bits."""
    return getattr(getattr(x, "dtype", None), "char", "") in NARROW


def any_narrow(values: Iterable[Any]) -> bool:
    """Tell whether one of the values, or of those in lists and tuples, `is_narrow`.

    Written as a loop: it stands before every call of a kernel's reference.
    """
    for value in values:
        if value.__class__ is list or value.__class__ is tuple:
            if any_narrow(value):
                return True
        elif getattr(value, "dtype", SINGLE).char in NARROW:
            return True
    return False


def flat(values: Iterable[Any]) -> Iterator[Any]:
    """Yield values, those of lists and tuples one by one."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from flat(value)
        else:
            yield value


def dtype_back(values: Iterable[Any]) -> np.dtype[Any]:
    """Return what results of ``values`` are rounded to: their own dtype, if all floats have one.

    float16 and bfloat16 have float32 in common, and so has each of them with float32.
    """
    dtypes = {x.dtype for x in flat(values) if hasattr(x, "dtype") and kind_of(x.dtype) == "f"}
    return dtypes.pop() if len(dtypes) == 1 else SINGLE


def of_sums(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return what numbers of a floating dtype are added up in: float32 for 16 bits, or itself."""
    return SINGLE if dtype.char in NARROW else dtype


def widened(value: Any) -> Any:
    """Return an array in float32 if it has 16 bits, lists and tuples one by one, else ``value``."""
    if isinstance(value, (list, tuple)):
        return type(value)([widened(one) for one in value])
    return value.astype(SINGLE) if is_narrow(value) else value


def rounded(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return an array in ``dtype`` if it is float32, lists and tuples one by one."""
    if isinstance(value, (list, tuple)):
        return type(value)([rounded(one, dtype) for one in value])
    if dtype == SINGLE or getattr(value, "dtype", None) != SINGLE:
        return value
    return as_dtype(value, dtype)


def as_dtype(array: Any, dtype: np.dtype[Any]) -> Any:
    """Return an array, or anything with ``astype``, in ``dtype``.

    What is too large for 16 bits becomes infinite without a word: `GradScaler` lives by it.
    """
    if dtype.char not in NARROW:
        return array.astype(dtype)
    with np.errstate(over="ignore"):
        return array.astype(dtype)
