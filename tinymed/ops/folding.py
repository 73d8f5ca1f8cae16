"""Windows as an axis of their own and back, and pixels exchanged for channels.

`unfold` and `fold` work on images, as torch.nn.functional has them; `unfold_dim` is the method
``x.unfold(dimension, size, step)``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from tinymed.autograd import Function
from tinymed.errors import check_dim, check_size
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape
from tinymed.ops.conv import Setting, per_axis
from tinymed.ops.padding import Pad
from tinymed.ops.shaping import permute, reshape, squeeze, unsqueeze

__all__ = [
    "channel_shuffle",
    "fold",
    "pixel_shuffle",
    "pixel_unshuffle",
    "unfold",
    "unfold_dim",
]

Pair = tuple[int, int]


class _Windows:
    """Where the windows of an image (H, W) lie: no padding, it is added before."""

    def __init__(self, size: Pair, kernel: Pair, dilation: Pair, stride: Pair) -> None:
        self.size, self.kernel, self.dilation, self.stride = size, kernel, dilation, stride
        self.count = tuple(
            (n - d * (k - 1) - 1) // s + 1
            for n, k, d, s in zip(size, kernel, dilation, stride, strict=True)
        )

    def taps(self) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
        """Yield each place (i, j) in the window, and the index of the pixels seen there."""
        for i, j in itertools.product(*map(range, self.kernel)):
            rows, columns = (
                slice(t * d, t * d + s * (n - 1) + 1, s)
                for t, d, s, n in zip((i, j), self.dilation, self.stride, self.count, strict=True)
            )
            yield i, j, (..., rows, columns)


class Unfold(Function):
    """y[n, c i j, l] = x[n, c, pixel i j of window l];  dL/dx = each pixel's sum over windows."""

    def __init__(self, kernel: Pair, dilation: Pair, stride: Pair) -> None:
        self.geometry = kernel, dilation, stride

    def output_shape(self, x: Shape) -> Shape:
        n, channels, *size = x
        windows = _Windows((size[0], size[1]), *self.geometry)
        if any(count < 1 for count in windows.count):
            raise ValueError(
                f"unfold: the window {windows.kernel} with dilation {windows.dilation} is larger "
                f"than the padded input {windows.size}"
            )
        return n, channels * math.prod(windows.kernel), math.prod(windows.count)

    def forward(self, x: Array) -> Array:
        shape = check_size("unfold", self.output_shape(x.shape))
        windows = _Windows(x.shape[2:], *self.geometry)
        y = array_module(x).empty((*x.shape[:2], *windows.kernel, *windows.count), x.dtype)
        for i, j, pixels in windows.taps():
            y[:, :, i, j] = x[pixels]
        return y.reshape(shape)  # (N, C, kh, kw, H', W') -> (N, C kh kw, H' W')

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (Fold(self.input_shape()[2:], *self.geometry)(grad_output),)


class Fold(Function):
    """y[pixel] = sum of x over the windows that see it;  dL/dx = dL/dy read by each window."""

    def __init__(self, size: Shape, kernel: Pair, dilation: Pair, stride: Pair) -> None:
        self.size, self.geometry = (size[0], size[1]), (kernel, dilation, stride)

    def output_shape(self, x: Shape) -> Shape:
        windows = _Windows(self.size, *self.geometry)
        taps, count = math.prod(windows.kernel), math.prod(max(n, 0) for n in windows.count)
        if x[1] % taps or x[2] != count or count == 0:
            raise ValueError(
                f"fold: x {x} for windows {windows.kernel} on the padded size {self.size}; "
                f"(N, a multiple of {taps}, {count}) is expected"
            )
        return x[0], x[1] // taps, *self.size

    def forward(self, x: Array) -> Array:
        y = array_module(x).zeros(check_size("fold", self.output_shape(x.shape)), x.dtype)
        windows = _Windows(self.size, *self.geometry)
        x = x.reshape(*y.shape[:2], *windows.kernel, *windows.count)
        for i, j, pixels in windows.taps():
            y[pixels] += x[:, :, i, j]
        return y

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (Unfold(*self.geometry)(grad_output),)


class UnfoldDim(Function):
    """y[..., l, ..., t] = x[..., l step + t, ...] for t < size;  dL/dx = each element's sum."""

    def __init__(self, dim: int, size: int, step: int) -> None:
        self.dim, self.size, self.step = dim, size, step

    def output_shape(self, x: Shape) -> Shape:
        count = (x[self.dim] - self.size) // self.step + 1
        return (*x[: self.dim], count, *x[self.dim + 1 :], self.size)

    def taps(self, count: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yield each place in the window, and the index of all elements that are seen there."""
        for t in range(self.size):
            seen = slice(t, t + self.step * (count - 1) + 1, self.step)
            yield t, (slice(None),) * self.dim + (seen,)

    def forward(self, x: Array) -> Array:
        shape = check_size("unfold_dim", self.output_shape(x.shape))
        y = array_module(x).empty(shape, x.dtype)
        for t, seen in self.taps(shape[self.dim]):
            y[..., t] = x[seen]
        return y

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (FoldDim(self.input_shape(), self.dim, self.size, self.step)(grad_output),)


class FoldDim(UnfoldDim):
    """y[..., l step + t, ...] = sum of x[..., l, ..., t];  dL/dx = dL/dy in windows."""

    def __init__(self, shape: Shape, dim: int, size: int, step: int) -> None:
        super().__init__(dim, size, step)
        self.shape = shape

    def output_shape(self, x: Shape) -> Shape:
        return self.shape

    def forward(self, x: Array) -> Array:
        y = array_module(x).zeros(self.shape, x.dtype)
        for t, seen in self.taps(x.shape[self.dim]):
            y[seen] += x[..., t]
        return y

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (UnfoldDim(self.dim, self.size, self.step)(grad_output),)


def unfold(
    x: Any,
    kernel_size: Setting,
    dilation: Setting = 1,
    padding: Setting = 0,
    stride: Setting = 1,
) -> Any:
    """Return the pixels under each window of an image as columns: "im2col".

    Parameters
    ----------
    x : Tensor (N, C, H, W) or (C, H, W)
    kernel_size, dilation, padding, stride : int or (int, int)

    Returns
    -------
    Tensor (N, C kh kw, L) or (C kh kw, L)
        L windows, row by row.
    """
    kernel, gap, around, step = _pairs("unfold", kernel_size, dilation, padding, stride)
    if x.ndim not in (3, 4):
        raise ValueError(f"unfold: x {x.shape}, (N, C, H, W) or (C, H, W) is expected")
    batch = x if x.ndim == 4 else unsqueeze(x, 0)
    if any(around):
        batch = Pad(((0, 0), (0, 0), *((n, n) for n in around)), 0)(batch)
    columns = Unfold(kernel, gap, step)(batch)
    return columns if x.ndim == 4 else squeeze(columns, 0)


def fold(
    x: Any,
    output_size: Setting,
    kernel_size: Setting,
    dilation: Setting = 1,
    padding: Setting = 0,
    stride: Setting = 1,
) -> Any:
    """Return an image in which each pixel is the sum of what all windows hold for it: "col2im".

    Parameters
    ----------
    x : Tensor (N, C kh kw, L) or (C kh kw, L)
    output_size : int or (int, int)
        H and W of the image.
    kernel_size, dilation, padding, stride : int or (int, int)

    Returns
    -------
    Tensor (N, C, H, W) or (C, H, W)
    """
    kernel, gap, around, step = _pairs("fold", kernel_size, dilation, padding, stride)
    size = per_axis("fold", "output_size", output_size, 2, least=1)
    if x.ndim not in (2, 3):
        raise ValueError(f"fold: x {x.shape}, (N, C kh kw, L) or (C kh kw, L) is expected")
    batch = x if x.ndim == 3 else unsqueeze(x, 0)
    padded = tuple(n + 2 * p for n, p in zip(size, around, strict=True))
    image = Fold(padded, kernel, gap, step)(batch)
    if any(around):
        image = Pad(((0, 0), (0, 0), *((-n, -n) for n in around)), 0)(image)
    return image if x.ndim == 3 else squeeze(image, 0)


def unfold_dim(x: Any, dimension: int, size: int, step: int) -> Any:
    """Return every ``step``-th window of ``size`` along ``dimension`` as a new last axis."""
    axis = check_dim("unfold", dimension, x.ndim)
    row = x if x.ndim else reshape(x, (1,))
    if not 0 <= size <= row.shape[axis] or step < 1:
        raise ValueError(
            f"unfold: size {size} and step {step} for dim {dimension} of x {x.shape}; 0 to "
            f"{row.shape[axis]}, and a positive step, are expected"
        )
    y = UnfoldDim(axis, size, step)(row)
    return y if x.ndim else reshape(y, (size,))


def pixel_shuffle(x: Any, upscale_factor: int) -> Any:
    """Return (..., C, H r, W r) from (..., C r^2, H, W): channels become pixels.

    References
    ----------
    Shi et al. (2016), Real-time single image and video super-resolution.
    """
    r = _factor("pixel_shuffle", x, upscale_factor)
    *batch, channels, height, width = x.shape
    if channels % r**2:
        raise ValueError(
            f"pixel_shuffle: {channels} channels of x {x.shape} are not divisible by {r}^2"
        )
    parts = reshape(x, (*batch, channels // r**2, r, r, height, width))
    turned = _last_five(parts, (0, 3, 1, 4, 2))  # (C, r, r, H, W) -> (C, H, r, W, r)
    return reshape(turned, (*batch, channels // r**2, height * r, width * r))


def pixel_unshuffle(x: Any, downscale_factor: int) -> Any:
    """Return (..., C r^2, H, W) from (..., C, H r, W r): the reverse of `pixel_shuffle`."""
    r = _factor("pixel_unshuffle", x, downscale_factor)
    *batch, channels, height, width = x.shape
    if height % r or width % r:
        raise ValueError(f"pixel_unshuffle: the image of x {x.shape} is not divisible by {r}")
    parts = reshape(x, (*batch, channels, height // r, r, width // r, r))
    turned = _last_five(parts, (0, 2, 4, 1, 3))  # (C, H, r, W, r) -> (C, r, r, H, W)
    return reshape(turned, (*batch, channels * r**2, height // r, width // r))


def channel_shuffle(x: Any, groups: int) -> Any:
    """Return (N, C, ...) with channel i of group g at place i groups + g.

    References
    ----------
    Zhang et al. (2018), ShuffleNet.
    """
    if x.ndim < 3 or groups < 1 or x.shape[1] % groups:
        raise ValueError(
            f"channel_shuffle: x {x.shape} in {groups} groups; (N, C, ...) with C divisible by a "
            "positive number is expected"
        )
    n, channels, *rest = x.shape
    parts = reshape(x, (n, groups, channels // groups, *rest))
    return reshape(permute(parts, (0, 2, 1, *range(3, parts.ndim))), x.shape)


def _pairs(name: str, kernel: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Any, ...]:
    return (
        per_axis(name, "kernel_size", kernel, 2, least=1),
        per_axis(name, "dilation", dilation, 2, least=1),
        per_axis(name, "padding", padding, 2, least=0),
        per_axis(name, "stride", stride, 2, least=1),
    )


def _factor(name: str, x: Any, factor: int) -> int:
    if x.ndim < 3 or factor < 1:
        raise ValueError(f"{name}: x {x.shape} by {factor}; (..., C, H, W) by a positive number")
    return factor


def _last_five(x: Any, order: tuple[int, ...]) -> Any:
    """Return ``x`` with its last five axes in another order."""
    before = x.ndim - 5
    return permute(x, (*range(before), *(before + i for i in order)))
