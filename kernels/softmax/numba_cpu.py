"""Softmax and cross-entropy in vector code: a row is read from memory once, see `rows`."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty
from tinymed.kernels.copying import contiguous
from tinymed.kernels.parallel import parallel
from tinymed.kernels.softmax import rows

WORTH = 1 << 13  # exponentials that are worth a thread


def softmax(x: Array) -> Array:
    """Return exp(x) / sum_c exp(x_c)."""
    return _along_classes(rows.spread, x)


def softmax_grad(grad_output: Array, y: Array) -> Array:
    """Return y (dL/dy - sum_c y_c dL/dy_c)."""
    return _along_classes(rows.spread_grad, grad_output, y)


def log_softmax(x: Array) -> Array:
    """Return x - log sum_c exp(x_c)."""
    return _along_classes(rows.spread_log, x)


def log_softmax_grad(grad_output: Array, y: Array) -> Array:
    """Return dL/dy - exp(y) sum_c dL/dy_c."""
    return _along_classes(rows.spread_log_grad, grad_output, y)


def cross_entropy(logits: Array, target: Array) -> Array:
    """Return log(sum_c exp(logits_c)) - logits_target for each row, (M, C) (M,) -> (M,)."""
    items, classes = logits.shape
    losses = empty((items,), logits.dtype)
    least = 1 + WORTH // max(1, classes)
    parallel(rows.loss, items, least, losses, _flat(logits), _flat(target), classes)
    return losses


def cross_entropy_grad(grad_output: Array, logits: Array, target: Array) -> Array:
    """Return (softmax(logits) - onehot(target)) * grad_output, (M,) (M, C) (M,) -> (M, C)."""
    items, classes = logits.shape
    grad_x = empty(logits.shape, logits.dtype)
    parallel(
        rows.loss_grad, items, 1 + WORTH // max(1, classes), grad_x.reshape(-1), _flat(grad_output),
        _flat(logits), _flat(target), classes,
    )  # fmt: skip
    return grad_x


def mean_cross_entropy(logits: Array, target: Array) -> Array:
    """Return the mean of `cross_entropy` over at least one row, (M, C) (M,) -> ()."""
    losses, mean = cross_entropy(logits, target), empty((1,), logits.dtype)
    parallel(rows.mean, 1, 2, mean, losses)
    return mean.reshape(())


def mean_cross_entropy_grad(grad_output: Array, logits: Array, target: Array) -> Array:
    """Return (softmax(logits) - onehot(target)) * grad_output / M, () (M, C) (M,) -> (M, C)."""
    share = empty(target.shape, logits.dtype)
    parallel(rows.mean_grad, 1, 2, share, grad_output.reshape(1))
    return cross_entropy_grad(share, logits, target)


def _along_classes(core: Any, *given: Array) -> Array:
    """Run ``core`` on the items of arrays (M, C, L), which give one of the same shape."""
    items, classes, length = given[0].shape
    y = empty(given[0].shape, given[0].dtype)
    least = 1 + WORTH // max(1, classes * length)
    if y.size:
        parallel(core, items, least, y.reshape(-1), *map(_flat, given), classes, length)
    return y


def _flat(array: Array) -> Array:
    return contiguous(array).reshape(-1)
