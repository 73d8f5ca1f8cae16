"""Every CUDA implementation on every case it is for: `trials` finds them, `run` emulates one.

Nothing is listed by hand: an implementation is found by its name in the registry, its cases are the
``PROOFS`` of its operation, and what it can do is what `device_rules` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tests.cuda_emulator.emulate import emulated
from tinymed.bench.proof import arguments, bound, compare, outcome, strided
from tinymed.kernels import KERNELS
from tinymed.kernels.case import Case, proofs
from tinymed.kernels.cuda import Variant

try:
    from ml_dtypes import bfloat16
except ImportError:  # those trials are then left out, and their test says so
    bfloat16 = None

# Implementations that round their input, and how much larger their errors may be: TF32 has 13 bits
# fewer than float32, of which a product loses half a bit of two; the factor of all bounds is 16.
ROUNDED = {"cuda:tensor": 512, "cuda:tensor_cores": 512}
BFLOAT16_BOUND = 2.0**-8  # of a result that is rounded to 8 bits
RAN: dict[Trial, tuple[Variant, ...]] = {}  # what trials have run so far
LARGEST = 5 << 15  # numbers in a trial's arrays: larger cases are for the blocks of CPU kernels


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


def implementations() -> list[tuple[str, str]]:
    """Return each kernel and its implementations in CUDA."""
    return [
        (name, implementation)
        for name, kernel in sorted(KERNELS.items())
        for implementation in kernel.implementations
        if implementation.partition(":")[0] == "cuda"
    ]


@cache
def trials(kernel: str, implementation: str) -> tuple[Trial, ...]:
    """Return all trials of an implementation up to LARGEST, the smallest first."""
    return tuple(sorted(_trials(kernel, implementation), key=lambda t: _size(t.arguments())))


def _trials(kernel: str, implementation: str) -> Iterator[Trial]:
    rules = KERNELS[kernel].candidates(on_host=False)
    (rule,) = (rule for rule in rules if rule.implementation == implementation)
    for dtype in (np.float32, np.float64, *([bfloat16] if bfloat16 else [])):
        for case in proofs(kernel):
            trial = Trial(case, implementation, np.dtype(dtype))
            given = trial.arguments()
            if _size(given) <= LARGEST and rule.can(*given):
                yield trial


def _size(given: tuple[Any, ...]) -> int:
    return sum(one.size for one in given if isinstance(one, np.ndarray))


def run(
    trial: Trial, schedule: str = "forward", removed: str = "", view: Any = None
) -> tuple[list[Any], list[Variant]]:
    """Emulate a trial; return its results and the variants that ran."""
    given = tuple(map(view, trial.arguments())) if view else trial.arguments()
    function = KERNELS[trial.case.kernel].load(trial.implementation)
    with emulated(schedule, removed) as launcher:
        found = outcome(function, given)
    ran = [variant for variant, _ in launcher.ran]
    if not removed:
        RAN[trial] = tuple(ran)
    return found, ran


def variants_of(trial: Trial) -> tuple[Variant, ...]:
    """Return the variants that a trial runs; it is run where it was not yet."""
    if trial not in RAN:
        run(trial)
    return RAN[trial]


@cache
def expected(trial: Trial) -> list[Any]:
    """Return the outcome of the reference in float64, on the same (rounded) numbers."""
    given = (a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype == trial.dtype else a
             for a in trial.arguments())  # fmt: skip
    return outcome(KERNELS[trial.case.kernel].load("reference"), tuple(given))


def judge(trial: Trial, found: list[Any]) -> None:
    """Raise `DisagreementError` if results are not the reference's."""
    if trial.dtype.name == "bfloat16":
        allowed = BFLOAT16_BOUND
    else:
        allowed = bound(trial.case, trial.dtype) * ROUNDED.get(trial.implementation, 1)
    compare(found, expected(trial), allowed, trial.dtype)


def same_bits(first: list[Any], second: list[Any]) -> bool:
    """Return whether two outcomes are equal in every bit."""
    return all(
        a.tobytes() == b.tobytes() if isinstance(a, np.ndarray) else a == b
        for a, b in zip(first, second, strict=True)
    )


__all__ = ["ROUNDED", "Trial", "expected", "implementations", "judge", "run", "same_bits",
           "strided", "trials", "variants_of"]  # fmt: skip
