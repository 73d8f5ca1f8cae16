"""The kernels in numba-cuda, run by numba's simulator: a Python thread for each thread of the GPU.

The simulator must be asked for before numba is imported, and takes a millisecond for each thread.
So this is a process of its own, ``NUMBA_ENABLE_CUDASIM=1 python -m tests.numba_cuda.simulated``,
which prints a line of JSON for each case that is to agree with the reference: one of each kernel
with barriers in blocks as they are, then many with blocks made small; last for each mutant, that is
a kernel without one of its barriers.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray
from numba.cuda.simulator.kernel import FakeCUDAKernel

from tests.numba_cuda.dry import queueing
from tests.numba_cuda.small import SMALL_CASES
from tinymed.bench.gpu.trials import Trial, implementations, judge, trials
from tinymed.bench.proof import DisagreementError, outcome, strided
from tinymed.kernels import KERNELS
from tinymed.kernels.arrays import is_array
from tinymed.kernels.cuda import Grid
from tinymed.kernels.cuda.launcher import Threads

SMALL = {"TILE": 4, "THREADS": 8, "UNITS": 4, "SEQUENCES": 2}  # what blocks are made of
THREADS, NUMBERS = 200, 3000  # that a case may have, in all its launches and in its arrays
TOTAL = 400  # threads for the cases of a kernel
WHOLE = 512  # threads of a case whose blocks are as they are
LARGEST = 3  # cases of a kernel that mutants are run on
SEED = 5
BARRIER, SHARED = "syncthreads", "cuda.shared.array"
PARTS = "tinymed.kernels.cuda.numba_parts"
SWITCH = 1e-4  # seconds: the simulator polls, and would keep others from running for longer


def modules() -> dict[str, ModuleType]:
    """Return the files of the kernels by their names, and what they share."""
    targets = (KERNELS[k].implementations[i] for k, i in implementations("numba_cuda"))
    names = sorted({target.partition(":")[0] for target in targets} | {PARTS})
    return {name: importlib.import_module(name) for name in names}


def shrink(module: ModuleType) -> None:
    """Make a module's blocks small."""
    for name, value in SMALL.items():
        if hasattr(module, name):
            setattr(module, name, value)


def simulated(kernel: Any, grid: Grid, threads: Threads, given: tuple[Any, ...]) -> None:
    """Run a kernel where its arrays are, whatever their strides; numba copies contiguous ones."""
    kernel[tuple(grid), threads](*(FakeCUDAArray(a) if is_array(a) else a for a in given))


def threads_of(trial: Trial) -> tuple[int, int]:
    """Return how many blocks and threads a trial has, found without running any."""
    found: list[tuple[int, int]] = []

    def count(kernel: Any, grid: Grid, threads: Threads, given: tuple[Any, ...]) -> None:
        blocks = math.prod(grid)
        found.append((blocks, blocks * int(np.prod(threads))))

    with queueing(count):
        outcome(KERNELS[trial.case.kernel].load(trial.implementation), trial.arguments())
    return sum(blocks for blocks, _ in found), sum(threads for _, threads in found)


def numbers_in(trial: Trial) -> int:
    """Return how many numbers the arrays of a trial have."""
    return sum(one.size for one in trial.arguments() if isinstance(one, np.ndarray))


@cache
def chosen(kernel: str) -> tuple[Trial, ...]:
    """Return trials of few threads, up to a total, drawn, but always the same ones."""
    dtype = np.dtype(np.float32)
    found = [Trial(case, "numba_cuda", dtype) for case in SMALL_CASES if case.kernel == kernel]
    every = [trial for trial in trials(kernel, "numba_cuda") if numbers_in(trial) <= NUMBERS]
    fitting = [(t, n) for t in every for _, n in (threads_of(t),) if 0 < n <= THREADS]
    left = TOTAL
    for i in np.random.default_rng(SEED).permutation(len(fitting)):
        trial, threads = fitting[i]
        if threads <= left:
            found.append(trial)
            left -= threads
    return tuple(found)


def verdict(trial: Trial, apart: bool = False) -> str | None:
    """Return how a trial fails, None if it does not; ``apart``: its arrays are not contiguous."""
    function = KERNELS[trial.case.kernel].load(trial.implementation)
    given = tuple(map(strided, trial.arguments())) if apart else trial.arguments()
    try:
        with queueing(simulated):
            judge(trial, outcome(function, given))
    except DisagreementError as error:
        return str(error)
    except Exception as error:  # a mutant may raise anything
        return f"{type(error).__name__}: {error}"
    return None


def row_of(trial: Trial, apart: bool, whole: bool) -> dict[str, Any]:
    """Return what was found of a trial; ``whole``: its blocks are as they are."""
    blocks, threads = threads_of(trial)
    return {"kernel": trial.case.kernel, "case": str(trial), "apart": apart, "whole": whole,
            "blocks": blocks, "threads": threads, "failed": verdict(trial, apart)}  # fmt: skip


def as_it_is(among: dict[str, ModuleType]) -> Iterator[dict[str, Any]]:
    """Yield what was found of each kernel with shared memory on its largest case of few blocks."""
    for kernel, implementation in implementations("numba_cuda"):
        module = among[KERNELS[kernel].implementations[implementation].partition(":")[0]]
        if SHARED in inspect.getsource(module):
            every = [t for t in trials(kernel, implementation) if numbers_in(t) <= NUMBERS]
            fitting = [t for t in every if 0 < threads_of(t)[1] <= WHOLE]
            if fitting:
                yield row_of(max(fitting, key=numbers_in), apart=False, whole=True)


def agreement() -> Iterator[dict[str, Any]]:
    """Yield what was found of each kernel on each of its cases, contiguous and not by turns."""
    for kernel, _ in implementations("numba_cuda"):
        for number, trial in enumerate(chosen(kernel)):
            yield row_of(trial, apart=number % 2 == 1, whole=False)


# ---------------------------------------------------------------------------------------- mutants


class Without(ast.NodeTransformer):
    """Takes out one barrier, by its number in the file, and keeps the line where it was."""

    def __init__(self, number: int) -> None:
        self.left, self.line = number, 0

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        call = node.value
        if isinstance(call, ast.Call) and getattr(call.func, "attr", None) == BARRIER:
            self.left -= 1
            if self.left == -1:
                self.line = node.lineno
                return ast.copy_location(ast.Pass(), node)
        return node


def mutants(module: ModuleType) -> Iterator[tuple[int, ModuleType]]:
    """Yield copies of a module, each without one of its barriers, and the lines where they were."""
    path = str(module.__file__)
    text = Path(path).read_text()
    for number in range(text.count(f"cuda.{BARRIER}()")):
        taken = Without(number)
        tree = taken.visit(ast.parse(text))
        copy = ModuleType(module.__name__)
        exec(compile(tree, path, "exec"), copy.__dict__)
        shrink(copy)
        yield taken.line, copy


@contextmanager
def replaced(among: dict[str, ModuleType], old: ModuleType, new: ModuleType) -> Iterator[None]:
    """Let all modules use what ``new`` has in the place of what they have from ``old``."""
    changed = [
        (module, name, value)
        for module in among.values()
        for name, value in vars(module).items()
        if isinstance(value, FakeCUDAKernel) and getattr(old, name, None) is value
    ]
    for module, name, _ in changed:
        setattr(module, name, getattr(new, name))
    try:
        yield
    finally:
        for module, name, value in changed:
            setattr(module, name, value)


def hunt(among: dict[str, ModuleType]) -> Iterator[dict[str, Any]]:
    """Yield how each mutant is found out, by the cases of a kernel that it is part of."""
    for name, module in among.items():
        users = [
            kernel
            for kernel, implementation in implementations("numba_cuda")
            if name in (PARTS, KERNELS[kernel].implementations[implementation].partition(":")[0])
        ]
        for line, mutant in mutants(module):
            with replaced(among, module, mutant):
                yield {"file": name, "line": line, "caught": caught(users)}


def caught(kernels: list[str]) -> str | None:
    """Return how one of the kernels fails."""
    for kernel in kernels:
        for trial in sorted(chosen(kernel), key=numbers_in)[-LARGEST:]:
            if said := verdict(trial):
                return f"{trial}: {said}"
    return None


def main() -> int:
    """Print a line of JSON for each case, then for each mutant."""
    sys.setswitchinterval(SWITCH)
    among = modules()
    for row in as_it_is(among):
        print(json.dumps(row), flush=True)
    for module in among.values():
        shrink(module)
    for rows in (agreement(), hunt(among)):
        for row in rows:
            print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
