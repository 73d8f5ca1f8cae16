"""The rules of the kernels in numba-cuda: there to be read beside the .cu, run where asked for."""

from __future__ import annotations

import math
from typing import Any

from tinymed.kernels.device_rules.memory import (
    classes,
    classes_grad,
    matrix_rows,
    normalized,
    numbered,
)
from tinymed.kernels.device_rules.recurrent import (
    plain_lstm_backward,
    plain_lstm_forward,
    reset_after_backward,
    reset_after_forward,
    single,
)
from tinymed.kernels.device_rules.windows import (
    float_windows,
    float_windows_of_weight,
    float_windows_of_x,
)
from tinymed.kernels.rules import Condition, Rule, alike, floats, matrices, never, one_dtype, rows

__all__ = ["NUMBA_CUDA_RULES"]

FORMULAS = ("relu", "leaky_relu", "sigmoid", "tanh", "silu", "gelu")


def layer(x: Any, weight: Any, bias: Any, activation: Any) -> bool:
    """Return whether a layer's arrays are float32, or float64."""
    return matrices(x, weight) and one_dtype(x, weight, bias)


def in_planes(can: Condition) -> Condition:
    """Return the condition that ``can`` holds, and the first array is (N, C, H, W)."""
    return lambda x, *others: x.ndim == 4 and can(x, *others)


def planes(x: Any, *settings: Any) -> bool:
    """Return whether x is (N, C, H, W) in float32, or float64."""
    return x.ndim == 4 and floats(x)


def formula(x: Any, name: str, *parameters: float) -> bool:
    """Return whether f is one of those that are written out, and x float32."""
    return name in FORMULAS and x.dtype.char == "f"


def formula_grad(grad_output: Any, known: Any, name: str, *parameters: float) -> bool:
    """Return the same of the gradient's arguments."""
    return formula(grad_output, name) and known.dtype == grad_output.dtype


def filled_channels(x: Any, *others: Any) -> bool:
    """Return whether there is something to normalise, in float32 or float64."""
    return normalized(x, *others) and math.prod(x.shape[1:]) > 0


TAUGHT = "in Python by numba-cuda, to be read beside the .cu; slower"

CAN: dict[str, Condition] = {
    "activation.forward": formula,
    "activation.grad": formula_grad,
    "conv.forward": in_planes(float_windows),
    "conv.grad_input": in_planes(float_windows_of_x),
    "conv.grad_weight": in_planes(float_windows_of_weight),
    "dropout.forward": numbered,
    "embedding.forward": matrix_rows,
    "embedding.grad_weight": rows,
    "matmul.linear": layer,
    "matmul.product": matrices,
    "normalization.batch_norm": filled_channels,
    "normalization.batch_norm_grad": filled_channels,
    "normalization.group_norm": filled_channels,
    "normalization.group_norm_grad": filled_channels,
    "optimizer.adam": alike,
    "pooling.avg_forward": planes,
    "pooling.avg_grad_input": planes,
    "pooling.max_forward": planes,
    "pooling.max_grad_input": planes,
    "recurrent.gru_backward": reset_after_backward,
    "recurrent.gru_forward": reset_after_forward,
    "recurrent.lstm_backward": plain_lstm_backward,
    "recurrent.lstm_forward": plain_lstm_forward,
    "recurrent.rnn_backward": single,
    "recurrent.rnn_forward": single,
    "softmax.cross_entropy": classes,
    "softmax.cross_entropy_grad": classes_grad,
    "softmax.mean_cross_entropy": classes,
    "softmax.mean_cross_entropy_grad": classes_grad,
}
NUMBA_CUDA_RULES = {kernel: Rule("numba_cuda", can, never, TAUGHT) for kernel, can in CAN.items()}
