"""Matrix products on a GPU in seven steps, from the loop a beginner writes to Hopper's warpgroups.

Read the files in their order: each is one kernel, and its first comment says what it gains over
the one before, how many bytes and FLOPs it counts, and what bounds it. They are implementations of
``matmul.product`` like any other, proved and timed with it: ``use_backend("cuda:shared")`` is the
third.
"""

from __future__ import annotations

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import ARCHITECTURES, Grid, Variant, blocks, empty, launch

__all__ = ["STEPS", "VARIANTS"]


def _step(number: int, name: str, threads: int = 256, least: int = 75, shared: int = 0) -> Variant:
    every = (a for a in ARCHITECTURES if int(a.removeprefix("sm_")) >= least)
    return Variant(
        name=f"matmul/ladder/{number}_{name}",
        source=f"matmul/ladder/{number}_{name}.cu",
        entries=(name,),
        architectures=("sm_90a",) if name == "warpgroups" else tuple(every),
        threads=threads,
        shared=shared,
    )


VARIANTS = (
    _step(1, "naive"),
    _step(2, "coalesced"),
    _step(3, "shared", threads=1024),
    _step(4, "register_tiles"),
    _step(5, "vectorised"),
    _step(6, "tensor_cores", least=80),
    _step(7, "warpgroups", threads=128, shared=(64 + 128) * 32 * 4),
)
STEPS = {variant.entries[0]: variant for variant in VARIANTS}


def grid(name: str, rows: int, columns: int) -> Grid:
    """Return the grid of a step for y (rows, columns)."""
    if name == "naive":
        return Grid(blocks(rows, 256), columns)
    if name == "coalesced":
        return Grid(blocks(columns, 256), rows)
    tile = 32 if name == "shared" else 128
    return Grid(blocks(columns, tile), blocks(rows, 64 if name == "warpgroups" else tile))


def _product(name: str, a: Array, b: Array) -> Array:
    """Return a b by the step ``name``."""
    xp = array_module(a)
    (rows, depth), columns = a.shape, b.shape[1]
    y = empty((rows, columns), a.dtype, a)
    a, b = xp.ascontiguousarray(a), xp.ascontiguousarray(b)
    launch(STEPS[name], grid(name, rows, columns), a, b, y, rows, columns, depth)
    return y


def naive(a: Array, b: Array) -> Array:
    """Return a b, (M, K)(K, N) -> (M, N), a thread per element in the wrong order."""
    return _product("naive", a, b)


def coalesced(a: Array, b: Array) -> Array:
    """Return a b, (M, K)(K, N) -> (M, N), neighbouring threads at neighbouring addresses."""
    return _product("coalesced", a, b)


def shared(a: Array, b: Array) -> Array:
    """Return a b, (M, K)(K, N) -> (M, N), by tiles in shared memory."""
    return _product("shared", a, b)


def register_tiles(a: Array, b: Array) -> Array:
    """Return a b, (M, K)(K, N) -> (M, N), 8 x 8 sums in the registers of a thread."""
    return _product("register_tiles", a, b)


def vectorised(a: Array, b: Array) -> Array:
    """Return a b, (M, K)(K, N) -> (M, N), 128 bits at a time; K and N multiples of 4."""
    return _product("vectorised", a, b)


def tensor_cores(a: Array, b: Array) -> Array:
    """Return a b, (M, K)(K, N) -> (M, N), rounded to TF32, on tensor cores."""
    return _product("tensor_cores", a, b)


def warpgroups(a: Array, b: Array) -> Array:
    """Return a b, (M, K)(K, N) -> (M, N), rounded to TF32, four warps at once (sm_90a)."""
    return _product("warpgroups", a, b)
