"""No compiled kernel reads or writes outside of its arrays, also where no bounds are checked."""

import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")
if not sys.platform.startswith("linux"):
    pytest.skip("guard pages are made by Linux's mmap", allow_module_level=True)

ROOT = Path(__file__).parents[2]


def guarded(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=900
    )


def test_no_kernel_leaves_its_arrays() -> None:
    run = guarded("-m", "tests.kernels.guarded")
    cases = run.stdout.splitlines()
    last = cases[-1] if cases else "nothing"
    if run.returncode < 0:
        pytest.fail(f"{last} reads or writes outside an array\n{run.stderr[-3000:]}")
    assert run.returncode == 0, f"{last}\n{run.stderr[-3000:]}"
    assert int(last.removesuffix(" runs")) > len(cases)  # several for each case


@pytest.mark.parametrize(
    ("place", "shape"),
    [("before", (3, 5)), ("behind", (3, 5)), ("behind", ()), ("before", (1024,)), ("behind", (0,))],
)
def test_a_guard_stops_what_leaves_an_array(place: str, shape: tuple[int, ...]) -> None:
    lines = (
        "import ctypes, numpy as np; from tests.kernels.guarded import Guard",
        f"x = Guard({place!r}).copy(np.ones({shape}, np.float32))",
        "print(int(x.sum()), flush=True)",  # all of it can be read
        f"ctypes.string_at(x.ctypes.data + ({-1 if place == 'before' else 'x.nbytes'}), 1)",
    )
    run = guarded("-c", "; ".join(lines))
    assert run.stdout.split() == [str(math.prod(shape))], run.stderr
    assert run.returncode == -signal.SIGSEGV, "a byte outside of the array was read"
