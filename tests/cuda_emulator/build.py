"""Kernels built for the CPU: the same ``.cu`` file, with the emulator's headers in front.

Built once per content of all files, with bounds and alignment checked, into the user's cache.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from tinymed.kernels.cuda import Variant
from tinymed.kernels.cuda.cubins import cache_folder

HERE = Path(__file__).parent
COUNTERPARTS = {path.name for path in HERE.glob("*.cuh")}  # headers that are others on the CPU
FLAGS = (
    *("-std=c++17", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique"),
    # shared arrays change while a thread waits, which the compiler could otherwise rule out
    *("-fno-strict-aliasing", "-fno-ipa-reference", "-fno-ipa-pure-const"),
    # a longjmp to another stack is what fibers are made of
    *("-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=0", "-fcf-protection=none"),
    # indices beyond a declared array and misaligned 128-bit accesses stop the launch
    *("-fsanitize=bounds-strict,alignment", "-fsanitize-undefined-trap-on-error"),
    # variables that were never written hold what no kernel expects
    *("-ftrivial-auto-var-init=pattern", "-Wno-unknown-pragmas", "-Wno-attributes"),
)

OLDEST = 12  # of g++, that knows all of these


@cache
def unavailable() -> str:
    """Return why kernels cannot be emulated here, or nothing."""
    if sys.platform != "linux":
        return "the emulator needs Linux"
    if not shutil.which("g++"):
        return "the emulator needs a C++ compiler: g++"
    version = subprocess.run(["g++", "-dumpversion"], capture_output=True, text=True, check=True)
    found = version.stdout.strip()
    old = int(found.split(".")[0]) < OLDEST
    return f"the emulator needs g++ {OLDEST} or later, found {found}" if old else ""


@cache
def library(variant: Variant) -> ctypes.CDLL:
    """Return a variant built for the CPU.

    Raises
    ------
    RuntimeError
        If it does not compile, with the compiler's words; or has ``__shared__`` in a template,
        where no linker would put it beside the rest of shared memory.
    """
    headers = [path.read_text() for path in sorted(HERE.glob("*.*h"))]
    key = hashlib.sha256(repr((variant.digest(*FLAGS), headers)).encode()).hexdigest()[:32]
    place = cache_folder() / f"{key}.so"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        _build(variant, place)
    return ctypes.CDLL(str(place))


def _build(variant: Variant, place: Path) -> None:
    """Compile a variant into a shared library."""
    lines = ['#include "device.cuh"', f'#include "{variant.path}"', '#include "entry.h"']
    lines += [f"ENTRY({entry})" for entry in variant.entries]
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        source, made = Path(folder) / "kernel.cpp", Path(folder) / "kernel.so"
        source.write_text("\n".join(lines) + "\n")
        for name, text in variant.headers().items():
            if name not in COUNTERPARTS:
                (Path(folder) / name).write_text(text)
        command = [
            "g++",
            *FLAGS,
            f"-I{HERE}",
            f"-I{folder}",
            *variant.options,
            str(source),
            "-o",
            str(made),
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"{variant}: g++ refuses it\n{run.stderr[:2000]}")
        symbols = subprocess.run(
            ["nm", "-C", str(made)], capture_output=True, text=True, check=True
        ).stdout
        if stray := re.search(
            r" [bdBDuV] (?!.*(?:emulator|__|_edata|_end|completed))(.*\(.*)", symbols
        ):
            raise RuntimeError(
                f"{variant}: {stray[1]} is static in a template; declare __shared__ arrays in the "
                "entry point and pass them on"
            )
        os.replace(made, place)
