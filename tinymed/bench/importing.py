"""What installing and importing tinymed costs, beside NumPy and beside other libraries.

An import is timed inside a fresh interpreter, which is running already when the clock starts. All
modules were compiled to bytecode by a run before, into a folder made for that. The candidates take
turns. What is installed is counted from the lists of files that installers leave.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

from tinymed.bench.machine import threads_environment
from tinymed.bench.peers import PEERS
from tinymed.bench.record import MEASURED, Figure, exactly
from tinymed.bench.timing import median_interval

__all__ = ["import_figures", "import_seconds", "installed_bytes", "needed"]

LEAST = 20  # runs of each: the interval of fewer is wide
IMPORT, BEYOND, INSTALLED = "import", "import beyond numpy", "installed with what it needs"
GOALS = {(IMPORT, "tinymed"): 0.22, (BEYOND, "tinymed"): 0.04, (INSTALLED, "tinymed[fast]"): 285e6}
BYTECODE = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
NAME = re.compile(r"[A-Za-z0-9._-]+")
EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)""")


@dataclass(frozen=True)
class _Candidate:
    """A package to import, and what is imported before the clock starts."""

    work: str
    package: str
    before: str = ""

    @property
    def code(self) -> str:
        """A program that prints the seconds."""
        before = f"import {self.before}; " if self.before else ""
        return (
            f"import time; {before}begin = time.perf_counter(); import {self.package}; "
            "print(time.perf_counter() - begin)"
        )


def import_figures(peers: Sequence[str], repeats: int) -> Iterator[list[Figure]]:
    """Yield the seconds of imports, alone and with NumPy there already; then installed bytes.

    Parameters
    ----------
    peers : sequence of str
        Keys of `PEERS`; several may be ways to use one package.
    repeats : int
        Runs of each, 20 at least.
    """
    packages = dict.fromkeys(PEERS[peer].packages[0] for peer in peers)
    there = [package for package in packages if find_spec(package) is not None]
    absent = [package for package in packages if package not in there]
    candidates = [_Candidate(IMPORT, package) for package in ("numpy", "tinymed", *there)]
    candidates.append(_Candidate(BEYOND, "tinymed", "numpy"))
    measured = _import_figures(candidates, max(LEAST, repeats))
    for work in (IMPORT, BEYOND):
        yield [figure for figure in measured if figure.work == work] + [
            Figure(work, "", package, 1, "not installed", "s", f"pip install {package}")
            for package in absent
            if work == IMPORT
        ]
    yield [_installed(name) for name in ("numpy", "tinymed", "tinymed[fast]", *there)]


def _import_figures(candidates: Sequence[_Candidate], repeats: int) -> list[Figure]:
    """Return a figure for each candidate."""
    found: dict[_Candidate, list[float]] = {candidate: [] for candidate in candidates}
    failed: dict[_Candidate, str] = {}
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in threads_environment(1).items() if k not in BYTECODE}
        environment["PYTHONPYCACHEPREFIX"] = folder
        for turn in range(-1, repeats):  # the first writes the bytecode
            for candidate in chance.sample(candidates, len(candidates)):
                try:
                    seconds = import_seconds(candidate.code, environment, folder)
                except RuntimeError as error:
                    failed[candidate] = str(error)
                    continue
                if turn >= 0:
                    found[candidate].append(seconds)
    figures = []
    for candidate in candidates:
        work, name = candidate.work, candidate.package
        if candidate in failed:
            figures.append(Figure(work, "", name, 1, "failed", "s", failed[candidate]))
            continue
        value, ours = median_interval(found[candidate]), name == "tinymed"
        goal = GOALS.get((work, name))
        figures.append(Figure(work, "", name, 1, MEASURED, "s", ours=ours, value=value, goal=goal))
    return figures


def import_seconds(code: str, environment: dict[str, str], folder: str) -> float:
    """Return the seconds that a program in a fresh interpreter prints.

    Raises
    ------
    RuntimeError
        With the last line of its error, if it fails.
    """
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=folder, capture_output=True, text=True
    )
    if run.returncode:
        lines = run.stderr.strip().splitlines() or [f"it ended with {run.returncode}"]
        raise RuntimeError(lines[-1])
    return float(run.stdout.split()[-1])


def _installed(name: str) -> Figure:
    """Return the bytes of a distribution, "name" or "name[extra]", and of all that it needs."""
    work, ours = INSTALLED, name.startswith("tinymed")
    try:
        together = needed(name)
        value = exactly(sum(map(installed_bytes, together)))
    except metadata.PackageNotFoundError as error:
        return Figure(work, "", name, 1, "not installed", "B", f"without {error.name}", ours)
    note = ", ".join(sorted(together))
    return Figure(work, "", name, 1, MEASURED, "B", note, ours, value, GOALS.get((work, name)))


def needed(name: str) -> list[str]:
    """Return the distributions that one needs, itself first, as far as they are installed.

    Parameters
    ----------
    name : str
        "name" or "name[extra]"; what the extra asks for must be installed.

    Raises
    ------
    PackageNotFoundError
        If the distribution is not installed, or what its extra asks for.
    """
    first, _, extra = name.rstrip("]").partition("[")
    found: dict[str, None] = {}
    waiting = [(first, extra, True)]
    while waiting:
        one, with_extra, demanded = waiting.pop(0)
        if _plain(one) in found:
            continue
        try:
            requirements = metadata.distribution(one).requires or []
        except metadata.PackageNotFoundError:
            if demanded:
                raise
            continue  # for other systems or versions, as its marker says
        found[_plain(one)] = None
        for requirement in requirements:
            match, marked = NAME.match(requirement), EXTRA.search(requirement)
            if match and (marked is None or marked[1] == with_extra):
                waiting.append((match[0], "", marked is not None))
    return list(found)


def _plain(name: str) -> str:
    """Return a distribution's name as all ways to write it have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_bytes(name: str) -> int:
    """Return the bytes of a distribution's files; of tinymed in a checkout, those of its package.

    Raises
    ------
    PackageNotFoundError
        If it is not installed.
    """
    files = metadata.distribution(name).files or []
    paths = [Path(str(file.locate())) for file in files]
    if name == "tinymed" and not any(path.match("tinymed/__init__.py") for path in paths):
        paths = list(_package_files("tinymed"))
    return sum(path.stat().st_size for path in paths if path.is_file())


def _package_files(package: str) -> Iterator[Path]:
    """Yield a package's files; of what is cached beside them, this Python's bytecode alone."""
    root = Path(str(import_module(package).__file__)).parent
    for folder, _, names in os.walk(root, followlinks=True):
        for name in names:
            cached = Path(folder).name == "__pycache__"
            if not cached or name.endswith(f".{sys.implementation.cache_tag}.pyc"):
                yield Path(folder, name)
