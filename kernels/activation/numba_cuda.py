"""Activations in numba-cuda: one kernel for all, made for a formula as a C++ template would be.

Counted: 8 bytes for each element forward, 12 back. Bound: memory. In float32 alone: its constants
are of one dtype, or numba would compute in float64.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, blocks, empty, launch_python
from tinymed.kernels.cuda.numba_parts import sigmoid

__all__ = ["forward", "grad"]

THREADS = 128  # of a block
ZERO, HALF, ONE = map(np.float32, (0, 0.5, 1))
ROOT_HALF, DENSITY = np.float32(math.sqrt(0.5)), np.float32(1 / math.sqrt(2 * math.pi))
FAR = np.float32(40)  # beyond, a normal density is 0, and a square would overflow
formula = cuda.jit(device=True)


@formula
def relu(x: Any, _: Any) -> Any:
    """Return max(x, 0)."""
    return ZERO if x < ZERO else x


@formula
def relu_grad(y: Any, _: Any) -> Any:
    """Return 1 where y > 0 or NaN, else 0."""
    return ZERO if y == ZERO else ONE


@formula
def leaky_relu(x: Any, slope: Any) -> Any:
    """Return x where x > 0, else slope x."""
    return x if x > ZERO else slope * x


@formula
def leaky_relu_grad(x: Any, slope: Any) -> Any:
    """Return 1 where x > 0, else slope."""
    return ONE if x > ZERO else slope


@formula
def logistic(x: Any, _: Any) -> Any:
    """Return 1 / (1 + exp(-x))."""
    return sigmoid(x, ONE)


@formula
def logistic_grad(y: Any, _: Any) -> Any:
    """Return y (1 - y)."""
    return y * (ONE - y)


@formula
def tanh(x: Any, _: Any) -> Any:
    """Return tanh(x)."""
    return math.tanh(x)


@formula
def tanh_grad(y: Any, _: Any) -> Any:
    """Return 1 - y^2."""
    return ONE - y * y


@formula
def silu(x: Any, _: Any) -> Any:
    """Return x s,  s = sigmoid(x)."""
    return x * sigmoid(x, ONE)


@formula
def silu_grad(x: Any, _: Any) -> Any:
    """Return s (1 + x (1 - s)),  s = sigmoid(x)."""
    s = sigmoid(x, ONE)
    return s * (ONE + x * (ONE - s))


@formula
def gelu(x: Any, _: Any) -> Any:
    """Return x P,  P = (1 + erf(x / sqrt(2))) / 2."""
    return x * (HALF * (ONE + math.erf(x * ROOT_HALF)))


@formula
def gelu_grad(x: Any, _: Any) -> Any:
    """Return P + x p,  p = exp(-x^2 / 2) / sqrt(2 pi)."""
    z = min(max(x, -FAR), FAR)
    below = HALF * (ONE + math.erf(x * ROOT_HALF))
    return below + x * (DENSITY * math.exp(-HALF * (z * z)))


FORMULAS = {
    "relu": (relu, relu_grad),
    "leaky_relu": (leaky_relu, leaky_relu_grad),
    "sigmoid": (logistic, logistic_grad),
    "tanh": (tanh, tanh_grad),
    "silu": (silu, silu_grad),
    "gelu": (gelu, gelu_grad),
}


@functools.cache
def of_elements(f: Callable[..., Any]) -> Any:
    """Return the kernel y = f(x)."""

    @cuda.jit
    def elements(x: Array, parameter: Any, y: Array) -> None:
        i = cuda.grid(1)
        if i < y.size:
            y[i] = f(x[i], parameter)

    return elements


@functools.cache
def of_gradients(slope: Callable[..., Any]) -> Any:
    """Return the kernel dx = f'(x) dy."""

    @cuda.jit
    def gradients(grad_output: Array, known: Array, parameter: Any, dx: Array) -> None:
        i = cuda.grid(1)
        if i < dx.size:
            dx[i] = grad_output[i] * slope(known[i], parameter)

    return gradients


def forward(x: Array, name: str, *parameters: float) -> Array:
    """Return f(x)."""
    return _launch(of_elements(FORMULAS[name][0]), (x,), parameters)


def grad(grad_output: Array, known: Array, name: str, *parameters: float) -> Array:
    """Return dL/dx from dL/dy and x, or y for relu, sigmoid and tanh."""
    return _launch(of_gradients(FORMULAS[name][1]), (grad_output, known), parameters)


def _launch(kernel: Any, arrays: tuple[Array, ...], parameters: tuple[float, ...]) -> Array:
    y = empty(arrays[0].shape, arrays[0].dtype, arrays[0])
    flat = (array_module(a).ascontiguousarray(a).reshape(-1) for a in arrays)
    parameter = np.float32(parameters[0] if parameters else 0)
    launch_python(kernel, Grid(blocks(y.size, THREADS)), THREADS, *flat, parameter, y.reshape(-1))
    return y
