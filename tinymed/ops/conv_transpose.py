"""Transposed convolution: dL/dx of a convolution as an op of its own, which enlarges.

y = conv_transpose(x, w) is what `ConvGradInput` computes, plus bias and activation, so its
derivatives are the other two:  dL/dx = conv(dL/dy, w),  dL/dw = grad_weight(x, dL/dy).
"""

from __future__ import annotations

from typing import Any

from tinymed.errors import check_size
from tinymed.kernels import conv as kernels
from tinymed.kernels.arrays import Array
from tinymed.kernels.matmul.reference import activate
from tinymed.ops.activation import activation_gradient, bias_gradient, check_activation
from tinymed.ops.broadcasting import Shape
from tinymed.ops.conv import (
    Conv,
    ConvGradWeight,
    Geometry,
    Setting,
    check_groups,
    first,
    per_axis,
)
from tinymed.ops.promotion import same_dtype
from tinymed.ops.shaping import squeeze, unsqueeze
from tinymed.precision import rounded, widened

__all__ = ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "smallest_size"]


class ConvTranspose(Geometry):
    """y[n,c,o s + t d - p] = sum_k,o,t w[k,c,t] x[n,k,o] + b[c];  dL/db = sum over n and places."""

    activation: str | None = None

    def __init__(self, output_padding: Shape, *settings: Any) -> None:
        super().__init__(*settings)
        self.output_padding = output_padding

    def output_shape(self, x: Shape, weight: Shape, bias: Shape | None = None) -> Shape:
        axes = len(self.stride)
        name = f"conv_transpose{axes}d"
        if len(x) != axes + 2 or len(weight) != len(x):
            raise ValueError(
                f"{name}: x {x} and weight {weight} must have {axes + 2} axes: "
                "(N, C, *spatial) and (C, K / groups, *kernel)"
            )
        if x[1] != weight[0]:
            raise ValueError(
                f"{name}: x has {x[1]} channels {x} but weight {weight} expects {weight[0]}"
            )
        if x[1] % self.groups or 0 in (*x[2:], *weight[1:]):
            raise ValueError(
                f"{name}: x {x} cannot be divided into groups={self.groups}, or it or weight "
                f"{weight} is empty"
            )
        channels = weight[1] * self.groups
        if bias not in (None, (channels,)):
            raise ValueError(
                f"{name}: bias {bias} does not fit weight {weight} with groups={self.groups}; "
                f"({channels},) is expected"
            )
        least = smallest_size(x[2:], weight[2:], self.stride, self.padding, self.dilation)
        out = tuple(n + more for n, more in zip(least, self.output_padding, strict=True))
        if any(n < 1 for n in out):
            raise ValueError(
                f"{name}: nothing is left of x {x} and weight {weight}: padding {self.padding} "
                f"takes away all but {out}"
            )
        check_size(name, (*x[:2], *(n + 2 * p for n, p in zip(out, self.padding, strict=True))))
        return check_size(name, (x[0], channels, *out))

    def forward(self, x: Array, weight: Array, bias: Array | None) -> Array:
        shape = self.output_shape(x.shape, weight.shape, None if bias is None else bias.shape)
        y = kernels.grad_input(x, weight, shape[2:], *self.settings)
        if bias is None and self.activation is None:
            return y
        wide = widened(y)
        if bias is not None:
            wide += widened(bias).reshape(-1, *[1] * len(self.stride))
        return rounded(activate(wide, self.activation), y.dtype)

    def backward(self, grad_output: Array, x: Array, weight: Array) -> tuple[Any, ...]:
        to_x, to_weight, to_bias = self.edges
        kernel = weight.shape[2:]
        return (
            first(Conv(*self.settings)(grad_output, weight, None), x.shape) if to_x else None,
            ConvGradWeight(kernel, *self.settings)(x, grad_output) if to_weight else None,
            bias_gradient(grad_output) if to_bias else None,
        )


class ConvTransposeActivated(ConvTranspose):
    """y = f(w * x + b) of a transposed convolution in one node; f' is read off y."""

    def __init__(self, activation: str, *settings: Any) -> None:
        super().__init__(*settings)
        self.activation = activation

    def backward(  # type: ignore[override]
        self, grad_output: Array, x: Array, weight: Array, output: Array
    ) -> tuple[Any, ...]:
        return super().backward(
            activation_gradient(grad_output, output, self.activation), x, weight
        )


def smallest_size(
    spatial: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape
) -> Shape:
    """Return the lengths of a result without output_padding.

    Examples
    --------
    >>> smallest_size((4, 4), (3, 2), (2, 2), (1, 0), (1, 1))
    (7, 8)
    """
    return tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + 1
        for n, k, s, p, d in zip(spatial, kernel, stride, padding, dilation, strict=True)
    )


def conv_transpose1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Setting = 1,
    padding: Setting = 0,
    output_padding: Setting = 0,
    groups: int = 1,
    dilation: Setting = 1,
    activation: str | None = None,
) -> Any:
    """Return the transposed convolution along one axis; see `conv_transpose2d`. x (N, C, L)."""
    settings = stride, padding, output_padding, groups, dilation, activation
    return conv_transpose(1, x, weight, bias, *settings)


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Setting = 1,
    padding: Setting = 0,
    output_padding: Setting = 0,
    groups: int = 1,
    dilation: Setting = 1,
    activation: str | None = None,
) -> Any:
    """Return f(weight *T x + bias): each place of ``x`` adds its multiple of the window to y.

    It is the gradient of `conv2d` with respect to its input: conv2d with the same weight and
    settings takes y's shape back to x's.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W)
    weight : (C, K / groups, kh, kw)
    bias : (K,) or None
    stride, padding, dilation : int or (int, int)
        Those of that convolution: the stride enlarges, the padding cuts off.
    output_padding : int or (int, int)
        Places added below and to the right, less than stride or dilation: of the shapes that
        conv2d takes to x's, it chooses one.
    groups : int
        Channels in that many independent parts.
    activation : None, "relu", "tanh" or "sigmoid"
        Fused into the same node: the input of f is not kept.

    Returns
    -------
    (N, K, H', W') or (K, H', W'),
    H' = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1

    Raises
    ------
    ValueError
        If shapes or settings do not fit; the message names them.

    References
    ----------
    Zeiler, Krishnan, Taylor, Fergus (2010), "Deconvolutional networks".
    """
    settings = stride, padding, output_padding, groups, dilation, activation
    return conv_transpose(2, x, weight, bias, *settings)


def conv_transpose3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Setting = 1,
    padding: Setting = 0,
    output_padding: Setting = 0,
    groups: int = 1,
    dilation: Setting = 1,
    activation: str | None = None,
) -> Any:
    """Return the transposed convolution of volumes; see `conv_transpose2d`. x (N, C, D, H, W)."""
    settings = stride, padding, output_padding, groups, dilation, activation
    return conv_transpose(3, x, weight, bias, *settings)


def conv_transpose(
    axes: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Setting,
    padding: Setting,
    output_padding: Setting,
    groups: int,
    dilation: Setting,
    activation: str | None,
) -> Any:
    """Check the settings of a transposed convolution over ``axes`` spatial axes and call it."""
    name = f"conv_transpose{axes}d"
    same_dtype(name, x=x, weight=weight, bias=bias)
    check_activation(name, activation)
    strides = per_axis(name, "stride", stride, axes, 1)
    dilations = per_axis(name, "dilation", dilation, axes, 1)
    more = per_axis(name, "output_padding", output_padding, axes, 0)
    if any(n >= max(s, d) for n, s, d in zip(more, strides, dilations, strict=True)):
        raise ValueError(
            f"{name}: output_padding={more} must be less than stride {strides} or dilation "
            f"{dilations}"
        )
    pads = per_axis(name, "padding", padding, axes, 0)
    settings = more, strides, pads, dilations, check_groups(name, groups)
    unbatched = x.ndim == axes + 1
    node = (
        ConvTranspose(*settings)
        if activation is None
        else ConvTransposeActivated(activation, *settings)
    )
    y = node(unsqueeze(x, 0) if unbatched else x, weight, bias)
    return squeeze(y, 0) if unbatched else y
