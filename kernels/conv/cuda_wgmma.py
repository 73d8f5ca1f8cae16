"""Convolution on Hopper (sm_90a), forward and both gradients: float16 or bfloat16. See wgmma.cu.

Arrays are laid out as for cuda_tensor.py, and the same sums are multiplied by warpgroups.
"""

from __future__ import annotations

import functools

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.conv.cuda import Axes
from tinymed.kernels.conv.cuda_tensor import (
    FLOAT16,
    ONCE,
    Laid,
    LaidForWeight,
    gradient,
    layer,
    of_weight,
)
from tinymed.kernels.conv.reference import Ints
from tinymed.kernels.cuda import Grid, TensorMap, Variant, blocks, empty, launch, resources
from tinymed.kernels.cuda.epilogue import ACTIVATIONS
from tinymed.kernels.matmul.cuda_wgmma import DEPTH, THREADS, ring_bytes
from tinymed.kernels.matmul.parts import add_parts, cut

__all__ = ["VARIANTS", "choose", "forward", "grad_input", "grad_weight"]

SHORTEST = 512  # terms of a part: fewer are not worth the writing of its sums
TILE_N = 256  # of wgmma_grad_weight.cu
COLUMN = 32  # bytes, of Column
TURN = FLOAT16.channels_last  # moves 16 bits, whatever they are
HOPPER = ("sm_90a",)
FILTERS = Variant("conv/filters_of_phases", "conv/filters_of_phases.cu", ("filters_of_phases",),
                  architectures=HOPPER)  # fmt: skip


def tiles(dtype: str, tile_m: int, tile_n: int) -> Variant:
    """Return the variant of wgmma.cu with tiles of ``tile_m`` rows by ``tile_n`` columns."""
    return Variant(
        name=f"conv/wgmma_{dtype}_{tile_m}x{tile_n}",
        source="conv/wgmma.cu",
        entries=("sum_of_taps",),
        defines=(("FORMAT", dtype.upper()), ("TILE_M", tile_m), ("TILE_N", tile_n)),
        architectures=HOPPER,
        threads=THREADS,
        shared=ring_bytes(tile_m, tile_n) + tile_n * COLUMN,
    )


def tiles_of_weight(dtype: str, tile_m: int) -> Variant:
    """Return the variant of wgmma_grad_weight.cu with tiles of ``tile_m`` rows."""
    return Variant(
        name=f"conv/wgmma_grad_weight_{dtype}_{tile_m}",
        source="conv/wgmma_grad_weight.cu",
        entries=("grad_weight",),
        defines=(("FORMAT", dtype.upper()), ("TILE_M", tile_m), ("TILE_N", TILE_N)),
        architectures=HOPPER,
        threads=THREADS,
        shared=ring_bytes(tile_m, TILE_N),
    )


DTYPES = ("bfloat16", "float16")
TILES = {(dtype, *size): tiles(dtype, *size)
         for dtype in DTYPES for size in ((128, 256), (128, 128), (64, 256))}  # fmt: skip
OF_WEIGHT = {(dtype, rows): tiles_of_weight(dtype, rows) for dtype in DTYPES for rows in (128, 64)}
VARIANTS = (FILTERS, *TILES.values(), *OF_WEIGHT.values())


def choose(rows: int, columns: int, products: int, like: Array) -> Variant:
    """Return tiles of 64 rows where those are enough, else the largest that fill the GPU."""
    if rows <= 64:
        return TILES[like.dtype.name, 64, 256]
    count = products * blocks(rows, 128) * blocks(columns, 256)
    return TILES[like.dtype.name, 128, 256 if count >= resources(like).multiprocessors else 128]


def weights(of: Laid, groups: int, own: bool) -> Array:
    """Return matrices (groups, rows, k), or for each phase its ``own``, of the order of steps."""
    filters, chunks, most = of.filters.array, of.filters.chunks, of.steps.most
    if not own:
        return filters.reshape(groups, of.rows, of.taps * filters.shape[-1])
    shape = (of.phases * groups, of.rows, most * filters.shape[-1])
    y, lines = empty(shape, filters.dtype, filters), groups * of.rows
    launch(
        FILTERS,
        Grid(blocks(lines * most * chunks, FILTERS.threads), of.phases),
        *(filters, y, of.steps.weights_at, of.steps.counts, most, lines, of.taps, chunks),
    )
    return y


def sum_of_taps(
    source: Array, weight: Array, bias: Array | None, result: Array, axes: Axes, groups: int,
    gradient: bool, activation: str | None,
) -> None:  # fmt: skip
    """Fill ``result``; the arguments are those of cuda_tensor.py."""
    of = Laid.out(TURN, source, weight, result, axes, groups, gradient)
    own_weights = gradient and axes.stride != ONCE
    variant = choose(of.rows, of.columns, of.phases * groups, source)
    tile = {name: int(size) for name, size in variant.defines if name != "FORMAT"}
    down = blocks(of.rows, tile["TILE_M"])
    tiles = down * blocks(of.columns, tile["TILE_N"])
    terms = of.steps.most * of.seen.array.shape[-1]  # of the longest sum
    each = cut(terms, tiles * of.phases * groups, DEPTH, SHORTEST, source)
    count = blocks(terms, each)
    parts = empty((count, *result.shape), np.float32, source) if count > 1 else None
    launch(
        variant,
        Grid(tiles, of.phases * count, groups),
        TensorMap(weights(of, groups, own_weights), tile["TILE_M"]),
        *(of.seen.array, None if count > 1 else bias, result, parts),
        *(of.steps.places, of.steps.counts, of.steps.most, count, each // DEPTH),
        *(of.images, of.seen.chunks, of.rows, own_weights, *of.geometry, down),
        ACTIVATIONS[activation],
    )
    if parts is not None:
        add_parts(parts, bias, result, activation, axis=1)


def parts_of_weight(grad_output: Array, x: Array, axes: Axes, kernel: Ints, groups: int) -> Array:
    """Return parts of dL/dweight, (count, K, C / groups, *kernel), in float32."""
    of = LaidForWeight.out(TURN, grad_output, x, axes, kernel, groups)
    tile_m = 64 if of.rows <= 64 else 128
    down = blocks(of.rows, tile_m)
    tiles = down * blocks(of.taps * of.seen.array.shape[-1], TILE_N)
    parts, each = of.parts(tiles, groups, DEPTH)
    launch(
        OF_WEIGHT[x.dtype.name, tile_m],
        Grid(tiles, len(parts), groups),
        TensorMap(of.dy.array.reshape(groups, of.places, -1), DEPTH),
        *(of.seen.array, parts, of.steps.places, of.images, of.channels, of.seen.chunks, of.rows),
        *(of.taps, each, *of.geometry, down),
    )
    return parts


forward = functools.partial(layer, sum_of_taps)
grad_input = functools.partial(gradient, sum_of_taps)
grad_weight = functools.partial(of_weight, parts_of_weight)
