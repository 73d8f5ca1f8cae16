"""Oracles as plain loops, one multiplication at a time, sharing nothing with the package."""

import itertools
import math
from collections.abc import Iterator

import numpy as np

Ints = tuple[int, ...]


def places(sizes: Ints) -> Iterator[Ints]:
    """Yield every index into an array of these sizes."""
    return itertools.product(*map(range, sizes))


def window_count(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Count the positions of a window by trying them one after the other."""
    count = 0
    while count * stride + dilation * (kernel - 1) < size + 2 * padding:
        count += 1
    return count


def conv_products(
    x: Ints, weight: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Yield (place in y, place in x, place in weight) of every product in a convolution."""
    out = tuple(map(window_count, x[2:], weight[2:], stride, padding, dilation))
    axes = range(len(out))
    for n, k, c in places((x[0], weight[0], weight[1])):
        channel = k // (weight[0] // groups) * weight[1] + c
        for position in places(out):
            for tap in places(weight[2:]):
                at = tuple(
                    position[a] * stride[a] + tap[a] * dilation[a] - padding[a] for a in axes
                )
                if all(0 <= at[a] < x[2 + a] for a in axes):
                    yield (n, k, *position), (n, channel, *at), (k, c, *tap)


def conv(
    x: np.ndarray,
    weight: np.ndarray,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    groups: int,
) -> np.ndarray:
    """Convolve: y at each position is the sum of the products that belong to it."""
    out = tuple(map(window_count, x.shape[2:], weight.shape[2:], stride, padding, dilation))
    y = np.zeros((x.shape[0], weight.shape[0], *out))
    for to, source, tap in conv_products(x.shape, weight.shape, stride, padding, dilation, groups):
        y[to] += x[source] * weight[tap]
    return y


def conv_transpose(
    x: np.ndarray,
    weight: np.ndarray,
    stride: Ints,
    padding: Ints,
    output_padding: Ints,
    dilation: Ints,
    groups: int,
) -> np.ndarray:
    """Let each place of x add its multiple of the window to y, then cut the padding off y."""
    axes = range(len(stride))
    full = tuple(
        (x.shape[2 + a] - 1) * stride[a] + dilation[a] * (weight.shape[2 + a] - 1) + 1 for a in axes
    )
    out = tuple(full[a] - 2 * padding[a] + output_padding[a] for a in axes)
    y = np.zeros((x.shape[0], weight.shape[1] * groups, *out))
    for n, k, c in places((*x.shape[:2], weight.shape[1])):
        channel = k // (x.shape[1] // groups) * weight.shape[1] + c
        for position in places(x.shape[2:]):
            for tap in places(weight.shape[2:]):
                at = tuple(
                    position[a] * stride[a] + tap[a] * dilation[a] - padding[a] for a in axes
                )
                if all(0 <= at[a] < out[a] for a in axes):
                    y[n, channel, *at] += x[n, k, *position] * weight[k, c, *tap]
    return y


def windows(
    size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, *, ceil: bool
) -> Iterator[tuple[Ints, list[Ints], int]]:
    """Yield (position, places of the input under the window, places counted with the padding)."""
    axes = range(len(size))
    counts = []
    for a in axes:
        count = window_count(size[a], kernel[a], stride[a], padding[a], dilation[a])
        reached = (count - 1) * stride[a] + dilation[a] * (kernel[a] - 1) + 1
        left_over = reached < size[a] + 2 * padding[a]
        if ceil and left_over and count * stride[a] < size[a] + padding[a]:
            count += 1  # one more, unless it would begin in the far padding
        counts.append(count)
    for position in places(tuple(counts)):
        inside, counted = [], 0
        for tap in places(kernel):
            at = tuple(position[a] * stride[a] + tap[a] * dilation[a] - padding[a] for a in axes)
            if all(0 <= at[a] < size[a] for a in axes):
                inside.append(at)
            counted += all(at[a] < size[a] + padding[a] for a in axes)
        yield position, inside, counted


def max_pool(
    x: np.ndarray, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, *, ceil: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest element under each window, and dL/dx for dL/dy = 1: the first winner's."""
    found: dict[Ints, list[Ints]] = {
        position: inside
        for position, inside, _ in windows(
            x.shape[2:], kernel, stride, padding, dilation, ceil=ceil
        )
    }
    out = tuple(max(p[a] for p in found) + 1 for a in range(len(kernel)))
    y, gradient = np.empty((*x.shape[:2], *out)), np.zeros(x.shape)
    for n, c in places(x.shape[:2]):
        for position, inside in found.items():
            best = None
            for at in inside:
                if best is None or x[n, c, *at] > x[n, c, *best] or math.isnan(x[n, c, *at]):
                    best = at
            if best is None:
                y[n, c, *position] = -math.inf  # a dilated window may step over all of the input
            else:
                y[n, c, *position] = x[n, c, *best]
                gradient[n, c, *best] += 1
    return y, gradient


def max_in(x: np.ndarray, covered: list[list[Ints]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest element in each window, given as lists of places per axis, and its place.

    The place is counted along the flattened spatial axes; the first of equal ones, the last NaN.
    """
    y = np.empty((*x.shape[:2], *map(len, covered)))
    index = np.empty(y.shape, np.int64)
    for n, c in places(x.shape[:2]):
        for position in places(y.shape[2:]):
            best = None
            seen = [axis[p] for axis, p in zip(covered, position, strict=True)]
            for at in itertools.product(*seen):
                if best is None or x[n, c, *at] > x[n, c, *best] or math.isnan(x[n, c, *at]):
                    best = at
            y[n, c, *position] = x[n, c, *best]
            number = 0
            for at, size in zip(best, x.shape[2:], strict=True):
                number = number * size + at
            index[n, c, *position] = number
    return y, index


def avg_pool(
    x: np.ndarray,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    *,
    ceil: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> np.ndarray:
    """Return the sum under each window divided by what is asked for."""
    ones = (1,) * len(kernel)
    found = list(windows(x.shape[2:], kernel, stride, padding, ones, ceil=ceil))
    out = tuple(max(p[a] for p, _, _ in found) + 1 for a in range(len(kernel)))
    y = np.empty((*x.shape[:2], *out))
    for n, c in places(x.shape[:2]):
        for position, inside, counted in found:
            divisor = divisor_override or (counted if count_include_pad else len(inside))
            y[n, c, *position] = math.fsum(x[n, c, *at] for at in inside) / divisor
    return y
