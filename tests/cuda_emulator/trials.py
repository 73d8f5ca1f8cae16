"""The trials of `tinymed.bench.gpu.trials`, run by the emulator."""

from __future__ import annotations

from typing import Any

from tests.cuda_emulator.emulate import emulated
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

RAN: dict[Trial, tuple[Variant, ...]] = {}  # what trials of unchanged sources have run


def run(
    trial: Trial, schedule: str = "forward", removed: str = "", view: Any = None
) -> tuple[list[Any], list[Variant]]:
    """Emulate a trial; return its results and the variants that ran."""
    given = tuple(map(view, trial.arguments())) if view else trial.arguments()
    function = KERNELS[trial.case.kernel].load(trial.implementation)
    with emulated(schedule, removed) as launcher:
        found = outcome(function, given)
    ran = [variant for variant, _ in launcher.ran]
    if not removed and view is None:  # seen otherwise, other variants may run
        RAN[trial] = tuple(ran)
    return found, ran


def variants_of(trial: Trial) -> tuple[Variant, ...]:
    """Return the variants that a trial runs; it is run where it was not yet."""
    if trial not in RAN:
        run(trial)
    return RAN[trial]
