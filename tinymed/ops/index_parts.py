"""What stands between the brackets of x[...]: which parts there may be, and what acts first."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.autograd import Variable
from tinymed.kernels.recording import repeats

__all__ = ["in_turn", "is_view", "meets_once", "plain_index"]


def meets_once(index: Any) -> bool:
    """Tell whether no place is met twice: integers, slices, ..., None and masks of bools."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None
        or part is ...
        or isinstance(part, (int, slice))
        or getattr(getattr(part, "dtype", None), "kind", "") == "b"
        for part in parts
    )


def is_view(index: Any) -> bool:
    """Tell whether an index that meets no place twice gives a view: it holds no mask."""
    parts = index if isinstance(index, tuple) else (index,)
    return not any(hasattr(part, "dtype") for part in parts)


def plain_index(index: Any) -> Any:
    """Return ``index`` with arrays in place of Tensors and lists, and plain integers.

    Raises
    ------
    TypeError
        For an index that is neither integers, slices, None, ... nor an integer or bool array; for
        one of uint8, which PyTorch takes for a mask and NumPy for places.
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
    if getattr(index, "dtype", None) == np.uint8:
        raise TypeError(
            f"index: {index.shape} uint8 may be a mask or places; use bool() or long() of it"
        )
    if getattr(index, "dtype", np.dtype(object)).kind not in "iub":
        raise TypeError(
            f"index: {type(index).__name__} {getattr(index, 'dtype', '')} cannot select; use "
            "integers, slices, None, ... or tensors of integers or bools"
        )
    return index


def in_turn(index: Any, ndim: int) -> tuple[Any, ...]:
    """Return a plain index as those to be used one after the other: integers first, then arrays.

    It stays one where nothing stands between them, and NumPy means the same. An ellipsis that
    stands for none of the ``ndim`` axes counts as nothing.
    """
    if not isinstance(index, tuple) or not any(map(selects, index)):
        return (index,)
    if sum(map(axes_of, index)) == ndim:
        index = tuple(part for part in index if part is not ...)
    whole = [takes_one(part) for part in index]
    at = [number for number, part in enumerate(index) if whole[number] or selects(part)]
    if not any(whole) or sum(whole) == len(at) or at[-1] - at[0] < len(at):
        return (index,)
    first: list[Any] = []
    for part, one in zip(index, whole, strict=True):
        first += [int(part)] if one else [part] if part is ... else [slice(None)] * axes_of(part)
    if ... not in first:
        first.append(...)  # what is left of a tensor without axes can be written to, then
    return tuple(first), tuple(part for part, one in zip(index, whole, strict=True) if not one)


def selects(part: Any) -> bool:
    """Tell whether a part of an index is an array or a bool."""
    return hasattr(part, "dtype") or isinstance(part, bool)


def takes_one(part: Any) -> bool:
    """Tell whether a part of an index is one integer, whose value may be read if it is an array."""
    if isinstance(part, int):
        return not isinstance(part, bool)
    one = getattr(part, "shape", None) == () and part.dtype.kind in "iu"
    return one and repeats() is None


def axes_of(part: Any) -> int:
    """Return how many axes a part of an index stands for; an ellipsis: those that are left."""
    if part is None or part is ... or isinstance(part, bool):
        return 0
    return part.ndim if getattr(part, "dtype", None) == np.bool_ else 1
