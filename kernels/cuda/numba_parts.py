"""What several kernels in Python share: places of elements, sums of a block, functions of a result.

Constants have the dtype of what they meet: to numba a plain ``1`` is an int64, and what meets it
becomes a float64, at a sixty-fourth of the speed on many GPUs: tests/numba_cuda/gate.py looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numba import cuda

from tinymed.kernels.cuda.epilogue import ACTIVATIONS

__all__ = ["activated", "block_max", "block_sum", "place_of", "sigmoid"]

RELU, TANH, SIGMOID = ACTIVATIONS["relu"], ACTIVATIONS["tanh"], ACTIVATIONS["sigmoid"]


@cuda.jit(device=True)
def place_of(number: int, shape: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return the indices of element ``number`` of an array of four axes, counted row by row."""
    rest = number // shape[3]
    image = rest // shape[2]
    return image // shape[1], image % shape[1], rest % shape[2], number % shape[3]


@cuda.jit(device=True)
def sigmoid(x: Any, one: Any) -> Any:
    """Return 1 / (1 + exp(-x)); ``one`` is 1 in the dtype of x."""
    return one / (one + math.exp(-x))


@cuda.jit(device=True)
def activated(x: Any, activation: int, one: Any) -> Any:
    """Return f(x), f by its number in `ACTIVATIONS`; ``one`` is 1 in the dtype of x."""
    zero = one - one
    if activation == RELU:
        return zero if x < zero else x  # NaN is not below 0 and stays
    if activation == TANH:
        return math.tanh(x)
    if activation == SIGMOID:
        return sigmoid(x, one)
    return x


def across_block(combine: Callable[[Any, Any], Any]) -> Any:
    """Return the device function that combines a value of each thread of a block.

    It takes shared memory with a place for each thread, and the thread's own value; every thread
    gets the result. The threads are a power of 2. Pairs are combined in one order: the same bits
    at each run.
    """

    @cuda.jit(device=True)
    def combined(partial: Any, value: Any) -> Any:
        thread = cuda.threadIdx.x
        partial[thread] = value
        reach = cuda.blockDim.x // 2
        while reach > 0:
            cuda.syncthreads()  # what is read now was written by threads further up
            if thread < reach:
                partial[thread] = combine(partial[thread], partial[thread + reach])
            reach //= 2
        cuda.syncthreads()  # thread 0 has the result by now, and all read it
        result = partial[0]
        cuda.syncthreads()  # nobody may begin the next one while another still reads this
        return result

    return combined


block_sum = across_block(cuda.jit(device=True)(lambda a, b: a + b))
block_max = across_block(cuda.jit(device=True)(lambda a, b: b if b > a else a))
