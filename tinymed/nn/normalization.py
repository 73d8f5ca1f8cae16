"""Batch normalisation layers."""

from __future__ import annotations

from typing import Any, ClassVar

from tinymed import ops
from tinymed.creation import ones, tensor, zeros
from tinymed.kernels.recording import written
from tinymed.nn.module import Module, Parameter, check_sizes
from tinymed.ops.promotion import same_dtype

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"]


class _BatchNorm(Module):
    """What the three layers share."""

    axes: ClassVar[tuple[int, ...]]  # number of axes an input may have

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: str = "cpu",
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_sizes(type(self).__name__, num_features=num_features)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        for name, value, used in (("weight", ones, affine), ("bias", zeros, affine and bias)):
            made = value(num_features, dtype=dtype, device=device)
            self.register_parameter(name, Parameter(made) if used else None)
        kept = track_running_stats
        mean, var = (f(num_features, dtype=dtype, device=device) for f in (zeros, ones))
        self.register_buffer("running_mean", mean if kept else None)
        self.register_buffer("running_var", var if kept else None)
        self.register_buffer("num_batches_tracked", tensor(0, device=device) if kept else None)

    def forward(self, x: Any) -> Any:
        """Return the normalised input; when training, with this batch's statistics."""
        same_dtype(type(self).__name__, x=x)
        if x.ndim not in self.axes or x.shape[1] != self.num_features:
            raise ValueError(
                f"{type(self).__name__}: x {x.shape} must have {' or '.join(map(str, self.axes))} "
                f"axes and {self.num_features} channels"
            )
        counted = self.num_batches_tracked if self.training else None
        momentum = self.momentum
        if momentum is None and counted is not None:  # the mean over all batches so far
            momentum = 1 / (counted.item() + 1)
        y = ops.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            momentum or 0.0,
            self.eps,
        )
        if counted is not None:
            written(lambda: counted.add_(1))
        return y

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L); see `BatchNorm2d`."""

    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Each channel of (N, C, H, W) at mean 0 and variance 1, times ``weight``, plus ``bias``.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance.
    momentum : float or None
        How far running statistics move towards each batch's; None averages over all batches.
    affine, bias : bool
        ``affine`` makes ``weight`` and, with ``bias``, ``bias``.
    track_running_stats : bool
        Without running statistics, batch statistics are used in `eval` as well.

    References
    ----------
    Ioffe, Szegedy (2015), "Batch normalization".
    """

    axes = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (N, C, D, H, W); see `BatchNorm2d`."""

    axes = (5,)
