"""Every CUDA kernel on a real GPU: proved, measured, timed beside PyTorch, within some minutes.

    python -m benchmarks.gpu_verify --minutes 8 [--out DIR] [--only check,time] [--readme README.md]

Run it from the root of the repository, where CuPy and a driver are; PyTorch takes part where it is
installed. Rows are in DIR/gpu.jsonl as soon as they are known, what is most important first: all is
compiled, every implementation is proved, the card's ceilings are measured, results are held against
the emulator's, whole steps, layers and kernels are timed, compute-sanitizer looks on. The table
comes last. The exit status is 1 if anything is wrong or nothing was run, 2 if there is no GPU to be
used.
``--from DIR`` shows the record of an earlier run and runs nothing.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tinymed.bench.gpu.device import DEVICE
from tinymed.bench.gpu.journal import Journal
from tinymed.bench.gpu.report import MARKERS, failures, readme, table
from tinymed.bench.gpu.steps import KINDS
from tinymed.bench.gpu.supervisor import NoGpuError, Run, supervise
from tinymed.bench.text import write_between
from tinymed.kernels import KERNELS

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "benchmarks" / "record"
GOLDEN = RECORD / "golden.json"
NAME = "gpu.jsonl"


def options_of(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--minutes", type=float, default=8.0, help="no step begins later (default 8)")
    add("--out", type=Path, default=RECORD, metavar="DIR", help="where the record is written")
    add("--only", default="", metavar="KINDS", help=f"of {','.join(KINDS)}")
    add("--kernels", default="", metavar="NAMES", help="only these kernels: conv.forward,...")
    add("--from", type=Path, dest="record", metavar="DIR", help="show a record; run nothing")
    add("--readme", type=Path, metavar="FILE", help="write the table there, between its markers")
    options = parser.parse_args(argv)
    options.kinds = [kind for kind in options.only.split(",") if kind] or list(KINDS)
    if strange := set(options.kinds) - set(KINDS):
        parser.error(f"--only {', '.join(sorted(strange))}: there are {', '.join(KINDS)}")
    options.kernels = [name for name in options.kernels.split(",") if name]
    if strange := set(options.kernels) - set(KERNELS):
        parser.error(f"--kernels {', '.join(sorted(strange))}: see tinymed kernels")
    if not options.minutes > 0:
        parser.error(f"--minutes {options.minutes} is not positive")
    return options


def main(argv: Sequence[str] | None = None, of: str = DEVICE) -> int:
    """Run or show; ``of`` is "module:function" of what workers connect to."""
    options = options_of(argv)
    path = (options.record or options.out) / NAME
    run = Run(path, options.minutes, options.kinds, options.kernels, GOLDEN, device=of)
    journal = Journal(path)
    if options.record is None:
        try:
            supervise(run)
        except NoGpuError as error:
            print(f"gpu_verify: not run: {error}", file=sys.stderr)
            return 2
        except RuntimeError as error:  # what is known is shown all the same
            print(f"gpu_verify: stopped: {error}", file=sys.stderr)
    for line in table(journal, run.names()):
        print(line)
    if options.readme:
        write_between(options.readme, MARKERS, readme(journal))
    return 1 if failures(journal) or not journal.rows() else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the worker is stopped too
    sys.exit(main())
