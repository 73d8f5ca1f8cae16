"""The usual first layer of a network for images, as one node of the graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed import ops
from tinymed.nn.conv import Conv2d

__all__ = ["ConvPool2d"]


class ConvPool2d(Conv2d):
    """y = max_pool2d(relu(W * x + b), 2), W 3x3, (N, C, H, W) -> (N, K, H' // 2, W' // 2).

    It computes what `Conv2d`, ReLU and `MaxPool2d(2)` compute one after the other, and has the
    parameters of the first. But the large array between them is never stored. That pays where C is
    1 to 4: at the first layer.

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    padding : int or (int, int)
    bias : bool
    device, dtype : where and as what the parameters are made
    generator : numpy.random.Generator or None
        Draws the starting values.

    Examples
    --------
    >>> import tinymed as tm
    >>> ConvPool2d(1, 16, padding=1)(tm.zeros(2, 1, 8, 8)).shape
    (2, 16, 4, 4)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        padding: int | tuple[int, int] = 0,
        bias: bool = True,
        device: str = "cpu",
        dtype: Any = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            3,
            padding=padding,
            bias=bias,
            device=device,
            dtype=dtype,
            activation="relu",
            generator=generator,
        )

    def forward(self, x: Any) -> Any:
        """Return the largest of each 2x2 window of max(W * x + b, 0)."""
        _, padding, *_ = self.settings()
        return ops.conv_pool2d(x, self.weight, self.bias, padding)
