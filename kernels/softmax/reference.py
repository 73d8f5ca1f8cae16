"""Softmax and cross-entropy: the largest logit is subtracted first, so that exp cannot overflow.

Softmax is taken along axis 1 of (M, C, L).
"""

from __future__ import annotations

from tinymed.kernels.arrays import Array, array_module


def softmax(x: Array) -> Array:
    """Return exp(x) / sum_c exp(x_c)."""
    y = array_module(x).exp(x - x.max(axis=1, keepdims=True))
    y /= y.sum(axis=1, keepdims=True)
    return y


def softmax_grad(grad_output: Array, y: Array) -> Array:
    """Return y (dL/dy - sum_c y_c dL/dy_c)."""
    share = grad_output * y
    share -= y * share.sum(axis=1, keepdims=True)
    return share


def log_softmax(x: Array) -> Array:
    """Return x - log sum_c exp(x_c)."""
    xp = array_module(x)
    shifted = x - x.max(axis=1, keepdims=True)
    shifted -= xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def log_softmax_grad(grad_output: Array, y: Array) -> Array:
    """Return dL/dy - exp(y) sum_c dL/dy_c."""
    return grad_output - array_module(y).exp(y) * grad_output.sum(axis=1, keepdims=True)


def cross_entropy(logits: Array, target: Array) -> Array:
    """Return log(sum_c exp(logits_c)) - logits_target for each row, (M, C) (M,) -> (M,)."""
    xp = array_module(logits)
    rows = xp.arange(len(logits))
    largest = logits.max(axis=1, keepdims=True)
    shifted = logits - largest
    return xp.log(xp.exp(shifted).sum(axis=1)) - shifted[rows, target]


def cross_entropy_grad(grad_output: Array, logits: Array, target: Array) -> Array:
    """Return (softmax(logits) - onehot(target)) * grad_output, (M,) (M, C) (M,) -> (M, C)."""
    xp = array_module(logits)
    gradient = xp.exp(logits - logits.max(axis=1, keepdims=True))
    gradient /= gradient.sum(axis=1, keepdims=True)
    gradient[xp.arange(len(logits)), target] -= 1
    gradient *= grad_output[:, None]
    return gradient


def mean_cross_entropy(logits: Array, target: Array) -> Array:
    """Return the mean of `cross_entropy` over at least one row, (M, C) (M,) -> ()."""
    return cross_entropy(logits, target).mean(keepdims=True).reshape(())


def mean_cross_entropy_grad(grad_output: Array, logits: Array, target: Array) -> Array:
    """Return (softmax(logits) - onehot(target)) * grad_output / M, () (M, C) (M,) -> (M, C)."""
    share = array_module(logits).broadcast_to(grad_output / len(target), target.shape)
    return cross_entropy_grad(share.astype(logits.dtype), logits, target)
