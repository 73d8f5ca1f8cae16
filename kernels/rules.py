"""Which implementation runs on the CPU: one table, measured, read from top to bottom.

A kernel's rules are tried in order, and the first whose implementation can do what is asked and pays
runs. ``can`` is about being right: what shapes, dtypes and settings the code is written for. ``pays``
is about being fast, measured by ``tinymed bench``; a backend that is asked for by its full name
(``use_backend("numba_cpu:direct")``) runs wherever it can. The reference always can, and is the last
of every kernel's rules without being listed. Conditions look at shapes, dtypes and settings alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["RULES", "Rule"]

Condition = Callable[..., bool]


class Rule(NamedTuple):
    """An implementation, when it can run and when it pays, by the arguments of its kernel."""

    implementation: str  # "backend" or "backend:variant"
    can: Condition
    pays: Condition
    why: str  # one line for `explain`


def always(*arguments: Any) -> bool:
    """Return True."""
    return True


def floats(x: Any, *others: Any) -> bool:
    """Return whether the first array is float32 or float64, and so what the vector code is for."""
    return x.dtype.char in "fd"


def alike(params: Any, *others: Any) -> bool:
    """Return whether lists of arrays are float32, or float64, and of the same shapes one by one.

    Vector code that is given addresses would read and write beyond the end of shorter ones.
    """
    dtype = params[0].dtype
    if dtype.char not in "fd" or not dtype.isnative:
        return False
    columns = [params, *(other for other in others if other.__class__ is list)]
    shapes = [array.shape for array in params]
    return all([array.shape for array in column] == shapes for column in columns) and all(
        [array.dtype == dtype for column in columns for array in column]
    )


ONE_PASS = (Rule("numba_cpu", alike, always, "one pass over memory, all parameters in one call"),)

def matrices(a: Any, b: Any, *others: Any) -> bool:
    """Return whether both are matrices of the same dtype, float32 or float64."""
    return a.ndim == 2 == b.ndim and a.dtype == b.dtype and a.dtype.char in "fd"


def long_linear(x: Any, weight: Any, *others: Any) -> bool:
    """Return whether a layer has 2^18 multiply-adds: fewer are done before the threads are called."""
    return x.size * len(weight) >= 1 << 18


def long_product(a: Any, b: Any) -> bool:
    """Return whether a product has 2^18 multiply-adds."""
    return a.size * b.shape[-1] >= 1 << 18


RULES: dict[str, tuple[Rule, ...]] = {
    "matmul.product": (Rule("numba_cpu", matrices, long_product, "2^18 multiply-adds or more"),),
    "matmul.linear": (
        Rule("numba_cpu", matrices, long_linear, "2^18 multiply-adds or more; bias and f fused"),
    ),
    "optimizer.sgd": ONE_PASS,
    "optimizer.adam": ONE_PASS,
    "optimizer.adamax": ONE_PASS,
    "optimizer.nadam": ONE_PASS,
    "optimizer.radam": ONE_PASS,
    "optimizer.sparse_adam": ONE_PASS,
    "optimizer.rmsprop": ONE_PASS,
    "optimizer.adagrad": ONE_PASS,
    "optimizer.adadelta": ONE_PASS,
}
