"""Layers that give the same elements other axes."""

from __future__ import annotations

from typing import Any

from tinymed import ops
from tinymed.nn.module import Module
from tinymed.ops.conv import Setting

__all__ = [
    "ChannelShuffle",
    "Flatten",
    "Fold",
    "PixelShuffle",
    "PixelUnshuffle",
    "Unflatten",
    "Unfold",
]


class Flatten(Module):
    """The axes from ``start_dim`` to ``end_dim`` as one: (N, C, H, W) -> (N, C H W) by default."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        """Return the flattened input."""
        return ops.flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """The axis ``dim`` as several of ``unflattened_size``: (N, C H W) -> (N, C, H, W), say."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        super().__init__()
        if isinstance(dim, str):
            raise NotImplementedError("Unflatten: axes have no names; give dim as a number")
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Any) -> Any:
        """Return the input with more axes."""
        return ops.unflatten(x, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class PixelShuffle(Module):
    """(..., C r^2, H, W) -> (..., C, H r, W r): channels become pixels."""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, x: Any) -> Any:
        """Return the larger image."""
        return ops.pixel_shuffle(x, self.upscale_factor)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(..., C, H r, W r) -> (..., C r^2, H, W): the reverse of `PixelShuffle`."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, x: Any) -> Any:
        """Return the smaller image of more channels."""
        return ops.pixel_unshuffle(x, self.downscale_factor)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Channel i of group g at place i groups + g, so that grouped convolutions exchange."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Any) -> Any:
        """Return (N, C, ...) with its channels in another order."""
        return ops.channel_shuffle(x, self.groups)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"groups={self.groups}"


class Unfold(Module):
    """The pixels under each window as columns: (N, C, H, W) -> (N, C kh kw, L)."""

    def __init__(
        self,
        kernel_size: Setting,
        dilation: Setting = 1,
        padding: Setting = 0,
        stride: Setting = 1,
    ) -> None:
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, x: Any) -> Any:
        """Return the columns."""
        return ops.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        names = ("kernel_size", "dilation", "padding", "stride")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)


class Fold(Module):
    """Each pixel the sum over the windows that see it: (N, C kh kw, L) -> (N, C, H, W)."""

    def __init__(
        self,
        output_size: Setting,
        kernel_size: Setting,
        dilation: Setting = 1,
        padding: Setting = 0,
        stride: Setting = 1,
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size, self.dilation = output_size, kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, x: Any) -> Any:
        """Return the image."""
        return ops.fold(
            x, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        names = ("output_size", "kernel_size", "dilation", "padding", "stride")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)
