"""Fractional max pooling: windows at random distances, so that any output size can be had."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.autograd import Variable
from tinymed.errors import check_size
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.adaptive_pooling import largest_in
from tinymed.ops.broadcasting import Shape
from tinymed.ops.conv import Setting, per_axis
from tinymed.ops.pooling import batched
from tinymed.ops.reduction import check_floating
from tinymed.ops.shaping import squeeze
from tinymed.precision import widened
from tinymed.random import or_default

__all__ = ["fractional_max_pool2d", "fractional_max_pool3d"]

Ratio = float | tuple[float, ...]


def fractional_max_pool(
    axes: int,
    x: Any,
    kernel_size: Setting,
    output_size: Setting | None,
    output_ratio: Ratio | None,
    return_indices: bool,
    samples: Any,
    generator: np.random.Generator | None,
) -> Any:
    """Return the largest under windows at random distances over ``axes`` spatial axes."""
    name = f"fractional_max_pool{axes}d"
    check_floating(name, x)
    x, unbatched = batched(name, axes, x)
    kernel = per_axis(name, "kernel_size", kernel_size, axes, 1)
    out = fractional_size(name, x.shape[2:], output_size, output_ratio)
    check_size(name, (*x.shape[:2], *out))
    if any(o + k - 1 > n for n, k, o in zip(x.shape[2:], kernel, out, strict=True)):
        raise ValueError(
            f"{name}: {out} windows {kernel} do not fit into x {x.shape}; each needs a place of "
            "its own to begin"
        )
    samples = checked_samples(name, samples, x, axes, generator)
    # PyTorch lets the first sample place windows along the last axis in 2-D, the first in 3-D
    order = reversed(range(axes)) if axes == 2 else range(axes)
    windows = [
        starts(samples[..., sample], n, k, o)[..., None] + array_module(samples).arange(k)
        for sample, n, k, o in zip(order, x.shape[2:], kernel, out, strict=True)
    ]
    y, index = largest_in(x, *windows)
    if unbatched:
        y, index = squeeze(y, 0), squeeze(index, 0)
    return (y, index) if return_indices else y


def starts(sample: Array, size: int, kernel: int, out: int) -> Array:
    """Return where ``out`` windows begin along an axis, (N, C, out), for a sample u in [0, 1).

    floor((i + u) a) - floor(u a), a = (size - kernel) / (out - 1): steps of floor(a) or ceil(a) in
    a random order; the last window ends with the axis.
    """
    xp = array_module(sample)
    begin = xp.full((*sample.shape, out), size - kernel, np.int64)
    if out > 1:
        step = sample.dtype.type(size - kernel) / sample.dtype.type(out - 1)
        number = xp.arange(out - 1).astype(sample.dtype)
        shifted = (number + sample[..., None]) * step
        begin[..., :-1] = shifted.astype(np.int64) - (sample * step).astype(np.int64)[..., None]
    return begin


def fractional_size(
    name: str, spatial: Shape, output_size: Setting | None, output_ratio: Ratio | None
) -> Shape:
    """Return how many windows there are along each axis."""
    axes = len(spatial)
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name}: output_size or output_ratio is needed")
    if output_size is not None:
        return per_axis(name, "output_size", output_size, axes, 0)
    given = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * axes
    if len(given) != axes or not all(0 < (r or 0) <= 1 for r in given):
        raise ValueError(
            f"{name}: output_ratio={output_ratio!r} is not a number in (0, 1], or {axes} of them"
        )
    return tuple(int(n * (r or 0)) for n, r in zip(spatial, given, strict=True))


def checked_samples(
    name: str, samples: Any, x: Any, axes: int, generator: np.random.Generator | None
) -> Array:
    """Return a number in [0, 1] for each image, channel and axis: those given, or drawn."""
    n, c = x.shape[:2]
    if samples is None:
        generator = or_default(generator)
        return widened(generator.random((n, c, axes)).astype(x.dtype))
    samples = samples.data if isinstance(samples, Variable) else samples
    if samples.dtype != x.dtype:
        raise TypeError(f"{name}: _random_samples are {samples.dtype} but x is {x.dtype}")
    if samples.ndim != 3 or samples.shape[0] < n or samples.shape[1:] != (c, axes):
        raise ValueError(f"{name}: _random_samples {samples.shape} must be ({n}, {c}, {axes})")
    if samples.size and not (samples.min() >= 0 and samples.max() <= 1):
        raise ValueError(f"{name}: _random_samples must lie in [0, 1]")
    return widened(samples[:n])


def fractional_max_pool2d(
    x: Any,
    kernel_size: Setting,
    output_size: Setting | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Any = None,
    generator: np.random.Generator | None = None,
) -> Any:
    """Return the largest element under windows at random distances.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W)
    kernel_size : int or (int, int)
    output_size : int or (int, int)
        The number of windows along each axis.
    output_ratio : float in (0, 1] or two of them
        The same as a part of the input's size.
    return_indices : bool
        Return also the places, as `max_pool2d` does.
    _random_samples : (N, C, 2), in [0, 1], or None
        Chooses the windows of each image and channel, instead of ``generator``.
    generator : numpy.random.Generator or None
        None takes `tinymed.random.default_generator`.

    References
    ----------
    Graham (2014), "Fractional max-pooling", the pseudorandom, overlapping kind of section 2.
    """
    settings = kernel_size, output_size, output_ratio, return_indices, _random_samples, generator
    return fractional_max_pool(2, x, *settings)


def fractional_max_pool3d(
    x: Any,
    kernel_size: Setting,
    output_size: Setting | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Any = None,
    generator: np.random.Generator | None = None,
) -> Any:
    """Return the largest under windows at random distances; see `fractional_max_pool2d`."""
    settings = kernel_size, output_size, output_ratio, return_indices, _random_samples, generator
    return fractional_max_pool(3, x, *settings)
