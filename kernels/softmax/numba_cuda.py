"""Cross-entropy on logits in numba-cuda: a block for a row, its largest and its sum in one pass.

A thread that meets a larger logit than before scales down what it has added up so far: so the
largest need not be known beforehand. Counted: the forward reads a row once, the gradient twice (the
second time from the cache, if it is short) and writes it once. Bound: memory.

Source: Milakov, Gimelshein (2018), "Online normalizer calculation for softmax", algorithm 3.
"""

from __future__ import annotations

import math

from numba import cuda

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, empty, launch_python
from tinymed.kernels.cuda.numba_parts import block_max, block_sum

__all__ = [
    "cross_entropy",
    "cross_entropy_grad",
    "mean_cross_entropy",
    "mean_cross_entropy_grad",
]

THREADS = 128  # of a block; a power of 2


@cuda.jit(device=True)
def largest_and_sum(logits: Array, row: int, partial: Array) -> tuple[float, float]:
    """Return m, the largest logit of a row, and the sum of exp(logit - m); to every thread."""
    lowest, one = logits.dtype.type(-math.inf), logits.dtype.type(1)
    largest, total = lowest, logits.dtype.type(0)
    for c in range(cuda.threadIdx.x, logits.shape[1], THREADS):
        value = logits[row, c]
        if value > largest:
            total = total * math.exp(largest - value) + one
            largest = value
        elif value != lowest:  # which adds 0, but -inf - -inf is NaN
            total += math.exp(value - largest)
    of_all = block_max(partial, largest)
    return of_all, block_sum(partial, total * math.exp(largest - of_all))


@cuda.jit
def losses(logits: Array, target: Array, y: Array) -> None:
    """y[m] = log(the sum of exp(logits[m])) - logits[m, target[m]]."""
    partial = cuda.shared.array(THREADS, y.dtype)
    row = cuda.blockIdx.x
    largest, total = largest_and_sum(logits, row, partial)
    if cuda.threadIdx.x == 0:
        y[row] = math.log(total) - (logits[row, target[row]] - largest)


@cuda.jit
def gradients(grad_output: Array, logits: Array, target: Array, y: Array) -> None:
    """y[m] = (softmax(logits[m]) - onehot(target[m])) grad_output[m]."""
    partial = cuda.shared.array(THREADS, y.dtype)
    row = cuda.blockIdx.x
    largest, total = largest_and_sum(logits, row, partial)
    for c in range(cuda.threadIdx.x, logits.shape[1], THREADS):
        share = math.exp(logits[row, c] - largest) / total
        if c == target[row]:
            share -= y.dtype.type(1)
        y[row, c] = share * grad_output[row]


def cross_entropy(logits: Array, target: Array) -> Array:
    """Return log(sum_c exp(logits_c)) - logits_target for each row, (M, C) (M,) -> (M,)."""
    y = empty((len(logits),), logits.dtype, logits)
    launch_python(losses, Grid(len(logits)), THREADS, logits, target, y)
    return y


def cross_entropy_grad(grad_output: Array, logits: Array, target: Array) -> Array:
    """Return (softmax(logits) - onehot(target)) * grad_output, (M,) (M, C) (M,) -> (M, C)."""
    y = empty(logits.shape, logits.dtype, logits)
    launch_python(gradients, Grid(len(logits)), THREADS, grad_output, logits, target, y)
    return y


def mean_cross_entropy(logits: Array, target: Array) -> Array:
    """Return the mean of `cross_entropy` over at least one row, (M, C) (M,) -> ()."""
    return cross_entropy(logits, target).mean(keepdims=True).reshape(())


def mean_cross_entropy_grad(grad_output: Array, logits: Array, target: Array) -> Array:
    """Return (softmax(logits) - onehot(target)) * grad_output / M, () (M, C) (M,) -> (M, C)."""
    each = array_module(logits).broadcast_to(grad_output / len(target), target.shape)
    return cross_entropy_grad(each.astype(logits.dtype), logits, target)
