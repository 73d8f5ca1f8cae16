"""From a list of samples to one batch of Tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.ops import default_dtype
from tinymed.precision import kind_of
from tinymed.tensor import Tensor

__all__ = ["as_array", "default_collate"]


def default_collate(samples: Sequence[Any]) -> Any:
    """Stack samples along a new first axis, keeping their structure.

    =============================  =============================================================
    samples are                    the batch is
    =============================  =============================================================
    arrays or Tensors ``(...)``    Tensor ``(N, ...)`` of the same dtype
    NumPy scalars, bool, int       Tensor ``(N,)`` of their dtype (int: int64)
    float                          Tensor ``(N,)`` of the default float dtype
    str, bytes                     list of N
    tuple, named tuple, list       the same, of batches: ``[(x, y), ...]`` gives ``(X, Y)``
    dict                           dict of batches
    =============================  =============================================================

    Parameters
    ----------
    samples : sequence
        N >= 1 samples of one structure, with equal shapes and dtypes.

    Returns
    -------
    Tensor, list, tuple or dict

    Raises
    ------
    ValueError
        No sample; shapes, keys or numbers of fields differ.
    TypeError
        Types or dtypes differ, or something that no Tensor can hold (None, objects).

    Examples
    --------
    >>> images, labels = default_collate([(np.zeros((50, 50)), 0), (np.ones((50, 50)), 1)])
    >>> images.shape, labels.data.tolist()
    ((2, 50, 50), [0, 1])
    """
    if not len(samples):
        raise ValueError("default_collate: no sample given, at least one expected")
    return _collate(samples, "sample")


def as_array(value: Any) -> NDArray[Any]:
    """Return the NumPy array of an array, a Tensor, a number or a nested list."""
    if isinstance(value, np.ndarray):
        return value
    return np.asarray(value.data if isinstance(value, Tensor) else value)


def _collate(items: Sequence[Any], where: str) -> Any:
    """Collate one field; ``where`` names it in errors: ``sample[1]['mask']``."""
    first = items[0]
    if isinstance(first, Mapping):
        _require_same("fields", [_keys(item) for item in items], where)
        return {key: _collate([item[key] for item in items], f"{where}[{key!r}]") for key in first}
    if isinstance(first, tuple | list):
        _require_same("numbers of fields", [_length(item) for item in items], where)
        fields = [
            _collate(column, f"{where}[{i}]") for i, column in enumerate(zip(*items, strict=True))
        ]
        return type(first)(*fields) if hasattr(first, "_fields") else type(first)(fields)
    if isinstance(first, str | bytes):
        _require_same("types", [type(item).__name__ for item in items], where, TypeError)
        return list(items)
    return Tensor(_stack([_leaf(item) for item in items], where))


def _stack(arrays: list[NDArray[Any]], where: str) -> NDArray[Any]:
    """Stack arrays (...) of one shape and dtype to (N, ...)."""
    _require_same("dtypes", [array.dtype.name for array in arrays], where, TypeError)
    if kind_of(arrays[0].dtype) not in "biuf":
        raise TypeError(
            f"default_collate: {where} is {arrays[0].dtype}, numbers expected; "
            "convert it in the data set or give collate_fn="
        )
    _require_same("shapes", [array.shape for array in arrays], where, todo="; pad or crop them")
    return np.stack(arrays)


def _leaf(item: Any) -> NDArray[Any]:
    """Return what is no container as an array; a Python float takes the default float dtype."""
    return np.asarray(item, dtype=default_dtype()) if type(item) is float else as_array(item)


def _keys(item: Any) -> Any:
    return set(item) if isinstance(item, Mapping) else type(item).__name__


def _length(item: Any) -> Any:
    return len(item) if isinstance(item, tuple | list) else type(item).__name__


def _require_same(
    what: str, values: list[Any], where: str, kind: type[Exception] = ValueError, todo: str = ""
) -> None:
    """Raise ``kind`` at the first of ``values`` (one per sample) that is not like the first."""
    for i, value in enumerate(values):
        if value != values[0]:
            raise kind(
                f"default_collate: {where} has different {what}: {values[0]} in the first sample, "
                f"{value} in sample {i} of the batch{todo or '; give collate_fn='}"
            )
