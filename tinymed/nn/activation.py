"""Activations as layers."""

from __future__ import annotations

from typing import Any

from tinymed import ops
from tinymed.errors import refuse
from tinymed.nn.module import Module

__all__ = ["Identity", "LogSoftmax", "ReLU", "Sigmoid", "Softmax", "Softplus", "Tanh"]


class Identity(Module):
    """y = x."""

    def forward(self, x: Any) -> Any:
        """Return x."""
        return x


class ReLU(Module):
    """y = max(x, 0)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        refuse("ReLU", inplace=(inplace, False))

    def forward(self, x: Any) -> Any:
        """Return max(x, 0)."""
        return ops.relu(x)


class Sigmoid(Module):
    """y = 1 / (1 + exp(-x))."""

    def forward(self, x: Any) -> Any:
        """Return 1 / (1 + exp(-x))."""
        return ops.sigmoid(x)


class Tanh(Module):
    """y = tanh(x)."""

    def forward(self, x: Any) -> Any:
        """Return tanh(x)."""
        return ops.tanh(x)


class Softplus(Module):
    """y = log(1 + exp(x))."""

    def forward(self, x: Any) -> Any:
        """Return log(1 + exp(x))."""
        return ops.softplus(x)


class Softmax(Module):
    """y = exp(x) / sum(exp(x)) along ``dim``. Not before `CrossEntropyLoss`, which takes logits."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Any:
        """Return softmax(x)."""
        return ops.softmax(x, self.dim)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """y = log(softmax(x)) along ``dim``."""

    def forward(self, x: Any) -> Any:
        """Return log(softmax(x))."""
        return ops.log_softmax(x, self.dim)
