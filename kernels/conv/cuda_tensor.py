"""Convolution on tensor cores, forward and both gradients: float32 as TF32, float16 or bfloat16.

The same sums as in cuda.py. Arrays are first laid out with their channels last, in whole chunks of
16 bytes (channels_last.cu, where float32 is rounded too); then tensor.cu or tensor_grad_weight.cu
multiplies.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.conv.cuda import SHORTEST, Axes, table, triple
from tinymed.kernels.conv.reference import Ints, output_size
from tinymed.kernels.cuda import Grid, Variant, blocks, empty, launch, resources
from tinymed.kernels.cuda.epilogue import ACTIVATIONS
from tinymed.kernels.matmul.cuda import finish
from tinymed.kernels.matmul.cuda_tensor import SPLITTING, TENSOR_CORES, TILE, shared_bytes
from tinymed.kernels.matmul.parts import add_parts, cut

__all__ = ["VARIANTS", "Family", "forward", "grad_input", "grad_weight", "gradient", "layer",
           "of_weight"]  # fmt: skip

SIDE = 32  # of what a block of channels_last.cu turns
ONCE = (1, 1, 1)


class Family(NamedTuple):
    """The variants of one arithmetic."""

    channels_last: Variant
    tiles: dict[int, Variant]  # by their rows, the largest first
    of_weight: Variant

    @classmethod
    def of(cls, name: str) -> Family:
        """Return the variants for "tf32", "tf32x3", "bfloat16" or "float16"."""
        size = 4 if name.startswith("tf32") else 2
        architectures = SPLITTING if name == "tf32x3" else TENSOR_CORES
        width = f"{name if name == 'tf32' else f'{8 * size}_bits'}"
        turned = Variant(
            f"conv/channels_last_{width}",
            "conv/channels_last.cu",
            ("channels_last",),
            (("SCALAR", "float" if size == 4 else "short"), ("ROUNDED", int(name == "tf32"))),
            TENSOR_CORES,
        )

        def tile(rows: int, source: str, entry: str, along_k: int) -> Variant:
            return Variant(
                f"conv/{source}_{name}_{rows}",
                f"conv/{source}.cu",
                (entry,),
                (("FORMAT", name.upper()), ("ROUNDED", 1), ("TILE_M", rows)),
                architectures,
                shared=shared_bytes(size, rows, along_k, along_k),
            )

        return cls(
            turned,
            {rows: tile(rows, "tensor", "sum_of_taps", 1) for rows in (128, 64)},
            tile(64, "tensor_grad_weight", "grad_weight", 0),
        )

    @property
    def all(self) -> tuple[Variant, ...]:
        """Return all but the one that families share."""
        return (*self.tiles.values(), self.of_weight)


TF32, BFLOAT16, FLOAT16 = map(Family.of, ("tf32", "bfloat16", "float16"))
FAMILIES = {"float32": TF32, "bfloat16": BFLOAT16, "float16": FLOAT16}
VARIANTS = (TF32.channels_last, FLOAT16.channels_last, *TF32.all, *BFLOAT16.all, *FLOAT16.all)


class Turned(NamedTuple):
    """Matrices (groups, images, S, chunks * chunk) of an array, channels last."""

    array: Array
    chunks: int  # of 16 bytes, of a place


def channels_last(family: Family, x: Array, images: int, groups: int, channels: int) -> Turned:
    """Return x (images, groups, channels, S) with its channels last, and zeros after them."""
    x = array_module(x).ascontiguousarray(x)
    places = x.size // max(1, images * groups * channels)
    chunk = 16 // x.dtype.itemsize
    chunks = blocks(channels, chunk)
    y = empty((groups, images, places, chunks * chunk), x.dtype, x)
    along = blocks(places, SIDE)
    launch(
        family.channels_last,
        Grid(images * groups * along, blocks(chunks * chunk, SIDE)),
        *(x, y, images, groups, channels, places, chunks * chunk, along),
    )
    return Turned(y, chunks)


def choose(family: Family, rows: int, columns: int, products: int, like: Array) -> Variant:
    """Return the largest tiles of which half is filled, if there are enough for the GPU."""
    largest = max(family.tiles)
    count = products * blocks(rows, largest) * blocks(columns, TILE)
    enough = 2 * rows > largest and count >= resources(like).multiprocessors
    return family.tiles[largest if enough else min(family.tiles)]


def sum_of_taps(
    family: Family, source: Array, weight: Array, taps: int, bias: Array | None, result: Array,
    axes: Axes, groups: int, gradient: bool, activation: str | None,
) -> None:  # fmt: skip
    """Fill ``result``; ``weight`` is (groups, channels of source, ...) if it is a ``gradient``."""
    images, rows, channels = len(source), result.shape[1] // groups, source.shape[1] // groups
    sizes = triple(source.shape[2:], 1), triple(result.shape[2:], 1)
    step, skip = (ONCE, axes.stride) if gradient else (axes.stride, ONCE)
    phases = tuple(map(min, skip, sizes[1]))
    seen = channels_last(family, source, images, groups, channels)
    matrices = groups if gradient else groups * rows
    filters = channels_last(family, weight, matrices, 1, channels)
    steps = table(axes, sizes[0], 1, 0, phases if gradient else None, source)
    columns = images * math.prod(map(blocks, sizes[1], skip))  # of the first phase, the largest
    variant = choose(family, rows, columns, math.prod(phases) * groups, source)
    down = blocks(rows, int(dict(variant.defines)["TILE_M"]))
    bias = None if bias is None else array_module(bias).ascontiguousarray(bias)
    launch(
        variant,
        Grid(down * blocks(columns, TILE), math.prod(phases), groups),
        *(seen.array, filters.array, bias, result, *steps, images, seen.chunks, rows, taps),
        *(*sizes[0], *sizes[1], *step, *skip, down, ACTIVATIONS[activation]),
    )
    finish(result, activation)


def layer(
    families: dict[str, Family], x: Array, weight: Array, bias: Array | None, stride: Ints,
    padding: Ints, dilation: Ints, groups: int, activation: str | None,
) -> Array:  # fmt: skip
    """Return f(weight * x + bias), (N, K, *O), by the family for the dtype of x."""
    kernel = weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y = empty((len(x), len(weight), *out), x.dtype, x)
    if y.size:
        axes, taps = Axes.of(kernel, stride, padding, dilation), math.prod(kernel)
        family = families[x.dtype.name]
        sum_of_taps(family, x, weight, taps, bias, y, axes, groups, False, activation)
    return y


def gradient(
    families: dict[str, Family], grad_output: Array, weight: Array, spatial: Ints, stride: Ints,
    padding: Ints, dilation: Ints, groups: int,
) -> Array:  # fmt: skip
    """Return dL/dx, (N, C, *spatial), by the family for the dtype of dL/dy."""
    shape = (len(grad_output), weight.shape[1] * groups, *spatial)
    dx = empty(shape, grad_output.dtype, grad_output)
    if dx.size:
        kernel = weight.shape[2:]
        axes, taps = Axes.of(kernel, stride, padding, dilation), math.prod(kernel)
        family = families[dx.dtype.name]
        sum_of_taps(family, grad_output, weight, taps, None, dx, axes, groups, True, None)
    return dx


def of_weight(
    families: dict[str, Family], grad_output: Array, x: Array, kernel: Ints, stride: Ints,
    padding: Ints, dilation: Ints, groups: int,
) -> Array:  # fmt: skip
    """Return dL/dweight, (K, C / groups, *kernel), by the family for the dtype of x."""
    family = families[x.dtype.name]
    (images, k, *out), channels = grad_output.shape, x.shape[1] // groups
    rows, taps = k // groups, math.prod(kernel)
    axes, source = Axes.of(kernel, stride, padding, dilation), triple(x.shape[2:], 1)
    steps = table(axes, source, 1, 0, None, x)
    dy = channels_last(family, grad_output, images, groups, rows)
    seen = channels_last(family, x, images, groups, channels)
    chunk = 16 // x.dtype.itemsize
    variant, places = family.of_weight, images * math.prod(out)
    down = blocks(rows, int(dict(variant.defines)["TILE_M"]))
    tiles = down * blocks(taps * seen.chunks * chunk, TILE)
    each = cut(places, tiles * groups, 4 * chunk, SHORTEST, x)
    parts = empty((max(1, blocks(places, each)), k, channels, *kernel), np.float32, x)
    launch(
        variant,
        Grid(tiles, len(parts), groups),
        *(dy.array, seen.array, parts, steps.places, images, channels, seen.chunks, rows),
        *(dy.chunks, taps, each, *source, *triple(tuple(out), 1), *axes.stride, down),
    )
    if len(parts) == 1 and x.dtype == np.float32:
        return parts[0]
    result = empty(parts.shape[1:], x.dtype, x)
    add_parts(parts, None, result, None)
    return result


forward = functools.partial(layer, FAMILIES)
grad_input = functools.partial(gradient, FAMILIES)
grad_weight = functools.partial(of_weight, FAMILIES)
