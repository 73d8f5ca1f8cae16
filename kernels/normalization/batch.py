"""Batch norm for the compiled kernels: a thread has some channels, and all of the batch of each.

The sums of a channel are made row by row in the order of the batch, whatever the threads. With one
number per channel and item, (N, C), the lanes are neighbouring channels, else neighbouring places.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.normalization.rows import (
    added,
    centred_product,
    centred_square,
    gradient,
    plain_sum,
    products_added,
    scaled,
    square_added,
)

__all__ = ["affine", "columns", "columns_grad", "planes", "planes_grad"]


@compiled
def planes(
    first: int, last: int, y: Any, mean: Any, variance: Any, x: Any, weight: Any, bias: Any,
    sizes: Any, eps: float,
) -> None:  # fmt: skip
    """Normalise channels first to last - 1 of x (N, C, L), L > 1."""
    batch, channels, length = sizes
    for c in range(first, last):
        total = 0.0
        for n in range(batch):
            total += plain_sum(((x, (n * channels + c) * length),), length, ())
        mean[c] = total / (batch * length)
        total = 0.0
        for n in range(batch):
            total += centred_square(((x, (n * channels + c) * length),), length, (mean[c],))
        variance[c] = total / (batch * length)
        scale = weight[c] / math.sqrt(variance[c] + eps)
        for n in range(batch):
            at = (n * channels + c) * length
            scaled(((y, at),), ((x, at),), length, (mean[c], scale, bias[c]))


@compiled
def planes_grad(
    first: int, last: int, grad_x: Any, grad_weight: Any, grad_bias: Any, g: Any, x: Any,
    weight: Any, mean: Any, variance: Any, sizes: Any, eps: float,
) -> None:  # fmt: skip
    """Give channels first to last - 1 of (N, C, L), L > 1, their gradients."""
    batch, channels, length = sizes
    for c in range(first, last):
        total, product = 0.0, 0.0
        for n in range(batch):
            at = (n * channels + c) * length
            total += plain_sum(((g, at),), length, ())
            product += centred_product(((g, at), (x, at)), length, (mean[c],))
        scale, count = 1 / math.sqrt(variance[c] + eps), batch * length
        grad_bias[c], grad_weight[c] = total, product * scale
        a, p, q = scale * weight[c], total / count, product * scale * scale / count
        for n in range(batch):
            at = (n * channels + c) * length
            gradient(((grad_x, at),), ((g, at), (x, at)), length, (mean[c], a, 1.0, p, q))


@compiled
def columns(
    first: int, last: int, y: Any, mean: Any, variance: Any, x: Any, weight: Any, bias: Any,
    sizes: Any, eps: float,
) -> None:  # fmt: skip
    """Normalise channels first to last - 1 of x (N, C)."""
    batch, channels, _ = sizes
    width, means, variances = last - first, ((mean, first),), ((variance, first),)
    mean[first:last] = 0
    variance[first:last] = 0
    for n in range(batch):
        added(means, (*means, (x, n * channels + first)), width, ())
    for c in range(first, last):
        mean[c] /= batch
    for n in range(batch):
        at = n * channels + first
        square_added(variances, (*variances, (x, at), *means), width, ())
    scale = np.empty(width, x.dtype)
    for c in range(first, last):
        variance[c] /= batch
        scale[c - first] = weight[c] / math.sqrt(variance[c] + eps)
    for n in range(batch):
        at = n * channels + first
        rows = (x, at), (mean, first), (scale, 0), (bias, first)
        scaled(((y, at),), rows, width, ())


@compiled
def columns_grad(
    first: int, last: int, grad_x: Any, grad_weight: Any, grad_bias: Any, g: Any, x: Any,
    weight: Any, mean: Any, variance: Any, sizes: Any, eps: float,
) -> None:  # fmt: skip
    """Give channels first to last - 1 of (N, C) their gradients."""
    batch, channels, _ = sizes
    width, sums = last - first, ((grad_bias, first), (grad_weight, first))
    grad_bias[first:last] = 0
    grad_weight[first:last] = 0
    for n in range(batch):
        at = n * channels + first
        products_added(sums, (*sums, (g, at), (x, at), (mean, first)), width, ())
    ones, shares = np.ones(width, x.dtype), np.empty(3 * width, x.dtype)
    for i in range(width):
        c = first + i
        scale = 1 / math.sqrt(variance[c] + eps)
        grad_weight[c] *= scale
        shares[i], shares[width + i] = scale * weight[c], grad_bias[c] / batch
        shares[2 * width + i] = grad_weight[c] * scale / batch
    for n in range(batch):
        at = n * channels + first
        numbers = (shares, 0), (ones, 0), (shares, width), (shares, 2 * width)
        gradient(((grad_x, at),), ((g, at), (x, at), (mean, first), *numbers), width, ())


@compiled
def affine(
    first: int, last: int, y: Any, x: Any, mean: Any, scale: Any, bias: Any, length: int
) -> None:
    """Map items first to last - 1 of x (N, C, L)."""
    channels = mean.size
    for n in range(first, last):
        if length == 1:
            rows = (x, n * channels), (mean, 0), (scale, 0), (bias, 0)
            scaled(((y, n * channels),), rows, channels, ())
            continue
        for c in range(channels):
            at = (n * channels + c) * length
            scaled(((y, at),), ((x, at),), length, (mean[c], scale[c], bias[c]))
