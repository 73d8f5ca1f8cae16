"""Convolution in CUDA, forward and both gradients: float32 or float64, any geometry of 1 to 3 axes.

The layer and its gradient with respect to the input are one kernel, tiles.cu, an implicit matrix
product whose steps a table describes (steps.cu). The gradient with respect to the weight is
another, grad_weight.cu, split over images and places, its parts added in order.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.conv.reference import Ints, output_size
from tinymed.kernels.cuda import Grid, Variant, blocks, empty, launch
from tinymed.kernels.cuda.epilogue import ACTIVATIONS
from tinymed.kernels.matmul.cuda import finish
from tinymed.kernels.matmul.parts import add_parts, cut

__all__ = ["VARIANTS", "choose", "forward", "grad_input", "grad_weight", "gradient", "layer"]

Choice = Callable[[int, int, int, int], Variant]  # as `choose`
ENOUGH = 128  # blocks: about as many as a large GPU has multiprocessors
SHORTEST = 512  # places of a part: fewer are not worth the writing of its sums
DEPTH = 8  # TILE_K
COLUMNS = {4: 128, 8: 64}  # of a tile, by the size of an element
SCALARS = {4: "float", 8: "double"}


def tiles(size: int, rows: int, threads: int) -> Variant:
    """Return the variant of tiles.cu with ``rows`` rows a tile, for elements of ``size`` bytes."""
    return Variant(
        name=f"conv/float{8 * size}_{rows}",
        source="conv/tiles.cu",
        entries=("sum_of_taps",),
        defines=(
            ("SCALAR", SCALARS[size]),
            *(("TILE_M", rows), ("TILE_N", COLUMNS[size]), ("THREADS", threads)),
        ),
        threads=threads,
    )


STEPS = Variant("conv/steps", "conv/steps.cu", ("steps",))
TILES = {
    4: {128: tiles(4, 128, 256), 64: tiles(4, 64, 128), 32: tiles(4, 32, 128)},
    8: {64: tiles(8, 64, 256)},
}


def of_weight(size: int, rows: int, threads: int) -> Variant:
    """Return the variant of grad_weight.cu with ``rows`` rows a tile."""
    like = tiles(size, rows, threads)
    name = f"conv/grad_weight_float{8 * size}_{rows}"
    source = "conv/grad_weight.cu"
    return dataclasses.replace(like, name=name, source=source, entries=("grad_weight",))


OF_WEIGHT = {
    4: {128: of_weight(4, 128, 256), 32: of_weight(4, 32, 128)},
    8: {64: of_weight(8, 64, 256)},
}
VARIANTS = (STEPS, *TILES[4].values(), *TILES[8].values(), *OF_WEIGHT[4].values(),
            *OF_WEIGHT[8].values())  # fmt: skip


def triple(given: Ints, missing: int) -> Ints:
    """Return one number for each of three axes."""
    return (missing,) * (3 - len(given)) + tuple(given)


class Axes(NamedTuple):
    """The settings of a convolution, a triple each."""

    kernel: Ints
    stride: Ints
    padding: Ints
    dilation: Ints

    @classmethod
    def of(cls, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Axes:
        """Return the settings of a convolution of 1 to 3 axes."""
        given = (kernel, stride, padding, dilation)
        return cls(
            *(triple(one, one_else) for one, one_else in zip(given, (1, 1, 0, 1), strict=True))
        )


class Table(NamedTuple):
    """What steps.cu says of the steps of a sum, for each phase."""

    places: Array  # (phases, most, 4): the offset of a step in the source, and its three distances
    weights_at: Array  # (phases, most)
    counts: Array  # (phases,): how many steps there are
    most: int


def table(
    axes: Axes, source: Ints, channels: int, pitch: int, phases: Ints | None, like: Array
) -> Table:
    """Return the steps of a layer, or where there are ``phases``, of its gradient."""
    most = max(1, channels * math.prod(_most_taps(axes, phases)))
    count = math.prod(phases or (1,))
    made = Table(
        empty((count, most, 4), np.int32, like),
        empty((count, most), np.int32, like),
        empty((count,), np.int32, like),
        most,
    )
    grid = Grid(blocks(most, STEPS.threads), count)
    settings = (*source, *axes.kernel, *axes.stride, *axes.padding, *axes.dilation)
    launch(
        STEPS, grid, *made, channels, pitch, phases is not None, *settings, *(phases or (1, 1, 1))
    )
    return made


def _most_taps(axes: Axes, phases: Ints | None) -> Ints:
    """Return, for each axis, the largest number of taps that a phase meets."""
    if phases is None:
        return axes.kernel
    return tuple(
        max(sum((a + p - t * d) % s == 0 for t in range(k)) for a in range(count))
        for k, s, p, d, count in zip(*axes, phases, strict=True)
    )


def choose(size: int, rows: int, columns: int, products: int = 1) -> Variant:
    """Return the variant for ``products`` of ``rows`` and ``columns``, one a group and phase.

    The largest tile of which half at least is filled, and that makes blocks enough for a GPU.
    """
    of_size = TILES[size]
    for tile, variant in of_size.items():
        count = products * blocks(rows, tile) * blocks(columns, COLUMNS[size])
        if 2 * rows > tile and count >= ENOUGH:
            return variant
    return of_size[min(of_size)]


def sum_of_taps(
    source: Array, weight: Array, bias: Array | None, result: Array, axes: Axes, groups: int,
    gradient: bool, activation: str | None, choice: Choice,
) -> None:  # fmt: skip
    """Fill ``result`` by the variant that ``choice`` returns for its sizes; see tiles.cu."""
    xp = array_module(source)
    source, weight = xp.ascontiguousarray(source), xp.ascontiguousarray(weight)
    bias = None if bias is None else xp.ascontiguousarray(bias)
    images, rows, channels = len(source), result.shape[1] // groups, source.shape[1] // groups
    sizes = triple(source.shape[2:], 1), triple(result.shape[2:], 1)
    once = (1, 1, 1)
    step, skip = (once, axes.stride) if gradient else (axes.stride, once)
    phases = tuple(map(min, skip, sizes[1]))
    taps = math.prod(axes.kernel)
    of_row, of_channel = (taps, rows * taps) if gradient else (channels * taps, taps)
    steps = table(axes, sizes[0], channels, of_channel, phases if gradient else None, source)
    columns = images * math.prod(map(blocks, sizes[1], skip))  # of the first phase, the largest
    variant = choice(source.dtype.itemsize, rows, columns, math.prod(phases) * groups)
    tile = dict(variant.defines)
    down = blocks(rows, int(tile["TILE_M"]))
    launch(
        variant,
        Grid(down * blocks(columns, int(tile["TILE_N"])), math.prod(phases), groups),
        *(source, weight, bias, result, *steps, images, channels, rows),
        *(of_row, weight.size // groups, *sizes[0], *sizes[1], *step, *skip),
        *(down, ACTIVATIONS[activation]),
    )
    finish(result, activation)


def layer(
    choice: Choice, x: Array, weight: Array, bias: Array | None, stride: Ints, padding: Ints,
    dilation: Ints, groups: int, activation: str | None,
) -> Array:  # fmt: skip
    """Return f(weight * x + bias), (N, K, *O), by a variant of ``choice``."""
    kernel = weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y = empty((len(x), len(weight), *out), x.dtype, x)
    if y.size:
        axes = Axes.of(kernel, stride, padding, dilation)
        sum_of_taps(x, weight, bias, y, axes, groups, False, activation, choice)
    return y


def gradient(
    choice: Choice, grad_output: Array, weight: Array, spatial: Ints, stride: Ints, padding: Ints,
    dilation: Ints, groups: int,
) -> Array:  # fmt: skip
    """Return dL/dx, (N, C, *spatial), by a variant of ``choice``."""
    shape = (len(grad_output), weight.shape[1] * groups, *spatial)
    dx = empty(shape, grad_output.dtype, grad_output)
    if dx.size:
        axes = Axes.of(weight.shape[2:], stride, padding, dilation)
        sum_of_taps(grad_output, weight, None, dx, axes, groups, True, None, choice)
    return dx


forward = functools.partial(layer, choose)
grad_input = functools.partial(gradient, choose)


def grad_weight(
    grad_output: Array, x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints,
    groups: int,
) -> Array:  # fmt: skip
    """Return dL/dweight, (K, C / groups, *kernel)."""
    xp = array_module(x)
    grad_output, x = xp.ascontiguousarray(grad_output), xp.ascontiguousarray(x)
    (images, k, *out), channels = grad_output.shape, x.shape[1] // groups
    rows, columns = k // groups, channels * math.prod(kernel)
    axes, source = Axes.of(kernel, stride, padding, dilation), triple(x.shape[2:], 1)
    steps = table(axes, source, channels, math.prod(kernel), None, x)
    of_size = OF_WEIGHT[x.dtype.itemsize]
    tile = max((one for one in of_size if 2 * rows > one), default=min(of_size))
    down, across = blocks(rows, tile), blocks(columns, COLUMNS[x.dtype.itemsize])
    places = images * math.prod(out)
    per_part = cut(places, down * across * groups, DEPTH, SHORTEST, x)
    parts = max(1, blocks(places, per_part))
    partial = empty((parts, k, channels, *kernel), x.dtype, x)
    variant, sizes = of_size[tile], triple(tuple(out), 1)
    launch(
        variant,
        Grid(down * across, parts, groups),
        *(grad_output, x, partial, steps.places, images, channels, rows, columns),
        *(per_part, *source, *sizes, *axes.stride, down),
    )
    if parts == 1:
        return partial[0]
    result = empty(partial.shape[1:], x.dtype, x)
    add_parts(partial, None, result, None)
    return result
