"""Convolution in two dimensions in numba-cuda: the sums of the definition, one thread a result.

Counted: each multiply-add reads two numbers through the caches, 4 FLOPs for 16 bytes of them, and
asks whether it is in the padding. Bound: the first cache. `ladder/` has what comes after.
"""

from __future__ import annotations

from numba import cuda

from tinymed.kernels.arrays import Array
from tinymed.kernels.conv.reference import Ints, output_size
from tinymed.kernels.cuda import Grid, blocks, empty, launch_python
from tinymed.kernels.cuda.epilogue import ACTIVATIONS
from tinymed.kernels.cuda.numba_parts import activated, block_sum, place_of

__all__ = ["forward", "grad_input", "grad_weight"]

THREADS = 128  # of a block; a power of 2


@cuda.jit
def results(
    x: Array, weight: Array, bias: Array | None, stride: Ints, padding: Ints, dilation: Ints,
    groups: int, activation: int, y: Array,
) -> None:  # fmt: skip
    """y[n, k, p, q] = f(bias[k] + the sum over (c, r, s) of weight[k, c, r, s] x[n, c, h, w])."""
    i = cuda.grid(1)
    if i >= y.size:
        return
    n, k, p, q = place_of(i, y.shape)
    first = k // (y.shape[1] // groups) * weight.shape[1]  # channel of x that k's group begins with
    total = y.dtype.type(0)
    for c in range(weight.shape[1]):
        for r in range(weight.shape[2]):
            h = p * stride[0] + r * dilation[0] - padding[0]
            if 0 <= h < x.shape[2]:
                for s in range(weight.shape[3]):
                    w = q * stride[1] + s * dilation[1] - padding[1]
                    if 0 <= w < x.shape[3]:
                        total += weight[k, c, r, s] * x[n, first + c, h, w]
    if bias is not None:
        total += bias[k]
    y[n, k, p, q] = activated(total, activation, y.dtype.type(1))


@cuda.jit
def shares(
    dy: Array, weight: Array, stride: Ints, padding: Ints, dilation: Ints, groups: int, dx: Array
) -> None:
    """dx[n, c, h, w] = the sum over the windows (p, q) that see (h, w), gathered, not scattered.

    So nobody else writes there, nothing is atomic, and sums are in one order.
    """
    i = cuda.grid(1)
    if i >= dx.size:
        return
    n, c, h, w = place_of(i, dx.shape)
    of_group = dy.shape[1] // groups
    first = c // weight.shape[1] * of_group  # channel of y that c's group begins with
    total = dx.dtype.type(0)
    for r in range(weight.shape[2]):
        top = h + padding[0] - r * dilation[0]
        p = top // stride[0]
        if top >= 0 and top % stride[0] == 0 and p < dy.shape[2]:
            for s in range(weight.shape[3]):
                left = w + padding[1] - s * dilation[1]
                q = left // stride[1]
                if left >= 0 and left % stride[1] == 0 and q < dy.shape[3]:
                    for k in range(first, first + of_group):
                        total += weight[k, c % weight.shape[1], r, s] * dy[n, k, p, q]
    dx[n, c, h, w] = total


@cuda.jit
def weights(
    dy: Array, x: Array, stride: Ints, padding: Ints, dilation: Ints, groups: int, dweight: Array
) -> None:
    """dweight[k, c, r, s] = the sum over all positions of dy[n, k, p, q] x[n, c, h, w]: a block."""
    partial = cuda.shared.array(THREADS, dweight.dtype)
    k, c, r, s = place_of(cuda.blockIdx.x, dweight.shape)
    channel = k // (dy.shape[1] // groups) * dweight.shape[1] + c
    height, width = dy.shape[2], dy.shape[3]
    total = dweight.dtype.type(0)
    for i in range(cuda.threadIdx.x, dy.shape[0] * height * width, THREADS):
        p, q = i // width % height, i % width
        h = p * stride[0] + r * dilation[0] - padding[0]
        w = q * stride[1] + s * dilation[1] - padding[1]
        if 0 <= h < x.shape[2] and 0 <= w < x.shape[3]:
            n = i // width // height
            total += dy[n, k, p, q] * x[n, channel, h, w]
    total = block_sum(partial, total)
    if cuda.threadIdx.x == 0:
        dweight[k, c, r, s] = total


def forward(
    x: Array, weight: Array, bias: Array | None, stride: Ints, padding: Ints, dilation: Ints,
    groups: int, activation: str | None,
) -> Array:  # fmt: skip
    """Return f(weight * x + bias), (N, K, *O)."""
    out = map(output_size, x.shape[2:], weight.shape[2:], stride, padding, dilation)
    y = empty((len(x), len(weight), *out), x.dtype, x)
    settings = stride, padding, dilation, groups, ACTIVATIONS[activation]
    grid = Grid(blocks(y.size, THREADS))
    launch_python(results, grid, THREADS, x, weight, bias, *settings, y)
    return y


def grad_input(
    grad_output: Array, weight: Array, spatial: Ints, stride: Ints, padding: Ints, dilation: Ints,
    groups: int,
) -> Array:  # fmt: skip
    """Return dL/dx, (N, C, *spatial)."""
    dx = empty((len(grad_output), weight.shape[1] * groups, *spatial), weight.dtype, weight)
    settings = stride, padding, dilation, groups
    grid = Grid(blocks(dx.size, THREADS))
    launch_python(shares, grid, THREADS, grad_output, weight, *settings, dx)
    return dx


def grad_weight(
    grad_output: Array, x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints,
    groups: int,
) -> Array:  # fmt: skip
    """Return dL/dweight, (K, C / groups, *kernel): a block for each weight."""
    dweight = empty((grad_output.shape[1], x.shape[1] // groups, *kernel), x.dtype, x)
    settings = stride, padding, dilation, groups
    launch_python(weights, Grid(dweight.size), THREADS, grad_output, x, *settings, dweight)
    return dweight
