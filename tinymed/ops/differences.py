"""Differences of neighbours along an axis, and areas under what is measured at points of it."""

from __future__ import annotations

from typing import Any

from tinymed.errors import check_dim
from tinymed.ops.arithmetic import multiply, subtract
from tinymed.ops.comparison import ne
from tinymed.ops.indexing import narrow
from tinymed.ops.joining import cat
from tinymed.ops.promotion import floating, rounded_once
from tinymed.ops.reduction import sum
from tinymed.ops.shaping import reshape

__all__ = ["diff", "trapezoid", "trapz"]


@rounded_once
def diff(x: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Return each element less the one before it along ``dim``, ``n`` times over.

    Parameters
    ----------
    n : int >= 0
        Each time the axis is one shorter, as long as there is something.
    prepend, append : tensor, optional
        Joined to ``x`` along ``dim`` first: with as many axes, of any length along ``dim``.

    Bools differ or not: the result is bool.

    Examples
    --------
    >>> import tinymed as tm
    >>> tm.diff(tm.tensor([1, 3, 2])).tolist()
    [2, -1]
    """
    if n < 0:
        raise ValueError(f"diff: {n=} is not >= 0")
    if x.ndim == 0:
        raise ValueError("diff: a tensor without axes has no neighbours")
    axis = check_dim("diff", dim, x.ndim)
    given = [part for part in (prepend, x, append) if part is not None]
    x = cat(given, axis) if len(given) > 1 else x
    less = ne if x.dtype.kind == "b" else subtract
    for _ in range(min(n, x.shape[axis])):
        length = x.shape[axis] - 1
        x = less(narrow(x, axis, 1, length), narrow(x, axis, 0, length))
    return x


@rounded_once
def trapezoid(y: Any, x: Any = None, *, dx: float | None = None, dim: int = -1) -> Any:
    """Return the area under ``y`` along ``dim``, straight from point to point.

    The exposure of a patient to a drug is that of its concentrations over time.

    Parameters
    ----------
    x : tensor, optional
        Where the points lie: as many as ``y`` has along ``dim``, alone or broadcasting with y.
    dx : float, optional
        How far they lie apart, 1 unless given; not both.

    Examples
    --------
    >>> import tinymed as tm
    >>> tm.trapezoid(tm.tensor([0.0, 4.0, 2.0]), tm.tensor([0.0, 1.0, 3.0])).item()
    8.0
    """
    if x is not None and dx is not None:
        raise ValueError("trapezoid: x and dx both say where the points lie; give one")
    if y.ndim == 0:
        raise ValueError("trapezoid: a tensor without axes has no points")
    axis = check_dim("trapezoid", dim, y.ndim)
    y, length = floating(y), max(0, y.shape[axis] - 1)
    sums = narrow(y, axis, min(1, y.shape[axis]), length) + narrow(y, axis, 0, length)
    if x is None:
        return multiply(sum(sums, axis), (1.0 if dx is None else dx) / 2)
    if x.ndim == 0 or x.shape[-1 if x.ndim == 1 else axis - y.ndim] != y.shape[axis]:
        raise ValueError(
            f"trapezoid: x {x.shape} is not where the {y.shape[axis]} points of y {y.shape} lie"
        )
    steps = diff(floating(x), 1, -1 if x.ndim == 1 else axis - y.ndim)
    if x.ndim == 1:
        steps = reshape(steps, (-1, *[1] * (y.ndim - 1 - axis)))
    return multiply(sum(multiply(sums, steps), axis), 0.5)


trapz = trapezoid
