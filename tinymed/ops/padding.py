"""Elements around a tensor: a constant, its mirror image, its edge, or its other end."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from tinymed.autograd import Function
from tinymed.errors import check_size
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape, expand
from tinymed.ops.flipping import flip
from tinymed.ops.indexing import getitem
from tinymed.ops.joining import cat
from tinymed.ops.promotion import number_in

__all__ = ["pad"]

Amounts = tuple[tuple[int, int], ...]  # (low, high) for each axis


class Pad(Function):
    """y = x with a constant around it (cut off, where negative);  dL/dx = the inside of dL/dy."""

    def __init__(self, amounts: Amounts, value: float) -> None:
        self.amounts, self.value = amounts, value

    def output_shape(self, x: Shape) -> Shape:
        for n, (low, high) in zip(x, self.amounts, strict=True):
            if n + min(low, 0) + min(high, 0) < 0:
                raise ValueError(f"pad: amounts {self.amounts} cut off more than there is of x {x}")
        return tuple(n + low + high for n, (low, high) in zip(x, self.amounts, strict=True))

    def forward(self, x: Array) -> Array:
        shape = check_size("pad", self.output_shape(x.shape))
        y = array_module(x).full(shape, self.value, x.dtype)
        into = tuple(
            slice(max(low, 0), n - max(high, 0))
            for n, (low, high) in zip(y.shape, self.amounts, strict=True)
        )
        taken = tuple(
            slice(max(-low, 0), n - max(-high, 0))
            for n, (low, high) in zip(x.shape, self.amounts, strict=True)
        )
        y[into] = x[taken]
        return y

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (Pad(tuple((-low, -high) for low, high in self.amounts), 0)(grad_output),)


def pad(x: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """Return ``x`` with elements around it.

    Parameters
    ----------
    x : Tensor (..., A, B)
    pad : sequence of int
        (low, high) for the last axis, then for the one before it, and so on, for as many axes as
        you like in each mode. A negative amount cuts off.
    mode : str
        What stands there for x = a b c: "constant" ``value``; "reflect" c b | a b c | b a, less
        than the axis is long; "replicate" a a | a b c | c c; "circular" b c | a b c | a b, no more
        than the axis is long.
    value : float, optional
        For "constant", 0 unless given.

    Raises
    ------
    ValueError
        An amount is beyond these limits, or no pairs for the last axes are given.

    Examples
    --------
    >>> import numpy as np
    >>> pad(np.array([1, 2, 3]), (2, 1), "reflect")
    array([3, 2, 1, 2, 3, 2])
    """
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad: {len(pad)} amounts for {x.ndim} axes; give (low, high) per axis")
    sides = tuple(map(operator.index, pad))
    pairs = [sides[i : i + 2] for i in range(0, len(sides), 2)]
    amounts: Any = ((0, 0),) * (x.ndim - len(pairs)) + tuple(reversed(pairs))
    if mode == "constant":
        return Pad(amounts, number_in("pad", 0 if value is None else value, x.dtype))(x)
    if mode not in EDGES:
        raise ValueError(f"pad: mode={mode!r} is not one of 'constant', {str([*EDGES])[1:-1]}")
    if value:
        raise ValueError(f"pad: value={value} has no meaning where mode={mode!r}")
    lengths = (n + low + high for n, (low, high) in zip(x.shape, amounts, strict=True))
    check_size("pad", tuple(lengths))
    cut = tuple((min(low, 0), min(high, 0)) for low, high in amounts)
    if mode == "circular":  # goes round what is left; the others continue what was cut off
        x = Pad(cut, 0)(x) if any(map(any, cut)) else x
    for dim, (low, high) in enumerate(amounts):
        if low > 0 or high > 0:
            x = _padded(x, mode, dim, max(low, 0), max(high, 0))
    return Pad(cut, 0)(x) if mode != "circular" and any(map(any, cut)) else x


def _padded(x: Any, mode: str, dim: int, low: int, high: int) -> Any:
    """Return ``x`` with elements of its own before and behind it along one axis."""
    length = x.shape[dim]
    limit = EDGES[mode](length)
    if max(low, high) > limit or not length:
        raise ValueError(
            f"pad: amounts {(low, high)} in mode {mode!r} for dim {dim} of x {x.shape}, at most "
            f"{limit} are expected"
        )

    def part(start: int, end: int) -> Any:
        return getitem(x, (slice(None),) * dim + (slice(start, end),))

    def repeated(edge: Any, times: int) -> Any:
        return expand(edge, (*x.shape[:dim], times, *x.shape[dim + 1 :]))

    if mode == "circular":
        parts = part(length - low, length), x, part(0, high)
    elif mode == "reflect":
        after = part(length - 1 - high, length - 1)
        parts = flip(part(1, low + 1), (dim,)), x, flip(after, (dim,))
    else:
        parts = repeated(part(0, 1), low), x, repeated(part(length - 1, length), high)
    return cat(parts, dim)


EDGES: dict[str, Callable[[int], float]] = {  # mode -> the largest amount for an axis of a length
    "reflect": lambda length: length - 1,
    "replicate": lambda length: float("inf"),
    "circular": lambda length: length,
}
