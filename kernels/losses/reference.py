"""Losses as their formulas say; exp is only taken of numbers <= 0, so that it cannot overflow."""

from __future__ import annotations

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.recording import values_known


def mean_squares(x: Array, target: Array) -> Array:
    """Return the mean of (x - target)^2."""
    difference = x - target
    return _mean(difference * difference)


def mean_squares_grad(grad_output: Array, x: Array, target: Array) -> Array:
    """Return 2 (x - target) / n * grad_output."""
    gradient: Array = (x - target) * (2 / x.size * grad_output).astype(x.dtype)
    return gradient


def mean_logistic(x: Array, target: Array) -> Array:
    """Return the mean of log(1 + exp(x)) - target x."""
    xp = array_module(x)
    if values_known() and not ((target >= 0) & (target <= 1)).all():
        raise ValueError("mean_logistic: target holds values outside [0, 1] or NaN")
    return _mean(xp.maximum(x, 0) - target * x + xp.log1p(xp.exp(-xp.abs(x))))


def mean_logistic_grad(grad_output: Array, x: Array, target: Array) -> Array:
    """Return (sigmoid(x) - target) / n * grad_output."""
    xp = array_module(x)
    small = xp.exp(-xp.abs(x))
    sigmoid = xp.where(x >= 0, 1, small) / (1 + small)
    gradient: Array = (sigmoid - target) * (grad_output / x.size).astype(x.dtype)
    return gradient


def _mean(losses: Array) -> Array:
    mean: Array = losses.mean(keepdims=True).reshape(())
    return mean
