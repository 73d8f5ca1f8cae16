"""A first layer as one op: convolution, bias, ReLU and 2x2 max pooling, nothing kept in between."""

from __future__ import annotations

from typing import Any

from tinymed.autograd import Function, Variable
from tinymed.kernels import conv_pool as kernels
from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.conv_pool.reference import DEAD, ONE, POOL
from tinymed.ops.broadcasting import Shape
from tinymed.ops.conv import Conv, ConvGradInput, ConvGradWeight, Setting, per_axis
from tinymed.ops.elementwise import where
from tinymed.ops.max_pooling import MaxPoolGrad
from tinymed.ops.promotion import same_dtype
from tinymed.ops.reduction import check_floating, sum
from tinymed.ops.shaping import squeeze, unsqueeze

__all__ = ["conv_pool2d"]


class ConvPool(Function):
    """y = the largest of max(w * x + b, 0) under each 2x2 window, w 3x3 with stride 1.

    With g = dL/dy at the one output of four that won, 0 at the others and where y is 0, the
    derivatives are those of the convolution:  dL/dx = grad_input(g, w),  dL/dw = grad_weight(g, x).
    """

    def __init__(self, padding: Shape) -> None:
        self.padding = padding

    @property
    def settings(self) -> tuple[Any, ...]:
        return ONE, self.padding, ONE, 1  # of the convolution: stride, padding, dilation, groups

    def output_shape(self, x: Shape, weight: Shape, bias: Shape | None = None) -> Shape:
        if len(weight) == 4 and weight[2:] != (3, 3):
            raise ValueError(
                f"conv_pool2d: weight {weight} has windows other than (3, 3); use conv2d"
            )
        shape = Conv(*self.settings).output_shape(x, weight, bias)
        if min(shape[2:]) < 2:
            raise ValueError(
                f"conv_pool2d: x {x} with padding {self.padding} leaves {shape[2:]} positions; "
                "2x2 max pooling expects at least (2, 2)"
            )
        return (*shape[:2], *(n // 2 for n in shape[2:]))

    def forward(self, x: Array, weight: Array, bias: Array | None) -> Array:
        self.output_shape(x.shape, weight.shape, None if bias is None else bias.shape)
        if bias is None:
            bias = array_module(x).zeros(len(weight), x.dtype)
        y, winner = kernels.forward(x, weight, bias, self.padding)
        self.keep(winner=winner)
        return y

    def backward(self, grad_output: Any, x: Any, weight: Any) -> tuple[Any, ...]:
        to_x, to_weight, to_bias = self.edges
        winner, spatial, padding = self.kept("winner"), x.shape[2:], self.padding
        g_x = g_weight = g_bias = None
        again = isinstance(grad_output, Variable)  # a second derivative takes the ops one by one
        g = unpooled(grad_output, winner, spatial, padding) if to_x or again else None
        if to_x:
            g_x = ConvGradInput(spatial, *self.settings)(g, weight)
        if again:
            g_weight = ConvGradWeight((3, 3), *self.settings)(g, x) if to_weight else None
            g_bias = sum(g, (0, 2, 3)) if to_bias else None
        elif to_weight or to_bias:
            g_weight, g_bias = kernels.grad_weight(grad_output, winner, x, padding)
        return g_x, g_weight if to_weight else None, g_bias if to_bias else None


def unpooled(grad_output: Any, winner: Array, spatial: Shape, padding: Shape) -> Any:
    """Return dL/dy of the convolution, (N, K, H', W'), from that of the pooled outputs."""
    out = tuple(s + 2 * p - 2 for s, p in zip(spatial, padding, strict=True))
    live = where(winner != DEAD, grad_output, 0.0)
    tap = winner.clip(0, DEAD - 1)
    return MaxPoolGrad(tap, (*winner.shape[:2], *out), *POOL)(live)


def conv_pool2d(x: Any, weight: Any, bias: Any = None, padding: Setting = 0) -> Any:
    """Return max_pool2d(relu(conv2d(x, weight, bias, padding=padding)), 2), for 3x3 windows.

    The outputs of the convolution are never stored, only which of four won. That pays for
    the first layer of a network, whose few input channels are soon computed and whose outputs are
    its largest array.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W)
    weight : (K, C, 3, 3)
    bias : (K,) or None
    padding : int or (int, int)
        Zeros on both sides.

    Returns
    -------
    (N, K, H' // 2, W' // 2) or without N, H' = H + 2 padding - 2

    Raises
    ------
    ValueError
        If shapes do not fit, or nothing is left to pool; the message names them.

    Examples
    --------
    >>> import numpy as np
    >>> conv_pool2d(np.ones((1, 4, 4)), np.ones((1, 1, 3, 3)))
    array([[[9.]]])
    """
    same_dtype("conv_pool2d", x=x, weight=weight, bias=bias)
    check_floating("conv_pool2d", x)
    node = ConvPool(per_axis("conv_pool2d", "padding", padding, 2, 0))
    if x.ndim == 3:
        return squeeze(node(unsqueeze(x, 0), weight, bias), 0)
    return node(x, weight, bias)
