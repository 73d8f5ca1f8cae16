"""The exceptions of tinymed, and the one way a shape error is worded.

Every message follows ``<op>: <given> <expected> [; <what to do>]``, in lower case, values included.
"""

from __future__ import annotations

import operator
from typing import Any

__all__ = ["AnomalyError", "CheckpointError", "DataError", "check_dim", "check_dims", "refuse"]


class AnomalyError(RuntimeError):
    """The first NaN or infinity found under `tinymed.detect_anomaly`."""


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
    dim, limit = operator.index(dim), max(ndim, 1)
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


def refuse(name: str, **arguments: Any) -> None:
    """Raise `NotImplementedError` for the first argument that is not its only supported value.

    ``refuse("conv2d", padding_mode=(padding_mode, "zeros"))``: never accept and ignore.
    """
    for argument, (given, supported) in arguments.items():
        if given != supported:
            raise NotImplementedError(
                f"{name}: {argument}={given!r} is not implemented; only {supported!r} is"
            )
