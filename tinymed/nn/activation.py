"""Smooth activations as layers, and softmax. Those with kinks are in `rectifiers`."""

from __future__ import annotations

from typing import Any, ClassVar

from tinymed import ops
from tinymed.nn.in_place import InPlace
from tinymed.nn.module import Module

__all__ = [
    "GELU",
    "GLU",
    "Identity",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softsign",
    "Tanh",
    "Tanhshrink",
]


class Activation(Module):
    """The family of layers y = f(x); ``shown`` names the settings that `repr` shows."""

    shown: ClassVar[tuple[str, ...]] = ()

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self.shown)


class InPlaceActivation(InPlace, Activation):
    """Those that can let x become y; see `tinymed.nn.in_place`."""

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return ", ".join(filter(None, (Activation.extra_repr(self), InPlace.extra_repr(self))))


class Identity(Module):
    """y = x."""

    def forward(self, x: Any) -> Any:
        """Return x."""
        return x


class Sigmoid(Activation):
    """y = 1 / (1 + exp(-x))."""

    def forward(self, x: Any) -> Any:
        """Return 1 / (1 + exp(-x))."""
        return ops.sigmoid(x)


class LogSigmoid(Activation):
    """y = -log(1 + exp(-x)), exact also where sigmoid underflows."""

    def forward(self, x: Any) -> Any:
        """Return log(sigmoid(x))."""
        return ops.logsigmoid(x)


class Tanh(Activation):
    """y = tanh(x)."""

    def forward(self, x: Any) -> Any:
        """Return tanh(x)."""
        return ops.tanh(x)


class Tanhshrink(Activation):
    """y = x - tanh(x)."""

    def forward(self, x: Any) -> Any:
        """Return x - tanh(x)."""
        return ops.tanhshrink(x)


class Softsign(Activation):
    """y = x / (1 + |x|)."""

    def forward(self, x: Any) -> Any:
        """Return x / (1 + |x|)."""
        return ops.softsign(x)


class Softplus(Activation):
    """y = log(1 + exp(beta x)) / beta; x itself where beta x > threshold, as in PyTorch."""

    shown = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Any) -> Any:
        """Return log(1 + exp(beta x)) / beta."""
        return ops.softplus(x, self.beta, self.threshold)


class SiLU(InPlaceActivation):
    """y = x sigmoid(x), also called swish."""

    def forward(self, x: Any) -> Any:
        """Return x sigmoid(x)."""
        return ops.silu(x)


class Mish(InPlaceActivation):
    """y = x tanh(softplus(x))."""

    def forward(self, x: Any) -> Any:
        """Return x tanh(softplus(x))."""
        return ops.mish(x)


class GELU(Activation):
    """y = x (1 + erf(x / sqrt(2))) / 2.

    Parameters
    ----------
    approximate : "none" or "tanh"
        "tanh" as in weights that were trained with it; see `ops.gelu`.
    """

    shown = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        """Return gelu(x)."""
        return ops.gelu(x, self.approximate)


class GLU(Activation):
    """y = a sigmoid(b), a and b the halves of x along ``dim``."""

    shown = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Any:
        """Return a sigmoid(b): half as long along dim."""
        return ops.glu(x, self.dim)


class Softmax(Activation):
    """y = exp(x) / sum(exp(x)) along ``dim``. Not before `CrossEntropyLoss`, which takes logits."""

    shown = ("dim",)

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Any:
        """Return softmax(x)."""
        return ops.softmax(x, self.dim)


class Softmin(Softmax):
    """y = softmax(-x) along ``dim``."""

    def forward(self, x: Any) -> Any:
        """Return softmax(-x)."""
        return ops.softmin(x, self.dim)


class LogSoftmax(Softmax):
    """y = log(softmax(x)) along ``dim``."""

    def forward(self, x: Any) -> Any:
        """Return log(softmax(x))."""
        return ops.log_softmax(x, self.dim)


class Softmax2d(Activation):
    """y = softmax(x) over the channels of images, (N, C, H, W) or (C, H, W)."""

    def forward(self, x: Any) -> Any:
        """Return softmax(x) over the channels."""
        if x.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: x {x.shape} expected as (N, C, H, W) or (C, H, W)")
        return ops.softmax(x, -3)
