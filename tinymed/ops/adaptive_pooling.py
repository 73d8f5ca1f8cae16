"""Adaptive pooling: the mean, or the largest, over a given number of stretches of each axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.autograd import Function
from tinymed.errors import check_size
from tinymed.kernels.arrays import Array, array_module, sent
from tinymed.kernels.recording import values_known
from tinymed.ops.broadcasting import Shape
from tinymed.ops.conv import per_axis
from tinymed.ops.indexing import take_along_dim
from tinymed.ops.pooling import AvgPool, batched
from tinymed.ops.reduction import check_floating
from tinymed.ops.shaping import flatten, reshape, squeeze

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]

Sizes = int | tuple[int | None, ...] | None


class AdaptiveAvgPool(Function):
    """y = A x along each spatial axis: row i of A averages places floor(i L/O) .. ceil((i+1) L/O).

    dL/dx = A^T dL/dy along each axis.
    """

    def __init__(self, sizes: Shape, transposed_from: Shape | None = None) -> None:
        self.sizes, self.transposed_from = sizes, transposed_from

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:2], *(self.sizes if self.transposed_from is None else self.transposed_from))

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        for axis, size in enumerate(self.sizes):
            if self.transposed_from is None:
                matrix = averaging(x.shape[axis + 2], size)
            else:
                matrix = averaging(self.transposed_from[axis], size).T
            x = xp.moveaxis(_means(xp.moveaxis(x, axis + 2, -1), matrix), -1, axis + 2)
        return xp.ascontiguousarray(x)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        source = self.input_shape()[2:] if self.transposed_from is None else None
        return (AdaptiveAvgPool(self.sizes, source)(grad_output),)


class MaxPlace(Function):
    """index = the place of the largest x in each window, along the flattened spatial axes.

    The first of equal ones, the last of NaNs, as in PyTorch. ``windows`` holds for each axis the
    places that its windows cover: (N or 1, C or 1, windows, places), a place may be named twice.
    """

    differentiable = False

    def __init__(self, *windows: Array) -> None:
        self.windows = windows

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:2], *(w.shape[2] for w in self.windows))

    def forward(self, x: Array) -> Array:
        xp, axes, out = array_module(x), len(self.windows), self.output_shape(x.shape)
        taps = math.prod(w.shape[3] for w in self.windows)
        places, along = xp.zeros((), np.int64), []
        for axis, window in enumerate(self.windows):
            shape = [*window.shape[:2], *[1] * (2 * axes)]  # (N, C, *out, *places in a window)
            shape[2 + axis], shape[2 + axes + axis] = window.shape[2:]
            along.append(sent(window, x).reshape(shape))
            places = places * x.shape[2 + axis] + along[-1]
        image, channel = xp.ogrid[: x.shape[0], : x.shape[1]]
        ones = (...,) + (None,) * (2 * axes)
        seen = x[(image[ones], channel[ones], *along)].reshape(*out, taps)
        winner = seen.argmax(axis=-1)
        missing = xp.isnan(seen)
        if not values_known() or missing.any():
            last = taps - 1 - missing[..., ::-1].argmax(axis=-1)
            winner = xp.where(missing.any(axis=-1), last, winner)
        places = xp.broadcast_to(places.reshape(*places.shape[:2], *out[2:], taps), seen.shape)
        return xp.take_along_axis(places, winner[..., None], -1)[..., 0]


def _means(x: Array, matrix: np.ndarray[Any, Any]) -> Array:
    """Return ``x @ matrix.T``, each row over its stretch only: 0 times inf elsewhere is NaN."""
    xp, rows = array_module(x), []
    for row in matrix:
        places = row.nonzero()[0]
        start, end = int(places[0]), int(places[-1]) + 1
        rows.append(x[..., start:end] @ sent(row[start:end], x, x.dtype))
    return xp.stack(rows, axis=-1)


def averaging(size: int, out: int) -> np.ndarray[Any, Any]:
    """Return the matrix (out, size) whose row i is the mean over its stretch of the axis."""
    matrix = np.zeros((out, size))
    for i, (start, end) in enumerate(stretches(size, out)):
        matrix[i, start:end] = 1 / (end - start)
    return matrix


def stretches(size: int, out: int) -> list[tuple[int, int]]:
    """Return start and end of ``out`` stretches that cover an axis and overlap by 1 at most.

    Examples
    --------
    >>> stretches(5, 2)
    [(0, 3), (2, 5)]
    """
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def covered(size: int, out: int) -> np.ndarray[Any, Any]:
    """Return the places of each stretch, (1, 1, out, longest), the last repeated in short ones."""
    starts, ends = np.array(stretches(size, out)).T[..., None]
    return np.minimum(starts + np.arange((ends - starts).max()), ends - 1)[None, None]


def adaptive(name: str, axes: int, x: Any, output_size: Sizes) -> tuple[Any, Shape, bool]:
    """Return x with a batch axis, the length of each axis of the result, and if x had none."""
    check_floating(name, x)
    x, unbatched = batched(name, axes, x)
    given = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * axes
    if len(given) != axes:
        raise ValueError(f"{name}: output_size={output_size!r} must hold {axes} sizes")
    sizes = tuple(m if n is None else n for n, m in zip(given, x.shape[2:], strict=True))
    sizes = per_axis(name, "output_size", sizes, axes, 1)
    check_size(name, (*x.shape[:2], *sizes))
    return x, sizes, unbatched


def adaptive_avg_pool(axes: int, x: Any, output_size: Sizes) -> Any:
    """Return the mean over ``output_size`` stretches of each of ``axes`` axes; None keeps one."""
    x, sizes, unbatched = adaptive(f"adaptive_avg_pool{axes}d", axes, x, output_size)
    if all(n % m == 0 for n, m in zip(x.shape[2:], sizes, strict=True)):  # windows of one size
        window = tuple(n // m for n, m in zip(x.shape[2:], sizes, strict=True))
        once, none = (1,) * axes, (0,) * axes
        shape = window, window, none, once, False
        y = AvgPool(*shape, count_include_pad=True, divisor_override=None)(x)
    else:
        y = AdaptiveAvgPool(sizes)(x)
    return squeeze(y, 0) if unbatched else y


def adaptive_max_pool(axes: int, x: Any, output_size: Sizes, return_indices: bool = False) -> Any:
    """Return the largest of ``output_size`` stretches of each of ``axes`` axes; None keeps one."""
    x, sizes, unbatched = adaptive(f"adaptive_max_pool{axes}d", axes, x, output_size)
    y, index = largest_in(x, *map(covered, x.shape[2:], sizes))
    if unbatched:
        y, index = squeeze(y, 0), squeeze(index, 0)
    return (y, index) if return_indices else y


def largest_in(x: Any, *windows: Array) -> tuple[Any, Any]:
    """Return the largest element of each window (see `MaxPlace`), and its place."""
    index = MaxPlace(*windows)(x)
    y = take_along_dim(flatten(x, 2), flatten(index, 2), 2)
    return reshape(y, index.shape), index


def adaptive_avg_pool1d(x: Any, output_size: Sizes) -> Any:
    """Return the means over ``output_size`` stretches of (N, C, L)."""
    return adaptive_avg_pool(1, x, output_size)


def adaptive_avg_pool2d(x: Any, output_size: Sizes) -> Any:
    """Return the means over ``output_size`` x ``output_size`` stretches of (N, C, H, W)."""
    return adaptive_avg_pool(2, x, output_size)


def adaptive_avg_pool3d(x: Any, output_size: Sizes) -> Any:
    """Return the means over ``output_size`` cubed stretches of (N, C, D, H, W)."""
    return adaptive_avg_pool(3, x, output_size)


def adaptive_max_pool1d(x: Any, output_size: Sizes, return_indices: bool = False) -> Any:
    """Return the largest in each of ``output_size`` stretches of (N, C, L)."""
    return adaptive_max_pool(1, x, output_size, return_indices)


def adaptive_max_pool2d(x: Any, output_size: Sizes, return_indices: bool = False) -> Any:
    """Return the largest in each of ``output_size`` x ``output_size`` stretches of (N, C, H, W).

    Stretch i of an axis of length L covers floor(i L / O) .. ceil((i + 1) L / O). An output size
    of None keeps an axis as it is. ``return_indices`` adds the places, as in `max_pool2d`.
    """
    return adaptive_max_pool(2, x, output_size, return_indices)


def adaptive_max_pool3d(x: Any, output_size: Sizes, return_indices: bool = False) -> Any:
    """Return the largest in each of ``output_size`` cubed stretches of (N, C, D, H, W)."""
    return adaptive_max_pool(3, x, output_size, return_indices)
