"""Convolution in two dimensions on a GPU, in three steps from the loops of its definition.

Read the files in their order: each is one kernel, and its first comment says what it gains over
the one before, how many bytes and FLOPs it counts, and what bounds it. What comes after is
``kernels/conv/tiles.cu``. They are implementations of ``conv.forward`` like any other, proved and
timed with it: ``use_backend("cuda:shared")`` is the second.
"""

from __future__ import annotations

import functools

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.conv.reference import Ints, output_size
from tinymed.kernels.cuda import Grid, Variant, blocks, empty, launch
from tinymed.kernels.cuda.epilogue import ACTIVATIONS

__all__ = ["STEPS", "VARIANTS", "grid", "naive", "register_tiles", "shared"]


def _step(number: int, name: str, threads: int = 256) -> Variant:
    path = f"conv/ladder/{number}_{name}"
    return Variant(path, f"{path}.cu", (name,), threads=threads)


VARIANTS = (_step(1, "naive"), _step(2, "shared", threads=1024), _step(3, "register_tiles"))
STEPS = {variant.entries[0]: variant for variant in VARIANTS}


def grid(name: str, channels: int, places: int) -> Grid:
    """Return the grid of a step for y with so many channels, and places in all images."""
    if name == "naive":
        return Grid(blocks(places, 256), channels)
    tile = 32 if name == "shared" else 64
    return Grid(blocks(places, tile), blocks(channels, tile))


def _forward(
    name: str, x: Array, weight: Array, bias: Array | None, stride: Ints, padding: Ints,
    dilation: Ints, groups: int, activation: str | None,
) -> Array:  # fmt: skip
    """Return f(weight * x + bias), (N, K, *O), by the step ``name``; one group, f None or relu."""
    xp = array_module(x)
    x, weight = xp.ascontiguousarray(x), xp.ascontiguousarray(weight)
    bias = None if bias is None else xp.ascontiguousarray(bias)
    kernel = weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y = empty((len(x), len(weight), *out), x.dtype, x)
    launch(
        STEPS[name],
        grid(name, len(weight), len(x) * out[0] * out[1]),
        *(x, weight, bias, y, *x.shape, len(weight), *kernel, *out),
        *(*stride, *padding, *dilation, ACTIVATIONS[activation]),
    )
    return y


naive = functools.partial(_forward, "naive")
shared = functools.partial(_forward, "shared")
register_tiles = functools.partial(_forward, "register_tiles")
