"""Sums that are split: where a result is small and its sums long, blocks share a tile of it.

Each block adds up a range of the sum; `add_parts` then adds the partial sums in their order. How
many there are depends on the sizes and on the GPU, so that one GPU gives the same bits each time.
"""

from __future__ import annotations

import math

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda import Grid, Variant, blocks, launch, resources
from tinymed.kernels.cuda.epilogue import ACTIVATIONS

__all__ = ["VARIANTS", "add_parts", "cut"]

BLOCKS = 2  # for each multiprocessor: while one waits for memory, the other multiplies
SCALARS = {"float32": ("float", "float"), "float64": ("double", "double"),
           "bfloat16": ("bfloat16", "float"), "float16": ("float16", "float")}  # fmt: skip
PARTS = {
    dtype: Variant(f"matmul/parts_{dtype}", "matmul/parts.cu", ("add_parts",),
                   (("SCALAR", scalar), ("SUM", of_sum)))
    for dtype, (scalar, of_sum) in SCALARS.items()
}  # fmt: skip
VARIANTS = tuple(PARTS.values())


def cut(terms: int, tiles: int, depth: int, shortest: int, like: Array) -> int:
    """Return how many terms of a sum make a part, a multiple of ``depth``.

    As many parts as make two blocks for each multiprocessor of the GPU that holds ``like``, none
    of them, but for rounding, with fewer than ``shortest`` terms; one if the tiles fill the GPU.

    Parameters
    ----------
    terms : int
        How many a sum has.
    tiles : int
        How many blocks there are without parts.
    depth : int
        How many terms a block takes at a time.
    shortest : int
        How many are worth the writing of partial sums.
    like : array
    """
    most = terms // shortest
    if most > 1 and tiles:
        filled = resources(like).multiprocessors
        most = min(most, BLOCKS * filled // tiles) if tiles < filled else 1
    return max(1, blocks(blocks(terms, max(1, most)), depth)) * depth


def add_parts(
    parts: Array, bias: Array | None, y: Array, activation: str | None, axis: int = -1
) -> None:
    """Fill y with f(the sum of parts (count, *y.shape) over their first axis + bias).

    Of f, only relu; the bias is along ``axis`` and has the dtype of y, the parts are float32 where
    that has 16 bits.
    """
    variant = PARTS[y.dtype.name]
    apart = math.prod(y.shape[axis:][1:])
    launch(
        variant,
        Grid(blocks(y.size, variant.threads)),
        *(parts, bias, y, np.int64(y.size), y.shape[axis], apart, len(parts)),
        ACTIVATIONS[activation],
    )
