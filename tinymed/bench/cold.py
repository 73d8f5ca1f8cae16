"""How long a kernel's first call takes where nothing is compiled yet, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from tinymed.bench.proof import arguments
from tinymed.kernels import KERNELS
from tinymed.kernels.case import benches

__all__ = ["cold_seconds"]


def cold_seconds(kernel: str, case: str, implementation: str) -> float:
    """Return what the first call in a fresh process with an empty cache takes beyond a later one.

    Importing the implementation, and Numba with it, is part of it: users wait for that too.
    """
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        command = [sys.executable, "-m", "tinymed.bench.cold", kernel, case, implementation]
        return float(subprocess.check_output(command, env=environment, text=True))


def main(kernel: str, case: str, implementation: str) -> None:
    """Print the seconds."""
    (given,) = (arguments(one, "float32") for one in benches(kernel) if one.name == case)
    begin = time.perf_counter()
    function = KERNELS[kernel].load(implementation)
    function(*given)
    first = time.perf_counter()
    function(*given)
    print(first - begin - (time.perf_counter() - first))


if __name__ == "__main__":
    main(*sys.argv[1:])
