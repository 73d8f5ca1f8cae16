"""Convolution layers in one, two and three dimensions."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from tinymed import ops
from tinymed.creation import empty
from tinymed.nn import init
from tinymed.nn.module import Module, Parameter, check_sizes
from tinymed.ops.activation import check_activation
from tinymed.ops.conv import Setting, check_padding, per_axis, same_padding

__all__ = ["Conv1d", "Conv2d", "Conv3d"]

MODES = ("zeros", "reflect", "replicate", "circular")


class Convolution(Module):
    """What layers of convolution share: parameters and settings; the op owns the mathematics."""

    axes: ClassVar[int]
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Setting,
        stride: Setting = 1,
        padding: Setting | str = 0,
        dilation: Setting = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: str = "cpu",
        dtype: Any = None,
        *,
        activation: str | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if padding_mode not in MODES:
            raise ValueError(f"{name}: padding_mode={padding_mode!r} is not one of {MODES}")
        check_activation(name, activation)
        check_sizes(name, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: groups={groups} does not divide in_channels={in_channels} and "
                f"out_channels={out_channels}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, self.axes, 1)
        self.stride = per_axis(name, "stride", stride, self.axes, 1)
        self.padding = check_padding(name, padding, self.stride)
        self.dilation = per_axis(name, "dilation", dilation, self.axes, 1)
        self.activation, self.padding_mode = activation, padding_mode
        shape = self.weight_shape()
        self.weight = Parameter(empty(shape, dtype=dtype, device=device))
        bound = 1 / math.sqrt(math.prod(shape[1:]))  # 1 / sqrt(fan_in), as in PyTorch
        init.uniform_(self.weight, -bound, bound, generator)
        shift = Parameter(empty(out_channels, dtype=dtype, device=device)) if bias else None
        if shift is not None:
            init.uniform_(shift, -bound, bound, generator)
        self.register_parameter("bias", shift)

    def weight_shape(self) -> tuple[int, ...]:
        """Return (out, in / groups, *kernel)."""
        return self.out_channels, self.in_channels // self.groups, *self.kernel_size

    def surrounded(self, x: Any) -> Any:
        """Return x with what is not zeros around it, as ``padding_mode`` says."""
        if self.padding_mode == "zeros" or self.padding == "valid":
            return x
        if isinstance(self.padding, str):
            amounts = same_padding(self.kernel_size, self.dilation)
        else:
            amounts = [p for n in reversed(self.padding) for p in (n, n)]
        return ops.pad(x, amounts, self.padding_mode)

    def settings(self) -> tuple[Any, ...]:
        """Return what the op takes after the tensors."""
        padding = self.padding if self.padding_mode == "zeros" else 0
        return self.stride, padding, self.dilation, self.groups, self.activation

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one call with this output."""
        return math.prod(output_shape) * math.prod(self.weight.shape[1:])

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        defaults = {"stride": 1, "padding": 0, "dilation": 1}
        for name, usual in defaults.items():
            value = getattr(self, name)
            if value not in ((usual,) * self.axes, "valid"):
                parts.append(f"{name}={value}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode!r}")
        if self.activation:
            parts.append(f"activation={self.activation!r}")
        return ", ".join(parts)


class Conv1d(Convolution):
    """y = f(W * x + b) along one axis, (N, C, L) -> (N, K, L'); see `Conv2d`."""

    axes = 1

    def forward(self, x: Any) -> Any:
        """Return f(W * x + b)."""
        return ops.conv1d(self.surrounded(x), self.weight, self.bias, *self.settings())


class Conv2d(Convolution):
    """y = f(W * x + b), (N, C, H, W) -> (N, K, H', W').

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    kernel_size, stride, padding, dilation : int or (int, int)
        ``padding="same"`` keeps H and W (stride 1 only), ``"valid"`` is 0.
    groups : int
        Channels in that many independent parts.
    bias : bool
    padding_mode : "zeros", "reflect", "replicate" or "circular"
        What the padding holds: zeros, the mirror image, the edge, the opposite side.
    activation : None, "relu", "tanh" or "sigmoid"
        f, fused into the same node of the graph.
    device, dtype : where and as what the parameters are made
    generator : numpy.random.Generator or None
        Draws the starting values, U(-1/sqrt(fan_in), 1/sqrt(fan_in)) as in PyTorch.

    Notes
    -----
    H' = (H + 2 padding - dilation (kernel - 1) - 1) // stride + 1.
    """

    axes = 2

    def forward(self, x: Any) -> Any:
        """Return f(W * x + b)."""
        return ops.conv2d(self.surrounded(x), self.weight, self.bias, *self.settings())


class Conv3d(Convolution):
    """y = f(W * x + b) over volumes, (N, C, D, H, W) -> (N, K, D', H', W'); see `Conv2d`."""

    axes = 3

    def forward(self, x: Any) -> Any:
        """Return f(W * x + b)."""
        return ops.conv3d(self.surrounded(x), self.weight, self.bias, *self.settings())
