"""The compile gate of numba-cuda's kernels: ``python -m tests.numba_cuda.gate`` prints a table.

Every kernel that a case launches is compiled to PTX for the GPUs of `CAPABILITIES`; no GPU is
needed. Which types it is compiled for is what it is called with. Its barriers are counted, and
nothing may have moved to local memory or become float64: to numba a plain ``1`` is an int64, and
what meets it a float64, which GPUs of consumers compute at a sixty-fourth of the speed.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda, types
from numba.cuda import dispatcher

from tests.numba_cuda.dry import queueing
from tests.numba_cuda.small import SMALL_CASES
from tinymed.bench.gpu.trials import Trial, implementations, trials
from tinymed.bench.proof import outcome
from tinymed.kernels import KERNELS
from tinymed.kernels.cuda import Grid
from tinymed.kernels.cuda.launcher import Threads

CAPABILITIES = ((7, 5), (8, 0), (9, 0))
COUNTED = ("fma.rn.f32", "ld.global", "st.global", "ld.shared", "st.shared", "bar.sync")
PRODUCTS = ("matmul/", "conv/", "recurrent/lstm_step")  # of which fma is expected
FORBIDDEN = {".local": "local memory", ".f64": "float64"}


class Compiled(NamedTuple):
    """A kernel, and what it is called with."""

    kernel: Any
    signature: tuple[Any, ...]

    def __str__(self) -> str:
        function = self.kernel.py_func
        inside = inspected(function)
        return f"{function.__module__.split('.')[-2]}/{inside or function.__name__}"

    def ptx(self, capability: tuple[int, int]) -> str:
        """Return the kernel as assembly for a GPU."""
        with no_device(capability):
            text, _ = cuda.compile_ptx(self.kernel.py_func, self.signature, cc=capability)
        return text


@contextmanager
def no_device(capability: tuple[int, int]) -> Iterator[None]:
    """Let numba compile device functions for a GPU that is not there; it would ask the driver."""
    before = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    try:
        yield
    finally:
        dispatcher.get_current_device = before


def inspected(function: Any) -> str:
    """Return the name of the formula that a kernel was made for, if it was made for one."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return cells[0].py_func.__name__ if cells else ""


@cache
def compiled() -> tuple[Compiled, ...]:
    """Return every kernel that a case launches in float32, called with as little None as any."""
    found: dict[Any, Compiled] = {}

    def note(kernel: Any, grid: Grid, threads: Threads, given: tuple[Any, ...]) -> None:
        one = Compiled(kernel, tuple(map(numba.typeof, given)))
        known = found.setdefault(kernel, one)
        if one.signature.count(types.none) < known.signature.count(types.none):
            found[kernel] = one

    dtype = np.dtype(np.float32)
    with queueing(note):
        for name, implementation in implementations("numba_cuda"):
            function = KERNELS[name].load(implementation)
            own = [t for t in trials(name, implementation) if t.dtype == dtype]
            own += [Trial(c, implementation, dtype) for c in SMALL_CASES if c.kernel == name]
            for trial in own:
                outcome(function, trial.arguments())
    return tuple(found.values())


def counts(ptx: str) -> dict[str, int]:
    """Return how many instructions of each kind there are."""
    lines = [re.sub(r"^\s*(@\S+\s+)?", "", line) for line in ptx.splitlines()]
    return {name: sum(line.startswith(name) for line in lines) for name in COUNTED}


def objections(name: str, ptx: str) -> Iterator[str]:
    """Yield what is wrong with a kernel's assembly."""
    number = counts(ptx)
    entries = re.findall(r"\.entry\s+(\w+)", ptx)
    if len(entries) != 1:
        yield f"{len(entries)} entry points, not one"
    if not number["st.global"]:
        yield "it writes nothing"
    if number["ld.shared"] and not number["bar.sync"]:
        yield "shared memory without a barrier"
    if name.startswith(PRODUCTS) and not number["fma.rn.f32"]:
        yield "sums of products without fma"
    for mark, what in FORBIDDEN.items():
        lines = [line.strip() for line in ptx.splitlines() if mark in line]
        if lines:
            yield f"{what} in {len(lines)} lines: {lines[0]}"


def main() -> int:
    """Print the table and what is wrong; return 1 if anything is."""
    wrong = []
    print(f"{'kernel':40} {'GPU':6} " + " ".join(f"{name:>10}" for name in COUNTED))
    for one in sorted(compiled(), key=str):
        for capability in CAPABILITIES:
            ptx = one.ptx(capability)
            gpu = "sm_" + "".join(map(str, capability))
            print(f"{one!s:40} {gpu:6} " + " ".join(f"{n:>10}" for n in counts(ptx).values()))
            wrong += [f"{one} on {gpu}: {said}" for said in objections(str(one), ptx)]
    for said in wrong:
        print(f"gate: {said}", file=sys.stderr)
    release = importlib.metadata.version("numba-cuda")
    print(f"gate: {len(compiled())} kernels, numba-cuda {release}, {len(wrong)} wrong")
    return min(1, len(wrong))


if __name__ == "__main__":
    sys.exit(main())
