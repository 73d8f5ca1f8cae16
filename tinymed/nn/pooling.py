"""Pooling layers in one, two and three dimensions."""

from __future__ import annotations

from typing import Any, ClassVar

from tinymed.errors import refuse
from tinymed.nn.module import Module
from tinymed.ops.adaptive_pooling import adaptive_avg_pool
from tinymed.ops.conv import Setting
from tinymed.ops.pooling import avg_pool, max_pool

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
]


class _Pool(Module):
    """Settings shown by repr."""

    axes: ClassVar[int]
    settings: dict[str, Any]

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return ", ".join(f"{name}={value}" for name, value in self.settings.items())


class _MaxPool(_Pool):
    """The largest element under each window."""

    def __init__(
        self,
        kernel_size: Setting,
        stride: Setting | None = None,
        padding: Setting = 0,
        dilation: Setting = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        refuse(type(self).__name__, return_indices=(return_indices, False))
        self.settings = {
            "kernel_size": kernel_size,
            "stride": kernel_size if stride is None else stride,
            "padding": padding,
            "dilation": dilation,
            "ceil_mode": ceil_mode,
        }

    def forward(self, x: Any) -> Any:
        """Return the largest element under each window."""
        return max_pool(self.axes, x, **self.settings)


class MaxPool1d(_MaxPool):
    """The largest element under each window of (N, C, L)."""

    axes = 1


class MaxPool2d(_MaxPool):
    """The largest element under each window of (N, C, H, W).

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int or (int, int)
        ``stride`` is ``kernel_size`` unless given.
    ceil_mode : bool
        Also take windows that reach over the far edge.
    """

    axes = 2


class MaxPool3d(_MaxPool):
    """The largest element under each window of (N, C, D, H, W)."""

    axes = 3


class _AvgPool(_Pool):
    """The mean under each window."""

    def __init__(
        self,
        kernel_size: Setting,
        stride: Setting | None = None,
        padding: Setting = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        if self.axes == 1:
            refuse(type(self).__name__, divisor_override=(divisor_override, None))
        self.settings = {
            "kernel_size": kernel_size,
            "stride": kernel_size if stride is None else stride,
            "padding": padding,
            "ceil_mode": ceil_mode,
            "count_include_pad": count_include_pad,
            "divisor_override": divisor_override,
        }

    def forward(self, x: Any) -> Any:
        """Return the mean under each window."""
        return avg_pool(self.axes, x, **self.settings)


class AvgPool1d(_AvgPool):
    """The mean under each window of (N, C, L)."""

    axes = 1


class AvgPool2d(_AvgPool):
    """The mean under each window of (N, C, H, W).

    Parameters
    ----------
    kernel_size, stride, padding : int or (int, int)
        ``stride`` is ``kernel_size`` unless given.
    ceil_mode : bool
        Also take windows that reach over the far edge.
    count_include_pad : bool
        Divide by the whole window, padding included.
    divisor_override : int or None
        Divide by this instead.
    """

    axes = 2


class AvgPool3d(_AvgPool):
    """The mean under each window of (N, C, D, H, W)."""

    axes = 3


class _AdaptiveAvgPool(_Pool):
    """The mean over a given number of stretches per axis."""

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.settings = {"output_size": output_size}

    def forward(self, x: Any) -> Any:
        """Return the means."""
        return adaptive_avg_pool(self.axes, x, **self.settings)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The means over ``output_size`` stretches of (N, C, L)."""

    axes = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The means over ``output_size`` stretches of (N, C, H, W); 1 is global average pooling."""

    axes = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The means over ``output_size`` stretches of (N, C, D, H, W)."""

    axes = 3
