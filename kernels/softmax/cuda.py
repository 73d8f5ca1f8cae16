"""Softmax and cross-entropy in CUDA: a block for a row, or a thread for a position."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, Variant, blocks, empty, launch
from tinymed.kernels.cuda.row_threads import ALIGNED, MOST_THREADS, aligned, row_threads

__all__ = [
    "VARIANTS",
    "cross_entropy",
    "cross_entropy_grad",
    "log_softmax",
    "log_softmax_grad",
    "mean_cross_entropy",
    "mean_cross_entropy_grad",
    "softmax",
    "softmax_grad",
]

OF_DTYPE = {
    dtype: Variant(
        f"softmax/{dtype}",
        "softmax/softmax.cu",
        ("rows", "rows_grad", "columns", "columns_grad", "mean"),
        (("SCALAR", scalar),),
        threads=MOST_THREADS,
    )
    for dtype, scalar in (("float32", "float"), ("float64", "double"))
}
VARIANTS = tuple(OF_DTYPE.values())
SOFTMAX, LOG_SOFTMAX, LOSS, LOSS_GRAD = range(4)  # as softmax.cu has them
FEW = 16  # classes that a thread takes alone: a warp would have nothing to do
POSITIONS = 256  # threads of a block, where each takes a position


def softmax(x: Array) -> Array:
    """Return exp(x) / sum_c exp(x_c), (M, C, L)."""
    return _along_channels(SOFTMAX, x)


def log_softmax(x: Array) -> Array:
    """Return x - log sum_c exp(x_c), (M, C, L)."""
    return _along_channels(LOG_SOFTMAX, x)


def softmax_grad(grad_output: Array, y: Array) -> Array:
    """Return y (dL/dy - sum_c y_c dL/dy_c), (M, C, L)."""
    return _gradient(grad_output, y, is_log=False)


def log_softmax_grad(grad_output: Array, y: Array) -> Array:
    """Return dL/dy - exp(y) sum_c dL/dy_c, (M, C, L)."""
    return _gradient(grad_output, y, is_log=True)


def cross_entropy(logits: Array, target: Array) -> Array:
    """Return log(sum_c exp(logits_c)) - logits_target for each row, (M, C) (M,) -> (M,)."""
    return _along_channels(LOSS, logits[:, :, None], target)


def cross_entropy_grad(grad_output: Array, logits: Array, target: Array) -> Array:
    """Return (softmax(logits) - onehot(target)) * grad_output, (M,) (M, C) (M,) -> (M, C)."""
    return _along_channels(LOSS_GRAD, logits[:, :, None], target, grad_output)[:, :, 0]


def mean_cross_entropy(logits: Array, target: Array) -> Array:
    """Return the mean of `cross_entropy` over at least one row, (M, C) (M,) -> ()."""
    losses = cross_entropy(logits, target)
    y = empty((), losses.dtype, losses)
    launch(OF_DTYPE[y.dtype.name], Grid(1), losses, y, losses.size, entry="mean")
    return y


def mean_cross_entropy_grad(grad_output: Array, logits: Array, target: Array) -> Array:
    """Return (softmax(logits) - onehot(target)) * grad_output / M, () (M, C) (M,) -> (M, C)."""
    return cross_entropy_grad(grad_output, logits, target)


def _along_channels(
    what: int, x: Array, target: Array | None = None, grad: Array | None = None
) -> Array:
    """Return what is asked of x (M, C, L), or M losses; a ``grad`` () is that of their mean."""
    xp = array_module(x)
    m, c, length = x.shape
    step, share = (0, 1 / m) if grad is not None and grad.ndim == 0 else (1, 1.0)
    x, target, grad = (None if a is None else xp.ascontiguousarray(a) for a in (x, target, grad))
    y = empty((m,) if what == LOSS else x.shape, x.dtype, x)
    given: tuple[Any, ...] = (what, step, x.dtype.type(share))
    if length == 1 and c > FEW:
        _rows("rows", m, c, x, (x, target, grad, y), given)
    else:
        _columns("columns", x.shape, x, (x, target, grad, y), given)
    return y


def _gradient(grad_output: Array, y: Array, is_log: bool) -> Array:
    xp = array_module(y)
    grad_output, y = xp.ascontiguousarray(grad_output), xp.ascontiguousarray(y)
    grad_x = empty(y.shape, y.dtype, y)
    m, c, length = y.shape
    if length == 1 and c > FEW:
        _rows("rows_grad", m, c, y, (grad_output, y, grad_x), (is_log,))
    else:
        _columns("columns_grad", y.shape, y, (grad_output, y, grad_x), (is_log,))
    return grad_x


def _rows(
    entry: str, rows: int, length: int, x: Array, arrays: tuple[Any, ...], given: tuple[Any, ...]
) -> None:
    """Launch a block for each row."""
    threads = row_threads(length, x.dtype.itemsize)
    wide = aligned(length, *(a for a in arrays if a is not None and a.size == x.size))
    launch(OF_DTYPE[x.dtype.name], Grid(rows), *arrays, length, *given, wide,
           entry=entry, threads=threads)  # fmt: skip


def _columns(
    entry: str, shape: tuple[int, ...], x: Array, arrays: tuple[Any, ...], given: tuple[Any, ...]
) -> None:
    """Launch a thread for each position, or for 16 bytes of neighbouring ones."""
    m, c, length = shape
    wide = aligned(length, *(a for a in arrays if a is not None and a.shape == shape))
    each = POSITIONS * (ALIGNED // x.dtype.itemsize if wide else 1)
    positions = math.prod((m, length))
    sizes = (np.uint32(positions), c, length)
    launch(OF_DTYPE[x.dtype.name], Grid(blocks(positions, each)), *arrays, *sizes, *given, wide,
           entry=entry, threads=POSITIONS)  # fmt: skip
