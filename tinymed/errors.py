"""The exceptions of tinymed, and the one way a shape error is worded.

Every message follows ``<op>: <given> <expected> [; <what to do>]``, in lower case, values included.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = [
    "AnomalyError",
    "CheckpointError",
    "CompileError",
    "DataError",
    "check_dim",
    "check_dims",
    "check_one_place",
    "check_size",
    "places",
    "refuse",
]

TOO_MANY = 2**40  # elements: 4 TiB of float32, more than the machines this is for can hold


class AnomalyError(RuntimeError):
    """The first NaN or infinity found under `tinymed.detect_anomaly`."""


class CompileError(RuntimeError):
    """A step that cannot be compiled, and why."""


class CheckpointError(ValueError):
    """A file of saved tensors that is truncated, altered, or made for something else."""


class DataError(ValueError):
    """Data that cannot be trained or evaluated on as it stands."""


def check_dim(name: str, dim: int, ndim: int) -> int:
    """Return the axis ``dim`` as a number >= 0, or raise `IndexError` with the valid range.

    A tensor of no axes accepts 0 and -1, as in PyTorch.

    Examples
    --------
    >>> check_dim("sum", -1, 3)
    2
    """
    try:
        dim = operator.index(dim)
    except TypeError:
        raise TypeError(f"{name}: dim={dim!r} is not an integer") from None
    limit = max(ndim, 1)
    if not -limit <= dim < limit:
        raise IndexError(
            f"{name}: dim {dim} is out of range for {ndim} axes; use {-limit} to {limit - 1}"
        )
    return dim % limit


def check_dims(name: str, dim: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """Return axes as a tuple of different numbers >= 0; None and () mean all, as in PyTorch."""
    given = () if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    if not given:
        return tuple(range(ndim))
    dims = tuple(check_dim(name, d, ndim) for d in given)
    if len(set(dims)) != len(dims):
        raise ValueError(f"{name}: dim {dim} names an axis twice")
    return () if ndim == 0 else dims


def check_size(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return ``shape`` of a result, or raise `ValueError` if no machine could ever hold it.

    Called before anything is allocated, where a number given by the user sets a length: a slip or
    an overflow gets one clear error at once. What is merely too large for this machine is left to
    NumPy's `MemoryError`, which comes at once too.

    Examples
    --------
    >>> check_size("repeat", (2, 2**40))
    Traceback (most recent call last):
    ValueError: repeat: a result (2, 1099511627776) of 2199023255552 elements is too large; fewer \
than 1099511627776 are expected
    """
    size = 1
    for n in shape:
        size *= n or 1  # a length of 0 does not excuse the others
    if size >= TOO_MANY:
        raise ValueError(
            f"{name}: a result {shape} of {size} elements is too large; fewer than {TOO_MANY} "
            "are expected"
        )
    return shape


def refuse(name: str, **arguments: Any) -> None:
    """Raise `NotImplementedError` for the first argument that is not its only supported value.

    ``refuse("conv2d", padding_mode=(padding_mode, "zeros"))``: never accept and ignore.
    """
    for argument, (given, supported) in arguments.items():
        if given != supported:
            raise NotImplementedError(
                f"{name}: {argument}={given!r} is not implemented; only {supported!r} is"
            )


def places(arrays: Sequence[Any]) -> list[str]:
    """Return the devices that arrays are on, each once; what is no array has none."""
    found = (getattr(a, "device", None) for a in arrays if not isinstance(a, np.generic))
    named = (where if isinstance(where, str) else f"cuda:{where.id}" for where in found if where)
    return sorted(set(named))


def check_one_place(name: str, arrays: Sequence[Any]) -> None:
    """Raise `ValueError` unless all arrays are on one device."""
    found = places(arrays)
    if len(found) > 1:
        raise ValueError(
            f"{name}: arrays on {' and '.join(found)}, expected one device; move inputs and model "
            f"by .to({found[1]!r})"
            + ("" if "cpu" in found else f", and compute in `with cuda.device({found[1]!r}):`")
        )
