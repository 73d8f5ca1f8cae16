"""The rules of matrix products on a GPU."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.device_rules.tensor_cores import (
    SPLIT,
    TENSOR,
    halves,
    has_tensor_cores,
    on_hopper,
)
from tinymed.kernels.rules import Rule, always, floats, never, reals

__all__ = ["MATMUL_RULES"]


def float_operands(a: Any, b: Any, *others: Any) -> bool:
    """Return whether both are matrices, or batches of them, in float32, or float64."""
    return a.dtype == b.dtype and floats(a) and min(a.ndim, b.ndim) >= 2


def float_layer(x: Any, weight: Any, bias: Any, activation: Any) -> bool:
    """Return the same of a layer's arguments, its bias included."""
    return float_operands(x, weight) and (bias is None or bias.dtype == x.dtype)


def tensor_operands(a: Any, b: Any, *others: Any) -> bool:
    """Return whether both are float16, bfloat16, or float32, rounded to TF32 on the way."""
    taken = a.dtype.name in ("float32", "float16", "bfloat16")
    return taken and a.dtype == b.dtype and min(a.ndim, b.ndim) >= 2


def tensor_layer(x: Any, weight: Any, bias: Any, activation: Any) -> bool:
    """Return the same of a layer's arguments, its bias included."""
    return tensor_operands(x, weight) and (bias is None or bias.dtype == x.dtype)


def hopper_operands(a: Any, b: Any, *others: Any) -> bool:
    """Return whether both are float16, or bfloat16, with rows that the copy engine can read."""
    from tinymed.kernels.matmul.cuda_wgmma import can_copy

    return a.dtype.itemsize == 2 and tensor_operands(a, b) and can_copy(a, b)


def hopper_layer(x: Any, weight: Any, bias: Any, activation: Any) -> bool:
    """Return the same of a layer's arguments, its bias included."""
    return tensor_layer(x, weight, bias, activation) and hopper_operands(x, weight.T)


def half_a_tile(a: Any, b: Any, *others: Any) -> bool:
    """Return whether y has at least half of a tile's rows and columns."""
    return min(a.shape[-2], b.shape[-1]) >= 64


def half_a_tile_of_a_layer(x: Any, weight: Any, *others: Any) -> bool:
    """Return the same of a layer's arguments."""
    return half_a_tile(x, weight.T)


def single_operands(a: Any, b: Any, *others: Any) -> bool:
    """Return whether both are float32."""
    return float_operands(a, b) and a.dtype.name == "float32"


def single_layer(x: Any, weight: Any, bias: Any, activation: Any) -> bool:
    """Return the same of a layer's arguments, its bias included."""
    return float_layer(x, weight, bias, activation) and x.dtype.name == "float32"


def two_matrices(a: Any, b: Any) -> bool:
    """Return whether both are matrices in float32."""
    return a.ndim == b.ndim == 2 and a.dtype.char == b.dtype.char == "f"


def in_fours(a: Any, b: Any) -> bool:
    """Return whether both are matrices in float32 with rows of whole packs of 4."""
    return two_matrices(a, b) and a.shape[1] % 4 == b.shape[1] % 4 == 0


def float_channels(grad_output: Any) -> bool:
    """Return whether (N, C, *S) is of floats, with fewer than 2^31 elements."""
    return reals(grad_output) and grad_output.size < 1 << 31


HOPPER = "Hopper: tiles by its copy engine, which needs rows of whole 16 bytes; sums in float32"
# the steps that take matrices of any size
COURSE = ("naive", "coalesced", "shared", "register_tiles", "tensor_cores", "warpgroups")
STEP = "a step of the course in kernels/matmul/ladder/"

MATMUL_RULES: dict[str, tuple[Rule, ...]] = {
    "matmul.product": (
        Rule("cuda", float_operands, always, "tiles in registers, any layout; sums in order"),
        Rule("cuda:wgmma", hopper_operands, half_a_tile, HOPPER, on_hopper),
        Rule("cuda:tensor", tensor_operands, halves, TENSOR, has_tensor_cores),
        Rule("cuda:tf32x3", single_operands, never, SPLIT),
        *(Rule(f"cuda:{step}", two_matrices, never, STEP) for step in COURSE),
        Rule("cuda:vectorised", in_fours, never, STEP),
    ),
    "matmul.bias_grad": (
        Rule("cuda", float_channels, always, "a channel in parts that are merged in order"),
    ),
    "matmul.linear": (
        Rule("cuda", float_layer, always, "tiles in registers; bias and relu fused"),
        Rule("cuda:wgmma", hopper_layer, half_a_tile_of_a_layer, HOPPER, on_hopper),
        Rule("cuda:tensor", tensor_layer, halves, TENSOR, has_tensor_cores),
        Rule("cuda:tf32x3", single_layer, never, SPLIT),
    ),
}
