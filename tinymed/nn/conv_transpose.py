"""Transposed convolution layers: they enlarge, as the gradient of a convolution does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed import ops
from tinymed.kernels.conv.reference import output_size as positions
from tinymed.nn.conv import Convolution
from tinymed.ops.conv import Setting, per_axis
from tinymed.ops.conv_transpose import smallest_size

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


class _ConvTranspose(Convolution):
    """What the three layers share beyond a convolution: output_padding, and output_size."""

    padding: tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Setting,
        stride: Setting = 1,
        padding: Setting = 0,
        output_padding: Setting = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Setting = 1,
        padding_mode: str = "zeros",
        device: str = "cpu",
        dtype: Any = None,
        *,
        activation: str | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        name = type(self).__name__
        if padding_mode != "zeros":
            raise ValueError(f"{name}: padding_mode={padding_mode!r} is not 'zeros'")
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            per_axis(name, "padding", padding, self.axes, 0),
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            activation=activation,
            generator=generator,
        )
        self.output_padding = per_axis(name, "output_padding", output_padding, self.axes, 0)

    def weight_shape(self) -> tuple[int, ...]:
        """Return (in, out / groups, *kernel)."""
        return self.in_channels, self.out_channels // self.groups, *self.kernel_size

    def options(self, x: Any, output_size: Any) -> tuple[Any, ...]:
        """Return what the op takes after the tensors; ``output_size`` sets the output_padding."""
        more = self.output_padding if output_size is None else self.missing(x, output_size)
        return self.stride, self.padding, more, self.groups, self.dilation, self.activation

    def missing(self, x: Any, output_size: Any) -> tuple[int, ...]:
        """Return the output_padding that leads to ``output_size``, given with N and C or without.

        Raises
        ------
        ValueError
            If that is not from 0 to stride - 1.
        """
        name, several = type(self).__name__, isinstance(output_size, (tuple, list))
        given = tuple(output_size) if several else (output_size,)
        if len(given) not in (self.axes, x.ndim):
            raise ValueError(
                f"{name}: output_size={given} must hold {self.axes} sizes, or {x.ndim} like x"
            )
        wanted = per_axis(name, "output_size", given[-self.axes :], self.axes, 1)
        least = smallest_size(
            x.shape[-self.axes :], self.kernel_size, self.stride, self.padding, self.dilation
        )
        most = tuple(n + s - 1 for n, s in zip(least, self.stride, strict=True))
        if not all(a <= n <= b for a, n, b in zip(least, wanted, most, strict=True)):
            raise ValueError(
                f"{name}: output_size={given} must lie from {least} to {most} for x {x.shape}"
            )
        return tuple(n - a for n, a in zip(wanted, least, strict=True))

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one call with this output: all taps at every input place."""
        spatial = output_shape[-self.axes :]
        settings = self.kernel_size, self.stride, self.padding, self.dilation
        places = math.prod(map(positions, spatial, *settings))
        return math.prod(output_shape[: -self.axes - 1]) * places * self.weight.numel()

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        more = f", output_padding={self.output_padding}" if any(self.output_padding) else ""
        return super().extra_repr() + more


class ConvTranspose1d(_ConvTranspose):
    """y = f(W *T x + b) along one axis, (N, C, L) -> (N, K, L'); see `ConvTranspose2d`."""

    axes = 1

    def forward(self, x: Any, output_size: Any = None) -> Any:
        """Return f(W *T x + b)."""
        options = self.options(x, output_size)
        return ops.conv_transpose1d(x, self.weight, self.bias, *options)


class ConvTranspose2d(_ConvTranspose):
    """y = f(W *T x + b), (N, C, H, W) -> (N, K, H', W'): the gradient of a `Conv2d` as a layer.

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    kernel_size, stride, padding, dilation : int or (int, int)
        Those of the Conv2d that leads back from y's shape to x's.
    output_padding : int or (int, int)
        Places added below and to the right, less than stride or dilation.
    groups : int
        Channels in that many independent parts.
    bias : bool
    padding_mode : "zeros"
    activation : None, "relu", "tanh" or "sigmoid"
        f, fused into the same node of the graph.
    device, dtype : where and as what the parameters are made
    generator : numpy.random.Generator or None
        Draws the starting values, U(-1/sqrt(n), 1/sqrt(n)), n = K / groups * taps, as in PyTorch.

    Notes
    -----
    H' = (H - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1. A call may name
    the shape of y instead: ``layer(x, output_size=before.shape)``.

    Examples
    --------
    >>> import tinymed as tm
    >>> x = tm.ones(1, 1, 8, 7)
    >>> small = tm.nn.Conv2d(1, 4, 3, stride=2, padding=1)(x)
    >>> tm.nn.ConvTranspose2d(4, 1, 3, stride=2, padding=1)(small, x.shape).shape
    (1, 1, 8, 7)
    """

    axes = 2

    def forward(self, x: Any, output_size: Any = None) -> Any:
        """Return f(W *T x + b)."""
        options = self.options(x, output_size)
        return ops.conv_transpose2d(x, self.weight, self.bias, *options)


class ConvTranspose3d(_ConvTranspose):
    """y = f(W *T x + b) of volumes, (N, C, D, H, W); see `ConvTranspose2d`."""

    axes = 3

    def forward(self, x: Any, output_size: Any = None) -> Any:
        """Return f(W *T x + b)."""
        options = self.options(x, output_size)
        return ops.conv_transpose3d(x, self.weight, self.bias, *options)
