"""Group norm for the compiled kernels: a thread has some samples.

With one number per channel, as in layer norm, the lanes are neighbouring channels; else places.
"""

from __future__ import annotations

import math
from typing import Any

from tinymed.kernels.compiled import compiled
from tinymed.kernels.normalization.rows import (
    centred_product,
    centred_square,
    gradient,
    gradient_and_sums,
    plain_sum,
    scaled,
    scaled_by_column,
    weighted_product,
    weighted_sum,
)

__all__ = ["BLOCK", "columns", "columns_grad", "planes", "planes_grad"]

BLOCK = 64  # samples whose weight gradients are summed up together: the bits depend on it


@compiled
def _statistics(mean: Any, variance: Any, group: int, x: Any, length: int) -> None:
    """Find mean and variance of one group, a contiguous row of x."""
    row = ((x, group * length),)
    mean[group] = plain_sum(row, length, ()) / length
    variance[group] = centred_square(row, length, (mean[group],)) / length


@compiled
def planes(
    first: int, last: int, y: Any, mean: Any, variance: Any, x: Any, weight: Any, bias: Any,
    sizes: Any, eps: float,
) -> None:  # fmt: skip
    """Normalise samples first to last - 1 of x (N, C, L)."""
    channels, length, groups = sizes
    each = channels // groups
    for group in range(first * groups, last * groups):
        _statistics(mean, variance, group, x, each * length)
        scale = 1 / math.sqrt(variance[group] + eps)
        for i in range(each):
            at, c = (group * each + i) * length, group % groups * each + i
            numbers = mean[group], scale * weight[c], bias[c]
            scaled(((y, at),), ((x, at),), length, numbers)


@compiled
def columns(
    first: int, last: int, y: Any, mean: Any, variance: Any, x: Any, weight: Any, bias: Any,
    sizes: Any, eps: float,
) -> None:  # fmt: skip
    """Normalise samples first to last - 1 of x (N, C)."""
    channels, _, groups = sizes
    each = channels // groups
    for group in range(first * groups, last * groups):
        _statistics(mean, variance, group, x, each)
        scale = 1 / math.sqrt(variance[group] + eps)
        at, c = group * each, group % groups * each
        rows = (x, at), (weight, c), (bias, c)
        scaled_by_column(((y, at),), rows, each, (mean[group], scale))


@compiled
def planes_grad(
    first: int, last: int, grad_x: Any, products: Any, totals: Any, g: Any, x: Any, weight: Any,
    mean: Any, variance: Any, sizes: Any, eps: float,
) -> None:  # fmt: skip
    """Give samples first to last - 1 of (N, C, L) dL/dx, and their sums of g z and g, (N, C)."""
    channels, length, groups = sizes
    each = channels // groups
    for group in range(first * groups, last * groups):
        scale = 1 / math.sqrt(variance[group] + eps)
        total, product = 0.0, 0.0
        for i in range(each):
            row, c = group * each + i, group % groups * each + i
            at = row * length
            totals[row] = plain_sum(((g, at),), length, ())
            found = centred_product(((g, at), (x, at)), length, (mean[group],))
            products[row] = found * scale
            total += totals[row] * weight[c]
            product += products[row] * weight[c]
        total /= each * length
        product *= scale / (each * length)
        for i in range(each):
            at, w = (group * each + i) * length, weight[group % groups * each + i]
            shares = mean[group], scale, w, total, product
            gradient(((grad_x, at),), ((g, at), (x, at)), length, shares)


@compiled
def columns_grad(
    first: int, last: int, grad_x: Any, products: Any, totals: Any, g: Any, x: Any, weight: Any,
    mean: Any, variance: Any, sizes: Any, eps: float,
) -> None:  # fmt: skip
    """Give blocks first to last - 1 of samples of (N, C) dL/dx, and their sums of g z and g."""
    samples, channels, groups = sizes
    each = channels // groups
    for block in range(first, last):
        sums = block * channels
        products[sums : sums + channels] = 0
        totals[sums : sums + channels] = 0
        for sample in range(block * BLOCK, min((block + 1) * BLOCK, samples)):
            for i in range(groups):
                group, c = sample * groups + i, i * each
                at, m = group * each, mean[group]
                scale = 1 / math.sqrt(variance[group] + eps)
                total = weighted_sum(((g, at), (weight, c)), each, ()) / each
                product = weighted_product(((g, at), (weight, c), (x, at)), each, (m,)) / each
                outputs = (grad_x, at), (products, sums + c), (totals, sums + c)
                rows = (g, at), (x, at), (weight, c), (products, sums + c), (totals, sums + c)
                numbers = m, scale, total, product * scale * scale
                gradient_and_sums(outputs, rows, each, numbers)
