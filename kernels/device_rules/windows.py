"""The rules of what looks through windows on a GPU: convolution and pooling."""

from __future__ import annotations

import math
from typing import Any

from tinymed.kernels.device_rules.tensor_cores import (
    SPLIT,
    TENSOR,
    halves,
    has_tensor_cores,
    on_hopper,
)
from tinymed.kernels.rules import Condition, Rule, always, floats, never, reals

__all__ = ["WINDOW_RULES"]

HALF_A_TILE = 32  # rows, of the smallest tile of conv/wgmma.cu


def float_windows(x: Any, weight: Any, bias: Any, *settings: Any) -> bool:
    """Return whether a convolution has 1 to 3 axes, one dtype, float32 or float64, and fits.

    Numbers of places are C ints: below 2^31 in x, and in a channel of all images of the result.
    """
    dtypes = {one.dtype for one in (x, weight, bias) if one is not None}
    out = [s + 2 * p for s, p in zip(x.shape[2:], settings[1], strict=True)]
    size = max(x.size, weight.size, len(x) * math.prod(out))
    return len(dtypes) == 1 and floats(x) and 3 <= x.ndim <= 5 and size < 1 << 31


def float_windows_of_x(dy: Any, weight: Any, spatial: Any, *settings: Any) -> bool:
    """Return the same of the gradient with respect to x."""
    size = max(dy.size, weight.size, len(dy) * math.prod(spatial))
    return dy.dtype == weight.dtype and floats(dy) and 3 <= dy.ndim <= 5 and size < 1 << 31


def float_windows_of_weight(dy: Any, x: Any, *settings: Any) -> bool:
    """Return the same of the gradient with respect to the weight."""
    return dy.dtype == x.dtype and floats(x) and 3 <= x.ndim <= 5 and max(dy.size, x.size) < 1 << 31


def plain_windows(x: Any, weight: Any, bias: Any, *settings: Any) -> bool:
    """Return whether a convolution in float32 has two axes, one group, and no f but relu."""
    plain = x.ndim == 4 and x.dtype.char == "f" and settings[3] == 1
    return plain and settings[4] in (None, "relu") and float_windows(x, weight, bias, *settings)


def few_results(x: Any, weight: Any, bias: Any, *settings: Any) -> bool:
    """Return whether a group of a convolution has 4 channels of results at most."""
    return len(weight) <= 4 * settings[3] and float_windows(x, weight, bias, *settings)


def few_results_in_x(dy: Any, weight: Any, *settings: Any) -> bool:
    """Return the same of the gradient with respect to x."""
    return weight.shape[1] <= 4 and float_windows_of_x(dy, weight, *settings)


def few_products(dy: Any, x: Any, *settings: Any) -> bool:
    """Return whether a group of a convolution has 4 pairs of channels at most."""
    groups = settings[-1]
    few = dy.shape[1] * x.shape[1] <= 4 * groups * groups
    return few and float_windows_of_weight(dy, x, *settings)


def many_weights(dy: Any, x: Any, kernel: Any, *settings: Any) -> bool:
    """Return whether a block for each of few weights is enough for a GPU."""
    return dy.shape[1] * x.shape[1] // settings[-1] * math.prod(kernel) >= 128


def in_chunks(itemsize: int, *sizes: tuple[int, int]) -> bool:
    """Return whether arrays, by size and channels, fit when channels fill chunks of 16 bytes."""
    chunk = 16 // itemsize
    return all(c and size // c * -(-c // chunk) * chunk < 1 << 31 for size, c in sizes)


def tensor_arrays(*arrays: Any) -> bool:
    """Return whether arrays have one dtype that tensor cores take, float32 among them as TF32."""
    dtypes = {one.dtype for one in arrays if one is not None}
    named = dtypes.pop().name in ("float32", "float16", "bfloat16")
    return named and not dtypes and 3 <= arrays[0].ndim <= 5


def tensor_windows(x: Any, weight: Any, bias: Any, *settings: Any) -> bool:
    """Return whether a convolution is for tensor cores: a dtype they take, channels that fit."""
    channels = weight.shape[1]
    out = [s + 2 * p for s, p in zip(x.shape[2:], settings[1], strict=True)]
    fits = len(x) * math.prod(out) < 1 << 31
    sizes = ((x.size, channels), (weight.size, channels))
    return fits and tensor_arrays(x, weight, bias) and in_chunks(x.dtype.itemsize, *sizes)


def tensor_windows_of_x(dy: Any, weight: Any, spatial: Any, *settings: Any) -> bool:
    """Return the same of the gradient with respect to x."""
    rows = len(weight) // settings[-1]
    fits = len(dy) * math.prod(spatial) < 1 << 31
    sizes = ((dy.size, rows), (weight.size, rows))
    return fits and tensor_arrays(dy, weight) and in_chunks(dy.dtype.itemsize, *sizes)


def tensor_windows_of_weight(dy: Any, x: Any, *settings: Any) -> bool:
    """Return the same of the gradient with respect to the weight."""
    groups = settings[-1]
    sizes = ((dy.size, dy.shape[1] // groups), (x.size, x.shape[1] // groups))
    return tensor_arrays(dy, x) and in_chunks(x.dtype.itemsize, *sizes)


def in_halves(can: Condition) -> Condition:
    """Return whether the same is true of 16 bits."""
    return lambda x, *others: halves(x) and can(x, *others)


def half_a_tile_of_y(x: Any, weight: Any, bias: Any, *settings: Any) -> bool:
    """Return whether a group's channels of results fill half of the smallest tile on Hopper."""
    rows: int = len(weight) // settings[3]
    return rows >= HALF_A_TILE


def half_a_tile_of_x(dy: Any, weight: Any, *settings: Any) -> bool:
    """Return the same of the gradient with respect to x."""
    rows: int = weight.shape[1]
    return rows >= HALF_A_TILE


def gathered_windows_of_weight(dy: Any, x: Any, *settings: Any) -> bool:
    """Return whether the gradient of the weight is for Hopper: there are 16 bits of some dy."""
    return bool(dy.size) and halves(dy) and tensor_windows_of_weight(dy, x, *settings)


def half_a_tile_of_weight(dy: Any, x: Any, kernel: Any, *settings: Any) -> bool:
    """Return whether the gradient of a group's weight fills half of the smallest tile on Hopper."""
    groups = settings[-1]
    columns = x.shape[1] // groups * math.prod(kernel)
    return columns >= 128 and dy.shape[1] // groups >= HALF_A_TILE


def singles(can: Condition) -> Condition:
    """Return whether the same is true of float32."""
    return lambda x, *others: x.dtype.name == "float32" and can(x, *others)


def float_layers(x: Any, weight: Any, bias: Any, padding: Any) -> bool:
    """Return whether the convolution of a first layer is for the CUDA kernels."""
    return float_windows(x, weight, bias, (1, 1), padding)


def float_layers_of_weight(grad_output: Any, winner: Any, x: Any, padding: Any) -> bool:
    """Return the same of its gradient's arguments: its largest array is that before the pooling."""
    return 4 * grad_output.size < 1 << 30 and float_windows_of_weight(grad_output, x)


def float_pools(x: Any, *settings: Any) -> bool:
    """Return whether what is pooled, or its gradient, is of floats with 1 to 3 axes.

    Places of a plane are C ints: that of x, and of the gradient's ``spatial``, the first setting.
    """
    largest = max(math.prod(x.shape[2:]), math.prod(settings[0]))
    return reals(x) and 3 <= x.ndim <= 5 and largest < 1 << 31


def float_pools_of_winners(x: Any, winner: Any, *settings: Any) -> bool:
    """Return the same where the winning taps are given, numbered as max_forward does."""
    return float_pools(x, *settings) and winner.dtype in ("uint8", "int32")


STEP = "a step of the course in kernels/conv/ladder/"
IMPLICIT = "an implicit matrix product in tiles of registers; sums in order"
FEW = "4 channels of results in a group at most: no tile of which most would be empty"
ONE_BY_ONE = "the kernels of its three layers, one after the other"
ONE_THREAD = "a thread for each result, which it alone writes; sums in the order of the taps"
HOPPER = "Hopper: warpgroups multiply what one of them gathers; sums in float32"
POOLS = (Rule("cuda", float_pools, always, ONE_THREAD),)
POOLS_OF_WINNERS = (Rule("cuda", float_pools_of_winners, always, ONE_THREAD),)

WINDOW_RULES: dict[str, tuple[Rule, ...]] = {
    "conv.forward": (
        Rule("cuda:depthwise", few_results, always, FEW),
        Rule("cuda", float_windows, always, IMPLICIT),
        Rule("cuda:wgmma", in_halves(tensor_windows), half_a_tile_of_y, HOPPER, on_hopper),
        Rule("cuda:tensor", tensor_windows, halves, TENSOR, has_tensor_cores),
        Rule("cuda:tf32x3", singles(tensor_windows), never, SPLIT),
        *(
            Rule(f"cuda:{step}", plain_windows, never, STEP)
            for step in ("naive", "shared", "register_tiles")
        ),
    ),
    "conv.grad_input": (
        Rule("cuda:depthwise", few_results_in_x, always, FEW),
        Rule("cuda", float_windows_of_x, always, IMPLICIT),
        Rule("cuda:wgmma", in_halves(tensor_windows_of_x), half_a_tile_of_x, HOPPER, on_hopper),
        Rule("cuda:tensor", tensor_windows_of_x, halves, TENSOR, has_tensor_cores),
        Rule("cuda:tf32x3", singles(tensor_windows_of_x), never, SPLIT),
    ),
    "conv.grad_weight": (
        Rule("cuda:depthwise", few_products, many_weights, FEW),
        Rule("cuda", float_windows_of_weight, always, IMPLICIT),
        Rule("cuda:wgmma", gathered_windows_of_weight, half_a_tile_of_weight, HOPPER, on_hopper),
        Rule("cuda:tensor", tensor_windows_of_weight, halves, TENSOR, has_tensor_cores),
        Rule("cuda:tf32x3", singles(tensor_windows_of_weight), never, SPLIT),
    ),
    "conv_pool.forward": (Rule("cuda", float_layers, always, ONE_BY_ONE),),
    "conv_pool.grad_weight": (Rule("cuda", float_layers_of_weight, always, ONE_BY_ONE),),
    "pooling.max_forward": POOLS,
    "pooling.max_grad_input": POOLS_OF_WINNERS,
    "pooling.max_gather": POOLS_OF_WINNERS,
    "pooling.avg_forward": POOLS,
    "pooling.avg_grad_input": POOLS,
}
