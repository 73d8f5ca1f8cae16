"""Max pooling over windows: the largest element, and where it was."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.autograd import Function
from tinymed.kernels import pooling as kernels
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape
from tinymed.ops.conv import Setting
from tinymed.ops.pooling import Window, batched, geometry
from tinymed.ops.shaping import squeeze

__all__ = ["max_pool1d", "max_pool2d", "max_pool3d"]


class MaxPool(Window):
    """y = the largest x under each window;  dL/dx = dL/dy at the place that won."""

    name = "max_pool"
    as_given = True  # it is numbers of x that win

    @property
    def geometry(self) -> tuple[Shape, ...]:
        return self.kernel, self.stride, self.padding, self.dilation

    def forward(self, x: Array) -> Any:
        return self.largest(x)[0]

    def largest(self, x: Array) -> tuple[Array, Array]:
        """Return what stands under each window, and which of its taps won, which is kept."""
        out = Window.output_shape(self, x.shape)[2:]
        y, winner = kernels.max_forward(x, *self.geometry, out)
        self.keep(winner=winner)
        return y, winner

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (MaxPoolGrad(self.kept("winner"), self.input_shape(), *self.geometry)(grad_output),)


class MaxPoolWithIndices(MaxPool):
    """y, index = the largest x under each window, and its place along the flattened axes."""

    def output_shape(self, x: Shape) -> Any:
        shape = super().output_shape(x)
        return shape, shape

    def forward(self, x: Array) -> Any:
        y, winner = self.largest(x)
        return y, self.places(winner, x.shape[2:])

    def backward(self, grad_output: Any) -> tuple[Any, ...]:
        return super().backward(grad_output[0])

    def places(self, winner: Array, spatial: Shape) -> Array:
        """Return where in the flattened spatial axes each window's winning tap lies."""
        xp = array_module(winner)
        index, scale = xp.zeros(winner.shape, np.int64), 1
        tap = winner.astype(np.int64)
        for axis in reversed(range(len(spatial))):
            tap, along = xp.divmod(tap, self.kernel[axis])
            start = xp.arange(winner.shape[axis + 2]) * self.stride[axis] - self.padding[axis]
            start = start.reshape(-1, *[1] * (len(spatial) - axis - 1))
            index += (start + along * self.dilation[axis]) * scale
            scale *= spatial[axis]
        return index


class MaxPoolGrad(Function):
    """y = dL/dx of a max pooling from g = dL/dy: zeros with each g added at the place that won."""

    as_given = True

    def __init__(self, winner: Array, shape: Shape, *geometry: Shape) -> None:
        self.shape, self.geometry = shape, geometry
        self.winner = winner

    def output_shape(self, x: Shape) -> Shape:
        return self.shape

    def forward(self, x: Array) -> Array:
        return kernels.max_grad_input(x, self.winner, self.shape[2:], *self.geometry)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (MaxGather(self.winner, self.shape, *self.geometry)(grad_output),)


class MaxGather(Function):
    """y = x read at the place that won each window;  dL/dx = dL/dy added there."""

    as_given = True

    def __init__(self, winner: Array, shape: Shape, *geometry: Shape) -> None:
        self.shape, self.geometry = shape, geometry
        self.winner = winner

    def output_shape(self, x: Shape) -> Shape:
        shape: Shape = self.winner.shape
        return shape

    def forward(self, x: Array) -> Array:
        return kernels.max_gather(x, self.winner, *self.geometry)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (MaxPoolGrad(self.winner, self.shape, *self.geometry)(grad_output),)


def max_pool(
    axes: int,
    x: Any,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    dilation: Setting = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element under each window over ``axes`` spatial axes."""
    name = f"max_pool{axes}d"
    if x.dtype.kind == "b":
        raise TypeError(f"{name}: x is bool, expected numbers; use x.to('uint8') first")
    op = MaxPoolWithIndices if return_indices else MaxPool
    node = op(*geometry(name, axes, kernel_size, stride, padding, dilation, ceil_mode))
    x, unbatched = batched(name, axes, x)
    if return_indices:
        y, index = node(x)
        return (squeeze(y, 0), squeeze(index, 0)) if unbatched else (y, index)
    return squeeze(node(x), 0) if unbatched else node(x)


def max_pool1d(
    x: Any,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    dilation: Setting = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element under each window of (N, C, L); see `max_pool2d`."""
    settings = kernel_size, stride, padding, dilation, ceil_mode, return_indices
    return max_pool(1, x, *settings)


def max_pool2d(
    x: Any,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    dilation: Setting = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element under each window of (N, C, H, W) or (C, H, W).

    Each setting is a number or one per axis; ``stride`` is ``kernel_size`` unless given. The first
    of equal elements takes the gradient; NaN wins over everything.

    Parameters
    ----------
    ceil_mode : bool
        Also take windows that reach over the far edge.
    return_indices : bool
        Return also the place of each largest element, int64, counted along the flattened spatial
        axes (row * W + column): what `max_unpool2d` takes.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[[[1.0, 2.0], [4.0, 3.0]]]])
    >>> [a.item() for a in max_pool2d(x, 2, return_indices=True)]
    [4.0, 2]
    """
    settings = kernel_size, stride, padding, dilation, ceil_mode, return_indices
    return max_pool(2, x, *settings)


def max_pool3d(
    x: Any,
    kernel_size: Setting,
    stride: Setting | None = None,
    padding: Setting = 0,
    dilation: Setting = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element under each window of (N, C, D, H, W); see `max_pool2d`."""
    settings = kernel_size, stride, padding, dilation, ceil_mode, return_indices
    return max_pool(3, x, *settings)
