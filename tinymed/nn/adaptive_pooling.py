"""Pooling layers that are told the size of their output: adaptive and fractional."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.nn.pooling import Pool
from tinymed.ops.adaptive_pooling import Sizes, adaptive_avg_pool, adaptive_max_pool
from tinymed.ops.conv import Setting, per_axis
from tinymed.ops.fractional_pooling import Ratio, fractional_max_pool
from tinymed.tensor import Tensor

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
]


class _AdaptiveAvgPool(Pool):
    """The mean over a given number of stretches per axis."""

    def __init__(self, output_size: Sizes) -> None:
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


class _AdaptiveMaxPool(Pool):
    """The largest in each of a given number of stretches per axis."""

    def __init__(self, output_size: Sizes, return_indices: bool = False) -> None:
        super().__init__()
        self.settings = {"output_size": output_size, "return_indices": return_indices}

    def forward(self, x: Any) -> Any:
        """Return the largest of each stretch."""
        return adaptive_max_pool(self.axes, x, **self.settings)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest in each of ``output_size`` stretches of (N, C, L)."""

    axes = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest in each of ``output_size`` stretches of (N, C, H, W); None keeps an axis.

    Parameters
    ----------
    output_size : int, None, or one for each axis
    return_indices : bool
        Return also where the largest stood, as `MaxPool2d` does.
    """

    axes = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest in each of ``output_size`` stretches of (N, C, D, H, W)."""

    axes = 3


class _FractionalMaxPool(Pool):
    """The largest under windows at random distances."""

    def __init__(
        self,
        kernel_size: Setting,
        output_size: Setting | None = None,
        output_ratio: Ratio | None = None,
        return_indices: bool = False,
        _random_samples: Any = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if (output_size is None) == (output_ratio is None):
            raise ValueError(f"{name}: one of output_size and output_ratio is needed, not both")
        given = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,)
        if output_ratio is not None and not all(0 < (r or 0) < 1 for r in given):
            raise ValueError(f"{name}: output_ratio={output_ratio!r} is not between 0 and 1")
        self.settings = {
            "kernel_size": per_axis(name, "kernel_size", kernel_size, self.axes, 1),
            "output_size": output_size,
            "output_ratio": output_ratio,
            "return_indices": return_indices,
        }
        self.generator = generator
        self.register_buffer("_random_samples", _random_samples)

    _random_samples: Tensor | None

    def forward(self, x: Any) -> Any:
        """Return the largest under each window."""
        samples, generator = self._random_samples, self.generator
        return fractional_max_pool(
            self.axes, x, **self.settings, samples=samples, generator=generator
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest under windows at random distances, (N, C, H, W) -> (N, C, H', W').

    Parameters
    ----------
    kernel_size : int or (int, int)
    output_size : int or (int, int)
        H' and W'.
    output_ratio : float between 0 and 1, or two of them
        Instead of ``output_size``: the part of H and W that is kept.
    return_indices : bool
        Return also where the largest stood, as `MaxPool2d` does.
    _random_samples : (N, C, 2), in [0, 1], or None
        Chooses the windows, instead of ``generator``.
    generator : numpy.random.Generator or None
        None takes `tinymed.random.default_generator`.

    References
    ----------
    Graham (2014), "Fractional max-pooling".
    """

    axes = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest under windows at random distances of (N, C, D, H, W)."""

    axes = 3
