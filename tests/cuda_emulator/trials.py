"""The trials of `tinymed.bench.gpu.trials`, run by the emulator."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.cuda_emulator.emulate import Rehearsal, emulated, on
from tinymed.bench.gpu.trials import (
    ROUNDED,
    Trial,
    bfloat16,
    expected,
    implementations,
    judge,
    same_bits,
    trials,
)
from tinymed.bench.proof import outcome, strided
from tinymed.kernels import KERNELS
from tinymed.kernels.cuda import Variant

__all__ = [
    "ROUNDED",
    "Trial",
    "bfloat16",
    "expected",
    "implementations",
    "judge",
    "run",
    "same_bits",
    "strided",
    "trials",
    "variants_of",
]


def run(trial: Trial, schedule: str = "forward", removed: str = "", view: Any = None) -> list[Any]:
    """Emulate a trial; return its results."""
    given = tuple(map(view, trial.arguments())) if view else trial.arguments()
    with emulated(schedule, removed):
        return outcome(KERNELS[trial.case.kernel].load(trial.implementation), given)


@cache
def variants_of(trial: Trial) -> tuple[Variant, ...]:
    """Return the variants that a trial launches: which ones does not depend on results."""
    with on(Rehearsal()) as launcher:
        outcome(KERNELS[trial.case.kernel].load(trial.implementation), trial.arguments())
    return tuple(variant for variant, _ in launcher.ran)
