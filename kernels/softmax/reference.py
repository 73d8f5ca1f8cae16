"""Cross-entropy on logits: the largest logit is subtracted first, so that exp cannot overflow."""

from __future__ import annotations

from tinymed.kernels.arrays import Array, array_module


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
