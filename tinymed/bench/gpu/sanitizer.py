"""NVIDIA's compute-sanitizer over one small case of every kernel, where it is installed.

``python -m tinymed.bench.gpu.sanitizer`` is what it watches: without margins around the arrays and
without CuPy's pool, so that each array ends where its memory does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tinymed.bench.gpu.device import CuPyGpu, on_device
from tinymed.bench.gpu.journal import Row
from tinymed.bench.gpu.trials import implementations, trials
from tinymed.kernels import KERNELS

__all__ = ["TOOLS", "sanitized"]

TOOLS = ("memcheck", "synccheck", "racecheck")
FOUND = 9  # the exit status that says that a kernel is wrong
SECONDS = 240.0
SAID = 2000  # characters of what it says that are kept


def sanitized(tool: str) -> Row:
    """Return the row of one of `TOOLS`."""
    program = _program()
    row: Row = {"tool": tool}
    if program is None:
        return row | {"state": "not run", "note": "compute-sanitizer is not installed"}
    command = [program, "--tool", tool, "--error-exitcode", str(FOUND), sys.executable, "-m"]
    try:
        done = subprocess.run(
            [*command, "tinymed.bench.gpu.sanitizer"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return row | {"state": "not run", "note": f"it takes more than {SECONDS:.0f} s"}
    said = (done.stdout + done.stderr)[-SAID:]
    if done.returncode == FOUND:
        return row | {"state": "wrong", "note": said}
    if done.returncode:
        return row | {"state": "failed", "note": f"status {done.returncode}: {said}"}
    return row | {"state": "proved", "note": said.strip().splitlines()[-1] if said.strip() else ""}


def _program() -> str | None:
    """Return where compute-sanitizer is, on the path or in the toolkit's folder."""
    usual = Path("/usr/local/cuda/bin/compute-sanitizer")
    return shutil.which("compute-sanitizer") or (str(usual) if usual.exists() else None)


def main() -> int:
    """Run the trial of middle size of every implementation in CUDA; print what cannot be run."""
    gpu: Any = CuPyGpu()
    gpu.cupy.cuda.set_allocator(None)
    for kernel, implementation in implementations():
        every = trials(kernel, implementation)
        if not every:
            continue
        trial = every[len(every) // 2]
        try:
            given = on_device(gpu, list(trial.arguments()))
            KERNELS[kernel].load(implementation)(*given)
            gpu.synchronize()
        except Exception as error:  # the checks have a row for it; here the others go on
            print(f"{trial}: {type(error).__name__}: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
