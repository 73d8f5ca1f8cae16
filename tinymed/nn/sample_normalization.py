"""Layers that normalise each sample for itself: training and eval give the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from tinymed import ops
from tinymed.creation import ones, tensor, zeros
from tinymed.nn.module import Module, Parameter, check_sizes

__all__ = [
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "LocalResponseNorm",
    "RMSNorm",
]


class LayerNorm(Module):
    """y = (x - mean) / sqrt(variance + eps) weight + bias over the last axes of each sample.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The last axes of the input.
    eps : float
        Added to the variance.
    elementwise_affine, bias : bool
        ``elementwise_affine`` makes ``weight`` and, with ``bias``, ``bias``.

    References
    ----------
    Ba, Kiros, Hinton (2016), "Layer normalization".
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: str = "cpu",
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = checked_shape("LayerNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        register_affine(self, self.normalized_shape, elementwise_affine, bias, device, dtype)

    def forward(self, x: Any) -> Any:
        """Return the normalised input."""
        return ops.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        affine = self.elementwise_affine
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={affine}"


class RMSNorm(Module):
    """y = x / sqrt(mean(x^2) + eps) weight over the last axes of each sample.

    ``eps=None`` stands for the spacing of floating-point numbers at 1.

    References
    ----------
    Zhang, Sennrich (2019), "Root mean square layer normalization".
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: str = "cpu",
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = checked_shape("RMSNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        weight = ones(self.normalized_shape, dtype=dtype, device=device)
        self.register_parameter("weight", Parameter(weight) if elementwise_affine else None)

    def forward(self, x: Any) -> Any:
        """Return the normalised input."""
        return ops.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        affine = self.elementwise_affine
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={affine}"


class GroupNorm(Module):
    """y = (x - mean) / sqrt(variance + eps) weight + bias per sample and group of channels.

    Parameters
    ----------
    num_groups : int
        Divides ``num_channels``.
    num_channels : int
        C of the input (N, C, *spatial).

    References
    ----------
    Wu, He (2018), "Group normalization".
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: str = "cpu",
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_sizes("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: num_groups={num_groups} does not divide num_channels={num_channels}"
            )
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps
        self.affine = affine
        register_affine(self, (num_channels,), affine, bias, device, dtype)

    def forward(self, x: Any) -> Any:
        """Return the normalised input."""
        return ops.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class _InstanceNorm(Module):
    """What the three layers share."""

    axes: ClassVar[int]  # spatial ones
    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: str = "cpu",
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_sizes(type(self).__name__, num_features=num_features)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        register_affine(self, (num_features,), affine, bias, device, dtype)
        mean, var = (f(num_features, dtype=dtype, device=device) for f in (zeros, ones))
        kept = track_running_stats
        self.register_buffer("running_mean", mean if kept else None)
        self.register_buffer("running_var", var if kept else None)
        # PyTorch has it in the state, and does not count
        self.register_buffer("num_batches_tracked", tensor(0, device=device) if kept else None)

    def forward(self, x: Any) -> Any:
        """Return the normalised input (N, C, *spatial), or (C, *spatial) for one sample."""
        name = type(self).__name__
        if x.ndim not in (self.axes + 1, self.axes + 2):
            raise ValueError(
                f"{name}: x {x.shape} must have {self.axes + 1} or {self.axes + 2} axes"
            )
        channels = x.shape[-self.axes - 1]
        if channels != self.num_features and (self.affine or self.track_running_stats):
            raise ValueError(f"{name}: x {x.shape} must have {self.num_features} channels")
        single = x.ndim == self.axes + 1
        y = ops.instance_norm(
            ops.unsqueeze(x, 0) if single else x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum,
            self.eps,
        )
        return ops.squeeze(y, 0) if single else y

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (N, C, L) or (C, L); see `InstanceNorm2d`."""

    axes = 1


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each sample of (N, C, H, W) at mean 0 and variance 1.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance.
    momentum : float
        How far running statistics, where kept, move towards each batch's.
    affine, bias : bool
        ``affine`` makes ``weight`` and, with ``bias``, ``bias``.
    track_running_stats : bool
        Keep running statistics, and use them in `eval`.

    References
    ----------
    Ulyanov, Vedaldi, Lempitsky (2016), "Instance normalization".
    """

    axes = 2


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of (N, C, D, H, W) or (C, D, H, W); see `InstanceNorm2d`."""

    axes = 3


class LocalResponseNorm(Module):
    """y = x / (k + alpha mean(x^2))^beta, the mean over ``size`` neighbouring channels.

    References
    ----------
    Krizhevsky, Sutskever, Hinton (2012), "ImageNet classification", section 3.3.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        check_sizes("LocalResponseNorm", size=size)
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Any) -> Any:
        """Return the normalised input (N, C, *spatial)."""
        return ops.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def checked_shape(name: str, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """Return the axes to normalise as a tuple of positive sizes."""
    if isinstance(normalized_shape, int):
        normalized_shape = (normalized_shape,)
    shape = tuple(normalized_shape)
    if not shape or any(n < 1 for n in shape):
        raise ValueError(f"{name}: normalized_shape {shape} must hold positive sizes")
    return shape


def register_affine(
    layer: Module, shape: tuple[int, ...], affine: bool, bias: bool, device: str, dtype: Any
) -> None:
    """Give a layer a weight of ones and a bias of zeros, or None in their place."""
    for name, value, used in (("weight", ones, affine), ("bias", zeros, affine and bias)):
        made = Parameter(value(shape, dtype=dtype, device=device)) if used else None
        layer.register_parameter(name, made)
