"""The process that uses the GPU: ``python -m tinymed.bench.gpu.worker JOURNAL --until TIME ...``.

It does the steps that the journal lacks, and ends with `LOST` where a kernel has made the GPU
useless to this process: its supervisor then starts another. The first begins the journal.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tinymed.bench.gpu.checks import LostError, lost
from tinymed.bench.gpu.device import DEVICE, Gpu, named
from tinymed.bench.gpu.journal import Journal
from tinymed.bench.gpu.steps import KINDS, Context, Step, steps

__all__ = ["LOST", "NO_GPU", "beside", "main", "work"]

# Exit statuses: there is none to be used; the context is gone, and another process may go on.
NO_GPU, LOST = 2, 3


def beside(journal: Path) -> Path:
    """Return the file that says what is being done right now: JSON, ``at`` and parts of a row."""
    return journal.with_suffix(".at")


def work(
    gpu: Gpu,
    todo: Sequence[Step],
    journal: Journal,
    until: float,
    golden: Path | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Do the steps that the journal lacks, until ``clock()`` is ``until``.

    Raises
    ------
    LostError
        If the GPU is lost; what is known of why is in the journal, and the step is ended.
    """

    def at(what: str, **row: str) -> None:
        beside(journal.path).write_text(json.dumps({"at": what, **row}))

    context = Context(gpu, journal, at, golden, until)
    left = set(journal.left(step.name for step in todo))
    for step in todo:
        if step.name not in left:
            continue
        if clock() >= until:
            return
        journal.begin(step.name)
        at(step.name)
        try:
            for row in step.rows(context):
                journal.add(step.name, row)
        except LostError as error:
            journal.broken(step.name, error.row)
            raise
        except Exception as error:  # whatever it is, the other steps go on
            journal.add(step.name, {"state": "failed", "note": f"{type(error).__name__}: {error}"})
            if said := lost(gpu):
                gone = LostError({"state": "crashed", "note": f"the GPU is lost after it ({said})"})
                journal.broken(step.name, gone.row)
                raise gone from error
        journal.end(step.name)


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a process; return 0, `NO_GPU` or `LOST`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("journal", type=Path)
    parser.add_argument("--until", type=float, required=True, help="when to begin nothing more")
    parser.add_argument("--anew", action="store_true", help="begin the journal")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--kernels", default="")
    parser.add_argument("--golden", type=Path)
    parser.add_argument("--device", default=DEVICE, help="module:function that returns it")
    options = parser.parse_args(argv)
    journal = Journal(options.journal)
    try:
        gpu = named(options.device)
        if options.anew:
            journal.create(gpu.about())
    except (ImportError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return NO_GPU
    kernels = [name for name in options.kernels.split(",") if name]
    todo = steps(options.kinds.split(","), kernels)
    try:
        work(gpu, todo, journal, options.until, options.golden)
    except LostError as error:
        print(f"worker: the GPU is lost: {error}", file=sys.stderr)
        return LOST
    return 0


if __name__ == "__main__":
    sys.exit(main())
