"""What the kernels that measure a GPU compute."""

from __future__ import annotations

from tinymed.kernels.arrays import Array, array_module

__all__ = ["CHAINS", "copy", "multiply_add", "tile_product", "warpgroup_product"]

CHAINS = 8  # independent sums of a thread: what hides the latency of an instruction


def copy(x: Array) -> Array:
    """Return x."""
    y: Array = x.copy()
    return y


def multiply_add(x: Array, rounds: int) -> Array:
    """Return the sum of 8 chains s <- s / 2 + x, from s = 1, 2, ... 8, after ``rounds`` steps.

    Each chain is s / 2^rounds + 2 x (1 - 1 / 2^rounds).
    """
    left = 0.5**rounds
    y: Array = left * sum(range(1, CHAINS + 1)) + 2 * CHAINS * (1 - left) * x
    return y


def tile_product(a: Array, b: Array, tiles: int, rounds: int) -> Array:
    """Return ``tiles`` times the same tile, 8 rounds a b: (16, K)(K, 8) -> (tiles, 16, 8)."""
    xp = array_module(a)
    product = CHAINS * rounds * (a @ b)
    y: Array = xp.ascontiguousarray(xp.broadcast_to(product, (tiles, *product.shape)))
    return y


def warpgroup_product(a: Array, b: Array, tiles: int, rounds: int) -> Array:
    """Return ``tiles`` times the same tile, 8 rounds a b: (64, 16)(16, 256) -> (tiles, 64, 256)."""
    return tile_product(a, b, tiles, rounds)
