"""Every implementation for GPUs on every case it is for: `trials` finds them, `judge` compares.

Nothing is listed by hand: an implementation is found by its name in the registry, its cases are the
``PROOFS`` of its operation, and what it can do is what `device_rules` says. The emulator of the
tests runs the same trials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tinymed.bench.proof import Limits, arguments, bound, compare, outcome
from tinymed.kernels import KERNELS
from tinymed.kernels.case import Case, proofs
from tinymed.kernels.registry import missing, needed
from tinymed.precision import of_sums

try:
    from ml_dtypes import bfloat16
except ImportError:  # those trials are then left out, and their test says so
    bfloat16 = None

__all__ = [
    "HALF_BOUNDS",
    "ROUNDED",
    "Trial",
    "allowed",
    "bfloat16",
    "by_reference",
    "expected",
    "implementations",
    "judge",
    "lacking",
    "same_bits",
    "trials",
]

# Implementations that round their input, and how much larger their errors may be: TF32 has 13 bits
# fewer than float32, of which a product loses half a bit of two; the factor of all bounds is 16.
ROUNDED = {"cuda:tensor": 512, "cuda:tensor_cores": 512, "cuda:warpgroups": 512}
# Of a result that is rounded to 8 or 11 bits once, at the end.
HALF_BOUNDS = {"bfloat16": 2.0**-8, "float16": 2.0**-11}
LARGEST = 5 << 15  # numbers in a trial's arrays: larger cases are for the blocks of CPU kernels
# Tiles of tensor cores meet all their edges in less, and their formats share the code.
LARGEST_OF_TENSOR_CORES, LARGEST_OF_OTHER_FORMATS = 1 << 15, 1 << 13


class Trial(NamedTuple):
    """A case, an implementation, and the dtype of its arrays."""

    case: Case
    implementation: str
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{self.case} on {self.implementation} in {self.dtype.name}"

    def arguments(self) -> tuple[Any, ...]:
        """Return the arguments, the same numbers each time."""
        return arguments(self.case, self.dtype)


def implementations(*backends: str) -> list[tuple[str, str]]:
    """Return each kernel and its implementations on these backends, "cuda" if none is named."""
    return [
        (name, implementation)
        for name, kernel in sorted(KERNELS.items())
        for implementation in kernel.implementations
        if implementation.partition(":")[0] in (backends or ("cuda",))
    ]


def lacking(implementation: str) -> str | None:
    """Say what an implementation needs that is not installed, None if nothing; CuPy aside.

    What drives the GPU is there, or there would be none; and where it is emulated, it is not CuPy.
    """
    package = missing(implementation)
    if package not in (None, "cupy"):
        return needed(implementation, str(package))
    if implementation == "numba_cuda" and package is None:
        from tinymed.kernels.cuda.numba_compiler import refusal

        return refusal()
    return None


@cache
def trials(kernel: str, implementation: str) -> tuple[Trial, ...]:
    """Return all trials of an implementation up to LARGEST, the smallest first."""
    return tuple(sorted(_trials(kernel, implementation), key=lambda t: _size(t.arguments())))


def _trials(kernel: str, implementation: str) -> Iterator[Trial]:
    rules = KERNELS[kernel].candidates(on_host=False)
    (rule,) = (rule for rule in rules if rule.implementation == implementation)
    halves = [np.float16, *([bfloat16] if bfloat16 else [])]
    for dtype in (np.float32, np.float64, *(halves if implementation != "reference" else ())):
        for case in proofs(kernel):
            trial = Trial(case, implementation, np.dtype(dtype))
            given = trial.arguments()
            if _size(given) <= _largest(implementation, trial.dtype) and rule.can(*given):
                yield trial


def _largest(implementation: str, dtype: np.dtype[Any]) -> int:
    """Return how many numbers a trial may have."""
    first = {"cuda:tensor": "float32", "cuda:wgmma": "float16", "cuda:tf32x3": ""}
    if implementation not in first:
        return LARGEST
    is_first = dtype.name == first[implementation]
    return LARGEST_OF_TENSOR_CORES if is_first else LARGEST_OF_OTHER_FORMATS


def _size(given: tuple[Any, ...]) -> int:
    return sum(one.size for one in given if isinstance(one, np.ndarray))


def by_reference(trial: Trial) -> list[Any]:
    """Return the outcome of the reference in float64, on the same (rounded) numbers.

    What a kernel has in float32 beside 16 bits is rounded to it.
    """
    given, kernel, others = trial.arguments(), KERNELS[trial.case.kernel], of_sums(trial.dtype)
    exact = outcome(kernel.load("reference"), tuple(_exact(a, trial.dtype) for a in given))
    if others == trial.dtype or kernel.narrow is None:
        return exact
    arrays = [a.dtype for a in given if isinstance(a, np.ndarray)]
    dtypes = [
        trial.dtype if position in kernel.narrow else others
        for position in range(len(exact) - len(arrays))
    ] + arrays
    return [
        a.astype(others) if a.dtype == np.float64 and dtype == others else a
        for a, dtype in zip(exact, dtypes, strict=True)
    ]


def _exact(argument: Any, dtype: np.dtype[Any]) -> Any:
    """Return an array of floats of a trial of ``dtype`` in float64, anything else as it is."""
    floats = (dtype, of_sums(dtype))
    is_one = isinstance(argument, np.ndarray) and argument.dtype in floats
    return argument.astype(np.float64) if is_one else argument


expected = cache(by_reference)


def allowed(trial: Trial) -> Limits:
    """Return the relative errors that the results of a trial may have."""
    case, implementation, dtype = trial
    exact = bound(case, of_sums(dtype)) * ROUNDED.get(implementation, 1)
    if dtype.name not in HALF_BOUNDS:
        return {dtype: exact}
    return {dtype: HALF_BOUNDS[dtype.name] * math.sqrt(case.roundings), of_sums(dtype): exact}


def judge(trial: Trial, found: Sequence[Any]) -> float:
    """Return the largest error as a fraction of what is allowed.

    Raises
    ------
    DisagreementError
        If results are not the reference's.
    """
    return compare(found, expected(trial), allowed(trial))


def same_bits(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Return whether two outcomes are equal in every bit."""
    return all(
        a.tobytes() == b.tobytes() if isinstance(a, np.ndarray) else a == b
        for a, b in zip(first, second, strict=True)
    )
