"""Quantiles, interpolated between the two neighbours in order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.autograd import Variable
from tinymed.errors import check_dim
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.elementwise import abs, where
from tinymed.ops.indexing import take_along_dim
from tinymed.ops.promotion import cast, rounded_once
from tinymed.ops.reduction import check_floating, sum
from tinymed.ops.shaping import permute, reshape
from tinymed.ops.sorting import sort

__all__ = ["nanquantile", "quantile"]

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


@rounded_once
def quantile(
    x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Any:
    """Return the ``q``-quantiles over ``dim``, or of all elements.

    The elements in order have the ranks 0 to n - 1; a quantile has the rank q (n - 1), and lies
    between the two neighbours of that rank. NaN where there is one.

    Parameters
    ----------
    x : of a floating dtype
    q : float in [0, 1], or a tensor of them () or (Q,) in the dtype of ``x``
        With (Q,) the result has a new first axis.
    dim : int, optional
        None flattens ``x``.
    interpolation : "linear", "lower", "higher", "midpoint" or "nearest"
        "nearest" rounds halves to even ranks.

    Examples
    --------
    >>> quantile(np.array([1.0, 2.0, 4.0, 8.0]), 0.5).item()
    3.0
    """
    return ranked("quantile", x, q, dim, keepdim, interpolation, ignore_nan=False)


@rounded_once
def nanquantile(
    x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Any:
    """Return the quantiles of what is not NaN, as `quantile`; NaN where there is nothing else."""
    return ranked("nanquantile", x, q, dim, keepdim, interpolation, ignore_nan=True)


def ranked(
    name: str,
    x: Any,
    q: Any,
    dim: int | None,
    keepdim: bool,
    interpolation: str,
    *,
    ignore_nan: bool,
) -> Any:
    """Return the quantiles, of NaN too or not."""
    check_floating(name, x)
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"{name}: interpolation={interpolation!r} is not in {INTERPOLATIONS}")
    q = fractions(name, q, x)
    if math.prod(x.shape) == 0:
        raise ValueError(f"{name}: x {x.shape} has no elements")
    axis = None if dim is None else check_dim(name, dim, x.ndim)
    if axis is None or not x.ndim:
        rows, kept = reshape(x, (-1,)), (1,) * x.ndim
    else:
        rows = permute(x, *(i for i in range(x.ndim) if i != axis), axis)  # (..., n)
        kept = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    ordered, length = sort(rows).values, rows.shape[-1]
    count = sum(ordered == ordered, -1, keepdim=True)  # (..., 1); NaN stands behind these
    if ignore_nan:
        rank = reshape(q, (-1,)) * cast(where(count == 0, 0, count - 1), x.dtype)  # (..., Q)
    else:
        last = cast(count * 0 + (length - 1), x.dtype)
        rank = where(count == length, reshape(q, (-1,)) * last, last)
    y = interpolated(ordered, rank, interpolation)  # (..., Q)
    y = permute(y, y.ndim - 1, *range(y.ndim - 1))
    shape = kept if keepdim else rows.shape[:-1]
    return reshape(y, (*q.shape, *shape))


def fractions(name: str, q: Any, x: Any) -> Any:
    """Return ``q`` as an array, or a Tensor that may want a gradient, of the dtype of ``x``."""
    if isinstance(q, (int, float)):
        on = x.data if isinstance(x, Variable) else x
        q = array_module(on).asarray(q, x.dtype)
    if not hasattr(q, "dtype") or q.dtype != x.dtype:
        raise TypeError(
            f"{name}: q is {getattr(q, 'dtype', type(q).__name__)}, expected a number or a tensor "
            f"of the dtype of x, {x.dtype}"
        )
    if q.ndim > 1:
        raise ValueError(f"{name}: q {q.shape} is neither one number nor a row of them")
    values = q.data if isinstance(q, Variable) else q
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise ValueError(f"{name}: q={values.tolist()} is not between 0 and 1")
    return q


def interpolated(ordered: Any, rank: Any, interpolation: str) -> Any:
    """Return the elements of ``ordered`` (..., n) at the ranks (..., Q), or between two of them."""
    exact: Array = rank.data if isinstance(rank, Variable) else rank
    xp = array_module(exact)
    rounded = {"lower": xp.floor, "higher": xp.ceil, "nearest": xp.rint}
    if interpolation in rounded:
        return take_along_dim(ordered, rounded[interpolation](exact).astype(np.int64), -1)
    below = xp.floor(exact)
    low = take_along_dim(ordered, below.astype(np.int64), -1)
    high = take_along_dim(ordered, xp.ceil(exact).astype(np.int64), -1)
    weight = 0.5 if interpolation == "midpoint" else rank - below
    endless = abs(low) == math.inf  # has no difference to its neighbour
    start, end = where(endless, 0.0, low), where(endless, 0.0, high)
    return where(endless, low + high, start + weight * (end - start))
