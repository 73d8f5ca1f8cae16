"""y = z weight + bias with z = (x - mean) / sqrt(variance + eps).

The statistics are those of a channel over the batch (batch norm), or of a group of channels of one
sample (group norm).

Sources: Ioffe, Szegedy (2015), "Batch normalization", algorithm 1 and section 3; Ba, Kiros, Hinton
(2016), "Layer normalization"; Wu, He (2018), "Group normalization", section 3.
"""

from __future__ import annotations

from tinymed.kernels.arrays import Array, array_module


def per_channel(values: Array, ndim: int) -> Array:
    """Return (C,) as (1, C, 1, ...) so that it broadcasts along channels."""
    return values.reshape(1, -1, *[1] * (ndim - 2))


def over_channels(x: Array) -> tuple[int, ...]:
    """Return every axis but the channels'."""
    return (0, *range(2, x.ndim))


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return y, and the mean and the variance (divided by the count) it was made with.

    The variance is the mean of squared deviations (two passes), never E[x^2] - E[x]^2.
    """
    axes = over_channels(x)
    mean = x.mean(axis=axes)
    y = x - per_channel(mean, x.ndim)
    variance = (y * y).mean(axis=axes)
    scale = 1 / array_module(x).sqrt(variance + eps)
    y *= per_channel(scale if weight is None else scale * weight, x.ndim)
    if bias is not None:
        y += per_channel(bias, x.ndim)
    return y, mean, variance


def batch_norm_grad(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, variance: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Return dL/dx, dL/dweight, dL/dbias.

    With g = dL/dy:  dL/dweight = sum g z,  dL/dbias = sum g,
    dL/dx = weight / sqrt(variance + eps) (g - mean(g) - z mean(g z)): the parts of g along a shift
    and along a scaling of the whole channel are taken out, since y does not change with them.
    """
    axes, count = over_channels(x), x.size // max(1, x.shape[1])
    scale = 1 / array_module(x).sqrt(variance + eps)
    z = (x - per_channel(mean, x.ndim)) * per_channel(scale, x.ndim)
    grad_bias = grad_output.sum(axis=axes)
    grad_weight = (grad_output * z).sum(axis=axes)
    z *= per_channel(grad_weight / count, x.ndim)
    grad_x = grad_output - z
    grad_x -= per_channel(grad_bias / count, x.ndim)
    grad_x *= per_channel(scale if weight is None else scale * weight, x.ndim)
    return grad_x, grad_weight, grad_bias


def affine(x: Array, mean: Array, scale: Array, bias: Array | None) -> Array:
    """Return (x - mean) scale + bias with each channel's numbers: batch norm in evaluation mode."""
    y = (x - per_channel(mean, x.ndim)) * per_channel(scale, x.ndim)
    return y if bias is None else y + per_channel(bias, x.ndim)


def group_norm(
    x: Array, weight: Array | None, bias: Array | None, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """Return y (N, C, L), and the mean and the variance (N, G) of each group of C / G channels."""
    n, c, length = x.shape
    grouped = x.reshape(n, groups, c // groups * length)
    mean = grouped.mean(axis=2)
    z = grouped - mean[:, :, None]
    variance = (z * z).mean(axis=2)
    z *= 1 / array_module(x).sqrt(variance + eps)[:, :, None]
    y = z.reshape(x.shape)
    if weight is not None:
        y *= weight[:, None]
    if bias is not None:
        y += bias[:, None]
    return y, mean, variance


def group_norm_grad(
    grad_output: Array, x: Array, weight: Array | None, mean: Array, variance: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Return dL/dx, dL/dweight, dL/dbias: as in batch norm, with weight g in the place of g."""
    groups = mean.shape[1]
    grouped = (x.shape[0], groups, x.shape[1] // groups * x.shape[2])
    scale = 1 / array_module(x).sqrt(variance + eps)[:, :, None]
    z = (x.reshape(grouped) - mean[:, :, None]) * scale
    grad_bias = grad_output.sum(axis=(0, 2))
    grad_weight = (grad_output * z.reshape(x.shape)).sum(axis=(0, 2))
    g = grad_output if weight is None else grad_output * weight[:, None]
    g = g.reshape(grouped)
    count = max(1, grouped[2])
    grad_x = g - g.sum(axis=2, keepdims=True) / count
    grad_x -= z * ((g * z).sum(axis=2, keepdims=True) / count)
    grad_x *= scale
    return grad_x.reshape(x.shape), grad_weight, grad_bias
