"""Matrix products in numba-cuda: step 3 of the course (ladder/3_shared.cu) in Python.

Counted: 2 * 16 * 16 * 4 = 2 KiB per block and step of 16 along K, for 2 * 16^3 FLOPs: 4 FLOPs per
byte from memory. Bound: shared memory, of which each multiply-add reads two numbers.
"""

from __future__ import annotations

from numba import cuda

from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda import Grid, blocks, empty, launch_python
from tinymed.kernels.cuda.epilogue import ACTIVATIONS
from tinymed.kernels.cuda.numba_parts import activated

__all__ = ["grid", "linear", "multiply", "product"]

TILE = 16  # rows and columns of y that a block computes, with a thread for each element


@cuda.jit
def tiles(a: Array, b: Array, bias: Array | None, activation: int, y: Array) -> None:
    """Write y = f(a b + bias), (M, K)(K, N) + (N,) -> (M, N)."""
    tile_a = cuda.shared.array((TILE, TILE), y.dtype)
    tile_b = cuda.shared.array((TILE, TILE), y.dtype)
    column, row = cuda.grid(2)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    zero = y.dtype.type(0)
    total = zero
    for start in range(0, a.shape[1], TILE):
        a_inside = row < a.shape[0] and start + tx < a.shape[1]
        b_inside = start + ty < b.shape[0] and column < b.shape[1]
        tile_a[ty, tx] = a[row, start + tx] if a_inside else zero
        tile_b[ty, tx] = b[start + ty, column] if b_inside else zero
        cuda.syncthreads()  # the whole tiles must be there before anyone reads a neighbour's
        for k in range(TILE):
            total += tile_a[ty, k] * tile_b[k, tx]
        cuda.syncthreads()  # nobody may load the next tiles while another still reads these
    if row < y.shape[0] and column < y.shape[1]:
        if bias is not None:  # decided when it is compiled: None is a type of its own
            total += bias[column]
        y[row, column] = activated(total, activation, y.dtype.type(1))


def grid(rows: int, columns: int) -> Grid:
    """Return a block for each tile of y, x along its columns: neighbours read neighbours of b."""
    return Grid(blocks(columns, TILE), blocks(rows, TILE))


def multiply(a: Array, b: Array, bias: Array | None, activation: str | None) -> Array:
    """Return f(a b + bias); arrays may have any strides, which numba's indexing knows."""
    y = empty((a.shape[0], b.shape[1]), a.dtype, a)
    launch_python(tiles, grid(*y.shape), (TILE, TILE), a, b, bias, ACTIVATIONS[activation], y)
    return y


def product(a: Array, b: Array) -> Array:
    """Return a b, (M, K)(K, N) -> (M, N)."""
    return multiply(a, b, None, None)


def linear(x: Array, weight: Array, bias: Array | None, activation: str | None) -> Array:
    """Return f(x weight^T + bias), (M, D)(D, H) + (H,) -> (M, H)."""
    return multiply(x, weight.T, bias, activation)
