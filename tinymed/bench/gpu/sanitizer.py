"""NVIDIA's compute-sanitizer over one small case of every kernel, where it is installed.

``python -m tinymed.bench.gpu.sanitizer`` is what it watches: without margins around the arrays and
without CuPy's pool, so that each array ends where its memory does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinymed.bench.gpu.device import CuPyGpu, on_device
from tinymed.bench.gpu.journal import Row
from tinymed.bench.gpu.trials import implementations, trials
from tinymed.kernels import KERNELS

__all__ = ["TOOLS", "sanitized"]

TOOLS = ("memcheck", "synccheck", "racecheck")
FOUND = 9  # the exit status that says that a kernel is wrong
REFUSED = "Device not supported"  # what it says of a GPU of a virtual machine that hides too much
LOOK = 10.0  # seconds between two looks at it
SAID = 2000  # characters of what it says that are kept


def sanitized(tool: str, until: float, at: Callable[[str], None]) -> Row:
    """Return the row of one of `TOOLS`; it is stopped at ``until``, by `time.time`.

    ``at`` is told again and again that it is still at work.
    """
    program, row = _program(), {"tool": tool, "state": "not run"}
    if program is None:
        return row | {"note": "compute-sanitizer is not installed"}
    command = [program, "--tool", tool, "--error-exitcode", str(FOUND), sys.executable, "-m"]
    with tempfile.TemporaryFile("w+") as file:
        watched = subprocess.Popen(
            [*command, "tinymed.bench.gpu.sanitizer"], stdout=file, stderr=subprocess.STDOUT
        )
        status = _status(watched, until, lambda: at(f"compute-sanitizer --tool {tool}"))
        file.seek(0)
        said = file.read().strip()[-SAID:]
    if status is None:
        return row | {"note": "stopped: the time was over"}
    if status == FOUND:
        return row | {"state": "wrong", "note": said}
    if status and REFUSED in said:
        return row | {"note": f"compute-sanitizer cannot watch this GPU: {said}"}
    if status:
        return row | {"state": "failed", "note": f"status {status}: {said}"}
    return row | {"state": "proved", "note": said.rpartition("\n")[2]}


def _status(
    watched: subprocess.Popen[bytes], until: float, alive: Callable[[], None]
) -> int | None:
    """Wait for a process; return its exit status, None if it had to be stopped."""
    try:
        while time.time() < until:
            try:
                return watched.wait(LOOK)
            except subprocess.TimeoutExpired:
                alive()
        return None
    finally:
        if watched.poll() is None:
            watched.kill()
            watched.wait()


def _program() -> str | None:
    """Return where compute-sanitizer is, on the path or in the toolkit's folder."""
    usual = Path("/usr/local/cuda/bin/compute-sanitizer")
    return shutil.which("compute-sanitizer") or (str(usual) if usual.exists() else None)


def main() -> int:
    """Run the trial of middle size of every implementation in CUDA; print what cannot be run.

    Return 1 if nothing can: then nothing was looked at.
    """
    gpu: Any = CuPyGpu()
    gpu.cupy.cuda.set_allocator(None)
    ran = 0
    for kernel, implementation in implementations():
        every = trials(kernel, implementation)
        if not every:
            continue
        trial = every[len(every) // 2]
        try:
            given = on_device(gpu, list(trial.arguments()))
            KERNELS[kernel].load(implementation)(*given)
            gpu.synchronize()
            ran += 1
        except Exception as error:  # the checks have a row for it; here the others go on
            print(f"{trial}: {type(error).__name__}: {error}")
    return 0 if ran else 1


if __name__ == "__main__":
    sys.exit(main())
