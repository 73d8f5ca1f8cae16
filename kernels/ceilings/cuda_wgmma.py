"""Products of tiles of float16 by the warpgroups of Hopper (sm_90a)."""

from __future__ import annotations

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, Variant, empty, launch

__all__ = ["VARIANTS", "warpgroup_product"]

ROWS, COLUMNS, DEPTH = 64, 256, 64  # of tiles in shared memory, of which 16 along K are used
PRODUCT = Variant(
    "ceilings/warpgroup_product",
    "ceilings/warpgroup_product.cu",
    ("warpgroup_product",),
    architectures=("sm_90a",),
    threads=128,
    shared=(ROWS + COLUMNS) * DEPTH * 2,
)
VARIANTS = (PRODUCT,)


def warpgroup_product(a: Array, b: Array, tiles: int, rounds: int) -> Array:
    """Return ``tiles`` times the same tile, 8 rounds a b: (64, 16)(16, 256) -> (tiles, 64, 256)."""
    xp = array_module(a)
    y = empty((tiles, ROWS, COLUMNS), a.dtype, a)
    launch(PRODUCT, Grid(tiles), xp.ascontiguousarray(a), xp.ascontiguousarray(b), y, rounds)
    return y
