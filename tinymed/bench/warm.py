"""``tinymed kernels warm``: every compiled kernel once, so that nobody waits for it later."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from tinymed.bench.contests import has_cases
from tinymed.bench.proof import able, arguments, implementations
from tinymed.kernels import KERNELS
from tinymed.kernels.case import Case, benches, proofs
from tinymed.progress import progress_bar

__all__ = ["warm"]


def warm(kernels: Sequence[str], dtypes: Sequence[str]) -> tuple[int, float]:
    """Compile what numba_cpu runs for these dtypes, into the cache on disk.

    Returns
    -------
    (int, float)
        How many functions were compiled now, and the seconds it all took.

    Raises
    ------
    ImportError
        Without Numba.
    """
    if find_spec("numba") is None:
        raise ImportError("warm: compiling kernels needs numba: pip install tinymed[fast]")
    from tinymed.kernels import compiled

    begin, functions = time.perf_counter(), 0

    def count(function: str) -> None:
        nonlocal functions
        functions += 1

    work = [
        (case, implementation)
        for kernel in kernels
        if has_cases(kernel)
        for implementation in implementations(kernel)
        for case in _cases(kernel)
    ]
    before, compiled.announce = compiled.announce, count
    try:
        with progress_bar("compiling kernels", len(work)) as advance:
            for case, implementation in work:
                for dtype in dtypes:
                    _run(case, implementation, dtype)
                advance(f"{case.kernel} on {implementation}")
    finally:
        compiled.announce = before
    return functions, time.perf_counter() - begin


def _cases(kernel: str) -> list[Case]:
    """Return the cases that between them take every path: all settings, and real sizes."""
    return [*proofs(kernel), *benches(kernel)]


def _run(case: Case, implementation: str, dtype: str) -> None:
    given = arguments(case, np.dtype(dtype))
    if able(case.kernel, implementation, given):
        KERNELS[case.kernel].load(implementation)(*given)
