"""Every implementation of every kernel gives what the reference gives, and the same bits each time.

What that means, and how much rounding may change, is in `tinymed.bench.proof`.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinymed.bench.proof import LARGER, able, arguments, implementations, prove, prove_bits
from tinymed.kernels import KERNELS
from tinymed.kernels.case import Case, benches, large, proofs
from tinymed.kernels.registry import missing
from tinymed.kernels.rules import RULES
from tinymed.kernels.threads import get_num_threads, set_num_threads

FOLDER = Path(__file__).parents[2] / "kernels"
WITH_OTHERS = sorted(kernel for kernel in KERNELS if implementations(kernel))


def every() -> Iterator[Any]:
    for kernel in sorted(KERNELS):
        for implementation in implementations(kernel):
            for case in proofs(kernel):
                yield pytest.param(case, implementation, id=f"{case} on {implementation}")


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = get_num_threads()
    set_num_threads(2)
    yield
    set_num_threads(before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("case", "implementation"), list(every()))
def test_it_agrees_with_the_reference(case: Case, implementation: str, dtype: Any) -> None:
    if missing(implementation):
        pytest.skip(f"needs {missing(implementation)}")
    if prove(case, implementation, dtype) is None:
        pytest.skip(f"{implementation} is not for this case")


@pytest.mark.parametrize(("case", "implementation"), list(every()))
def test_the_bits_do_not_depend_on_threads_or_chance(case: Case, implementation: str) -> None:
    if missing(implementation):
        pytest.skip(f"needs {missing(implementation)}")
    if not prove_bits(case, implementation):
        pytest.skip(f"{implementation} is not for this case")


# ------------------------------------------------------------------------ nothing is forgotten


@pytest.mark.parametrize("kernel", WITH_OTHERS)
def test_every_implementation_has_a_proof_in_both_dtypes(kernel: str) -> None:
    cases = list(proofs(kernel))
    assert cases, f"{kernel} has no PROOFS in kernels/{kernel.partition('.')[0]}/cases.py"
    for implementation in implementations(kernel):
        for dtype in (np.float32, np.float64):
            proved = any(able(kernel, implementation, arguments(case, dtype)) for case in cases)
            only = implementation == "numba_cpu:winograd" and dtype == np.float64
            assert proved or only, f"no case of {kernel} is for {implementation} in {dtype}"


@pytest.mark.parametrize("kernel", WITH_OTHERS)
def test_names_of_cases_are_their_own_and_arguments_the_same_each_time(kernel: str) -> None:
    names = [case.name for case in proofs(kernel)]
    assert len(set(names)) == len(names), f"{kernel}: {sorted(names)}"
    case = next(proofs(kernel))
    for a, b in zip(arguments(case, np.float32), arguments(case, np.float32), strict=True):
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else type(a) is type(b)


def test_every_rule_names_a_kernel_and_an_implementation_once() -> None:
    for kernel, rules in RULES.items():
        assert kernel in KERNELS, f"rules.py: no kernel {kernel!r}"
        named = [rule.implementation for rule in rules]
        assert len(set(named)) == len(named), kernel
        unknown = set(named) - set(KERNELS[kernel].implementations)
        assert not unknown, f"rules.py: {kernel} has no {', '.join(unknown)}"
        assert all(rule.why for rule in rules), kernel


@pytest.mark.parametrize("kernel", WITH_OTHERS)
def test_every_implementation_has_a_rule(kernel: str) -> None:
    named = {rule.implementation for rule in RULES.get(kernel, ())}
    lacking = set(implementations(kernel)) - named
    assert not lacking, f"rules.py does not say what {kernel} on {', '.join(lacking)} can do"


def test_a_larger_bound_is_for_something_that_exists() -> None:
    there_are = {i for kernel in KERNELS for i in implementations(kernel)}
    assert set(LARGER) <= there_are


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/cases.py")), ids=lambda p: p.parent.name)
def test_every_case_belongs_to_a_kernel_of_its_folder(path: Path) -> None:
    module = importlib.import_module(f"tinymed.kernels.{path.parent.name}.cases")
    listed = [case for kernel in KERNELS for which in (proofs, benches, large)
              if kernel.startswith(f"{path.parent.name}.") for case in which(kernel)]  # fmt: skip
    assert {id(case) for case in listed} == {
        id(case) for case in module.PROOFS + module.BENCHES + getattr(module, "LARGE", [])
    }


def test_every_implementation_on_disk_is_declared() -> None:
    for path in FOLDER.glob("*/numba_cpu*.py"):
        name = path.stem.replace("numba_cpu_", "numba_cpu:")
        operation = path.parent.name
        declared = {i for kernel in KERNELS if kernel.startswith(f"{operation}.")
                    for i in implementations(kernel)}  # fmt: skip
        assert name in declared, f"kernels/{operation}/__init__.py does not declare {name}"
