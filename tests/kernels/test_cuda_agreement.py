"""Every CUDA implementation gives what the reference gives: the same source, run by the emulator.

On every case of its operation, in three orders of threads and blocks, with the same bits each time.
That each barrier, wait and boundary check is needed is another command, which prints a table:
``python -m tests.cuda_emulator.mutants``.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cuda_emulator.emulate import SCHEDULES, unavailable
from tests.cuda_emulator.mutants import names
from tests.cuda_emulator.trials import (
    bfloat16,
    implementations,
    judge,
    run,
    same_bits,
    strided,
    trials,
    variants_of,
)
from tinymed.kernels import KERNELS
from tinymed.kernels.cuda import variants
from tinymed.kernels.device_rules import DEVICE_RULES

FOLDER = Path(__file__).parents[2] / "kernels"
needs_compiler = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


@needs_compiler
@pytest.mark.parametrize(("kernel", "implementation"), implementations())
def test_it_agrees_with_the_reference_in_every_schedule(kernel: str, implementation: str) -> None:
    for trial in trials(kernel, implementation):
        first = run(trial)
        judge(trial, first)
        for schedule in SCHEDULES[1:]:
            again = run(trial, schedule)
            assert same_bits(first, again), f"{trial}: {schedule} gives other bits than forward"
        if (
            trial.dtype.name != "bfloat16"
        ):  # whose strided cases are those of float32, byte for byte
            judge(trial, run(trial, view=strided))


@needs_compiler
def test_every_variant_but_those_for_bfloat16_is_run_by_some_case() -> None:
    ran = {v for kernel, i in implementations() for t in trials(kernel, i) for v in variants_of(t)}
    left = {v.name for v in set(variants()) - ran if bfloat16 or "bfloat16" not in v.name}
    assert not left, f"no case of cases.py runs {', '.join(sorted(left))}"


# ------------------------------------------------------------------------ nothing is forgotten


def test_every_implementation_has_a_rule_and_every_rule_an_implementation() -> None:
    ruled = {(kernel, r.implementation) for kernel, rules in DEVICE_RULES.items() for r in rules}
    assert ruled == set(implementations("cuda", "numba_cuda"))


@pytest.mark.parametrize(("kernel", "implementation"), implementations())
def test_every_implementation_has_trials_and_can_be_loaded(
    kernel: str, implementation: str
) -> None:
    assert trials(kernel, implementation)
    assert callable(KERNELS[kernel].load(implementation))


def test_every_file_for_cuda_is_declared() -> None:
    for path in FOLDER.glob("*/cuda*.py"):
        name = path.stem.replace("cuda_", "cuda:")
        declared = {i for k, i in implementations() if k.startswith(f"{path.parent.name}.")}
        assert name in declared, f"kernels/{path.parent.name}/__init__.py does not declare {name}"


def test_every_barrier_and_check_in_a_source_has_a_name() -> None:
    for variant in variants():
        assert names(variant), f"{variant.source} names nothing that a mutant could lack"
        assert "__syncthreads()" not in variant.text(), f"{variant.source}: write BARRIER(name)"


def test_the_reference_runs_where_no_rule_allows_cuda() -> None:
    x: Any = np.ones((2, 2), np.int32)
    rules = KERNELS["matmul.product"].candidates(on_host=False)
    able = [r.implementation for r in rules if r.can(x, x)]
    assert able == ["reference"]
