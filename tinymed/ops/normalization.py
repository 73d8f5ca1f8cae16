"""Batch normalisation."""

from __future__ import annotations

import math
from typing import Any

from tinymed.autograd import Function, Variable, wrote
from tinymed.kernels import normalization as kernels
from tinymed.kernels.arrays import Array
from tinymed.kernels.recording import written
from tinymed.ops.broadcasting import Shape
from tinymed.ops.elementwise import sqrt
from tinymed.ops.promotion import cast, same_dtype
from tinymed.ops.reduction import mean, sum
from tinymed.ops.shaping import reshape
from tinymed.precision import SINGLE, is_narrow, widened

__all__ = ["batch_norm"]


class BatchNorm(Function):
    """y = z weight + bias, z = (x - mean) / sqrt(variance + eps), statistics per channel.

    dL/dbias = sum g,  dL/dweight = sum g z,
    dL/dx = weight / sqrt(variance + eps) (g - mean(g) - z mean(g z)),  with g = dL/dy.
    """

    as_given = True  # x and y may have 16 bits; what channels have one of goes to kernels in 32

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def output_shape(
        self, x: Shape, weight: Shape | None = None, bias: Shape | None = None
    ) -> Shape:
        for name, shape in (("weight", weight), ("bias", bias)):
            if shape not in (None, (x[1],)):
                raise ValueError(
                    f"batch_norm: {name} {shape} does not fit the {x[1]} channels of x {x}"
                )
        return x

    def forward(self, x: Array, weight: Array | None, bias: Array | None) -> Array:
        self.output_shape(x.shape, *(None if p is None else p.shape for p in (weight, bias)))
        y, mean, variance = kernels.batch_norm(x, widened(weight), widened(bias), self.eps)
        self.keep(mean=mean, variance=variance)
        return y

    def backward(self, grad_output: Array, x: Array, weight: Array | None) -> tuple[Any, ...]:
        if isinstance(grad_output, Variable):
            return self.composed(grad_output, x, weight)
        statistics = self.kept("mean"), self.kept("variance")
        grad_x, grad_weight, grad_bias = kernels.batch_norm_grad(
            grad_output, x, widened(weight), *statistics, self.eps
        )
        _, to_weight, to_bias = self.edges
        return grad_x, grad_weight if to_weight else None, grad_bias if to_bias else None

    def composed(self, grad_output: Any, x: Any, weight: Any) -> tuple[Any, ...]:
        """Return the same from ops, the statistics recomputed, so that it can be differentiated."""
        grad_output, x, weight = map(in_single, (grad_output, x, weight))
        axes = (0, *range(2, x.ndim))
        deviation = x - mean(x, axes, keepdim=True)
        scale = 1 / sqrt(mean(deviation * deviation, axes, keepdim=True) + self.eps)
        z = deviation * scale
        if weight is not None:
            scale = scale * per_channel(weight, x.ndim)
        means = mean(grad_output, axes, keepdim=True), mean(grad_output * z, axes, keepdim=True)
        _, to_weight, to_bias = self.edges
        return (
            scale * (grad_output - means[0] - z * means[1]),
            sum(grad_output * z, axes) if to_weight else None,
            sum(grad_output, axes) if to_bias else None,
        )


class ChannelAffine(Function):
    """y = (x - mean) scale + bias, with each channel's own numbers.

    With g = dL/dy:  dL/dx = scale g,  dL/dmean = -scale sum g,  dL/dscale = sum g (x - mean),
    dL/dbias = sum g.
    """

    as_given = True

    def output_shape(self, x: Shape, mean: Shape, scale: Shape, bias: Shape | None = None) -> Shape:
        return x

    def forward(self, x: Array, mean: Array, scale: Array, bias: Array | None) -> Array:
        return kernels.affine(x, widened(mean), widened(scale), widened(bias))

    def backward(self, grad_output: Any, x: Any, mean: Any, scale: Any) -> tuple[Any, ...]:
        to_x, to_mean, to_scale, to_bias = self.edges
        grad_output, x, mean, scale = map(in_single, (grad_output, x, mean, scale))
        axes = (0, *range(2, x.ndim))
        total = sum(grad_output, axes) if to_mean or to_bias else None
        deviation = x - per_channel(mean, x.ndim) if to_scale else None
        return (
            grad_output * per_channel(scale, x.ndim) if to_x else None,
            -(total * scale) if to_mean else None,
            sum(grad_output * deviation, axes) if to_scale else None,
            total if to_bias else None,
        )


def in_single(x: Any) -> Any:
    """Return an array or a Tensor in float32 if it has 16 bits, else ``x``."""
    return cast(x, SINGLE) if is_narrow(x) else x


def per_channel(values: Any, ndim: int) -> Any:
    """Return (C,) as (1, C, 1, ...)."""
    return reshape(values, (1, -1, *[1] * (ndim - 2)))


def batch_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Return ``x`` with each channel at mean 0 and variance 1, times ``weight``, plus ``bias``.

    Parameters
    ----------
    x : (N, C) or (N, C, *spatial)
    running_mean, running_var : (C,) or None
        Used when not ``training``; when training they are moved, in place, by ``momentum`` towards
        this batch's (the variance divided by count - 1, as in PyTorch).
    weight, bias : (C,) or None

    Raises
    ------
    ValueError
        If training with one value per channel, or not training without running statistics.
    """
    same_dtype("batch_norm", x=x, weight=weight, bias=bias)
    if x.ndim < 2:
        raise ValueError(f"batch_norm: x {x.shape} must be (N, C) or (N, C, *spatial)")
    check_running(x, running_mean, running_var)
    if not training:
        if running_mean is None:
            raise ValueError("batch_norm: without training it needs running_mean and running_var")
        BatchNorm(eps).output_shape(x.shape, *(p if p is None else p.shape for p in (weight, bias)))
        return by_running(x, running_mean, running_var, weight, bias, eps)
    count = x.shape[0] * math.prod(x.shape[2:])
    if count <= 1:
        raise ValueError(f"batch_norm: x {x.shape} has {count} value per channel; training needs 2")
    node = BatchNorm(eps)
    y = node(x, weight, bias)
    if running_mean is not None:
        move(running_mean, node.kept("mean"), momentum)
        move(running_var, node.kept("variance"), momentum, count / (count - 1))
    return y


def by_running(x: Any, mean: Any, var: Any, weight: Any, bias: Any, eps: float) -> Any:
    """Return ``x`` normalised by running statistics."""
    scale = 1 / sqrt(in_single(var) + eps)
    return ChannelAffine()(x, mean, scale if weight is None else scale * weight, bias)


def check_running(x: Any, running_mean: Any, running_var: Any) -> None:
    """Raise unless there are both running statistics, one per channel, or neither."""
    if (running_mean is None) != (running_var is None):
        raise ValueError("batch_norm: running_mean and running_var belong together; give both")
    for name, running in (("running_mean", running_mean), ("running_var", running_var)):
        if running is not None and tuple(running.shape) != (x.shape[1],):
            raise ValueError(
                f"batch_norm: {name} {running.shape} does not fit the {x.shape[1]} channels of "
                f"x {x.shape}"
            )


def move(running: Any, batch: Array, momentum: float, factor: float = 1.0) -> None:
    """Move running statistics towards a batch's, times ``factor``, in place."""
    array = running.data if isinstance(running, Variable) else running

    def write() -> None:
        kept = widened(array) * (1 - momentum)
        array[...] = kept + momentum * (batch * factor if factor != 1 else batch)
        wrote(array)

    written(write)
