"""Matrix products on Hopper (sm_90a): float16 or bfloat16, by its copy engine. See wgmma.cu."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda import Grid, TensorMap, Variant, address, blocks, empty, launch, resources
from tinymed.kernels.matmul.cuda import (
    ALIGNED,
    in_parts,
    is_spread,
    is_turned,
    laid_out,
    part,
    written,
)

__all__ = [
    "DEPTH",
    "THREADS",
    "VARIANTS",
    "can_copy",
    "choose",
    "linear",
    "multiply",
    "product",
    "ring_bytes",
]

TILE_M = 128  # as wgmma.cu has it
DEPTH, STAGES, THREADS = 64, 4, 3 * 128  # as warpgroup_ring.cuh has them
BARRIERS = 1024  # bytes for them: those before are a multiple of it, and so is all


def ring_bytes(tile_m: int, tile_n: int) -> int:
    """Return the shared memory of the ring for tiles of 16 bits, its barriers included."""
    return STAGES * (tile_m + tile_n) * DEPTH * 2 + BARRIERS


def variant(dtype: str, tile_n: int) -> Variant:
    """Return the variant of wgmma.cu for "bfloat16" or "float16", tiles of ``tile_n`` columns."""
    return Variant(
        name=f"matmul/wgmma_{dtype}_{tile_n}",
        source="matmul/wgmma.cu",
        entries=("matmul_nn", "matmul_nt", "matmul_tn", "matmul_tt"),
        defines=(("FORMAT", dtype.upper()), ("TILE_N", tile_n)),
        architectures=("sm_90a",),
        threads=THREADS,
        shared=ring_bytes(TILE_M, tile_n),
    )


WGMMA = {(dtype, tile_n): variant(dtype, tile_n)
         for dtype in ("bfloat16", "float16") for tile_n in (128, 256)}  # fmt: skip
VARIANTS = tuple(WGMMA.values())


def reads_turned(x: Array, leading: tuple[int, ...]) -> bool:
    """Return whether x is read by columns: as it lies, or as the copy that must be made can be."""
    copied = not x.flags.c_contiguous or is_spread(x, leading)
    return is_turned(x, leading) or (copied and x.shape[-1] * x.dtype.itemsize % ALIGNED != 0)


def can_copy(a: Array, b: Array) -> bool:
    """Return whether the copy engine can read a and b: in memory rows are multiples of 16 bytes."""
    leading = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    rows = (x.shape[-2 if reads_turned(x, leading) else -1] * x.dtype.itemsize for x in (a, b))
    return bool(a.size and b.size) and all(size % ALIGNED == 0 for size in rows)


def choose(a: Array, b: Array, batch: int) -> Variant:
    """Return the larger tiles if there are enough of them for the GPU, else the smaller ones."""
    m, n = a.shape[-2], b.shape[-1]
    enough = blocks(m, TILE_M) * blocks(n, 256) * batch >= resources(a).multiprocessors
    return WGMMA[a.dtype.name, 256 if enough and n > 128 else 128]


def product(a: Array, b: Array) -> Array:
    """Return a b, (..., M, K)(..., K, N) -> (..., M, N)."""
    return multiply(a, b, None, None)


def linear(x: Array, weight: Array, bias: Array | None, activation: str | None) -> Array:
    """Return f(x weight^T + bias), (M, D)(D, H) + (H,) -> (M, H)."""
    return multiply(x, weight.T, bias, activation)


def multiply(
    a: Array, b: Array, bias: Array | None, activation: str | None, dtype: Any = None
) -> Array:
    """Return f(a b + bias); ``dtype`` is float32 for sums that are not to be rounded, without f."""
    (m, k), n = a.shape[-2:], b.shape[-1]
    leading = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    y, batch = empty((*leading, m, n), dtype or a.dtype, a), math.prod(leading)
    a_turned, b_turned = (reads_turned(x, leading) for x in (a, b))
    (a, a_batch), (b, b_batch) = laid_out(a, leading, a_turned), laid_out(b, leading, b_turned)
    chosen = choose(a, b, batch)
    tile_n = int(dict(chosen.defines)["TILE_N"])
    each, down = part(a, b, TILE_M, tile_n), blocks(m, TILE_M)
    count = blocks(k, each)

    def run(bias: Array | None, parts: Array | None, f: int) -> None:
        launch(
            chosen,
            Grid(down * blocks(n, tile_n), count, batch),
            boxes(a.swapaxes(-1, -2), DEPTH) if a_turned else boxes(a, TILE_M),
            boxes(b.swapaxes(-1, -2), tile_n) if b_turned else boxes(b, DEPTH),
            *(bias, *written(y, parts, a), m, n, k, each, a_batch > 0, b_batch > 0, down, f),
            entry=f"matmul_{'nt'[a_turned]}{'nt'[b_turned]}",
        )

    in_parts(y, count, np.float32, bias, activation, run)
    return y


def boxes(x: Array, rows: int) -> TensorMap:
    """Return x (..., R, C), contiguous, as the copy engine sees it; copied where it cannot."""
    matrices = x.reshape(-1, *x.shape[-2:])
    return TensorMap(matrices.copy() if address(x) % ALIGNED else matrices, rows)
