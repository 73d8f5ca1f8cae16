"""A GPU that is not there: its memory is NumPy's, its kernels run in the emulator, its clock ticks.

What goes wrong is planted by the environment, so that workers in processes of their own see it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.cuda_emulator.emulate import EmulatedLauncher
from tinymed.bench.gpu import steps
from tinymed.bench.gpu.device import Timing
from tinymed.kernels.case import Case, proofs
from tinymed.kernels.cuda import Grid, Variant

TICK = 1e-3  # seconds that every call takes
PLANTED = "TINYMED_TEST_PLANTED"  # "what:variant"


class Planted(EmulatedLauncher):
    """The emulator, and a fault in each launch of a variant whose name begins as is said."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = False

    def run(
        self, variant: Variant, entry: str, grid: Grid, threads: int, arguments: tuple[Any, ...]
    ) -> None:
        what, _, where = os.environ.get(PLANTED, "").partition(":")
        hit = bool(where) and variant.name.startswith(where)
        if hit and what == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if hit and what == "leaves":
            left = subprocess.Popen(["sleep", "60"])
            Path(os.environ["TINYMED_TEST_LEFT"]).write_text(str(left.pid))
        if hit and what in ("hung", "leaves"):
            time.sleep(60)
        if hit and what == "lost":
            self.gone = True
        if self.gone or (hit and what == "refused"):
            raise RuntimeError("an illegal address was encountered")
        super().run(variant, entry, grid, threads, arguments)
        results = [a for a in arguments if isinstance(a, np.ndarray) and a.size]
        if hit and what == "wrong":
            results[-1].flat[-1] = 12345.0
        if hit and what == "restless":
            results[-1].flat[-1] *= 1 + 1e-6 * len(self.ran)
        if hit and what == "beside":
            beyond = results[-1].ctypes.data + results[-1].nbytes
            np.ctypeslib.as_array((np.ctypeslib.ctypes.c_uint8 * 4).from_address(beyond))[:] = 7


class EmulatedGpu:
    """As `tinymed.bench.gpu.device.Gpu` says."""

    def __init__(self) -> None:
        self.launcher = Planted()
        self.capability = (9, 0)
        self.calls = 0

    def about(self) -> dict[str, Any]:
        return {"device": "emulated", "capability": [9, 0], "driver": "none", "cuda": "none",
                "date": "2026-01-01", "commit": "none", "versions": {}}  # fmt: skip

    def bytes(self, host: np.ndarray[Any, Any]) -> Any:
        self.synchronize()
        return host.copy()

    def host(self, array: Any) -> np.ndarray[Any, Any]:
        self.synchronize()
        return np.array(array)

    def holds(self, given: Any) -> bool:
        return isinstance(given, np.ndarray)

    def synchronize(self) -> None:
        if self.launcher.gone:
            raise RuntimeError("an illegal address was encountered")

    def timed(self, call: Callable[[], object]) -> Timing:
        call()
        self.calls += 1
        return Timing(TICK, TICK / 10)


def smallest(kernel: str) -> list[Case]:
    """Return one small case of a kernel, in place of those that are timed."""
    name = {"matmul.product": "8 x 16 by", "arithmetic.add": "(2, 3, 37)"}.get(kernel, "")
    counted = [one for one in proofs(kernel) if one.flops or one.bytes or name]
    return [one for one in counted if one.name.startswith(name)][1 if not name else 0 :][:1]


def small_cases(put: Callable[[object, str, object], None] = setattr) -> None:
    """Let this process time one small case of each kernel, three times."""
    put(steps, "REPEATS", 3)
    put(steps, "benches", smallest)
    put(steps, "large", lambda kernel: [])


def with_small_cases() -> EmulatedGpu:
    """Connect to one whose worker times small cases."""
    small_cases()
    return EmulatedGpu()


def no_gpu() -> EmulatedGpu:
    """Connect to nothing."""
    raise RuntimeError("no driver; install one")
