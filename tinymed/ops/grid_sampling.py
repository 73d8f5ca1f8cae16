"""Sampling images and volumes at given places: spatial transformers, registration, augmentation.

Source: Jaderberg et al. (2015), "Spatial transformer networks", section 3.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinymed.autograd import Variable
from tinymed.errors import check_size
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape
from tinymed.ops.elementwise import where
from tinymed.ops.indexing import take_along_dim
from tinymed.ops.matmul import matmul
from tinymed.ops.promotion import rounded_once, same_dtype
from tinymed.ops.shaping import reshape, transpose, unsqueeze
from tinymed.precision import kind_of

__all__ = ["affine_grid", "grid_sample"]

MODES = ("bilinear", "nearest", "bicubic")
PADDING = ("zeros", "border", "reflection")


@rounded_once
def grid_sample(
    x: Any,
    grid: Any,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Any:
    """Return ``x`` read at the places of ``grid``.

    Parameters
    ----------
    x : (N, C, H, W) or (N, C, D, H, W)
    grid : (N, H', W', 2) or (N, D', H', W', 3)
        Places (x, y[, z]), -1 and 1 at the borders.
    mode : "bilinear" (trilinear for volumes), "nearest" or "bicubic" (images only)
    padding_mode : "zeros", "border" or "reflection"
        What lies outside.
    align_corners : bool or None
        Whether -1 and 1 are the centres of the corner pixels (True) or their outer corners.

    Returns
    -------
    (N, C, *grid.shape[1:-1])
    """
    _check(x, grid, mode, padding_mode)
    aligned = bool(align_corners)
    sizes = tuple(x.shape[:1:-1])  # W, H[, D]: the order of the places
    count = math.prod(grid.shape[1:-1])
    flat = reshape(grid, (grid.shape[0], count, len(sizes)))  # (N, P, 2 or 3)
    places = [
        _pixels(flat[:, :, axis], n, aligned)  # each (N, P)
        for axis, n in enumerate(sizes)
    ]
    if mode != "bicubic":
        places = [_inside(p, n, padding_mode, aligned) for p, n in zip(places, sizes, strict=True)]
    taps = [TAPS[mode](p) for p in places]
    y: Any = 0
    for combination in itertools.product(*taps):
        index, weight = zip(*combination, strict=True)
        if mode == "bicubic":
            index = tuple(
                _inside(i, n, padding_mode, aligned) for i, n in zip(index, sizes, strict=True)
            )
        values = _read(x, index)
        y = y + (values if mode == "nearest" else values * unsqueeze(_product(weight), 1))
    return reshape(y, (*x.shape[:2], *grid.shape[1:-1]))


@rounded_once
def affine_grid(theta: Any, size: Sequence[int], align_corners: bool | None = None) -> Any:
    """Return the grid for `grid_sample` that applies affine matrices.

    Parameters
    ----------
    theta : (N, 2, 3) or (N, 3, 4)
        Each row gives one coordinate of the input from (x, y[, z], 1) of the output.
    size : (N, C, H, W) or (N, C, D, H, W)
        Of the output.

    Returns
    -------
    (N, H, W, 2) or (N, D, H, W, 3)
    """
    size = tuple(int(n) for n in size)
    axes = len(size) - 2
    if kind_of(theta.dtype) != "f":
        raise TypeError(f"affine_grid: theta is {theta.dtype}, expected a floating dtype")
    if axes not in (2, 3) or tuple(theta.shape) != (size[0], axes, axes + 1):
        raise ValueError(
            f"affine_grid: theta {theta.shape} and size {size} do not fit; expected (N, 2, 3) and "
            "(N, C, H, W), or (N, 3, 4) and (N, C, D, H, W)"
        )
    if any(n < 1 for n in size):
        raise ValueError(f"affine_grid: size {size} must be positive")
    check_size("affine_grid", size)
    xp = array_module(_array(theta))
    lines = []
    for n in size[2:]:
        line = xp.linspace(-1, 1, n) if n > 1 else xp.zeros(1)
        lines.append(line if align_corners else line * ((n - 1) / n))
    coordinates = xp.meshgrid(*lines, indexing="ij")[::-1]  # x first
    base = xp.stack([*coordinates, xp.ones(size[2:])], -1).reshape(1, -1, axes + 1)
    grid = matmul(xp.asarray(base, theta.dtype), transpose(theta, 1, 2))
    return reshape(grid, (size[0], *size[2:], axes))


def _pixels(coordinate: Any, n: int, aligned: bool) -> Any:
    """Return places in -1 .. 1 as pixels, the first at 0."""
    return (coordinate + 1) * ((n - 1) / 2) if aligned else ((coordinate + 1) * n - 1) / 2


def _inside(place: Any, n: int, padding_mode: str, aligned: bool) -> Any:
    """Return places brought into 0 .. n - 1, where the padding mode does that."""
    if padding_mode == "zeros":
        return place
    array = _array(place)
    if padding_mode == "reflection":
        low, span = (0.0, n - 1.0) if aligned else (-0.5, float(n))
        if span == 0:
            return place * 0
        turns = np.floor(abs(array - low) / span)
        odd = turns % 2 == 1
        sign = np.where(array < low, -1.0, 1.0).astype(array.dtype)
        from_low = (place - low) * sign - turns * span  # in 0 .. span
        place = where(odd, span - from_low, from_low) + low
        array = _array(place)
    inner = (array > 0) & (array < n - 1)  # on the edge the gradient is 0, as in PyTorch
    return where(inner, place, array.clip(0, n - 1))


def _nearest(place: Any) -> list[tuple[Array, Any]]:
    return [(array_module(_array(place)).rint(_array(place)), None)]


def _linear(place: Any) -> list[tuple[Array, Any]]:
    """Return the two neighbours of each place, and what of each is taken."""
    low = array_module(_array(place)).floor(_array(place))
    part = place - low
    return [(low, 1 - part), (low + 1, part)]


def _cubic(place: Any) -> list[tuple[Array, Any]]:
    """Return the four neighbours of each place, by Keys's kernel with a = -0.75."""
    low = array_module(_array(place)).floor(_array(place))
    part, a = place - low, -0.75
    weights: list[Any] = []
    for t in (part + 1, part, 1 - part, 2 - part):
        near = len(weights) in (1, 2)
        weights.append(
            ((a + 2) * t - (a + 3)) * t * t + 1
            if near
            else ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
        )
    return [(low + offset, weight) for offset, weight in zip(range(-1, 3), weights, strict=True)]


TAPS = {"bilinear": _linear, "nearest": _nearest, "bicubic": _cubic}


def _read(x: Any, index: tuple[Array, ...]) -> Any:
    """Return x (N, C, *spatial) at pixels (N, P) an axis, last first; 0 outside: (N, C, P)."""
    n, c = x.shape[:2]
    xp = array_module(index[0])
    flat: Any = 0
    outside: Any = False
    stride = 1
    for pixel, size in zip(index, x.shape[:1:-1], strict=True):
        out = ~((pixel >= 0) & (pixel <= size - 1))  # NaN is outside too
        flat = flat + xp.where(out, 0, pixel).astype(np.int64) * stride
        outside, stride = outside | out, stride * size
    rows = xp.broadcast_to(flat[:, None], (n, c, flat.shape[1]))
    values = take_along_dim(reshape(x, (n, c, stride)), rows, 2)
    return where(outside[:, None], 0.0, values) if outside.any() else values


def _product(weights: tuple[Any, ...]) -> Any:
    """Return the product of the weights along each axis, (N, P)."""
    total = weights[0]
    for weight in weights[1:]:
        total = total * weight
    return total


def _array(x: Any) -> Array:
    return x.data if isinstance(x, Variable) else x


def _check(x: Any, grid: Any, mode: str, padding_mode: str) -> None:
    """Raise unless images, grid and modes fit each other."""
    same_dtype("grid_sample", x=x, grid=grid)
    if kind_of(x.dtype) != "f":
        raise TypeError(f"grid_sample: x is {x.dtype}, expected a floating dtype")
    for name, value, known in (("mode", mode, MODES), ("padding_mode", padding_mode, PADDING)):
        if value not in known:
            raise ValueError(f"grid_sample: {name}={value!r} is not one of {', '.join(known)}")
    axes = x.ndim - 2
    expected: Shape = (x.shape[0], *grid.shape[1:-1], axes)
    if axes not in (2, 3) or grid.ndim != x.ndim or tuple(grid.shape) != expected:
        raise ValueError(
            f"grid_sample: x {x.shape} and grid {grid.shape} do not fit; expected (N, C, H, W) and "
            "(N, H', W', 2), or (N, C, D, H, W) and (N, D', H', W', 3)"
        )
    if math.prod(x.shape[2:]) == 0:
        raise ValueError(f"grid_sample: x {x.shape} holds empty images")
    if mode == "bicubic" and axes == 3:
        raise ValueError("grid_sample: mode='bicubic' is for images (N, C, H, W) only")
