"""Products of tiles on tensor cores: float32 rounded to TF32, or bfloat16."""

from __future__ import annotations

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import ARCHITECTURES, Grid, Variant, blocks, empty, launch

__all__ = ["VARIANTS", "tile_product"]

WARP = 32
OF_DTYPE = {
    dtype: Variant(
        f"ceilings/tile_product_{name}",
        "ceilings/tile_product.cu",
        ("tile_product",),
        (("BF16", int(name == "bfloat16")),),
        architectures=tuple(a for a in ARCHITECTURES if int(a.removeprefix("sm_")) >= 80),
    )
    for dtype, name in (("float32", "tf32"), ("bfloat16", "bfloat16"))
}
VARIANTS = tuple(OF_DTYPE.values())


def tile_product(a: Array, b: Array, tiles: int, rounds: int) -> Array:
    """Return ``tiles`` times the same tile, 8 rounds a b: (16, K)(K, 8) -> (tiles, 16, 8).

    K is 8 for float32, 16 for bfloat16: what one instruction takes.
    """
    xp, variant = array_module(a), OF_DTYPE[a.dtype.name]
    a, b = xp.ascontiguousarray(a), xp.ascontiguousarray(b)
    y = empty((tiles, len(a), b.shape[1]), a.dtype, a)
    launch(variant, Grid(blocks(tiles, variant.threads // WARP)), a, b, y, tiles, rounds)
    return y
