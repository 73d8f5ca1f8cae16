"""Pooling layers in one, two and three dimensions."""

from __future__ import annotations

from typing import Any, ClassVar

from tinymed.errors import refuse
from tinymed.nn.module import Module
from tinymed.ops.conv import Setting
from tinymed.ops.lp_pooling import lp_pool
from tinymed.ops.max_pooling import max_pool
from tinymed.ops.pooling import avg_pool
from tinymed.ops.unpooling import max_unpool

__all__ = [
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]


class Pool(Module):
    """Settings shown by repr."""

    axes: ClassVar[int]
    settings: dict[str, Any]

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return ", ".join(f"{name}={value}" for name, value in self.settings.items())


class _MaxPool(Pool):
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
        self.settings = {
            "kernel_size": kernel_size,
            "stride": kernel_size if stride is None else stride,
            "padding": padding,
            "dilation": dilation,
            "return_indices": return_indices,
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
    return_indices : bool
        Return also where the largest stood, for `MaxUnpool2d`.
    ceil_mode : bool
        Also take windows that reach over the far edge.
    """

    axes = 2


class MaxPool3d(_MaxPool):
    """The largest element under each window of (N, C, D, H, W)."""

    axes = 3


class _AvgPool(Pool):
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


class _LPPool(Pool):
    """The p-norm of what stands under each window."""

    def __init__(
        self,
        norm_type: float,
        kernel_size: Setting,
        stride: Setting | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.settings = {
            "norm_type": norm_type,
            "kernel_size": kernel_size,
            "stride": stride,
            "ceil_mode": ceil_mode,
        }

    def forward(self, x: Any) -> Any:
        """Return (sum of x^p)^(1/p) under each window."""
        return lp_pool(self.axes, x, **self.settings)


class LPPool1d(_LPPool):
    """(sum of x^p)^(1/p) under each window of (N, C, L)."""

    axes = 1


class LPPool2d(_LPPool):
    """(sum of x^p)^(1/p) under each window of (N, C, H, W).

    Parameters
    ----------
    norm_type : float other than 0
        p: 1 sums, infinity takes the largest |x|.
    kernel_size, stride : int or (int, int)
        ``stride`` is ``kernel_size`` unless given.
    ceil_mode : bool
        Also take windows that reach over the far edge.
    """

    axes = 2


class LPPool3d(_LPPool):
    """(sum of x^p)^(1/p) under each window of (N, C, D, H, W)."""

    axes = 3


class _MaxUnpool(Pool):
    """What a max pooling took, put back among zeros."""

    def __init__(
        self, kernel_size: Setting, stride: Setting | None = None, padding: Setting = 0
    ) -> None:
        super().__init__()
        self.settings = {
            "kernel_size": kernel_size,
            "stride": kernel_size if stride is None else stride,
            "padding": padding,
        }

    def forward(self, x: Any, indices: Any, output_size: Any = None) -> Any:
        """Return zeros with x at the places ``indices``."""
        return max_unpool(self.axes, x, indices, **self.settings, output_size=output_size)


class MaxUnpool1d(_MaxUnpool):
    """What `MaxPool1d` took, put back among zeros."""

    axes = 1


class MaxUnpool2d(_MaxUnpool):
    """What `MaxPool2d` took, put back among zeros.

    Parameters
    ----------
    kernel_size, stride, padding : int or (int, int)
        Those of the MaxPool2d. A call takes what that returned, and the shape of what it was
        given where the settings leave it open: ``unpool(y, places, output_size=x.shape)``.

    Examples
    --------
    >>> import tinymed as tm
    >>> x = tm.tensor([[[[1.0, 2.0], [4.0, 3.0]]]])
    >>> pool, unpool = tm.nn.MaxPool2d(2, return_indices=True), tm.nn.MaxUnpool2d(2)
    >>> unpool(*pool(x)).tolist()
    [[[[0.0, 0.0], [4.0, 0.0]]]]
    """

    axes = 2


class MaxUnpool3d(_MaxUnpool):
    """What `MaxPool3d` took, put back among zeros."""

    axes = 3
