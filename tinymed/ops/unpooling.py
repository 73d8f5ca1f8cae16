"""Max unpooling: the elements that `max_pool` found, back where it found them, among zeros."""

from __future__ import annotations

import math
from typing import Any

from tinymed.autograd import Function
from tinymed.errors import check_size
from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.recording import values_known
from tinymed.ops.broadcasting import Shape
from tinymed.ops.conv import Setting, per_axis
from tinymed.ops.indexing import take_along_dim
from tinymed.ops.reduction import check_floating
from tinymed.ops.shaping import flatten, reshape, squeeze, unsqueeze

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]


class MaxUnpool(Function):
    """y = zeros, y[index] = x, counted along the flattened spatial axes;  dL/dx = dL/dy[index].

    The last x that is put into a place stays, and all of them get its gradient, as in PyTorch:
    overlapping windows of `max_pool` name a place several times, with one and the same x.
    """

    def __init__(self, spatial: Shape) -> None:
        self.spatial = spatial

    def output_shape(self, x: Shape, index: Shape) -> Shape:
        if x != index:
            raise ValueError(
                f"max_unpool{len(self.spatial)}d: x {x} and indices {index} differ in shape"
            )
        return (*x[:2], *self.spatial)

    def forward(self, x: Array, index: Array) -> Array:
        shape = self.output_shape(x.shape, index.shape)
        xp, places = array_module(x), math.prod(self.spatial)
        if values_known() and index.size and not (index.min() >= 0 and index.max() < places):
            wrong = int(index[(index < 0) | (index >= places)][0])
            raise IndexError(
                f"max_unpool{len(self.spatial)}d: index {wrong} is out of range for an output "
                f"{self.spatial} of {places} places"
            )
        y = xp.zeros((*shape[:2], places), x.dtype)
        image, channel = xp.ogrid[: shape[0], : shape[1]]
        flat = (*shape[:2], math.prod(x.shape[2:]))
        y[image[..., None], channel[..., None], index.reshape(flat)] = x.reshape(flat)
        return y.reshape(shape)

    def backward(self, grad_output: Array, index: Array) -> tuple[Any, ...]:
        found = take_along_dim(flatten(grad_output, 2), flatten(index, 2), 2)
        return reshape(found, index.shape), None


def max_unpool(
    axes: int,
    x: Any,
    indices: Any,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    output_size: Any = None,
) -> Any:
    """Check the settings of an unpooling over ``axes`` spatial axes and do it."""
    name = f"max_unpool{axes}d"
    check_floating(name, x)
    kind = getattr(indices, "dtype", type(indices).__name__)
    if kind != "int64":
        raise TypeError(f"{name}: indices are {kind}, expected int64")
    if x.ndim not in (axes + 1, axes + 2) or 0 in x.shape[-axes:]:
        raise ValueError(
            f"{name}: x {x.shape} must have {axes + 2} axes, or {axes + 1} unbatched, and "
            "something along each spatial one"
        )
    kernel = per_axis(name, "kernel_size", kernel_size, axes, 1)
    steps = kernel if stride is None else per_axis(name, "stride", stride, axes, 1)
    pads = per_axis(name, "padding", padding, axes, 0)
    usual = tuple(
        (n - 1) * s + k - 2 * p
        for n, k, s, p in zip(x.shape[-axes:], kernel, steps, pads, strict=True)
    )
    spatial = usual if output_size is None else unpooled_size(name, output_size, usual, steps)
    if any(n < 1 for n in spatial):
        raise ValueError(f"{name}: padding {pads} leaves nothing of {kernel_size}, {spatial}")
    check_size(name, (*x.shape[:-axes], *spatial))
    node = MaxUnpool(spatial)
    if x.ndim == axes + 1 and indices.ndim == x.ndim:
        return squeeze(node(unsqueeze(x, 0), unsqueeze(indices, 0)), 0)
    return node(x, indices)


def unpooled_size(name: str, output_size: Any, usual: Shape, stride: Shape) -> Shape:
    """Return the spatial lengths asked for, which may differ from the usual by less than a stride.

    ``output_size`` may begin with N and C, as the shape of what was pooled does.
    """
    axes, several = len(usual), isinstance(output_size, (tuple, list))
    given = tuple(output_size) if several else (output_size,)
    if len(given) not in (axes, axes + 2):
        raise ValueError(f"{name}: output_size={given} must hold {axes} sizes, or {axes + 2}")
    sizes = per_axis(name, "output_size", given[-axes:], axes, 1)
    if any(abs(n - m) >= s for n, m, s in zip(sizes, usual, stride, strict=True)):
        raise ValueError(
            f"{name}: output_size={given} must lie less than a stride {stride} from {usual}"
        )
    return sizes


def max_unpool1d(
    x: Any,
    indices: Any,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    output_size: Any = None,
) -> Any:
    """Return zeros (N, C, L') with ``x`` at the places ``indices``; see `max_unpool2d`."""
    return max_unpool(1, x, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    x: Any,
    indices: Any,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    output_size: Any = None,
) -> Any:
    """Return zeros with ``x`` at the places ``indices``: what max_pool2d took, put back.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W)
    indices : like x, int64
        What ``max_pool2d(..., return_indices=True)`` returned. Of equal ones the last stays.
    kernel_size, stride, padding : int or (int, int)
        Those of the max_pool2d; they say how large the result is.
    output_size : tuple of int or None
        The shape of what was pooled, where the settings leave it open: (H', W') or with N and C.

    Returns
    -------
    (N, C, H', W') or (C, H', W'), H' = (H - 1) stride + kernel - 2 padding unless given

    Raises
    ------
    IndexError
        If an index lies outside of the result.

    Examples
    --------
    >>> import numpy as np
    >>> from tinymed.ops import max_pool1d
    >>> y, places = max_pool1d(np.array([[[1.0, 2.0, 4.0, 3.0]]]), 2, return_indices=True)
    >>> max_unpool1d(y, places, 2)
    array([[[0., 2., 4., 0.]]])
    """
    return max_unpool(2, x, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    x: Any,
    indices: Any,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    output_size: Any = None,
) -> Any:
    """Return zeros (N, C, D', H', W') with ``x`` at the places ``indices``; see `max_unpool2d`."""
    return max_unpool(3, x, indices, kernel_size, stride, padding, output_size)
