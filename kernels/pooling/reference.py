"""Pooling, one tap of the window after the other: each is a strided slice of the padded input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module, sent
from tinymed.kernels.conv.reference import Ints, taps


def padded_shape(out: Ints, kernel: Ints, stride: Ints, dilation: Ints) -> Ints:
    """Return the spatial shape that the windows reach over (ceil_mode may pass the far edge)."""
    return tuple(
        s * (o - 1) + d * (k - 1) + 1
        for o, k, s, d in zip(out, kernel, stride, dilation, strict=True)
    )


def padded_with(x: Array, value: Any, padding: Ints, reach: Ints) -> Array:
    """Return ``x`` with ``value`` around it, as far as the windows reach."""
    spatial = x.shape[2:]
    if not any(padding) and all(r <= s for r, s in zip(reach, spatial, strict=True)):
        return x
    shape = tuple(max(r, p + s) for r, p, s in zip(reach, padding, spatial, strict=True))
    padded = array_module(x).full((*x.shape[:2], *shape), value, x.dtype)
    padded[(..., *inside(padding, spatial))] = x
    return padded


def inside(padding: Ints, spatial: Ints) -> tuple[slice, ...]:
    """Return where the input lies in its padded copy."""
    return tuple(slice(p, p + s) for p, s in zip(padding, spatial, strict=True))


def first_inside(
    kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
) -> np.ndarray[Any, Any]:
    """Return, (*out), which tap of each window is the first that meets the input, not the padding.

    It wins where all that a window sees is as low as the padding.
    """
    number = np.zeros((), np.int64)
    for k, s, p, d, o in zip(kernel, stride, padding, dilation, out, strict=True):
        tap = -((np.arange(o) * s - p) // d)  # the padding left of the input, in steps of d
        number = number[..., None] * k + tap.clip(0, k - 1)
    return number


def max_forward(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, out: Ints
) -> tuple[Array, Array]:
    """Return the largest element under each window, and the number of the tap that held it.

    The first of equal elements wins; a NaN wins over everything, as in PyTorch.
    """
    xp = array_module(x)
    reach = padded_shape(out, kernel, stride, dilation)
    lowest = -xp.inf if x.dtype.kind == "f" else xp.iinfo(x.dtype).min
    padded = padded_with(x, lowest, padding, reach)
    first, *others = (window for _, window in taps(kernel, out, stride, dilation))
    y = padded[(..., *first)].copy()
    winner = xp.empty(y.shape, "u1" if math.prod(kernel) <= 256 else "i4")
    winner[...] = sent(first_inside(kernel, stride, padding, dilation, out), x)
    for number, window in enumerate(others, 1):
        candidate = padded[(..., *window)]
        better = candidate > y
        if x.dtype.kind == "f":
            better |= candidate != candidate
        xp.copyto(y, candidate, where=better)
        winner[better] = number
    return y, winner


def max_grad_input(
    grad_output: Array,
    winner: Array,
    spatial: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
) -> Array:
    """Return dL/dx: each window's gradient goes to the place that won it."""
    xp, out = array_module(grad_output), grad_output.shape[2:]
    reach = padded_shape(out, kernel, stride, dilation)
    shape = tuple(max(r, p + s) for r, p, s in zip(reach, padding, spatial, strict=True))
    total = xp.zeros((*grad_output.shape[:2], *shape), grad_output.dtype)
    for number, (_, window) in enumerate(taps(kernel, out, stride, dilation)):
        total[(..., *window)] += grad_output * (winner == number)
    return total[(..., *inside(padding, spatial))]


def max_gather(
    x: Array, winner: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints
) -> Array:
    """Return x at the winning places: the derivative of `max_grad_input`."""
    out = winner.shape[2:]
    padded = padded_with(x, 0, padding, padded_shape(out, kernel, stride, dilation))
    total = array_module(x).zeros(winner.shape, x.dtype)
    for number, (_, window) in enumerate(taps(kernel, out, stride, dilation)):
        total += padded[(..., *window)] * (winner == number)
    return total


def avg_forward(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, out: Ints, divisor: Any
) -> Array:
    """Return the sum under each window divided by ``divisor``."""
    ones = (1,) * len(kernel)
    padded = padded_with(x, 0, padding, padded_shape(out, kernel, stride, ones))
    total = array_module(x).zeros((*x.shape[:2], *out), x.dtype)
    for _, window in taps(kernel, out, stride, ones):
        total += padded[(..., *window)]
    total /= divisor
    return total


def avg_grad_input(
    grad_output: Array, spatial: Ints, kernel: Ints, stride: Ints, padding: Ints, divisor: Any
) -> Array:
    """Return dL/dx: each place gets its share from every window that covers it."""
    out, ones = grad_output.shape[2:], (1,) * len(kernel)
    reach = padded_shape(out, kernel, stride, ones)
    shape = tuple(max(r, p + s) for r, p, s in zip(reach, padding, spatial, strict=True))
    total = array_module(grad_output).zeros((*grad_output.shape[:2], *shape), grad_output.dtype)
    share = grad_output / divisor
    for _, window in taps(kernel, out, stride, ones):
        total[(..., *window)] += share
    return total[(..., *inside(padding, spatial))]
