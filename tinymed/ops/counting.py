"""Which elements there are, how often, and where: results without a gradient.

The shapes of most results depend on the values, so these are plain functions, not ops of the graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinymed.autograd import Variable
from tinymed.errors import check_dim, check_size
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.promotion import cast
from tinymed.precision import dtype_back, is_narrow, kind_of, rounded, widened

__all__ = [
    "bincount",
    "bucketize",
    "histc",
    "searchsorted",
    "unique",
    "unique_consecutive",
]


def unrecorded(compute: Callable[..., Any], *inputs: Any) -> Any:
    """Return what ``compute`` makes of the arrays, as Tensors if an input is one."""
    arrays = [x.data if isinstance(x, Variable) else x for x in inputs]
    results = rounded(compute(*widened(arrays)), dtype_back(arrays))
    if not any(isinstance(x, Variable) for x in inputs):
        return results
    kind = Variable.result_type
    return tuple(map(kind, results)) if isinstance(results, tuple) else kind(results)


def unique(
    x: Any,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return the different elements in ascending order; along ``dim``, the different slices.

    Parameters
    ----------
    x : of any dtype
        NaN differs from NaN.
    sorted : bool
        False leaves the order free; it is ascending all the same.
    return_inverse : bool
        Also return where each element (slice) is in the result.
    return_counts : bool
        Also return how often each element of the result is met.
    dim : int, optional
        None takes single elements.

    Returns
    -------
    values, or (values[, inverse][, counts])

    Examples
    --------
    >>> values, counts = unique(np.array([3, 1, 3]), return_counts=True)
    >>> values.tolist(), counts.tolist()
    ([1, 3], [1, 2])
    """

    def different(x: Array) -> Any:
        rows = as_rows("unique", x, dim)
        index = array_module(x).lexsort(rows.T[::-1])  # by the first column, then the second ...
        return groups(x, rows, index, dim, return_inverse, return_counts)

    return unrecorded(different, x)


def unique_consecutive(
    x: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Return the elements (slices along ``dim``) that differ from the one before: see `unique`.

    Examples
    --------
    >>> unique_consecutive(np.array([1, 1, 2, 1])).tolist()
    [1, 2, 1]
    """

    def different(x: Array) -> Any:
        rows = as_rows("unique_consecutive", x, dim)
        index = array_module(x).arange(len(rows))
        return groups(x, rows, index, dim, return_inverse, return_counts)

    return unrecorded(different, x)


def as_rows(name: str, x: Array, dim: int | None) -> Array:
    """Return elements as rows of one, or the slices along ``dim`` as rows."""
    if dim is None:
        return x.reshape(-1, 1)
    if not x.ndim:
        raise IndexError(f"{name}: dim={dim} of a tensor without axes; leave it out")
    axis = check_dim(name, dim, x.ndim)
    width = math.prod(n for i, n in enumerate(x.shape) if i != axis)
    if width == 0:
        raise ValueError(f"{name}: x {x.shape} has slices of no elements along dim={dim}")
    return array_module(x).moveaxis(x, axis, 0).reshape(x.shape[axis], width)


def groups(
    x: Array, rows: Array, index: Array, dim: int | None, return_inverse: bool, return_counts: bool
) -> Any:
    """Return the first of each run of equal rows, the rows being taken in the order ``index``."""
    xp = array_module(x)
    ordered = rows[index]  # (N, width)
    new = xp.ones(len(rows), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    (starts,) = xp.nonzero(new)
    first = index[starts]
    values = x.reshape(-1)[first] if dim is None else xp.take(x, first, axis=dim)
    results = [values]
    if return_inverse:
        inverse = xp.empty(len(rows), np.int64)
        inverse[index] = xp.cumsum(new) - 1
        results.append(inverse.reshape(x.shape) if dim is None else inverse)
    if return_counts:
        ends = xp.concatenate([starts[1:], xp.full(min(len(rows), 1), len(rows))])
        results.append(ends - starts)
    return tuple(results) if len(results) > 1 else values


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """Return how often each integer from 0 on is met, or the sums of the weights of each.

    Parameters
    ----------
    x : (N,) of integers >= 0
    weights : (N,), optional
    minlength : int
        The least length of the result.

    Returns
    -------
    (max(x) + 1,) or (minlength,)
        int64; with weights float64, or float32 where these are.
    """
    if x.dtype.kind not in "iu" or x.ndim != 1:
        raise TypeError(f"bincount: x is {x.shape} {x.dtype}, expected one axis of integers")
    if minlength < 0:
        raise ValueError(f"bincount: minlength={minlength} is negative")
    if weights is not None and weights.shape != x.shape:
        raise ValueError(f"bincount: weights {weights.shape} do not fit x {x.shape}")

    if is_narrow(weights):
        weights = cast(weights, np.float64)

    def count(x: Array, weights: Array | None = None) -> Array:
        if len(x) and int(x.min()) < 0:
            raise ValueError(f"bincount: x holds {int(x.min())}, expected integers >= 0")
        longest = max(int(x.max()) + 1 if len(x) else 0, minlength)
        check_size("bincount", (longest,))
        xp = array_module(x)
        if weights is None:
            return xp.bincount(x, minlength=minlength).astype(np.int64, copy=False)
        dtype = np.float32 if weights.dtype == np.float32 else np.float64
        counts = xp.bincount(x, weights.astype(np.float64), minlength=minlength)
        return counts.astype(dtype, copy=False)

    return unrecorded(count, x) if weights is None else unrecorded(count, x, weights)


def histc(x: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """Return how many elements lie in each of ``bins`` equal parts of [min, max].

    The last part holds its upper limit. What lies outside, and NaN, is not counted. Where min and
    max are equal they are those of ``x``.

    Returns
    -------
    (bins,) in the dtype of ``x``
    """
    if kind_of(x.dtype) != "f":
        raise TypeError(f"histc: x is {x.dtype}, expected a floating dtype; use x.float() first")
    if bins < 1:
        raise ValueError(f"histc: bins={bins} is not positive")
    check_size("histc", (bins,))

    def count(x: Array) -> Array:
        low, high = float(min), float(max)
        if low == high and x.size:
            low, high = float(x.min()), float(x.max())
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(f"histc: the range {low} to {high} is not finite and ascending")
        if low == high:
            low, high = low - 1, high + 1
        xp = array_module(x)
        inside = x[(x >= low) & (x <= high)].astype(np.float64)
        places = xp.floor((inside - low) * (bins / (high - low))).astype(np.int64)
        return xp.bincount(xp.minimum(places, bins - 1), minlength=bins).astype(x.dtype)

    return unrecorded(count, x)


def searchsorted(
    sorted_sequence: Any,
    values: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Any:
    """Return where ``values`` would be inserted so that the last axis stays in order.

    Parameters
    ----------
    sorted_sequence : (N,) or (..., N), ascending along the last axis
    values : number or tensor of any shape, or (..., M) with the same axes before the last
    out_int32 : bool
        int32 results instead of int64.
    right : bool
        Behind equal elements instead of before them; ``side="right"`` says the same.
    sorter : optional
        The places of ``sorted_sequence`` in order, if it is not: see `argsort`.

    Returns
    -------
    integers of the shape of ``values``
    """
    if side not in (None, "left", "right"):
        raise ValueError(f"searchsorted: side={side!r} is neither 'left' nor 'right'")
    if right and side == "left":
        raise ValueError("searchsorted: right=True contradicts side='left'")
    if sorted_sequence.ndim == 0:
        raise ValueError("searchsorted: sorted_sequence has no axis to search along")
    shape: tuple[int, ...] = getattr(values, "shape", ())
    rows: tuple[int, ...] = sorted_sequence.shape[:-1]
    if rows and rows != shape[:-1]:
        raise ValueError(
            f"searchsorted: sorted_sequence {sorted_sequence.shape} and values {shape} must be "
            "equal in all axes but the last, or sorted_sequence have only one"
        )
    if sorter is not None:
        check_sorter(sorter, sorted_sequence.shape)
    which = "right" if right or side == "right" else "left"
    dtype = np.int32 if out_int32 else np.int64
    inputs = (sorted_sequence, values) if sorter is None else (sorted_sequence, values, sorter)
    return unrecorded(lambda *arrays: insertions(which, *arrays).astype(dtype), *inputs)


def insertions(side: str, sequence: Array, values: Any, sorter: Array | None = None) -> Array:
    """Return where ``values`` would be inserted: into one row, or each row's into its own."""
    xp = array_module(sequence)
    wanted = xp.asarray(values)
    if sorter is not None:
        sequence = xp.take_along_axis(sequence, sorter, -1)
    if sequence.ndim == 1:
        return xp.asarray(xp.searchsorted(sequence, wanted, side))
    count = math.prod(sequence.shape[:-1])
    places = xp.zeros((count, wanted.shape[-1]), np.int64)
    rows = sequence.reshape(count, sequence.shape[-1])
    for row, sought, found in zip(rows, wanted.reshape(places.shape), places, strict=True):
        found[...] = xp.searchsorted(row, sought, side)
    return places.reshape(wanted.shape)


def check_sorter(sorter: Any, shape: tuple[int, ...]) -> None:
    """Raise unless ``sorter`` holds places along the last axis of ``shape``."""
    if sorter.dtype != np.int64 or sorter.shape != shape:
        raise ValueError(
            f"searchsorted: sorter {sorter.shape} {sorter.dtype} is not int64 of the shape of "
            f"sorted_sequence, {shape}"
        )
    low, high = (int(sorter.min()), int(sorter.max())) if 0 not in shape else (0, -1)
    if low < 0 or high >= shape[-1]:
        raise IndexError(
            f"searchsorted: sorter holds {low} to {high}, expected 0 to {shape[-1] - 1}"
        )


def bucketize(x: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    """Return the interval between the ascending ``boundaries`` (N,) in which each element lies.

    Interval i holds boundaries[i - 1] < x <= boundaries[i]; with ``right`` its lower limit instead
    of its upper.

    Examples
    --------
    >>> bucketize(np.array([1.0, 3.0, 9.0]), np.array([1.0, 5.0])).tolist()
    [0, 1, 2]
    """
    if boundaries.ndim != 1:
        raise ValueError(f"bucketize: boundaries {boundaries.shape} have not exactly one axis")
    return searchsorted(boundaries, x, out_int32=out_int32, right=right)
