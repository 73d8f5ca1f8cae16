"""A layer y = f(W x + b) as NumPy says it: one matrix product, bias and activation in place."""

from __future__ import annotations

import numpy as np

from tinymed.kernels.arrays import Array, array_module


def activate(y: Array, activation: str | None) -> Array:
    """Apply an activation to ``y`` in place and return it."""
    xp = array_module(y)
    if activation == "relu":
        xp.maximum(y, 0, out=y)
    elif activation == "tanh":
        xp.tanh(y, out=y)
    elif activation == "sigmoid":
        # (1 + tanh(y / 2)) / 2 would lose all digits of small results: no sigmoid(-20) in float32
        with np.errstate(over="ignore"):  # exp(-y) = inf gives the 0 that is meant
            xp.exp(xp.negative(y, out=y), out=y)
        y += 1
        xp.divide(1, y, out=y)
    return y


def linear(x: Array, weight: Array, bias: Array | None, activation: str | None) -> Array:
    """Return f(x weight^T + bias), (M, D)(D, H) + (H,) -> (M, H)."""
    y = x @ weight.T
    if bias is not None:
        y += bias
    return activate(y, activation)


def product(a: Array, b: Array) -> Array:
    """Return a b, (..., M, K)(..., K, N) -> (..., M, N)."""
    return a @ b


def bias_grad(grad_output: Array) -> Array:
    """Return dL/dbias (C,), the sum of dL/dy (N, C, *S) over all axes but the channels'."""
    return grad_output.sum(axis=(0, *range(2, grad_output.ndim)))
