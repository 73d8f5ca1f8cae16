"""What the kernels that measure a GPU are proved on, and how large they are when they measure.

``BENCHES`` keep any GPU of today busy for a millisecond or so: a copy of 256 MiB is beyond its
caches, and 2^20 threads, or 2^15 warps, are more than it holds at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.case import Case
from tinymed.kernels.ceilings.reference import CHAINS

K = {"float32": 8, "float64": 8, "bfloat16": 16, "float16": 16}  # of tiles; float64: the oracle


def _one(*shape: int, then: tuple[Any, ...] = ()) -> Any:
    return lambda rng, dtype: (rng.standard_normal(shape).astype(dtype, copy=False), *then)


def _tiles(tiles: int, rounds: int) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        k = K[dtype.name]
        a, b = rng.standard_normal((16, k)), rng.standard_normal((k, 8))
        return a.astype(dtype), b.astype(dtype), tiles, rounds

    return make


def _multiply_add(n: int, rounds: int) -> Case:
    name, flops = f"{n} numbers, {rounds} rounds", 2.0 * CHAINS * n * rounds
    make = _one(n, then=(rounds,))
    return Case("ceilings.multiply_add", name, make, terms=CHAINS, flops=flops, bytes=8 * n)


def _product(tiles: int, rounds: int) -> Case:
    flops = 2.0 * CHAINS * 16 * 8 * K["float32"] * tiles * rounds
    name = f"{tiles} tiles, {rounds} rounds"
    terms = CHAINS * rounds * K["bfloat16"]
    return Case("ceilings.tile_product", name, _tiles(tiles, rounds), terms, flops, 512 * tiles)


def _by_warpgroups(tiles: int, rounds: int) -> Case:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        a, b = rng.standard_normal((64, 16)), rng.standard_normal((16, 256))
        return a.astype(dtype), b.astype(dtype), tiles, rounds

    flops = 2.0 * CHAINS * 64 * 256 * 16 * tiles * rounds
    name = f"{tiles} tiles, {rounds} rounds"
    terms = CHAINS * rounds * 16
    return Case("ceilings.warpgroup_product", name, make, terms, flops, 4 * 64 * 256 * tiles)


def _copy(*shape: int) -> Case:
    moved = 8.0 * int(np.prod(shape))
    return Case("ceilings.copy", f"{shape}", _one(*shape), bytes=moved)


PROOFS = [
    *map(_copy, (1, 7, 64, 1025)),
    _copy(3, 5),
    _copy(0),
    *(_multiply_add(*sizes) for sizes in ((1, 1), (257, 3), (600, 17), (0, 2))),
    *(_product(*sizes) for sizes in ((1, 1), (9, 2), (16, 5))),
    *(_by_warpgroups(*sizes) for sizes in ((1, 1), (3, 2))),
]
BENCHES = [_copy(1 << 26), _multiply_add(1 << 20, 1 << 11), _product(1 << 15, 1 << 10)]
BENCHES += [_by_warpgroups(1 << 10, 1 << 9)]
