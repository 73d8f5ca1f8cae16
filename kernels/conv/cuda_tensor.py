"""Convolution on tensor cores, forward and both gradients: float32 as TF32, float16 or bfloat16.

The same sums as in cuda.py. Arrays are first laid out with their channels last, in whole chunks of
16 bytes (channels_last.cu, where float32 is rounded too); then tensor.cu or tensor_grad_weight.cu
multiplies.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.conv.cuda import SHORTEST, Axes, Table, table, triple
from tinymed.kernels.conv.reference import Ints, output_size
from tinymed.kernels.cuda import Grid, Variant, blocks, empty, launch, resources
from tinymed.kernels.cuda.epilogue import ACTIVATIONS
from tinymed.kernels.matmul.cuda import finish
from tinymed.kernels.matmul.cuda_tensor import SPLITTING, TENSOR_CORES, TILE, shared_bytes
from tinymed.kernels.matmul.parts import add_parts, cut

__all__ = [
    "VARIANTS",
    "Family",
    "Laid",
    "LaidForWeight",
    "forward",
    "grad_input",
    "grad_weight",
    "gradient",
    "layer",
    "of_weight",
    "parts_of_weight",
    "sum_of_taps",
]

Fill = Callable[[Array, Array, Array | None, Array, Axes, int, bool, str | None], None]
Add = Callable[[Array, Array, Axes, Ints, int], Array]
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


def channels_last(turn: Variant, x: Array, images: int, groups: int, channels: int) -> Turned:
    """Return x (images, groups, channels, S) with its channels last, and zeros after them."""
    x = array_module(x).ascontiguousarray(x)
    places = x.size // max(1, images * groups * channels)
    chunk = 16 // x.dtype.itemsize
    chunks = blocks(channels, chunk)
    y = empty((groups, images, places, chunks * chunk), x.dtype, x)
    along = blocks(places, SIDE)
    launch(
        turn,
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


class Laid(NamedTuple):
    """A sum of taps, laid out for tensor cores: its arrays and its sizes."""

    seen: Turned
    filters: Turned  # (1, groups * rows, taps, ...)
    steps: Table
    images: int
    rows: int  # of a group
    columns: int  # of the first phase, the largest
    phases: int
    taps: int
    geometry: Ints  # four triples: sizes of source and result, step and skip

    @classmethod
    def out(
        cls, turn: Variant, source: Array, weight: Array, result: Array, axes: Axes, groups: int,
        gradient: bool,
    ) -> Laid:  # fmt: skip
        """Lay out; ``weight`` is (groups, channels of source, ...) if it is a ``gradient``."""
        images, rows, channels = len(source), result.shape[1] // groups, source.shape[1] // groups
        sizes = triple(source.shape[2:], 1), triple(result.shape[2:], 1)
        step, skip = (ONCE, axes.stride) if gradient else (axes.stride, ONCE)
        phases = tuple(map(min, skip, sizes[1]))
        matrices = groups if gradient else groups * rows
        return cls(
            channels_last(turn, source, images, groups, channels),
            channels_last(turn, weight, matrices, 1, channels),
            table(axes, sizes[0], 1, 0, phases if gradient else None, source),
            *(images, rows, images * math.prod(map(blocks, sizes[1], skip))),
            *(math.prod(phases), math.prod(axes.kernel), (*sizes[0], *sizes[1], *step, *skip)),
        )


def sum_of_taps(
    families: dict[str, Family], source: Array, weight: Array, bias: Array | None, result: Array,
    axes: Axes, groups: int, gradient: bool, activation: str | None,
) -> None:  # fmt: skip
    """Fill ``result``, by the family for the dtype of ``source``."""
    family = families[source.dtype.name]
    of = Laid.out(family.channels_last, source, weight, result, axes, groups, gradient)
    variant = choose(family, of.rows, of.columns, of.phases * groups, source)
    down = blocks(of.rows, int(dict(variant.defines)["TILE_M"]))
    launch(
        variant,
        Grid(down * blocks(of.columns, TILE), of.phases, groups),
        *(of.seen.array, of.filters.array, bias, result, *of.steps, of.images, of.seen.chunks),
        *(of.rows, of.taps, *of.geometry, down, ACTIVATIONS[activation]),
    )


def layer(
    fill: Fill, x: Array, weight: Array, bias: Array | None, stride: Ints, padding: Ints,
    dilation: Ints, groups: int, activation: str | None,
) -> Array:  # fmt: skip
    """Return f(weight * x + bias), (N, K, *O), as ``fill`` sums it."""
    kernel = weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y = empty((len(x), len(weight), *out), x.dtype, x)
    if y.size:
        axes = Axes.of(kernel, stride, padding, dilation)
        bias = None if bias is None else array_module(bias).ascontiguousarray(bias)
        fill(x, weight, bias, y, axes, groups, False, activation)
        finish(y, activation)
    return y


def gradient(
    fill: Fill, grad_output: Array, weight: Array, spatial: Ints, stride: Ints, padding: Ints,
    dilation: Ints, groups: int,
) -> Array:  # fmt: skip
    """Return dL/dx, (N, C, *spatial), as ``fill`` sums it."""
    shape = (len(grad_output), weight.shape[1] * groups, *spatial)
    dx = empty(shape, grad_output.dtype, grad_output)
    if dx.size:
        axes = Axes.of(weight.shape[2:], stride, padding, dilation)
        fill(grad_output, weight, None, dx, axes, groups, True, None)
    return dx


class LaidForWeight(NamedTuple):
    """The gradient with respect to the weight, laid out for tensor cores."""

    dy: Turned
    seen: Turned
    steps: Table
    images: int
    rows: int  # channels of dy, of a group
    channels: int  # of x, of a group
    taps: int
    places: int  # of all images
    geometry: Ints  # three triples: sizes of x and dy, stride
    kernel: Ints

    @classmethod
    def out(
        cls, turn: Variant, grad_output: Array, x: Array, axes: Axes, kernel: Ints, groups: int
    ) -> LaidForWeight:
        """Lay out dL/dy and x."""
        (images, k, *out), channels = grad_output.shape, x.shape[1] // groups
        source = triple(x.shape[2:], 1)
        return cls(
            channels_last(turn, grad_output, images, groups, k // groups),
            channels_last(turn, x, images, groups, channels),
            table(axes, source, 1, 0, None, x),
            *(images, k // groups, channels, math.prod(kernel), images * math.prod(out)),
            (*source, *triple(tuple(out), 1), *axes.stride),
            kernel,
        )

    def parts(self, tiles: int, groups: int, depth: int) -> tuple[Array, int]:
        """Return parts of sums for ``tiles`` of a group's result, and how many places make one."""
        like = self.seen.array
        each = cut(self.places, tiles * groups, depth, SHORTEST, like)
        count = max(1, blocks(self.places, each))
        shape = (count, groups * self.rows, self.channels, *self.kernel)
        return empty(shape, np.float32, like), each


def parts_of_weight(
    families: dict[str, Family], grad_output: Array, x: Array, axes: Axes, kernel: Ints, groups: int
) -> Array:
    """Return parts of dL/dweight, (count, K, C / groups, *kernel), by the family for x's dtype."""
    family = families[x.dtype.name]
    of = LaidForWeight.out(family.channels_last, grad_output, x, axes, kernel, groups)
    chunk = 16 // x.dtype.itemsize
    down = blocks(of.rows, int(dict(family.of_weight.defines)["TILE_M"]))
    tiles = down * blocks(of.taps * of.seen.chunks * chunk, TILE)
    parts, each = of.parts(tiles, groups, 4 * chunk)
    launch(
        family.of_weight,
        Grid(tiles, len(parts), groups),
        *(of.dy.array, of.seen.array, parts, of.steps.places, of.images, of.channels),
        *(of.seen.chunks, of.rows, of.dy.chunks, of.taps, each, *of.geometry, down),
    )
    return parts


def of_weight(
    add: Add, grad_output: Array, x: Array, kernel: Ints, stride: Ints, padding: Ints,
    dilation: Ints, groups: int,
) -> Array:  # fmt: skip
    """Return dL/dweight, (K, C / groups, *kernel), of parts that ``add`` returns."""
    axes = Axes.of(kernel, stride, padding, dilation)
    parts = add(grad_output, x, axes, kernel, groups)
    if len(parts) == 1 and x.dtype == np.float32:
        return parts[0]
    result = empty(parts.shape[1:], x.dtype, x)
    add_parts(parts, None, result, None)
    return result


FILL, ADD = (functools.partial(one, FAMILIES) for one in (sum_of_taps, parts_of_weight))
forward = functools.partial(layer, FILL)
grad_input = functools.partial(gradient, FILL)
grad_weight = functools.partial(of_weight, ADD)
