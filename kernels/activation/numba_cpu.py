"""Activations in vector code: one pass over memory, whatever the formula."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tinymed.kernels.activation.formulas import FORMULAS
from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty
from tinymed.kernels.compiled import compiled
from tinymed.kernels.copying import flat
from tinymed.kernels.parallel import parallel
from tinymed.kernels.simd.loops import elementwise

MANY = 1 << 15  # elements that are worth a thread


def forward(x: Array, name: str, *parameters: float) -> Array:
    """Return f(x)."""
    y = empty(x.shape, x.dtype)
    parallel(_forward_of(name), y.size, MANY, y.reshape(-1), flat(x), parameters)
    return y


def grad(grad_output: Array, known: Array, name: str, *parameters: float) -> Array:
    """Return dL/dx from dL/dy and x, or y for relu, sigmoid and tanh."""
    grad_x = empty(known.shape, known.dtype)
    given = flat(grad_output), flat(known)
    parallel(_grad_of(name), grad_x.size, MANY, grad_x.reshape(-1), *given, parameters)
    return grad_x


@functools.cache
def _forward_of(name: str) -> Callable[..., None]:
    """Return the compiled loop over elements ``first`` to ``last`` - 1 of y = f(x)."""
    loop = elementwise(FORMULAS[name][0])

    def run(first: int, last: int, y: Any, x: Any, parameters: Any) -> None:
        loop(((y, first),), ((x, first),), last - first, parameters)

    return compiled(run, f"activation.{name}")


@functools.cache
def _grad_of(name: str) -> Callable[..., None]:
    """Return the compiled loop over elements ``first`` to ``last`` - 1 of dL/dx."""
    loop = elementwise(FORMULAS[name][1])

    def run(first: int, last: int, grad_x: Any, g: Any, known: Any, parameters: Any) -> None:
        loop(((grad_x, first),), ((g, first), (known, first)), last - first, parameters)

    return compiled(run, f"activation.{name}_grad")
