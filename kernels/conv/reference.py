"""Convolution as matrix products: lay out under each output position the inputs it sees (im2col).

y[n, k, o] = sum over c, t of weight[k, c, t] * x[n, c, o * stride + t * dilation - padding]

With ``columns`` of shape (C * taps, positions) that is one product weight (K, C * taps) @ columns
per image. A block of images at a time, so that the columns stay in the cache and memory stays
small: they are ``taps`` times as large as the input.

Source: Chellapilla, Puri, Simard (2006), "High performance convolutional neural networks".
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.matmul.reference import activate

Ints = tuple[int, ...]
Slices = tuple[slice, ...]
BLOCK = 1 << 20  # elements of columns at a time: 4 MB of float32, about a core's share of L2


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Return how many positions a window of ``kernel`` taps takes along an axis."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def blocks(images: int, columns_per_image: int) -> Iterator[slice]:
    """Cut a batch into slices whose columns have about BLOCK elements."""
    step = max(1, BLOCK // max(1, columns_per_image))
    return (slice(i, i + step) for i in range(0, images, step))


def taps(kernel: Ints, out: Ints, stride: Ints, dilation: Ints) -> Iterator[tuple[Ints, Slices]]:
    """For each tap of the window: its place, and the slices of the padded input it reads."""
    for tap in itertools.product(*map(range, kernel)):
        yield (
            tap,
            tuple(
                slice(t * d, t * d + s * (o - 1) + 1, s)
                for t, d, s, o in zip(tap, dilation, stride, out, strict=True)
            ),
        )


def pad(x: Array, padding: Ints) -> Array:
    """Return ``x`` (N, C, *S) with zeros around its spatial axes."""
    if not any(padding):
        return x
    inside = tuple(slice(p, p + s) for p, s in zip(padding, x.shape[2:], strict=True))
    shape = x.shape[:2] + tuple(s + 2 * p for p, s in zip(padding, x.shape[2:], strict=True))
    padded = array_module(x).zeros(shape, x.dtype)
    padded[(..., *inside)] = x
    return padded


def columns(x: Array, kernel: Ints, out: Ints, stride: Ints, dilation: Ints, groups: int) -> Array:
    """Return (n, groups, C / groups * taps, positions) of a padded input (n, C, *S)."""
    n, c = x.shape[:2]
    seen = array_module(x).empty((n, c, *kernel, *out), x.dtype)
    for tap, window in taps(kernel, out, stride, dilation):
        seen[(slice(None), slice(None), *tap)] = x[(..., *window)]
    return seen.reshape(n, groups, c // groups * math.prod(kernel), math.prod(out))


def forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
    activation: str | None,
) -> Array:
    """Return f(weight * x + bias), (N, K, *O)."""
    n, k, kernel = x.shape[0], weight.shape[0], weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y = array_module(x).empty((n, groups, k // groups, math.prod(out)), x.dtype)
    flat = weight.reshape(groups, k // groups, -1)
    padded = pad(x, padding)
    for block in blocks(n, weight[0].size * groups * math.prod(out)):
        seen = columns(padded[block], kernel, out, stride, dilation, groups)
        y[block] = flat @ seen  # (G, K/G, C/G taps)(n, G, C/G taps, P) -> (n, G, K/G, P)
    y = y.reshape(n, k, *out)
    if bias is not None:
        y += bias.reshape(-1, *[1] * len(out))
    return activate(y, activation)


def grad_weight(
    grad_output: Array,
    x: Array,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Array:
    """Return dL/dweight, (K, C / groups, *kernel): each tap meets what it has seen."""
    n, k, *out = grad_output.shape
    c = x.shape[1]
    gradient = grad_output.reshape(n, groups, k // groups, math.prod(out))
    rows = c // groups * math.prod(kernel)
    total = array_module(x).zeros((groups, k // groups, rows), x.dtype)
    padded = pad(x, padding)
    for block in blocks(n, rows * groups * math.prod(out)):
        seen = columns(padded[block], kernel, tuple(out), stride, dilation, groups)
        # (n, G, K/G, P)(n, G, P, C/G taps) -> (n, G, K/G, C/G taps), then the sum over images
        total += (gradient[block] @ seen.swapaxes(2, 3)).sum(axis=0)
    return total.reshape(k, c // groups, *kernel)


def grad_input(
    grad_output: Array,
    weight: Array,
    spatial: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> Array:
    """Return dL/dx, (N, C, *spatial): what each position sees gets its share back (col2im)."""
    n, k, *out = grad_output.shape
    c, kernel = weight.shape[1] * groups, weight.shape[2:]
    gradient = grad_output.reshape(n, groups, k // groups, math.prod(out))
    flat = weight.reshape(groups, k // groups, -1).swapaxes(1, 2)
    shape = tuple(s + 2 * p for s, p in zip(spatial, padding, strict=True))
    padded = array_module(weight).zeros((n, c, *shape), weight.dtype)
    for block in blocks(n, weight[0].size * groups * math.prod(out)):
        # (G, C/G taps, K/G)(n, G, K/G, P) -> (n, G, C/G taps, P)
        shares = (flat @ gradient[block]).reshape(-1, c, *kernel, *out)
        target = padded[block]
        for tap, window in taps(kernel, tuple(out), stride, dilation):
            target[(..., *window)] += shares[(slice(None), slice(None), *tap)]
    inside = tuple(slice(p, p + s) for p, s in zip(padding, spatial, strict=True))
    return padded[(..., *inside)]
