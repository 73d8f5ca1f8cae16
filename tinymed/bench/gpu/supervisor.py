"""A run on a GPU: a worker, another where it crashes or hangs, and no longer than it may take."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tinymed.bench.gpu.clocks import Clocks
from tinymed.bench.gpu.device import DEVICE
from tinymed.bench.gpu.journal import Journal
from tinymed.bench.gpu.steps import KINDS, steps
from tinymed.bench.gpu.worker import LOST, NO_GPU, beside

__all__ = ["NoGpuError", "Run", "supervise"]

WATCH = 0.25  # seconds between two looks at the journal
START = 120.0  # seconds that a worker may take until it begins its first step
GRACE = 30.0  # seconds that the step in progress has when the time is over
TAIL = 1500  # characters of what a crashed worker said that are kept


@dataclass(frozen=True)
class Run:
    """What is run, and how.

    Parameters
    ----------
    journal : Path
    minutes : float
        No step begins later than that.
    kinds, kernels : sequence of str
        Which steps; no kernels for all.
    golden : Path or None
        Results of the emulator.
    patience : float
        Seconds without any progress after which a worker is hung.
    device : str
        "module:function" that returns the `Gpu`.
    """

    journal: Path
    minutes: float
    kinds: Sequence[str] = KINDS
    kernels: Sequence[str] = ()
    golden: Path | None = None
    patience: float = 90.0
    device: str = DEVICE

    def names(self) -> list[str]:
        """Return the names of all steps."""
        return [step.name for step in steps(self.kinds, self.kernels)]

    def command(self, until: float) -> list[str]:
        """Return the command of a worker."""
        golden = ["--golden", str(self.golden)] if self.golden else []
        return [
            *(sys.executable, "-m", "tinymed.bench.gpu.worker", str(self.journal)),
            *("--until", repr(until), "--kinds", ",".join(self.kinds)),
            *("--kernels", ",".join(self.kernels), "--device", self.device, *golden),
        ]


class NoGpuError(RuntimeError):
    """There is no GPU to be used; says what to install or change."""


def supervise(run: Run, clock: Callable[[], float] = time.time) -> Journal:
    """Do a run; return its journal, which takes the place of an earlier one.

    This process does not touch the GPU: it may be one that only one process may use.

    Raises
    ------
    NoGpuError
        If there is none. The earlier journal is then left as it is.
    RuntimeError
        If a worker ends before it begins a step: nothing more can be done.
    """
    journal, names = Journal(run.journal), run.names()
    until, anew, left = clock() + 60 * run.minutes, True, run.names()
    clocks = Clocks()
    try:
        while clock() < until and (anew or left):
            beside(run.journal).unlink(missing_ok=True)  # so that a worker's start is told apart
            with tempfile.TemporaryFile("w+") as said:
                command = [*run.command(until), *["--anew"] * anew]
                ended = _watched(run, command, until, said, clock, clocks)
                said.seek(0)
                tail = said.read()[-TAIL:].strip()
            if ended == NO_GPU:
                raise NoGpuError(tail)
            before, left, anew = left, journal.left(names), False
            if step := journal.begun():
                _close(journal, step, ended, tail)
                left = journal.left(names)
            elif ended == 0:
                break
            elif ended != LOST and before == left:
                raise RuntimeError(f"supervise: the worker ended with {ended}: {tail}")
    finally:
        beside(run.journal).unlink(missing_ok=True)
        clocks.close()
        if not anew:  # else what is there is an earlier run's
            clocks.write(journal)
    return journal


def _watched(
    run: Run,
    command: list[str],
    until: float,
    said: IO[str],
    clock: Callable[[], float],
    clocks: Clocks,
) -> int | str:
    """Run a worker and look at the clocks; return its exit status, "hung" or "over" (the time)."""
    worker = subprocess.Popen(command, stdout=said, stderr=said, process_group=0)
    files = (run.journal, beside(run.journal))
    progress, seen = clock(), [0.0, 0.0]
    try:
        while True:
            try:
                return worker.wait(WATCH)
            except subprocess.TimeoutExpired:
                clocks.look()
            now = [file.stat().st_mtime if file.exists() else 0.0 for file in files]
            if now != seen:
                progress, seen = clock(), now
            elif clock() - progress > (run.patience if files[1].exists() else START):
                return "hung"
            if clock() > until + GRACE:
                return "over"
    finally:
        # and what it began: compilers, compute-sanitizer
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def _close(journal: Journal, step: str, ended: int | str, tail: str) -> None:
    """Say of the step in progress why it has no end of its own."""
    row = _doing(beside(journal.path)) or {"at": step}
    where = row.pop("at")
    if ended == "over":
        journal.add(step, {"state": "not run", "note": f"stopped at {where}: the time was over"})
        journal.end(step)
    elif ended == "hung":
        journal.broken(step, row | {"state": "hung", "note": f"no progress at {where}"})
    else:
        note = f"at {where}: status {ended}: {tail}"
        journal.broken(step, row | {"state": "crashed", "note": note})


def _doing(at: Path) -> dict[str, str]:
    """Return what a worker has said last of what it does, {} if nothing whole."""
    try:
        found: dict[str, str] = json.loads(at.read_text())
    except (OSError, ValueError):  # it may have been killed while it wrote
        return {}
    return found
