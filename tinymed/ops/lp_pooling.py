"""Power-average pooling: the p-norm of what stands under each window."""

from __future__ import annotations

import math
from typing import Any

from tinymed.ops.arithmetic import power
from tinymed.ops.conv import Setting, per_axis
from tinymed.ops.elementwise import abs, where
from tinymed.ops.max_pooling import max_pool
from tinymed.ops.pooling import avg_pool
from tinymed.ops.promotion import rounded_once
from tinymed.ops.reduction import check_floating

__all__ = ["lp_pool1d", "lp_pool2d", "lp_pool3d"]


def lp_pool(
    axes: int,
    x: Any,
    norm_type: float,
    kernel_size: Setting,
    stride: Setting | None = None,
    ceil_mode: bool = False,
) -> Any:
    """Return (sum of x^p)^(1/p) under each window over ``axes`` spatial axes."""
    name = f"lp_pool{axes}d"
    check_floating(name, x)
    if not isinstance(norm_type, (int, float)) or norm_type == 0 or math.isnan(norm_type):
        raise ValueError(f"{name}: norm_type={norm_type!r} is not a number other than 0")
    if math.isinf(norm_type):
        sign = math.copysign(1, norm_type)
        return sign * max_pool(axes, sign * abs(x), kernel_size, stride, ceil_mode=ceil_mode)
    taps = math.prod(per_axis(name, "kernel_size", kernel_size, axes, 1))
    powers = avg_pool(axes, power(x, norm_type), kernel_size, stride, 0, ceil_mode) * taps
    none = powers == 0  # where a root has no derivative, 0 is taken, as in PyTorch
    root = power(where(none, 1.0, powers), 1 / norm_type)
    return where(none, 0.0 if norm_type > 0 else math.inf, root)


@rounded_once
def lp_pool1d(
    x: Any,
    norm_type: float,
    kernel_size: Setting,
    stride: Setting | None = None,
    ceil_mode: bool = False,
) -> Any:
    """Return (sum of x^p)^(1/p) under each window of (N, C, L); see `lp_pool2d`."""
    return lp_pool(1, x, norm_type, kernel_size, stride, ceil_mode)


@rounded_once
def lp_pool2d(
    x: Any,
    norm_type: float,
    kernel_size: Setting,
    stride: Setting | None = None,
    ceil_mode: bool = False,
) -> Any:
    """Return (sum of x^p)^(1/p) under each window of (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    norm_type : float other than 0
        p. 1 sums; infinity takes the largest |x|, -infinity the smallest. The sum is of x^p, not
        |x|^p: a negative sum (odd p) has no root other than NaN, as in PyTorch.
    kernel_size, stride : int or (int, int)
        ``stride`` is ``kernel_size`` unless given.
    ceil_mode : bool
        Also take windows that reach over the far edge; what they see is scaled up to a whole one.
    """
    return lp_pool(2, x, norm_type, kernel_size, stride, ceil_mode)


@rounded_once
def lp_pool3d(
    x: Any,
    norm_type: float,
    kernel_size: Setting,
    stride: Setting | None = None,
    ceil_mode: bool = False,
) -> Any:
    """Return (sum of x^p)^(1/p) under each window of (N, C, D, H, W); see `lp_pool2d`."""
    return lp_pool(3, x, norm_type, kernel_size, stride, ceil_mode)
