"""Convolution: three ops that are each other's derivatives.

With y = conv(x, w):  dL/dx = grad_input(dL/dy, w),  dL/dw = grad_weight(dL/dy, x). All three are
linear in each input, so a derivative of one is another of them, to any order.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

from tinymed.autograd import Function
from tinymed.errors import TOO_MANY, check_size
from tinymed.kernels import conv as kernels
from tinymed.kernels.arrays import Array
from tinymed.kernels.conv.reference import output_size
from tinymed.ops.activation import activation_gradient, bias_gradient, check_activation
from tinymed.ops.broadcasting import Shape
from tinymed.ops.indexing import getitem
from tinymed.ops.padding import pad
from tinymed.ops.promotion import same_dtype
from tinymed.ops.shaping import squeeze, unsqueeze

__all__ = ["conv1d", "conv2d", "conv3d", "per_axis", "same_padding"]

Setting = int | tuple[int, ...]


class Geometry(Function):
    """What the three ops share: one number per spatial axis in each setting."""

    as_given = True

    def __init__(self, stride: Shape, padding: Shape, dilation: Shape, groups: int) -> None:
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups

    @property
    def settings(self) -> tuple[Any, ...]:
        return self.stride, self.padding, self.dilation, self.groups


class Conv(Geometry):
    """y[n,k,o] = sum_c,t w[k,c,t] x[n,c,o s + t d - p] + b[k];  dL/db = sum over n and o."""

    activation: str | None = None

    def output_shape(self, x: Shape, weight: Shape, bias: Shape | None = None) -> Shape:
        name = f"conv{len(self.stride)}d"
        if len(x) != len(self.stride) + 2 or len(weight) != len(x):
            raise ValueError(
                f"{name}: x {x} and weight {weight} must have {len(self.stride) + 2} axes: "
                "(N, C, *spatial) and (K, C / groups, *kernel)"
            )
        if x[1] != weight[1] * self.groups:
            hint = "; CT slices need x[:, None]" if x[1] != 1 and weight[1] == 1 else ""
            raise ValueError(
                f"{name}: x has {x[1]} channels {x} but weight {weight} expects "
                f"{weight[1] * self.groups} (groups={self.groups}){hint}"
            )
        if weight[0] % self.groups or weight[0] == 0:
            raise ValueError(
                f"{name}: {weight[0]} output channels cannot be divided into groups={self.groups}"
            )
        if bias not in (None, (weight[0],)):
            raise ValueError(
                f"{name}: bias {bias} does not fit weight {weight}; expected one per row"
            )
        out = tuple(map(output_size, x[2:], weight[2:], self.stride, self.padding, self.dilation))
        if 0 in (*x[2:], *weight[2:]):
            raise ValueError(f"{name}: x {x} or weight {weight} has nothing along a spatial axis")
        if any(n < 1 for n in out):
            raise ValueError(
                f"{name}: the kernel {weight[2:]} with dilation {self.dilation} is larger than "
                f"the input {x[2:]} with padding {self.padding}"
            )
        check_size(name, (*x[:2], *(s + 2 * p for s, p in zip(x[2:], self.padding, strict=True))))
        return check_size(name, (x[0], weight[0], *out))

    def forward(self, x: Array, weight: Array, bias: Array | None) -> Array:
        self.output_shape(x.shape, weight.shape, None if bias is None else bias.shape)
        return kernels.forward(x, weight, bias, *self.settings, self.activation)

    def backward(self, grad_output: Array, x: Array, weight: Array) -> tuple[Any, ...]:
        to_x, to_weight, to_bias = self.edges
        return (
            ConvGradInput(x.shape[2:], *self.settings)(grad_output, weight) if to_x else None,
            ConvGradWeight(weight.shape[2:], *self.settings)(grad_output, x) if to_weight else None,
            bias_gradient(grad_output) if to_bias else None,
        )


class ConvActivated(Conv):
    """y = f(w * x + b) in one node; f' is read off y."""

    def __init__(self, activation: str, *settings: Any) -> None:
        super().__init__(*settings)
        self.activation = activation

    def backward(  # type: ignore[override]
        self, grad_output: Array, x: Array, weight: Array, output: Array
    ) -> tuple[Any, ...]:
        return super().backward(
            activation_gradient(grad_output, output, self.activation), x, weight
        )


class ConvGradInput(Geometry):
    """y = dL/dx of a convolution from g = dL/dy and w, linear in both: transposed convolution."""

    def __init__(self, spatial: Shape, *settings: Any) -> None:
        super().__init__(*settings)
        self.spatial = spatial

    def output_shape(self, g: Shape, weight: Shape) -> Shape:
        return (g[0], weight[1] * self.groups, *self.spatial)

    def forward(self, g: Array, weight: Array) -> Array:
        return kernels.grad_input(g, weight, self.spatial, *self.settings)

    def backward(self, grad_output: Array, g: Array, weight: Array) -> tuple[Any, ...]:
        to_g, to_weight = self.edges
        kernel = weight.shape[2:]
        return (
            first(Conv(*self.settings)(grad_output, weight, None), g.shape) if to_g else None,
            ConvGradWeight(kernel, *self.settings)(g, grad_output) if to_weight else None,
        )


class ConvGradWeight(Geometry):
    """y = dL/dw of a convolution from g = dL/dy and x: linear in both."""

    def __init__(self, kernel: Shape, *settings: Any) -> None:
        super().__init__(*settings)
        self.kernel = kernel

    def output_shape(self, g: Shape, x: Shape) -> Shape:
        return (g[1], x[1] // self.groups, *self.kernel)

    def forward(self, g: Array, x: Array) -> Array:
        return kernels.grad_weight(g, x, self.kernel, *self.settings)

    def backward(self, grad_output: Array, g: Array, x: Array) -> tuple[Any, ...]:
        to_g, to_x = self.edges
        return (
            first(Conv(*self.settings)(x, grad_output, None), g.shape) if to_g else None,
            ConvGradInput(x.shape[2:], *self.settings)(g, grad_output) if to_x else None,
        )


def first(y: Any, shape: Shape) -> Any:
    """Return the first positions of ``y``, as many as ``shape`` has.

    It has more where a transposed convolution got an output_padding >= its stride.
    """
    return y if y.shape == shape else getitem(y, tuple(map(slice, shape)))


def per_axis(name: str, argument: str, value: Setting, axes: int, least: int) -> Shape:
    """Return a setting as one integer per spatial axis, each at least ``least``."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes
    if len(given) == axes:
        for n in given:
            if n.__class__ is not int or not least <= n < TOO_MANY:
                break
        else:  # as nearly always, and layers ask at every call
            return given
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in given)
    if len(given) != axes or not whole or any(n < least for n in given):
        raise ValueError(
            f"{name}: {argument}={value!r} is not an integer >= {least}, or {axes} of them"
        )
    if any(n >= TOO_MANY for n in given):
        raise ValueError(f"{name}: {argument}={value!r} is too large; less than 2^40 is expected")
    return tuple(map(int, given))


def check_padding(name: str, padding: Setting | str, stride: Shape) -> Shape | str:
    """Return a padding as one integer per axis, or as a word that fits the stride."""
    if not isinstance(padding, str):
        return per_axis(name, "padding", padding, len(stride), 0)
    if padding not in ("same", "valid"):
        raise ValueError(f"{name}: padding={padding!r} is not 'same', 'valid' or integers")
    if padding == "same" and any(s != 1 for s in stride):
        raise ValueError(f"{name}: padding='same' needs stride 1, not {stride}; give integers")
    return padding


def check_groups(name: str, groups: int) -> int:
    """Return the number of independent parts, at least 1."""
    if not isinstance(groups, Integral) or isinstance(groups, bool) or groups < 1:
        raise ValueError(f"{name}: groups={groups!r} is not an integer >= 1")
    return int(groups)


def same_padding(kernel: Shape, dilation: Shape) -> list[int]:
    """Return what makes outputs as long as inputs: (low, high) per axis, the last axis first.

    The window reaches d (k - 1) beyond its first tap; of an odd number the larger part comes
    after the input.

    Examples
    --------
    >>> same_padding((3, 4), (1, 1))
    [1, 2, 1, 1]
    """
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return [part for r in reversed(reach) for part in (r // 2, r - r // 2)]


def padded(x: Any, weight: Any, dilation: Shape, word: str) -> tuple[Any, Shape]:
    """Return ``x`` and the padding that is left to the op, which pads both sides alike."""
    none = (0,) * len(dilation)
    if word == "valid" or not x.ndim == weight.ndim == len(dilation) + 2:  # the op refuses these
        return x, none
    around = same_padding(weight.shape[2:], dilation)
    if around[::2] == around[1::2]:
        return x, tuple(around[::-2])
    return pad(x, around), none


def conv1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Setting = 1,
    padding: Setting | str = 0,
    dilation: Setting = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Any:
    """Return f(weight * x + bias) along one axis; see `conv2d`. x (N, C, L), weight (K, C/g, k)."""
    return convolve(1, x, weight, bias, stride, padding, dilation, groups, activation)


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Setting = 1,
    padding: Setting | str = 0,
    dilation: Setting = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Any:
    """Return f(weight * x + bias): cross-correlation, as in all deep-learning libraries.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W)
    weight : (K, C / groups, kh, kw)
    bias : (K,) or None
    stride, padding, dilation : int or (int, int)
        Padding is with zeros, on both sides; ``"valid"`` is 0, ``"same"`` what makes H' = H
        (with stride 1 only; the larger part of an odd number below and to the right).
    groups : int
        Channels in that many independent parts.
    activation : None, "relu", "tanh" or "sigmoid"
        Fused into the same node: the input of f is not kept.

    Returns
    -------
    (N, K, H', W') or (K, H', W'), H' = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1

    Raises
    ------
    ValueError
        If shapes or settings do not fit; the message names them.
    """
    return convolve(2, x, weight, bias, stride, padding, dilation, groups, activation)


def conv3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Setting = 1,
    padding: Setting | str = 0,
    dilation: Setting = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Any:
    """Return f(weight * x + bias) over volumes; see `conv2d`. x (N, C, D, H, W)."""
    return convolve(3, x, weight, bias, stride, padding, dilation, groups, activation)


def convolve(
    axes: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Setting,
    padding: Setting | str,
    dilation: Setting,
    groups: int,
    activation: str | None,
) -> Any:
    """Check the settings of a convolution over ``axes`` spatial axes and call it."""
    name = f"conv{axes}d"
    same_dtype(name, x=x, weight=weight, bias=bias)
    check_activation(name, activation)
    strides = per_axis(name, "stride", stride, axes, 1)
    pads = check_padding(name, padding, strides)
    dilations = per_axis(name, "dilation", dilation, axes, 1)
    groups = check_groups(name, groups)
    unbatched = x.ndim == axes + 1
    if unbatched:
        x = unsqueeze(x, 0)
    if isinstance(pads, str):
        x, pads = padded(x, weight, dilations, pads)
    settings = strides, pads, dilations, groups
    node = Conv(*settings) if activation is None else ConvActivated(activation, *settings)
    y = node(x, weight, bias)
    return squeeze(y, 0) if unbatched else y
