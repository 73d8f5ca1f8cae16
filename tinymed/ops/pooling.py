"""Pooling over windows: what all kinds share, and the mean; `max_pooling` has the largest."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from tinymed.autograd import Function
from tinymed.errors import check_size
from tinymed.kernels import pooling as kernels
from tinymed.kernels.arrays import Array, sent
from tinymed.kernels.pooling.reference import padded_shape
from tinymed.ops.broadcasting import Shape
from tinymed.ops.conv import Setting, per_axis
from tinymed.ops.reduction import check_floating
from tinymed.ops.shaping import squeeze, unsqueeze
from tinymed.precision import SINGLE, is_narrow, rounded

__all__ = ["avg_pool1d", "avg_pool2d", "avg_pool3d"]


class Window(Function):
    """What the pooling ops share: one number per spatial axis in each setting."""

    name: ClassVar[str]

    def __init__(
        self, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, ceil: bool
    ) -> None:
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.dilation, self.ceil = dilation, ceil

    def output_shape(self, x: Shape) -> Shape:
        out = tuple(map(self.windows, x[2:], self.kernel, self.stride, self.padding, self.dilation))
        if any(n < 1 for n in out):
            raise ValueError(
                f"{self.name}{len(out)}d: the window {self.kernel} with dilation {self.dilation} "
                f"is larger than the input {x[2:]} with padding {self.padding}"
            )
        reach = padded_shape(out, self.kernel, self.stride, self.dilation)
        check_size(f"{self.name}{len(out)}d", (*x[:2], *reach))
        return (*x[:2], *out)

    def windows(self, size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
        """Return the number of windows along an axis; none begins behind the input's far edge."""
        room = size + 2 * padding - dilation * (kernel - 1) - 1
        if not self.ceil:
            return room // stride + 1
        count = -(-room // stride) + 1
        return count - 1 if (count - 1) * stride >= size + padding else count


class AvgPool(Window):
    """y = sum of x under each window / divisor;  dL/dx = each place's shares of dL/dy."""

    name = "avg_pool"
    as_given = True  # kernels add up in float32

    def __init__(
        self, *geometry: Any, count_include_pad: bool, divisor_override: int | None
    ) -> None:
        super().__init__(*geometry)
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def divisor(self, spatial: Shape, out: Shape) -> Any:
        """Return what each window's sum is divided by: a number, or (*out) where it varies."""
        if self.divisor_override is not None:
            return self.divisor_override
        if not any(self.padding) and not self.ceil:
            return math.prod(self.kernel)
        counts: Any = 1
        for axis, (size, places) in enumerate(zip(spatial, out, strict=True)):
            start = np.arange(places) * self.stride[axis] - self.padding[axis]
            far = size + self.padding[axis] if self.count_include_pad else size
            near = start if self.count_include_pad else np.maximum(start, 0)
            inside = np.minimum(start + self.kernel[axis], far) - near
            counts = counts * inside.reshape(-1, *[1] * (len(out) - axis - 1))
        return counts

    def forward(self, x: Array) -> Array:
        out = self.output_shape(x.shape)[2:]
        divisor = as_dtype(self.divisor(x.shape[2:], out), x)
        y = kernels.avg_forward(x, self.kernel, self.stride, self.padding, out, divisor)
        return rounded(y, x.dtype)  # of 16 bits and divisors in 32 some kernels make 32

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (AvgPoolGrad(self, self.input_shape())(grad_output),)


class AvgPoolGrad(Function):
    """y = dL/dx of an average pooling from g = dL/dy: linear, its derivative is the pooling."""

    as_given = True

    def __init__(self, pooling: AvgPool, shape: Shape) -> None:
        self.pooling, self.shape = pooling, shape

    def output_shape(self, g: Shape) -> Shape:
        return self.shape

    def forward(self, g: Array) -> Array:
        pooling = self.pooling
        divisor = as_dtype(pooling.divisor(self.shape[2:], g.shape[2:]), g)
        dx = kernels.avg_grad_input(
            g, self.shape[2:], pooling.kernel, pooling.stride, pooling.padding, divisor
        )
        return rounded(dx, g.dtype)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        pooling = self.pooling
        again = AvgPool(
            pooling.kernel,
            pooling.stride,
            pooling.padding,
            pooling.dilation,
            pooling.ceil,
            count_include_pad=pooling.count_include_pad,
            divisor_override=pooling.divisor_override,
        )
        return (again(grad_output),)


def as_dtype(divisor: Any, x: Array) -> Any:
    """Return an array of divisors where and as what ``x`` is, in 32 bits at least, or a number."""
    if isinstance(divisor, int):
        return divisor
    return sent(divisor, x, SINGLE if is_narrow(x) else x.dtype)


def batched(name: str, axes: int, x: Any) -> tuple[Any, bool]:
    """Return ``x`` with a batch axis, and whether it had to be made."""
    if x.ndim not in (axes + 1, axes + 2):
        raise ValueError(f"{name}: x {x.shape} must have {axes + 2} axes, or {axes + 1} unbatched")
    if 0 in x.shape[-axes:]:
        raise ValueError(f"{name}: x {x.shape} has nothing along a spatial axis")
    return (x, False) if x.ndim == axes + 2 else (unsqueeze(x, 0), True)


def geometry(
    name: str,
    axes: int,
    kernel_size: Setting,
    stride: Setting | None,
    padding: Setting,
    dilation: Setting,
    ceil_mode: bool,
) -> tuple[Any, ...]:
    """Check the settings of a pooling window and return them, one number per axis."""
    kernel = per_axis(name, "kernel_size", kernel_size, axes, 1)
    pads = per_axis(name, "padding", padding, axes, 0)
    if any(2 * p > k for p, k in zip(pads, kernel, strict=True)):
        raise ValueError(
            f"{name}: padding={padding} is more than half of kernel_size={kernel_size}"
        )
    return (
        kernel,
        kernel if stride is None else per_axis(name, "stride", stride, axes, 1),
        pads,
        per_axis(name, "dilation", dilation, axes, 1),
        ceil_mode,
    )


def avg_pool(
    axes: int,
    x: Any,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Return the mean under each window over ``axes`` spatial axes."""
    name = f"avg_pool{axes}d"
    if divisor_override is not None and type(divisor_override) is not int:
        raise TypeError(f"{name}: divisor_override={divisor_override!r} is not an integer")
    if divisor_override == 0:
        raise ValueError(f"{name}: divisor_override is 0")
    check_floating(name, x)
    node = AvgPool(
        *geometry(name, axes, kernel_size, stride, padding, 1, ceil_mode),
        count_include_pad=count_include_pad,
        divisor_override=divisor_override,
    )
    x, unbatched = batched(name, axes, x)
    return squeeze(node(x), 0) if unbatched else node(x)


def avg_pool1d(
    x: Any,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """Return the mean under each window of (N, C, L); see `avg_pool2d`."""
    settings = kernel_size, stride, padding, ceil_mode, count_include_pad
    return avg_pool(1, x, *settings)


def avg_pool2d(
    x: Any,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Return the mean under each window of (N, C, H, W) or (C, H, W).

    Each setting is a number or one per axis; ``stride`` is ``kernel_size`` unless given. The
    padding counts in the divisor unless told otherwise, as in PyTorch.
    """
    settings = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    return avg_pool(2, x, *settings)


def avg_pool3d(
    x: Any,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Return the mean under each window of (N, C, D, H, W); see `avg_pool2d`."""
    settings = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    return avg_pool(3, x, *settings)
