"""Sequences of different lengths, packed: their rows and no others, all those of one step together.

A padded batch (T, N, *) holds rows that belong to no sequence. Packed, the sequences are sorted by
length, the longest first, and their rows follow each other step by step: a b c | a b | a. Step t is
one block of n_t rows, n_0 >= n_1 >= ..., and no work is spent on padding; nor is it read, so what
it holds cannot matter, and its gradient is zero.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tinymed.autograd import Function, Variable
from tinymed.errors import check_size
from tinymed.kernels.arrays import Array, array_module, to_host
from tinymed.kernels.recording import active
from tinymed.ops.broadcasting import Shape
from tinymed.ops.shaping import reshape

__all__ = ["Packing", "pack", "packing", "places", "put_rows", "take_rows", "unpack"]

Index = np.ndarray[Any, Any]


class TakeRows(Function):
    """y[k] = x[rows[k]], no row twice, the leading axes as one;  dL/dx = zeros with dL/dy there."""

    as_given = True

    def __init__(self, rows: Index, leading: Shape) -> None:
        self.rows, self.leading = rows, leading

    def output_shape(self, x: Shape) -> Shape:
        axes = len(self.leading)
        if x[:axes] != self.leading:
            raise ValueError(f"pack: x {x} does not begin with the axes {self.leading}")
        return (len(self.rows), *x[axes:])

    def forward(self, x: Array) -> Array:
        self.output_shape(x.shape)
        flat = x.reshape(math.prod(self.leading), *x.shape[len(self.leading) :])
        if active() is not None:
            from tinymed.kernels.copying import take_rows

            return take_rows(flat, self.rows)
        return flat[array_module(x).asarray(self.rows)]

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (PutRows(self.rows, self.leading)(grad_output),)


class PutRows(Function):
    """y = value, y[rows[k]] = x[k], the first axis in several;  dL/dx = dL/dy taken there."""

    def __init__(self, rows: Index, leading: Shape, value: float = 0) -> None:
        self.rows, self.leading, self.value = rows, leading, value

    def output_shape(self, x: Shape) -> Shape:
        if x[:1] != (len(self.rows),):
            raise ValueError(f"unpack: x {x} must have {len(self.rows)} rows, one for each step")
        return check_size("unpack", (*self.leading, *x[1:]))

    def forward(self, x: Array) -> Array:
        xp, shape = array_module(x), self.output_shape(x.shape)
        if active() is not None:
            from tinymed.kernels.copying import put_rows

            return put_rows(x, self.rows, math.prod(self.leading), self.value).reshape(shape)
        y = xp.full((math.prod(self.leading), *x.shape[1:]), self.value, x.dtype)
        y[xp.asarray(self.rows)] = x
        return y.reshape(shape)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (TakeRows(self.rows, self.leading)(grad_output),)


class Packing(NamedTuple):
    """How a padded batch is packed."""

    sizes: Shape  # n_t: how many sequences have a step t; they never rise
    batch: int  # N, sequences of length 0 included
    order: Index | None = None  # (N,) the sequences, the longest first; None: as they are given
    rows: Index | None = None  # (R,) where each packed row stands; None: all rows, in order
    padded: Shape = ()  # the two leading axes of the padded batch

    @property
    def back(self) -> Index | None:
        """Return where each sequence went: the order, undone."""
        return None if self.order is None else np.argsort(self.order)


def checked_lengths(name: str, lengths: Any, count: int, longest: int) -> Index:
    """Return ``lengths`` as (N,) integers on the host, each from 0 to ``longest``.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If there are not ``count`` of them, or one is negative or above ``longest``.
    """
    array = to_host(lengths.data if isinstance(lengths, Variable) else lengths)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{name}: lengths are {array.dtype}, integers are expected")
    if array.shape != (count,):
        raise ValueError(f"{name}: lengths {array.shape} for a batch of {count}; give one for each")
    for at, length in enumerate(array.tolist()):
        if not 0 <= length <= longest:
            raise ValueError(
                f"{name}: length {length} of sequence {at} is not in 0 to {longest}, the number of "
                "steps of x"
            )
    return array.astype(np.int64)


def packing(name: str, padded: Shape, lengths: Any, batch_first: bool = False) -> Packing:
    """Return how a batch with the leading axes ``padded``, (T, N) or (N, T), is packed.

    Parameters
    ----------
    lengths : (N,) integers in any order, zeros allowed, or None
        None: all are T.
    batch_first : bool
        ``padded`` is (N, T).
    """
    steps, batch = reversed(padded) if batch_first else padded
    if lengths is None:
        sizes, order = (batch,) * steps, None
    else:
        known = checked_lengths(name, lengths, batch, steps)
        times = np.arange(known.max(initial=0))
        shorter = np.searchsorted(np.sort(known), times, side="right")  # those that ended before
        sizes, order = tuple((batch - shorter).tolist()), np.argsort(-known, kind="stable")
        order = None if (order == np.arange(batch)).all() else order
    if lengths is None and not batch_first:
        return Packing(sizes, batch, padded=padded)
    return Packing(sizes, batch, order, places(sizes, order, padded, batch_first), padded)


def places(sizes: Shape, order: Index | None, padded: Shape, batch_first: bool) -> Index:
    """Return where each packed row stands in the padded batch, whose leading axes count as one."""
    starts = np.cumsum((0, *sizes))[:-1]
    t = np.repeat(np.arange(len(sizes)), sizes)
    sequence = np.arange(len(t)) - np.repeat(starts, sizes)
    if order is not None:
        sequence = order[sequence]
    return sequence * padded[1] + t if batch_first else t * padded[1] + sequence


def take_rows(x: Any, rows: Index | None) -> Any:
    """Return the rows of x (N, *) in another order; as they are for None."""
    return x if rows is None else TakeRows(rows, tuple(x.shape[:1]))(x)


def pack(x: Any, how: Packing) -> Any:
    """Return the rows (R, *) of the sequences in a padded batch."""
    if how.rows is None:
        return reshape(x, (math.prod(how.padded), *x.shape[2:]))
    return TakeRows(how.rows, how.padded)(x)


def put_rows(rows: Any, at: Index, padded: Shape, value: float = 0) -> Any:
    """Return (*padded, *) with the rows (R, *) at these places, and ``value`` everywhere else."""
    return PutRows(at, padded, value)(rows)


def unpack(rows: Any, how: Packing) -> Any:
    """Return the padded batch of rows (R, *), zero where there is no sequence."""
    if how.rows is None:
        return reshape(rows, (*how.padded, *rows.shape[1:]))
    return put_rows(rows, how.rows, how.padded)
