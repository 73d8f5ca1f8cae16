"""Normalisation within each sample: layer, group, instance, RMS and local response norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tinymed.autograd import Function, Variable
from tinymed.kernels import normalization as kernels
from tinymed.kernels.arrays import Array
from tinymed.ops.arithmetic import power
from tinymed.ops.broadcasting import Shape
from tinymed.ops.elementwise import sqrt
from tinymed.ops.normalization import batch_norm, move
from tinymed.ops.padding import pad
from tinymed.ops.pooling import avg_pool2d
from tinymed.ops.promotion import rounded_once, same_dtype
from tinymed.ops.reduction import check_floating, mean, sum
from tinymed.ops.shaping import reshape
from tinymed.precision import finfo

__all__ = ["group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm"]


class GroupNorm(Function):
    """y = z weight + bias, z = (x - mean) / sqrt(variance + eps), per sample and group of channels.

    dL/dbias = sum g,  dL/dweight = sum g z,  with g = dL/dy and h = weight g:
    dL/dx = (h - mean(h) - z mean(h z)) / sqrt(variance + eps).
    """

    def __init__(self, groups: int, eps: float) -> None:
        self.groups, self.eps = groups, eps

    def output_shape(
        self, x: Shape, weight: Shape | None = None, bias: Shape | None = None
    ) -> Shape:
        for name, shape in (("weight", weight), ("bias", bias)):
            if shape not in (None, (x[1],)):
                raise ValueError(
                    f"group_norm: {name} {shape} does not fit the {x[1]} channels of x {x}"
                )
        return x

    def forward(self, x: Array, weight: Array | None, bias: Array | None) -> Array:
        self.output_shape(x.shape, *(None if p is None else p.shape for p in (weight, bias)))
        y, mean, variance = kernels.group_norm(x, weight, bias, self.groups, self.eps)
        self.keep(mean=mean, variance=variance)
        return y

    def backward(self, grad_output: Array, x: Array, weight: Array | None) -> tuple[Any, ...]:
        if isinstance(grad_output, Variable):
            return self.composed(grad_output, x, weight)
        statistics = self.kept("mean"), self.kept("variance")
        grad_x, grad_weight, grad_bias = kernels.group_norm_grad(
            grad_output, x, weight, *statistics, self.eps
        )
        _, to_weight, to_bias = self.edges
        return grad_x, grad_weight if to_weight else None, grad_bias if to_bias else None

    def composed(self, grad_output: Any, x: Any, weight: Any) -> tuple[Any, ...]:
        """Return the same from ops, the statistics recomputed, so that it can be differentiated."""
        n, c, length = x.shape
        grouped = (n, self.groups, c // self.groups * length)
        deviation = reshape(x, grouped)
        deviation = deviation - mean(deviation, 2, keepdim=True)
        scale = 1 / sqrt(mean(deviation * deviation, 2, keepdim=True) + self.eps)
        z = deviation * scale
        h = grad_output if weight is None else grad_output * reshape(weight, (1, c, 1))
        h = reshape(h, grouped)
        grad_x = scale * (h - mean(h, 2, keepdim=True) - z * mean(h * z, 2, keepdim=True))
        _, to_weight, to_bias = self.edges
        return (
            reshape(grad_x, x.shape),
            sum(grad_output * reshape(z, x.shape), (0, 2)) if to_weight else None,
            sum(grad_output, (0, 2)) if to_bias else None,
        )


def layer_norm(
    x: Any, normalized_shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Return ``x`` (..., *normalized_shape), each sample at mean 0 and variance 1 over those axes.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The last axes of ``x``.
    weight, bias : normalized_shape, or None

    References
    ----------
    Ba, Kiros, Hinton (2016), "Layer normalization".
    """
    inner = _trailing("layer_norm", x, normalized_shape, weight=weight, bias=bias)
    size = math.prod(inner)
    flat = (None if p is None else reshape(p, (size,)) for p in (weight, bias))
    rows = math.prod(x.shape[: x.ndim - len(inner)])
    return reshape(GroupNorm(1, eps)(reshape(x, (rows, size, 1)), *flat), x.shape)


@rounded_once
def rms_norm(
    x: Any, normalized_shape: Sequence[int], weight: Any = None, eps: float | None = None
) -> Any:
    """Return x / sqrt(mean(x^2) + eps), times ``weight``, the mean over the last axes.

    ``eps`` is the spacing of floating-point numbers at 1 unless given, as in PyTorch.

    References
    ----------
    Zhang, Sennrich (2019), "Root mean square layer normalization".
    """
    inner = _trailing("rms_norm", x, normalized_shape, weight=weight)
    dims = tuple(range(x.ndim - len(inner), x.ndim))
    eps = float(finfo(x.dtype).eps) if eps is None else eps
    y = x / sqrt(mean(x * x, dims, keepdim=True) + eps)
    return y if weight is None else y * weight


def group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Return ``x`` (N, C, *spatial), each group of C / num_groups channels of a sample normalised.

    References
    ----------
    Wu, He (2018), "Group normalization".
    """
    same_dtype("group_norm", x=x, weight=weight, bias=bias)
    check_floating("group_norm", x)
    if x.ndim < 2:
        raise ValueError(f"group_norm: x {x.shape} must be (N, C) or (N, C, *spatial)")
    if num_groups < 1 or x.shape[1] % num_groups:
        raise ValueError(
            f"group_norm: num_groups={num_groups} does not divide the {x.shape[1]} channels of "
            f"x {x.shape}"
        )
    if math.prod(x.shape) == num_groups:  # one sample of one value per group, as in PyTorch
        raise ValueError(f"group_norm: x {x.shape} has 1 value per group; expected 2 at least")
    flat = reshape(x, (*x.shape[:2], math.prod(x.shape[2:])))
    return reshape(GroupNorm(num_groups, eps)(flat, weight, bias), x.shape)


def instance_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Return ``x`` (N, C, *spatial), each channel of each sample at mean 0 and variance 1.

    Running statistics are moved by ``momentum`` towards the mean of the samples' where
    ``use_input_stats``, and used where not.

    References
    ----------
    Ulyanov, Vedaldi, Lempitsky (2016), "Instance normalization".
    """
    same_dtype("instance_norm", x=x, weight=weight, bias=bias)
    check_floating("instance_norm", x)
    if x.ndim < 3:
        raise ValueError(f"instance_norm: x {x.shape} must be (N, C, *spatial)")
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    n, c = x.shape[:2]
    length = math.prod(x.shape[2:])
    if length <= 1:
        raise ValueError(f"instance_norm: x {x.shape} has {length} value per channel; expected 2")
    node = GroupNorm(max(1, c), eps)
    y = node(reshape(x, (n, c, length)), weight, bias)
    if running_mean is not None and n:
        move(running_mean, node.kept("mean").mean(axis=0), momentum)
        unbiased = node.kept("variance").mean(axis=0) * (length / (length - 1))
        move(running_var, unbiased, momentum)
    return reshape(y, x.shape)


@rounded_once
def local_response_norm(
    x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    """Return x / (k + alpha mean(x^2))^beta, the mean over ``size`` neighbouring channels.

    References
    ----------
    Krizhevsky, Sutskever, Hinton (2012), "ImageNet classification", section 3.3.
    """
    check_floating("local_response_norm", x)
    if x.ndim < 3:
        raise ValueError(f"local_response_norm: x {x.shape} must be (N, C, *spatial)")
    if size < 1:
        raise ValueError(f"local_response_norm: size={size} is not positive")
    if math.prod(x.shape) == 0:
        return x
    squares = reshape(x * x, (x.shape[0], 1, x.shape[1], math.prod(x.shape[2:])))
    squares = pad(squares, (0, 0, size // 2, (size - 1) // 2))  # outside, channels count as 0
    means = reshape(avg_pool2d(squares, (size, 1), 1), x.shape)
    return x / power(means * alpha + k, beta)


def _trailing(name: str, x: Any, normalized_shape: Any, **params: Any) -> Shape:
    """Return normalized_shape as a tuple, or raise unless x ends in it and parameters are it."""
    inner = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    same_dtype(name, x=x, **params)
    check_floating(name, x)
    if not inner or tuple(x.shape[-len(inner) :]) != inner:
        raise ValueError(f"{name}: x {x.shape} does not end in normalized_shape {inner}")
    for argument, values in params.items():
        if values is not None and tuple(values.shape) != inner:
            raise ValueError(
                f"{name}: {argument} {values.shape} is not of normalized_shape {inner}"
            )
    return inner
