"""Sums and products in vector code."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty
from tinymed.kernels.compiled import compiled
from tinymed.kernels.copying import flat
from tinymed.kernels.parallel import parallel
from tinymed.kernels.simd.loops import elementwise

MANY = 1 << 16  # elements that are worth a thread

_plus = elementwise(lambda code, a, b: a + b)
_times = elementwise(lambda code, a, b: a * b)


@compiled
def sums(first: int, last: int, y: Any, a: Any, b: Any) -> None:
    """Elements ``first`` to ``last`` - 1 of y = a + b."""
    _plus(((y, first),), ((a, first), (b, first)), last - first, ())


@compiled
def products(first: int, last: int, y: Any, a: Any, b: Any) -> None:
    """Elements ``first`` to ``last`` - 1 of y = a b."""
    _times(((y, first),), ((a, first), (b, first)), last - first, ())


def add(a: Array, b: Array) -> Array:
    """Return a + b, of one shape."""
    return _of_both(sums, a, b)


def multiply(a: Array, b: Array) -> Array:
    """Return a b, of one shape."""
    return _of_both(products, a, b)


def _of_both(core: Any, a: Array, b: Array) -> Array:
    y = empty(a.shape, a.dtype)
    parallel(core, y.size, MANY, y.reshape(-1), flat(a), flat(b))
    return y
