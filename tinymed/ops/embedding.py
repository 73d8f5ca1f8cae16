"""Embedding: rows of a table by their numbers, and sums, means and maxima over bags of them."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinymed.autograd import Function, Variable, wrote
from tinymed.errors import check_size
from tinymed.kernels import embedding as kernels
from tinymed.kernels.arrays import Array, array_module, is_array
from tinymed.kernels.recording import values_known
from tinymed.ops.broadcasting import Shape
from tinymed.ops.indexing import getitem
from tinymed.ops.promotion import cast, same_dtype
from tinymed.ops.shaping import reshape
from tinymed.precision import SINGLE, is_narrow, kind_of
from tinymed.row_gradient import RowGradient

__all__ = ["embedding", "embedding_bag"]


class Embedding(Function):
    """y[i] = weight[ids[i]];  dL/dweight[row] = sum of dL/dy[i] over all i with ids[i] = row.

    Nothing is added where ids[i] is ``padding_idx``; with ``scale_grad_by_freq`` each sum is
    divided by how many it is of. With ``sparse`` the gradient is a RowGradient, unless it shall be
    differentiated again.
    """

    as_given = True

    def __init__(
        self,
        padding_idx: int | None = None,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> None:
        self.padding_idx, self.scale_grad_by_freq = padding_idx, scale_grad_by_freq
        self.sparse = sparse

    def output_shape(self, ids: Shape, weight: Shape) -> Shape:
        return check_size("embedding", (*ids, *weight[1:]))

    def forward(self, ids: Array, weight: Array) -> Array:
        self.output_shape(ids.shape, weight.shape)
        return kernels.forward(weight, ids)

    def backward(self, grad_output: Any, ids: Array) -> tuple[Any, ...]:
        shape = self.input_shape(1)
        values, ids = reshape(grad_output, (ids.size, *shape[1:])), ids.reshape(-1)
        if self.padding_idx is not None:
            read = array_module(ids).flatnonzero(ids != self.padding_idx)
            values, ids = getitem(values, read), ids[read]
        return None, added_up(values, ids, shape, self.scale_grad_by_freq, self.sparse)


class EmbeddingGrad(Function):
    """y[row] = sum of x[i] over all i with ids[i] = row;  dL/dx[i] = dL/dy[ids[i]].

    The derivative of `Embedding`, whose own derivative is `Embedding` again.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def output_shape(self, ids: Shape, x: Shape) -> Shape:
        return self.rows, *x[1:]

    def forward(self, ids: Array, x: Array) -> Array:
        return kernels.grad_weight(x, ids, self.rows)

    def backward(self, grad_output: Any, ids: Array) -> tuple[Any, ...]:
        return None, Embedding()(ids, grad_output)


class BagSum(Function):
    """y[b] = sum of s[i] weight[ids[i]] over the i in bag b, with constant factors s.

    dL/dweight[row] = sum of s[i] dL/dy[b(i)] over all i with ids[i] = row, where b(i) is the bag
    that holds i. The weight itself is not kept, so that max_norm may write into it.
    """

    def __init__(self, scale_grad_by_freq: bool = False, sparse: bool = False) -> None:
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse

    def output_shape(self, ids: Shape, offsets: Shape, weight: Shape, scale: Any = None) -> Shape:
        return offsets[0] - 1, weight[1]

    def forward(self, ids: Array, offsets: Array, weight: Array, scale: Array | None) -> Array:
        return kernels.bag_sum(weight, ids, offsets, scale)

    def backward(self, grad_output: Any, ids: Array, offsets: Array, scale: Any) -> tuple[Any, ...]:
        values = Embedding()(bag_numbers(offsets), grad_output)  # (n, D): dL/dy of each id's bag
        if scale is not None:
            values = values * reshape(scale, (-1, 1))
        shape = self.input_shape(2)
        to_weight = added_up(values, ids, shape, self.scale_grad_by_freq, self.sparse)
        return None, None, to_weight, None


class BagMax(Function):
    """y[b, d] = max of weight[ids[i], d] over the i in bag b;  dL/dweight gets dL/dy where it won.

    An empty bag gives 0. The first of equal elements wins.
    """

    def output_shape(self, ids: Shape, offsets: Shape, weight: Shape) -> Shape:
        return offsets[0] - 1, weight[1]

    def forward(self, ids: Array, offsets: Array, weight: Array) -> Array:
        y, winner = kernels.bag_max(weight, ids, offsets)
        self.keep(winner=winner)
        return y

    def backward(self, grad_output: Any) -> tuple[Any, ...]:
        winner, (rows, columns) = self.kept("winner"), self.input_shape(2)
        xp = array_module(winner)
        won = xp.flatnonzero(winner >= 0)  # empty bags have no winner
        places = (winner * columns + xp.arange(columns)).reshape(-1)[won]  # of weight, flat
        values = getitem(reshape(grad_output, (-1,)), won)
        flat = EmbeddingGrad(rows * columns)(places, values)
        return None, None, reshape(flat, (rows, columns))


def added_up(values: Any, ids: Array, shape: Shape, by_frequency: bool, sparse: bool) -> Any:
    """Return the gradient (V, D) of a weight from its parts (n, D) and the rows they belong to."""
    if by_frequency:
        values = cast(values, SINGLE) if is_narrow(values) else values  # 257 is no bfloat16
        counts = array_module(ids).bincount(ids, minlength=1)
        values = values / counts[ids].astype(values.dtype)[:, None]
    if sparse and not isinstance(values, Variable):
        return RowGradient.summed(ids, values, shape)
    return EmbeddingGrad(shape[0])(ids, values)


def bag_numbers(offsets: Array) -> Array:
    """Return the number of the bag that each id is in."""
    lengths = offsets[1:] - offsets[:-1]
    return array_module(offsets).repeat(array_module(offsets).arange(len(lengths)), lengths)


def embedding(
    x: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """Return the rows of ``weight`` whose numbers stand in ``x``: (*) -> (*, D).

    Parameters
    ----------
    x : integers of any shape
        Row numbers (token ids), 0 .. V - 1.
    weight : (V, D)
    padding_idx : int or None
        This row gets no gradient; negative numbers count from the end.
    max_norm : float or None
        First shorten, in place and unrecorded, the rows of ``weight`` that are read and whose
        ``norm_type``-norm is above it.
    norm_type : float > 0
        ``math.inf`` for the largest absolute value.
    scale_grad_by_freq : bool
        Divide each row's gradient by how often ``x`` holds it.
    sparse : bool
        The gradient of a leaf ``weight`` is a `tinymed.row_gradient.RowGradient`.

    Raises
    ------
    IndexError
        If a row number is out of range; the message names it.
    TypeError
        If ``x`` is not of integers.

    Examples
    --------
    >>> import numpy as np
    >>> embedding(np.array([2, 0]), np.arange(6.0).reshape(3, 2))
    array([[4., 5.],
           [0., 1.]])
    """
    ids = checked_ids("embedding", x, checked_weight("embedding", weight))
    padding = checked_padding("embedding", padding_idx, weight.shape[0])
    if max_norm is not None:
        renormalize("embedding", weight, ids, max_norm, norm_type)
    return Embedding(padding, scale_grad_by_freq, sparse)(ids, weight)


def embedding_bag(
    x: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Return the sum, the mean or the maximum of the rows of ``weight`` in each bag: (B, D).

    Parameters
    ----------
    x : integers (B, N), or (n,) with ``offsets``
        Row numbers: B bags of N, or all bags one after the other.
    weight : (V, D)
    offsets : integers (B,) or None
        Where each bag begins in a flat ``x``: from 0, never decreasing. A bag ends where the next
        begins; an empty one gives 0.
    max_norm, norm_type, scale_grad_by_freq, sparse
        As in `embedding`; the last two not with "max".
    mode : "mean", "sum" or "max"
    per_sample_weights : like x, or None
        Factor of each row, in the dtype of ``weight``; with "sum" only.
    include_last_offset : bool
        ``offsets`` (B + 1,) also says where the last bag ends: at n.
    padding_idx : int or None
        Row that counts as absent from the bags; negative numbers count from the end.

    Raises
    ------
    IndexError
        If a row number is out of range; the message names it.
    NotImplementedError
        For ``per_sample_weights`` with another mode than "sum", as in PyTorch.

    Examples
    --------
    >>> import numpy as np
    >>> embedding_bag(np.array([2, 0, 1]), np.arange(6.0).reshape(3, 2), np.array([0, 2]))
    array([[2., 3.],
           [2., 3.]])
    """
    name = "embedding_bag"
    same_dtype(name, weight=weight, per_sample_weights=per_sample_weights)
    check_mode(name, mode, per_sample_weights is not None, scale_grad_by_freq, sparse)
    ids = checked_ids(name, x, checked_weight(name, weight))
    if kind_of(weight.dtype) != "f":
        raise TypeError(f"{name}: weight is {weight.dtype}, expected a floating dtype")
    if per_sample_weights is not None and tuple(per_sample_weights.shape) != ids.shape:
        raise ValueError(
            f"{name}: per_sample_weights {per_sample_weights.shape} and x {ids.shape} differ in "
            "shape"
        )
    padding = checked_padding(name, padding_idx, weight.shape[0])
    bounds = checked_bounds(ids, offsets, include_last_offset)
    if max_norm is not None:
        renormalize(name, weight, ids, max_norm, norm_type)
    ids, scale = ids.reshape(-1), per_sample_weights
    scale = None if scale is None else reshape(scale, (-1,))
    if padding is not None:
        counted = ids != padding
        before = array_module(ids).concatenate((bounds[:1], counted.cumsum()))
        ids, bounds = ids[counted], before[bounds]
        scale = None if scale is None else getitem(scale, counted)
    if mode == "max":
        return BagMax()(ids, bounds, weight)
    if mode == "mean":
        lengths = (bounds[1:] - bounds[:-1])[bag_numbers(bounds)]
        scale = (1 / lengths).astype(weight.dtype)
    if getattr(scale, "requires_grad", False):
        rows = Embedding(None, scale_grad_by_freq, sparse)(ids, weight) * reshape(scale, (-1, 1))
        return EmbeddingGrad(len(bounds) - 1)(bag_numbers(bounds), rows)
    return BagSum(scale_grad_by_freq, sparse)(ids, bounds, weight, scale)


def checked_weight(name: str, weight: Any) -> int:
    """Return the number of rows of ``weight``, or raise."""
    if not hasattr(weight, "dtype"):
        raise TypeError(f"{name}: weight is {type(weight).__name__}, expected a Tensor or array")
    if weight.ndim != 2:
        raise ValueError(f"{name}: weight {weight.shape} must be (rows, features)")
    rows: int = weight.shape[0]
    return rows


def checked_ids(name: str, x: Any, rows: int) -> Array:
    """Return row numbers as int64, or raise naming the first that is out of range."""
    ids = x.data if isinstance(x, Variable) else x
    if not is_array(ids):
        raise TypeError(f"{name}: x is {type(x).__name__}, expected a Tensor or array of integers")
    if ids.dtype.kind not in "iu":
        raise TypeError(f"{name}: x is {ids.dtype}, expected integers, the numbers of rows")
    if values_known() and ids.size and (ids.min() < 0 or ids.max() >= rows):
        wrong = next(i for i in ids.reshape(-1).tolist() if not 0 <= i < rows)
        raise IndexError(
            f"{name}: token id {wrong} in x is out of range for {rows} rows; "
            f"expected 0 to {rows - 1}"
        )
    return ids.astype(np.int64, copy=False)


def checked_padding(name: str, padding_idx: int | None, rows: int) -> int | None:
    """Return ``padding_idx`` counted from 0, or raise if there is no such row."""
    if padding_idx is None:
        return None
    index = operator.index(padding_idx)
    if not -rows <= index < rows:
        raise ValueError(f"{name}: {padding_idx=} is out of range for {rows} rows")
    return index % rows


def checked_bounds(ids: Array, offsets: Any, include_last: bool) -> Array:
    """Return where each bag begins, and where the last one ends: (B + 1,) int64."""
    xp, size = array_module(ids), ids.size
    if ids.ndim not in (1, 2):
        raise ValueError(f"embedding_bag: x {ids.shape} must be (bags, length), or (n,)")
    if ids.ndim == 2:
        if offsets is not None:
            raise ValueError(
                f"embedding_bag: offsets are given, but x {ids.shape} has its bags in rows"
            )
        return xp.arange(ids.shape[0] + 1) * ids.shape[1]
    if offsets is None:
        raise ValueError(f"embedding_bag: x {ids.shape} needs offsets, the beginnings of its bags")
    starts = offsets.data if isinstance(offsets, Variable) else xp.asarray(offsets)
    if starts.ndim != 1 or (starts.dtype.kind not in "iu" and starts.size):
        raise ValueError(
            f"embedding_bag: offsets {starts.shape} {starts.dtype} must be integers (bags,)"
        )
    starts = starts.astype(np.int64)
    if include_last and not len(starts):
        raise ValueError("embedding_bag: include_last_offset needs one offset at least")
    if len(starts) and starts[0] != 0:
        raise ValueError(f"embedding_bag: offsets begin with {starts[0]}, expected 0")
    if (starts[1:] < starts[:-1]).any():
        first = int(xp.flatnonzero(starts[1:] < starts[:-1])[0])
        raise ValueError(
            f"embedding_bag: offsets decrease from {starts[first]} to {starts[first + 1]}"
        )
    if len(starts) and starts[-1] > size:
        raise ValueError(f"embedding_bag: offset {starts[-1]} is beyond the {size} ids in x")
    if include_last and starts[-1] != size:
        raise ValueError(f"embedding_bag: the last offset is {starts[-1]}, expected {size}")
    if include_last:
        return starts
    return xp.concatenate((starts, xp.asarray([size] if len(starts) else [0], np.int64)))


def check_mode(name: str, mode: str, weighted: bool, by_frequency: bool, sparse: bool) -> None:
    """Raise unless there is such a mode, and it has what is asked for."""
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"{name}: {mode=} is not 'sum', 'mean' or 'max'")
    if weighted and mode != "sum":
        raise NotImplementedError(f"{name}: per_sample_weights with {mode=}; only 'sum' has them")
    if mode == "max" and (by_frequency or sparse):
        which = "scale_grad_by_freq" if by_frequency else "sparse"
        raise ValueError(f"{name}: {which}=True is not possible with mode='max'")


def renormalize(name: str, weight: Any, ids: Array, max_norm: float, norm_type: float) -> None:
    """Shorten the rows of ``weight`` at ``ids`` to ``max_norm``, in place, and tell the engine."""
    if not max_norm >= 0 or not norm_type > 0:
        raise ValueError(f"{name}: {max_norm=} must be >= 0 and {norm_type=} > 0")
    array = weight.data if isinstance(weight, Variable) else weight
    if kind_of(array.dtype) != "f" or not getattr(array.flags, "writeable", True):
        raise TypeError(f"{name}: max_norm writes into weight, which is {array.dtype} or read-only")
    rows = array_module(ids).unique(ids)
    if kernels.renormalize(array, rows, max_norm, norm_type):
        wrote(array)
