"""The kernels in numba-cuda, without a GPU: simulated, compiled, and never chosen by themselves.

That every kernel compiles for each GPU is another command, which prints a table:
``python -m tests.numba_cuda.gate``.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.cuda_emulator.emulated_gpu import EmulatedGpu
from tests.numba_cuda.dry import queueing
from tinymed.bench.gpu.checks import check
from tinymed.bench.gpu.steps import steps
from tinymed.bench.gpu.trials import implementations
from tinymed.kernels import KERNELS, registry
from tinymed.kernels.cuda import Grid, launch_python, numba_compiler
from tinymed.kernels.cuda.cupy_launcher import CuPyLauncher
from tinymed.kernels.device_rules import DEVICE_RULES

ROOT = Path(__file__).parents[2]
IMPLEMENTED = [kernel for kernel, _ in implementations("numba_cuda")]
BARRIER = re.compile(r"cuda\.syncthreads\(\)(  # \w.*)?$", re.MULTILINE)
NAMED = SimpleNamespace(__name__="a_kernel")


def sources() -> list[Path]:
    return [*sorted((ROOT / "kernels").glob("*/numba_cuda.py")),
            ROOT / "kernels/cuda/numba_parts.py"]  # fmt: skip


# -------------------------------------------------------------------------------- the simulator


@pytest.fixture(scope="module")
def simulated() -> list[dict]:
    """Return what the simulator found, in a process that asks for it before numba is imported."""
    pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install tinymed[gpu-proof]")
    run = subprocess.run(
        [sys.executable, "-m", "tests.numba_cuda.simulated"],
        cwd=ROOT,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.mark.parametrize("kernel", IMPLEMENTED)
def test_it_agrees_with_the_reference(kernel: str, simulated: list[dict]) -> None:
    rows = [row for row in simulated if row.get("kernel") == kernel]
    assert not [row for row in rows if row["failed"]]
    rows = [row for row in rows if not row["whole"]]
    assert max(row["blocks"] for row in rows) > 1
    assert {row["apart"] for row in rows} == {False, True}


def test_what_has_barriers_is_run_once_with_the_blocks_that_it_is_written_for(
    simulated: list[dict],
) -> None:
    whole = [row["kernel"] for row in simulated if row.get("whole")]
    assert {"matmul.product", "conv.grad_weight", "softmax.cross_entropy_grad",
            "normalization.batch_norm", "normalization.group_norm_grad"} <= set(whole)  # fmt: skip


def test_without_any_one_barrier_some_case_fails(simulated: list[dict]) -> None:
    mutants = [row for row in simulated if "caught" in row]
    for row in mutants:
        print(f"{row['file']}:{row['line']}  {row['caught']}")
    assert not [row for row in mutants if not row["caught"]]
    there_are = [len(BARRIER.findall(path.read_text())) for path in sources()]
    assert len(mutants) == sum(there_are) > 4


def test_every_barrier_has_its_reason_beside_it() -> None:
    reasons = [found for path in sources() for found in BARRIER.findall(path.read_text())]
    assert all(reasons)


# ---------------------------------------------------------------------------------- the compiler


def test_a_kernel_compiles_and_what_is_planted_is_found() -> None:
    pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install tinymed[gpu-proof]")
    if why := numba_compiler.refusal():
        pytest.skip(why)
    from numba import cuda, float32, int64

    from tests.numba_cuda.gate import Compiled, counts, objections
    from tinymed.kernels.matmul.numba_cuda import tiles

    def line(x, y):  # 0.1 is a float64, and so what it meets; LLVM undoes that of one operation
        i = cuda.grid(1)
        if i < y.size:
            y[i] = x[i] * 0.1 + 1

    def by_number(x, y):  # an array whose place depends on a number cannot stay in registers
        last = cuda.local.array(4, float32)
        for k in range(x.size):
            last[k % 4] = x[k]
        y[0] = last[x.size % 3]

    def unguarded(x, y):
        shared = cuda.shared.array(64, float32)
        shared[cuda.threadIdx.x] = x[cuda.threadIdx.x]
        y[cuda.threadIdx.x] = shared[63 - cuda.threadIdx.x]

    def silent(x, y):
        pass

    matrix, row = float32[:, ::1], float32[::1]
    ptx = Compiled(cuda.jit(tiles.py_func), (matrix, matrix, row, int64, matrix)).ptx((9, 0))
    assert not list(objections("matmul/tiles", ptx))
    assert counts(ptx)["fma.rn.f32"] >= 16
    for function, said in (
        (line, "float64"), (by_number, "local memory"), (unguarded, "without a barrier"),
        (silent, "writes nothing"),
    ):  # fmt: skip
        ptx = Compiled(cuda.jit(function), (row, row)).ptx((8, 0))
        assert any(said in one for one in objections("", ptx)), said
    assert "sums of products without fma" in list(objections("matmul/x", ptx))


# ------------------------------------------------------------------------ grids, errors, the choice


@pytest.mark.parametrize(
    ("rows", "columns", "blocks"), [(16, 16, (1, 1)), (17, 33, (3, 2)), (1, 0, (0, 1))]
)
def test_the_grid_covers_a_product(rows: int, columns: int, blocks: tuple[int, int]) -> None:
    pytest.importorskip("numba_cuda")
    from tinymed.kernels.matmul.numba_cuda import grid

    assert grid(rows, columns)[:2] == blocks


def test_what_cannot_be_launched_is_refused_before_numba_is_asked() -> None:
    asked: list[tuple] = []
    with queueing(lambda *given: asked.append(given)):
        launch_python(NAMED, Grid(0), 128, np.ones(3))
        with pytest.raises(ValueError, match=r"a_kernel: a grid of \(1, 65536, 1\) blocks"):
            launch_python(NAMED, Grid(1, 1 << 16), 128, np.ones(3))
        launch_python(NAMED, Grid(2), 128, np.ones(3), None, 4)
    assert [given[1:3] for given in asked] == [(Grid(2), 128)]


class Cupy:
    """As much of CuPy as a launch asks for."""

    ndarray = SimpleNamespace
    entered: list[int] = []

    def __init__(self) -> None:
        stream = SimpleNamespace(ptr=77)
        self.cuda = SimpleNamespace(Device=self.device, get_current_stream=lambda: stream)

    @contextlib.contextmanager
    def device(self, number: int):
        self.entered.append(number)
        yield


def test_a_launch_is_queued_in_cupys_stream_on_the_gpu_of_the_arrays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install tinymed[gpu-proof]")
    from numba import cuda
    from numba.core.errors import NumbaPerformanceWarning

    monkeypatch.setattr(numba_compiler, "refusal", lambda: None)
    assert "sync" in inspect.signature(cuda.as_cuda_array).parameters
    monkeypatch.setattr(cuda, "external_stream", lambda pointer: ("stream", pointer))
    monkeypatch.setattr(cuda, "as_cuda_array", lambda array, sync: ("view", array, sync))
    cupy = Cupy()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    ran: list[tuple] = []

    class Kernel:
        __name__ = "a_kernel"

        def __getitem__(self, how: tuple):
            warnings.warn(NumbaPerformanceWarning("Grid size 6 ..."), stacklevel=2)
            return lambda *given: ran.append((how, given))

    first, second, other = (SimpleNamespace(device=SimpleNamespace(id=n)) for n in (1, 1, 0))
    CuPyLauncher(cupy).run_python(Kernel(), Grid(3, 2), (16, 16), (first, None, second, 5))
    (how, given), *more = ran
    assert how == ((3, 2, 1), (16, 16), ("stream", 77))
    assert given == (("view", first, False), None, ("view", second, False), 5)
    assert cupy.entered == [1]
    assert not more
    with pytest.raises(ValueError, match=r"a_kernel: arrays on the GPUs \[0, 1\], expected one"):
        CuPyLauncher(cupy).run_python(Kernel(), Grid(1), 32, (first, other))

    monkeypatch.setattr(numba_compiler, "refusal", lambda: "no NVVM")
    with pytest.raises(ImportError, match="a_kernel on 'numba_cuda': no NVVM"):
        CuPyLauncher(cupy).run_python(Kernel(), Grid(1), 32, (first,))


def test_where_numba_cuda_compiles_nothing_it_is_not_run_and_not_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install tinymed[gpu-proof]")
    from numba import cuda

    def without_nvvm(*given: Any, **named: Any) -> None:
        raise OSError("libNVVM cannot be found")

    monkeypatch.setattr(cuda, "compile_ptx", without_nvvm)
    numba_compiler.refusal.cache_clear()
    row = check(EmulatedGpu(), "matmul.product", "numba_cuda", lambda said: None)
    numba_compiler.refusal.cache_clear()
    assert row["state"] == "not run"
    assert row["note"].startswith("numba-cuda compiles nothing here (OSError: libNVVM cannot be")


def test_an_array_on_the_host_is_refused() -> None:
    from tinymed.kernels.cuda import LAUNCHER

    token = LAUNCHER.set(SimpleNamespace(holds=lambda array: False))
    try:
        with pytest.raises(ValueError, match=r"a_kernel: argument 1 is a numpy array \(3,\) that"):
            launch_python(NAMED, Grid(1), 128, None, np.ones(3))
    finally:
        LAUNCHER.reset(token)


@pytest.mark.parametrize("kernel", IMPLEMENTED)
def test_it_never_runs_unless_it_is_asked_for(kernel: str) -> None:
    *others, rule = DEVICE_RULES[kernel]
    assert others, "the .cu comes first"
    assert rule.implementation == "numba_cuda"
    assert not rule.pays()


def test_where_nobody_can_run_it_that_is_said_and_nothing_is_wrong() -> None:
    pytest.importorskip("numba_cuda", reason="needs numba-cuda: pip install tinymed[gpu-proof]")
    if why := numba_compiler.refusal():
        pytest.skip(why)
    row = check(EmulatedGpu(), "matmul.product", "numba_cuda", lambda said: None)
    assert row["state"] == "not run"
    assert row["note"] == "tiles: the emulator runs CUDA C, not numba-cuda's kernels"


def test_a_gpu_has_steps_that_prove_and_time_each() -> None:
    named = {step.name for step in steps(("numba",))}
    assert named == {f"numba {kernel} numba_cuda" for kernel in IMPLEMENTED}
    timed = {step.name.split()[1] for step in steps(("numba_time",))}
    assert timed == set(IMPLEMENTED)


def test_without_numba_cuda_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.NEEDS, "numba_cuda", "no_such_package")
    registry.missing.cache_clear()
    try:
        row = check(None, "matmul.product", "numba_cuda", print)
        refusal = KERNELS["matmul.product"]._named("numba_cuda", "cuda:0", ())
    finally:
        registry.missing.cache_clear()
    assert row["state"] == "not run"
    assert row["note"] == "needs no_such_package: pip install tinymed[cuda13]"
    assert str(refusal) == f"matmul.product on 'numba_cuda' {row['note']}"
