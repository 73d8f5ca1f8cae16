"""Elements repeated: whole tensors, single elements, and grids of all combinations."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tinymed.errors import check_dim, check_size
from tinymed.kernels.arrays import array_module, to_host
from tinymed.ops.broadcasting import broadcast_shapes, expand
from tinymed.ops.indexing import array_of, getitem
from tinymed.ops.joining import stack
from tinymed.ops.promotion import same_dtype
from tinymed.ops.shaping import clone, reshape, shape_argument, transpose

__all__ = [
    "broadcast_tensors",
    "broadcast_to",
    "cartesian_prod",
    "combinations",
    "meshgrid",
    "repeat",
    "repeat_interleave",
    "tile",
]


def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Return ``x`` repeated along new axes and axes of length 1: a read-only view, no copy."""
    return expand(x, shape_argument((shape,)))


def broadcast_tensors(*tensors: Any) -> tuple[Any, ...]:
    """Return the tensors repeated to the shape that an operation on all of them would have."""
    shape = broadcast_shapes("broadcast_tensors", *(t.shape for t in tensors))
    return tuple(expand(t, shape) for t in tensors)


def repeat(x: Any, *repeats: Any) -> Any:
    """Return ``x`` laid side by side, so many times along each axis; new axes come first.

    Examples
    --------
    >>> import numpy as np
    >>> repeat(np.array([1, 2]), 2, 2)
    array([[1, 2, 1, 2],
           [1, 2, 1, 2]])
    """
    times = shape_argument(repeats)
    if len(times) < x.ndim or any(n < 0 for n in times):
        raise ValueError(
            f"repeat: repeats {times} for x {x.shape}; give a number >= 0 for each axis"
        )
    lengths = (1,) * (len(times) - x.ndim) + x.shape
    shape = check_size("repeat", tuple(n * m for n, m in zip(times, lengths, strict=True)))
    apart = tuple(itertools.chain.from_iterable((1, n) for n in lengths))
    repeated = tuple(itertools.chain.from_iterable(zip(times, lengths, strict=True)))
    laid = clone(expand(reshape(x, apart), repeated))  # (1, n, ...) -> (times, n, ...), a copy
    return reshape(laid, shape)


def tile(x: Any, dims: int | tuple[int, ...]) -> Any:
    """Return ``x`` laid side by side as `repeat` does; axes that ``dims`` leaves out stay."""
    times = shape_argument((dims,))
    return repeat(x, (1,) * (x.ndim - len(times)) + times)


def repeat_interleave(
    x: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Any:
    """Return ``x`` with each element repeated in its place along ``dim``, or as one row for None.

    Parameters
    ----------
    x : Tensor
    repeats : int or Tensor (length of the axis,), integers
        How often each is repeated. Left out, ``x`` itself holds this, and places are returned.
    output_size : int, optional
        What the axis becomes; checked.

    Examples
    --------
    >>> import numpy as np
    >>> repeat_interleave(np.array([7, 8]), np.array([1, 3]))
    array([7, 8, 8, 8])
    """
    if repeats is None:
        if x.ndim != 1:
            raise ValueError(f"repeat_interleave: repeats {x.shape}, one axis is expected")
        return repeat_interleave(array_module(array_of(x)).arange(len(x)), x)
    if dim is None:
        x, dim = reshape(x, (-1,)), 0
    if x.ndim == 0:
        x = reshape(x, (1,))
    axis = check_dim("repeat_interleave", dim, x.ndim)
    length = x.shape[axis]
    counts = to_host(array_of(repeats))
    if counts.dtype.kind != "i":
        raise TypeError(f"repeat_interleave: repeats is {counts.dtype}, integers are expected")
    if counts.ndim > 1 or (counts.size not in (1, length) and counts.ndim):
        raise ValueError(
            f"repeat_interleave: repeats {counts.shape} for dim {dim} of x {x.shape}, "
            f"({length},) is expected"
        )
    if counts.size and counts.min() < 0:
        raise ValueError(f"repeat_interleave: repeats {counts.min()} is negative")
    counts = np.broadcast_to(counts, (length,))
    total = sum(counts.tolist())
    check_size("repeat_interleave", (*x.shape[:axis], total, *x.shape[axis + 1 :]))
    if output_size not in (None, total):
        raise ValueError(
            f"repeat_interleave: output_size {output_size}, but repeats add to {total}"
        )
    places = np.repeat(np.arange(length), counts)
    return getitem(x, (slice(None),) * axis + (array_module(array_of(x)).asarray(places),))


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """Return the coordinates of a grid: the n-th tensor varies along axis n.

    Parameters
    ----------
    *tensors : Tensor (N_0,), Tensor (N_1,) ..., of one dtype
    indexing : str
        "ij" for (N_0, N_1, ...); "xy" exchanges the first two axes: (N_1, N_0, ...).

    Returns
    -------
    tuple of Tensor (N_0, N_1, ...)
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: indexing={indexing!r} is not 'ij' or 'xy'")
    if not tensors or any(t.ndim > 1 for t in tensors):
        raise ValueError(
            f"meshgrid: {[t.shape for t in tensors]}; tensors of one axis are expected"
        )
    same_dtype("meshgrid", **{f"tensor {i}": t for i, t in enumerate(tensors)})
    count = len(tensors)
    shape = check_size("meshgrid", tuple((t.shape or (1,))[0] for t in tensors))
    grids = [
        expand(reshape(t, (1,) * i + (-1,) + (1,) * (count - i - 1)), shape)
        for i, t in enumerate(tensors)
    ]
    turned = indexing == "xy" and count > 1
    return tuple(transpose(grid, 0, 1) if turned else grid for grid in grids)


def cartesian_prod(*tensors: Any) -> Any:
    """Return (N_0 N_1 ..., K), every combination of an element of each of K 1-D tensors."""
    if not tensors or any(t.ndim != 1 for t in tensors):
        raise ValueError(f"cartesian_prod: {[t.shape for t in tensors]}; (N,) each is expected")
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(grid, (-1,)) for grid in meshgrid(*tensors)], dim=1)


def combinations(x: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """Return every combination of ``r`` elements of ``x`` (N,) in their order, one in each row."""
    if x.ndim != 1 or r < 0:
        raise ValueError(f"combinations: x {x.shape} and r={r}; (N,) and r >= 0 are expected")
    if r == 0:
        return getitem(x, slice(0, 0))
    length = x.shape[0]
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    check_size("combinations", (math.comb(length + r - 1 if with_replacement else length, r), r))
    rows = np.array(list(choose(range(length), r)), np.int64).reshape(-1, r)
    return getitem(x, array_module(array_of(x)).asarray(rows))
