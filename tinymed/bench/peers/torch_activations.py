"""Activations as PyTorch has them, by the names of the kernel's; gradients by its own kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from tinymed.bench.contest import Attempt

__all__ = ["activation", "activation_grad"]

aten = torch.ops.aten

FORWARD: dict[str, Callable[..., Any]] = {
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "elu": aten.elu,
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "logsigmoid": F.logsigmoid,
    "silu": F.silu,
    "mish": F.mish,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
}
BACKWARD: dict[str, Callable[..., Any]] = {
    "relu": lambda dy, y: aten.threshold_backward(dy, y, 0),
    "leaky_relu": lambda dy, x, slope: aten.leaky_relu_backward(dy, x, slope, False),
    "elu": lambda dy, x, *numbers: aten.elu_backward(dy, *numbers, False, x),
    "hardtanh": aten.hardtanh_backward,
    "hardsigmoid": aten.hardsigmoid_backward,
    "hardswish": aten.hardswish_backward,
    "sigmoid": aten.sigmoid_backward,
    "tanh": aten.tanh_backward,
    "softplus": aten.softplus_backward,
    "logsigmoid": lambda dy, x: aten.log_sigmoid_backward(dy, x, torch.exp(-x.abs())),
    "silu": aten.silu_backward,
    "mish": aten.mish_backward,
    "gelu": aten.gelu_backward,
    "gelu_tanh": lambda dy, x: aten.gelu_backward(dy, x, approximate="tanh"),
}


def _arrays(result: Any) -> list[Any]:
    return [result.numpy()]


def activation(x: Any, name: str, *parameters: float) -> Attempt:
    """Return y = f(x)."""
    f = FORWARD[name]
    return Attempt(lambda: f(x, *parameters), _arrays)


def activation_grad(dy: Any, known: Any, name: str, *parameters: float) -> Attempt:
    """Return dL/dx from dL/dy and x, or y for relu, sigmoid and tanh."""
    through = BACKWARD[name]
    return Attempt(lambda: through(dy, known, *parameters), _arrays)
