"""What a kernel is proved and timed on: arguments, and what a call computes and moves.

Each ``kernels/<operation>/cases.py`` holds two lists. ``PROOFS`` are small and awkward: odd sizes,
one item, none, ties, every setting. ``BENCHES`` are what models are made of. The agreement test
and ``tinymed verify`` run over the first, ``tinymed bench`` over the second, for every
implementation there is. Some have a third, ``LARGE``: what keeps a whole GPU busy, and would take a
CPU seconds.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinymed.kernels.registry import KERNELS

__all__ = ["Case", "benches", "large", "proofs"]

Make = Callable[[np.random.Generator, np.dtype[Any]], tuple[Any, ...]]


@dataclass(frozen=True)
class Case:
    """One call of a kernel.

    Parameters
    ----------
    kernel : str
        Its name, "conv.forward".
    name : str
        What is special, or the sizes as the field writes them.
    make : function
        ``make(rng, dtype)`` returns the arguments: arrays of ``dtype``, those that a kernel wants
        in float32 beside others of 16 bits in that, and the rest. Called again with the same seed
        it returns the same numbers.
    terms : int
        How many products a result adds up, which bounds its rounding error: sqrt(terms) eps scale.
    flops, bytes : float
        Of one call in float32: operations of the definition (2 per multiply-add), and memory that
        must be read or written at least once. 0 if not asked for.
    roundings : int
        How often, one after the other, what has 16 bits is rounded on the way to a result: once,
        or at each step of a state. Their errors grow with its square root.
    """

    kernel: str
    name: str
    make: Make
    terms: int = 1
    flops: float = 0
    bytes: float = 0
    roundings: int = 1

    def __str__(self) -> str:
        return f"{self.kernel}: {self.name}"


def proofs(kernel: str) -> Iterator[Case]:
    """Yield the cases that every implementation of ``kernel`` must get right."""
    return _cases(kernel, "PROOFS")


def benches(kernel: str) -> Iterator[Case]:
    """Yield the cases that implementations of ``kernel`` are timed on."""
    return _cases(kernel, "BENCHES")


def large(kernel: str) -> Iterator[Case]:
    """Yield the cases that ``kernel`` is timed on beside those of `benches`, on a GPU alone."""
    return _cases(kernel, "LARGE")


def _cases(kernel: str, which: str) -> Iterator[Case]:
    if kernel not in KERNELS:
        raise LookupError(f"no kernel {kernel!r}; there are {', '.join(sorted(KERNELS))}")
    operation = kernel.partition(".")[0]
    module = importlib.import_module(f"tinymed.kernels.{operation}.cases")
    listed = getattr(module, which, []) if which == "LARGE" else getattr(module, which)
    return (case for case in listed if case.kernel == kernel)
