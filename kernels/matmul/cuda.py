"""Matrix products in CUDA: tiles in registers (float32, float64), or tensor cores if asked for.

``cuda`` computes in the arrays' own precision. ``cuda:tensor`` takes float16 and bfloat16, whose
products are exact and whose sums are float32; float32 it rounds to TF32, where it is asked for by
name: faster, and other numbers. ``cuda:tf32x3`` makes a product of float32 of three of TF32. Long
sums of small results are split (parts.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import SCALARS, Grid, Variant, address, blocks, empty, launch
from tinymed.kernels.cuda.channels import THREADS, across, parts_of
from tinymed.kernels.cuda.epilogue import ACTIVATIONS
from tinymed.kernels.matmul.parts import add_parts, cut
from tinymed.precision import of_sums

__all__ = [
    "VARIANTS",
    "bias_grad",
    "choose",
    "finish",
    "grid",
    "in_parts",
    "is_spread",
    "is_turned",
    "laid_out",
    "linear",
    "part",
    "product",
    "written",
]

# bias, parts and the number of f, the first and the last before parts are added
Run = Callable[[Array | None, Array | None, int], None]
ALIGNED = 16  # bytes of one access of the wide variants
LAYOUTS = [
    (a, b) for a in (1, 0) for b in (0, 1)
]  # are neighbours along K? row-major a and b first
DEPTH = 8  # TILE_K
STEP = 64  # terms of a part are a multiple of it: whole steps of every kernel
SHORTEST = 256  # terms of a part: fewer are not worth the writing of its sums


def tiles(dtype: str, tile: int, wide: int, a_along_k: int, b_along_k: int) -> Variant:
    """Return the variant of tiles.cu with tiles of ``tile`` x ``tile``."""
    scalar, size = {"float32": ("float", 4), "float64": ("double", 8)}[dtype]
    side = 2 * ALIGNED // size
    layout = f"{'nt'[1 - a_along_k]}{'nt'[b_along_k]}"
    return Variant(
        name=f"matmul/{dtype}_{tile}{'' if wide else '_narrow'}_{layout}",
        source="matmul/tiles.cu",
        entries=("matmul",),
        defines=(
            ("SCALAR", scalar),
            *(("TILE_M", tile), ("TILE_N", tile), ("TILE_K", DEPTH)),
            *(("A_ALONG_K", a_along_k), ("B_ALONG_K", b_along_k), ("WIDE", wide)),
        ),
        threads=(tile // side) ** 2,
    )


FLOAT32 = {(wide, *layout): tiles("float32", 128 if wide else 64, wide, *layout)
           for wide in (1, 0) for layout in LAYOUTS}  # fmt: skip
FLOAT64 = {layout: tiles("float64", 64, 0, *layout) for layout in LAYOUTS}
ACTIVATION = {
    dtype: Variant(f"matmul/activation_{dtype}", "matmul/activation.cu", ("activation",),
                   (("SCALAR", scalar),))
    for dtype, scalar in (("float32", "float"), ("float64", "double"), ("bfloat16", "bfloat16"),
                          ("float16", "float16"))
}  # fmt: skip
BIAS_GRAD = {
    dtype: Variant(f"matmul/bias_grad_{dtype}", "matmul/bias_grad.cu",
                   ("planes", "columns", "merge"), (("SCALAR", scalar), ("SUM", of_sum)),
                   threads=THREADS)
    for dtype, (scalar, of_sum) in SCALARS.items()
}  # fmt: skip
VARIANTS = (*FLOAT32.values(), *FLOAT64.values(), *ACTIVATION.values(), *BIAS_GRAD.values())
COLUMNS, ROWS = 32, 8  # that a block of bias_grad.cu takes at once


def choose(a: Array, b: Array, layout: tuple[int, int]) -> Variant:
    """Return the variant for a (..., M, K), b (..., K, N); ``layout``: are neighbours along K?"""
    if a.dtype == np.float64:
        return FLOAT64[layout]
    (m, k), n = a.shape[-2:], b.shape[-1]
    small = min(m, n) <= 64  # most of a tile of 128 would be empty
    # where sums are split there are too few tiles to keep the GPU busy
    wide = not small and is_wide(a, b, m, n, k) and part(a, b, 128, 128) >= k
    return FLOAT32[(int(wide), *layout)]


def part(a: Array, b: Array, rows: int, columns: int) -> int:
    """Return the terms of a part of the sums, with tiles of ``rows`` x ``columns``; K: one part."""
    batch = max(math.prod(x.shape[:-2]) for x in (a, b))
    tiles = blocks(a.shape[-2], rows) * blocks(b.shape[-1], columns) * batch
    return cut(a.shape[-1], tiles, STEP, SHORTEST, a)


def is_wide(a: Array, b: Array, m: int, n: int, k: int) -> bool:
    """Return whether every row of a, b and y, turned or not, begins at a multiple of 16 bytes."""
    lengths = all(length * a.dtype.itemsize % ALIGNED == 0 for length in (m, n, k))
    return lengths and all(address(x) % ALIGNED == 0 for x in (a, b))


def grid(m: int, n: int, batch: int, tile: int, parts: int = 1) -> Grid:
    """Return one block per tile of y, going down its columns of tiles, per part and per matrix."""
    return Grid(blocks(m, tile) * blocks(n, tile), parts, batch)


def product(a: Array, b: Array) -> Array:
    """Return a b, (..., M, K)(..., K, N) -> (..., M, N)."""
    return multiply(a, b, None, None, choose)


def linear(x: Array, weight: Array, bias: Array | None, activation: str | None) -> Array:
    """Return f(x weight^T + bias), (M, D)(D, H) + (H,) -> (M, H)."""
    return multiply(x, weight.T, bias, activation, choose)


def multiply(
    a: Array, b: Array, bias: Array | None, activation: str | None, choice: Any, dtype: Any = None
) -> Array:
    """Return f(a b + bias) by the variant that ``choice`` returns.

    ``dtype`` is float32 for sums of 16 bits that are not to be rounded, without f.
    """
    (m, k), n = a.shape[-2:], b.shape[-1]
    leading = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    y = empty((*leading, m, n), dtype or a.dtype, a)
    a_turned, b_turned = (is_turned(x, leading) for x in (a, b))
    (a, a_batch), (b, b_batch) = laid_out(a, leading, a_turned), laid_out(b, leading, b_turned)
    variant = choice(a, b, (int(not a_turned), int(b_turned)))
    settings = dict(variant.defines)
    tile = int(settings["TILE_M"])
    each = max(1, k) if settings.get("WIDE") else part(a, b, tile, tile)
    count = max(1, blocks(k, each))
    own_parts = "FORMAT" in settings  # of a dtype of their own

    def run(bias: Array | None, parts: Array | None, f: int) -> None:
        launch(
            variant,
            grid(m, n, math.prod(leading), tile, count),
            *(a.swapaxes(-1, -2) if a_turned else a, b.swapaxes(-1, -2) if b_turned else b, bias),
            *(written(y, parts, a) if own_parts else (y if parts is None else parts,)),
            *(m, n, k, each, np.int64(a_batch), np.int64(b_batch), blocks(m, tile), f),
            *((is_wide(a, b, m, n, k),) if own_parts else ()),
        )

    in_parts(y, count, np.float64 if a.dtype == np.float64 else np.float32, bias, activation, run)
    return y


def written(y: Array, parts: Array | None, like: Array) -> tuple[Array | None, Array | None]:
    """Return where a kernel of 16 bits writes results, and where sums: parts, or a wider y."""
    return (None, y) if parts is None and y.dtype != like.dtype else (y, parts)


def in_parts(
    y: Array, count: int, sums: Any, bias: Array | None, activation: str | None, run: Run
) -> None:
    """Have ``run`` fill y with f(product + bias), or ``count`` parts in ``sums``, and add them."""
    bias = None if bias is None else array_module(bias).ascontiguousarray(bias)
    if count == 1:
        run(bias, None, ACTIVATIONS[activation])
    else:
        parts = empty((count, *y.shape), sums, y)
        run(None, parts, ACTIVATIONS[None])
        wide = None if bias is None else bias.astype(y.dtype, copy=False)
        add_parts(parts, wide, y, activation)
    finish(y, activation)


def finish(y: Array, activation: str | None) -> None:
    """Apply in place what a product's epilogue does not: tanh and sigmoid. See activation.cu."""
    if activation in ("tanh", "sigmoid"):
        each = ACTIVATION[y.dtype.name].threads * ALIGNED // y.dtype.itemsize
        number = ACTIVATIONS[activation]
        launch(ACTIVATION[y.dtype.name], Grid(blocks(y.size, each)), y, np.int64(y.size), number)


def bias_grad(grad_output: Array) -> Array:
    """Return dL/dbias (C,), the sum of dL/dy (N, C, *S) over all axes but the channels'."""
    grad = array_module(grad_output).ascontiguousarray(grad_output)
    (n, c), length = grad.shape[:2], math.prod(grad.shape[2:])
    variant, dtype = BIAS_GRAD[grad.dtype.name], of_sums(grad.dtype)
    y = empty((c,), dtype, grad)
    rows, columns = (blocks(n, ROWS), blocks(c, COLUMNS)) if length == 1 else (n, c)
    parts = parts_of(rows, columns, length)
    partial = empty((parts, c), dtype, grad) if parts > 1 else y
    if length == 1:
        launch(variant, Grid(columns, parts), grad, partial, n, c, entry="columns")
    else:
        sizes = (n, c, np.uint32(length), *across(length, grad))
        launch(variant, Grid(c, parts), grad, partial, *sizes, entry="planes")
    if parts > 1:
        launch(variant, Grid(blocks(c, THREADS)), partial, y, c, parts, entry="merge")
    return y


def is_spread(x: Array, leading: tuple[int, ...]) -> bool:
    """Return whether x, one of a batch of ``leading`` axes, is broadcast along some of several."""
    return math.prod(x.shape[:-2]) != 1 and x.shape[:-2] != leading


def is_turned(x: Array, leading: tuple[int, ...]) -> bool:
    """Return whether x is the transpose of something contiguous, which need not be copied."""
    rows, columns = x.flags.c_contiguous, x.swapaxes(-1, -2).flags.c_contiguous
    return bool(columns and not rows and not is_spread(x, leading))


def laid_out(x: Array, leading: tuple[int, ...], turned: bool) -> tuple[Array, int]:
    """Return an operand with contiguous rows, or columns if ``turned``; how far matrices are apart.

    It is copied where it is not so, and where a batch is broadcast along some of several axes; one
    matrix for a whole batch is not.
    """
    xp = array_module(x)
    distance = 0 if math.prod(x.shape[:-2]) == 1 else math.prod(x.shape[-2:])
    if is_spread(x, leading):
        x = xp.broadcast_to(x, (*leading, *x.shape[-2:]))
    if turned:
        return xp.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2), distance
    return xp.ascontiguousarray(x), distance
