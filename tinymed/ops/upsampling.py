"""Resizing: each output is a weighted sum of a few inputs, one axis after the other."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinymed.autograd import Function
from tinymed.errors import check_size
from tinymed.kernels import resampling
from tinymed.kernels.arrays import Array
from tinymed.ops.adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from tinymed.ops.broadcasting import Shape
from tinymed.ops.promotion import rounded_once
from tinymed.precision import kind_of

__all__ = ["interpolate"]

Taps = tuple[Array, Array]  # which inputs (outputs, K) int64, -1 for none; their weights
MODES = {"nearest": None, "nearest-exact": None, "area": None, "linear": 1, "bilinear": 2,
         "bicubic": 2, "trilinear": 3}  # mode -> spatial axes, None for any number  # fmt: skip
AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


class Resample(Function):
    """y_o = sum_k weight_ok x_index_ok along an axis;  dL/dx: the same with its taps transposed."""

    def __init__(self, dim: int, taps: Taps, back: Taps) -> None:
        self.dim, self.taps, self.back = dim, taps, back

    def output_shape(self, x: Shape) -> Shape:
        return (*x[: self.dim], len(self.taps[0]), *x[self.dim + 1 :])

    def forward(self, x: Array) -> Array:
        resampled: Array = resampling.forward(x, *self.taps, self.dim)
        return resampled

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (Resample(self.dim, self.back, self.taps)(grad_output),)


def transposed(taps: Taps, size: int) -> Taps:
    """Return for each input which outputs it goes to, and with what weight."""
    index, weight = taps
    outputs, ks = np.nonzero(index >= 0)
    inputs = index[outputs, ks]
    order = np.argsort(inputs, kind="stable")
    inputs, outputs, values = inputs[order], outputs[order], weight[outputs, ks][order]
    counts = np.bincount(inputs, minlength=size)
    place = np.arange(len(inputs)) - np.repeat(np.cumsum(counts) - counts, counts)
    back = np.full((size, max(1, counts.max(initial=0))), -1)
    weights = np.zeros(back.shape, weight.dtype)
    back[inputs, place], weights[inputs, place] = outputs, values
    return back, weights


@rounded_once
def interpolate(
    x: Any,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """Return ``x`` (N, C, *spatial) resized to ``size``, or by ``scale_factor``.

    Parameters
    ----------
    size : int or one for each spatial axis
    scale_factor : float or one for each spatial axis
        Either this or ``size``.
    mode : "nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear" or "area"
        Linear is for one spatial axis, bilinear and bicubic for two, trilinear for three.
    align_corners : bool or None
        True puts the centres of the corner pixels on each other; else their outer corners.
    recompute_scale_factor : bool or None
        Take the scale from the sizes, rounded as they are, rather than from ``scale_factor``.
    antialias : bool
        When shrinking by "bilinear" or "bicubic", widen the filter to cover all inputs.

    Notes
    -----
    Bicubic uses Keys's kernel with a = -0.75 (-0.5 with antialias), as PyTorch does. The linear
    modes and antialias copy an axis whose size stays, also where ``scale_factor`` is not 1; nearest
    keeps to its scale there, as PyTorch does in one dimension but not in two.

    References
    ----------
    Keys (1981), "Cubic convolution interpolation for digital image processing", equation 4.
    """
    axes = x.ndim - 2
    _check_mode(x, mode, align_corners, antialias)
    sizes, scales = _sizes(x, size, scale_factor, bool(recompute_scale_factor))
    if mode == "area":
        return AREA[axes](x, sizes)
    exact = np.float64 if x.dtype == np.float64 else np.float32  # PyTorch's own precision
    settings = mode, exact, bool(align_corners), antialias
    # When images grow most work is done last: along the first axis, where neighbours stay together.
    for dim in reversed(range(axes)):
        there, back = _both_ways(x.shape[2 + dim], sizes[dim], scales[dim], *settings)
        x = Resample(2 + dim, there, back)(x)
    return x


@functools.lru_cache(128)
def _both_ways(
    n: int, wanted: int, scale: Any, mode: str, exact: Any, align_corners: bool, antialias: bool
) -> tuple[Taps, Taps]:
    """Return the taps from n inputs to the outputs that are wanted, and those transposed."""
    if n == wanted and (antialias or mode.endswith("linear")):
        scale = None  # an axis that keeps its size is copied, whatever its scale: as in PyTorch
    if mode.startswith("nearest"):
        found = nearest_taps(n, wanted, scale, exact, centred=mode == "nearest-exact")
    elif antialias:
        found = antialias_taps(n, wanted, scale, exact, align_corners, mode == "bicubic")
    else:
        where = positions(n, wanted, scale, exact, align_corners)
        found = cubic_taps(where, n) if mode == "bicubic" else linear_taps(where, n)
    return found, transposed(found, n)


def positions(n: int, wanted: int, scale: Any, exact: Any, align_corners: bool) -> Array:
    """Return where among the inputs 0 .. n - 1 each output lies."""
    outputs = np.arange(wanted, dtype=exact)
    if align_corners:
        return outputs * exact((n - 1) / (wanted - 1) if wanted > 1 else 0)
    step = exact(n / wanted if scale is None else 1 / scale)
    return (outputs + exact(0.5)) * step - exact(0.5)


def nearest_taps(n: int, wanted: int, scale: Any, exact: Any, centred: bool) -> Taps:
    """Return one input for each output: the one it begins in, or its centre lies in."""
    step = exact(n / wanted if scale is None else 1 / scale)
    outputs = np.arange(wanted, dtype=exact) + exact(0.5 if centred else 0)
    index = np.minimum(np.floor(outputs * step).astype(np.int64), n - 1)
    return index[:, None], np.ones((wanted, 1), exact)


def linear_taps(where: Array, n: int) -> Taps:
    """Return the two neighbours of each position, weighted by how near they are."""
    where = np.maximum(where, 0)
    low = np.minimum(where.astype(np.int64), n - 1)
    part = (where - low.astype(where.dtype)).clip(0, 1)
    return np.stack([low, np.minimum(low + 1, n - 1)], 1), np.stack([1 - part, part], 1)


def cubic_taps(where: Array, n: int) -> Taps:
    """Return the four neighbours of each position; beyond the edge, the edge."""
    low = np.floor(where)
    index = low.astype(np.int64)[:, None] + np.arange(-1, 3)
    weight = keys_kernel((where - low)[:, None] - np.arange(-1, 3, dtype=where.dtype), -0.75)
    return index.clip(0, n - 1), weight


def antialias_taps(
    n: int, wanted: int, scale: Any, exact: Any, align_corners: bool, cubic: bool
) -> Taps:
    """Return all inputs under a filter as wide as an output, its weights adding up to 1."""
    if align_corners:
        step = (n - 1) / (wanted - 1) if wanted > 1 else 0.0
    else:
        step = n / wanted if scale is None else 1 / scale
    wide = max(step, 1.0)
    reach = (2 if cubic else 1) * wide
    centre = step * (np.arange(wanted) + 0.5)
    first = np.maximum((centre - reach + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + reach + 0.5).astype(np.int64), n)
    index = first[:, None] + np.arange(max(1, (last - first).max(initial=1)))
    distance = (index - centre[:, None] + 0.5) / wide
    weight = keys_kernel(distance, -0.5) if cubic else np.maximum(1 - abs(distance), 0)
    inside = index < last[:, None]
    weight = np.where(inside, weight, 0)
    weight /= weight.sum(1, keepdims=True)
    return np.where(inside, index, -1), weight.astype(exact)


def keys_kernel(distance: Array, a: float) -> Array:
    """Return the cubic convolution kernel at distances in [-2, 2]."""
    t = abs(distance)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0)).astype(distance.dtype)


def _check_mode(x: Any, mode: str, align_corners: bool | None, antialias: bool) -> None:
    """Raise unless the mode exists and fits the input and the other settings."""
    if mode not in MODES:
        raise ValueError(f"interpolate: mode={mode!r} is not one of {', '.join(MODES)}")
    axes = x.ndim - 2
    expected = MODES[mode]
    if axes not in (1, 2, 3) or (expected is not None and axes != expected):
        wanted = "1 to 3" if expected is None else expected
        raise ValueError(
            f"interpolate: x {x.shape} has {axes} spatial axes, mode={mode!r} expects {wanted}"
        )
    if kind_of(x.dtype) != "f" and not (mode.startswith("nearest") and x.dtype == np.uint8):
        raise TypeError(f"interpolate: x is {x.dtype}, mode={mode!r} expects a floating dtype")
    if math.prod(x.shape[1:]) == 0:
        raise ValueError(f"interpolate: x {x.shape} holds empty images")
    if align_corners is not None and expected is None:
        raise ValueError(f"interpolate: align_corners does not go with mode={mode!r}")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(f"interpolate: antialias goes with bilinear and bicubic, not {mode!r}")


def _sizes(x: Any, size: Any, scale_factor: Any, recompute: bool) -> tuple[Shape, Sequence[Any]]:
    """Return the new sizes, and for each axis the scale that was asked for, or None."""
    axes = x.ndim - 2
    if (size is None) == (scale_factor is None):
        given = "both given" if size is not None else "both None"
        raise ValueError(f"interpolate: size and scale_factor are {given}; give one")
    name, value = ("size", size) if scale_factor is None else ("scale_factor", scale_factor)
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes
    if len(values) != axes:
        raise ValueError(f"interpolate: {name}={value} for {axes} spatial axes of x {x.shape}")
    if scale_factor is None:
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor goes with scale_factor, not size")
        sizes, scales = tuple(int(n) for n in values), [None] * axes
    else:
        if not all(0 < s < math.inf for s in values):
            raise ValueError(f"interpolate: scale_factor={scale_factor} must be positive")
        sizes = tuple(math.floor(n * s) for n, s in zip(x.shape[2:], values, strict=True))
        scales = [None] * axes if recompute else list(values)
    if any(n < 1 for n in sizes):
        raise ValueError(f"interpolate: x {x.shape} would become {sizes}; sizes must be positive")
    check_size("interpolate", (*x.shape[:2], *sizes))
    return sizes, scales
