"""Every implementation of every kernel gives what the reference gives, and the same bits each time.

What that means, and how much rounding may change, is in `tinymed.bench.proof`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tinymed.bench.proof import implementations, prove, prove_bits
from tinymed.kernels import KERNELS
from tinymed.kernels.case import Case, proofs
from tinymed.kernels.registry import missing
from tinymed.kernels.threads import get_num_threads, set_num_threads


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
