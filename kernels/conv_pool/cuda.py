"""The three layers one after the other, in CUDA.

On a CPU one pass saves memory the large output of the convolution. Here it is written and read once
each, forward, which bounds what a fused pass could gain; it would be a kernel of its own beside the
tiles of conv/tiles.cu, with four sums for each result.
"""

from __future__ import annotations

from tinymed.kernels.arrays import Array
from tinymed.kernels.conv import cuda as conv
from tinymed.kernels.conv_pool.reference import DEAD, ONE, POOL, Ints
from tinymed.kernels.matmul.cuda import bias_grad
from tinymed.kernels.pooling import cuda as pooling

__all__ = ["forward", "grad_weight"]


def forward(x: Array, weight: Array, bias: Array, padding: Ints) -> tuple[Array, Array]:
    """Return the pooled outputs and which of four each of them is."""
    rectified = conv.forward(x, weight, bias, ONE, padding, ONE, 1, "relu")
    out = tuple(n // 2 for n in rectified.shape[2:])
    y, winner = pooling.max_forward(rectified, *POOL, out)
    winner[y == 0] = DEAD
    return y, winner


def grad_weight(grad_output: Array, winner: Array, x: Array, padding: Ints) -> tuple[Array, Array]:
    """Return the gradients of weight and bias."""
    out = tuple(s + 2 * p - 2 for s, p in zip(x.shape[2:], padding, strict=True))
    gradient = pooling.max_grad_input(grad_output, winner, out, *POOL)
    to_weight = conv.grad_weight(gradient, x, (3, 3), ONE, padding, ONE, 1)
    return to_weight, bias_grad(gradient)
