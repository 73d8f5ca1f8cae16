"""The process that measures: one for each number of threads, kept on as many cores.

Libraries decide when they are loaded how many threads they use, so it is decided before. The
request comes as JSON on the standard input; each finding goes out as one line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tinymed.bench.machine import pin, threads_environment
from tinymed.bench.record import TIMED, Row, row_from_json

__all__ = ["Finding", "Request", "findings", "measure"]

CURVE_REPEATS = 7  # at most: curves have many points


@dataclass(frozen=True)
class Request:
    """What is to be measured.

    Attributes
    ----------
    kernels, peers : tuple of str
    workloads, scaling, cold : bool
        Whether the workloads, how they grow, and times of first calls are measured.
    only : str
        Words that a kernel's case, a workload or a curve must contain.
    added : str or None
        Path of a user's file with a kernel.
    """

    kernels: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    workloads: bool = False
    scaling: bool = False
    cold: bool = False
    only: str = ""
    added: str | None = None
    repeats: int = 30
    threads: int = 1


@dataclass(frozen=True)
class Finding:
    """The rows of one contest, or of one point of a curve, or the roofline."""

    rows: list[Row]
    curve: bool = False
    roofline: dict[str, float] | None = None


def measure(request: Request) -> Iterator[Finding]:
    """Measure in a process of its own, and yield what it finds as it comes.

    Raises
    ------
    RuntimeError
        If the process ends with an error.
    """
    command = [sys.executable, "-m", "tinymed.bench.worker"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=threads_environment(request.threads),
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("measure: the process that measures has no pipes")
        try:
            process.stdin.write(json.dumps(asdict(request)))
            process.stdin.close()
            for line in process.stdout:
                found = json.loads(line)
                yield Finding(**(found | {"rows": [row_from_json(row) for row in found["rows"]]}))
        except BaseException:  # nobody wants to know any more
            process.kill()
            raise
    if process.returncode:
        raise RuntimeError(f"measure: the process that measures ended with {process.returncode}")


def findings(request: Request) -> Iterator[Finding]:
    """Measure in this process."""
    from tinymed.bench import roofline as limits
    from tinymed.bench.added import load_added
    from tinymed.bench.contests import has_cases, kernel_contests, workload_contest
    from tinymed.bench.scaling import points
    from tinymed.bench.workloads import workloads

    kernels = [kernel for kernel in request.kernels if has_cases(kernel)]
    roofline = limits.measured()
    yield Finding([], roofline=None if roofline is None else asdict(roofline))
    mine: dict[str, Any] = {}
    if request.added is not None:
        added = load_added(Path(request.added), list(request.kernels))
        mine = {added.kernel: {added.name: added.function}}
    words, cold = request.only.lower().split(), set[tuple[str, str]]()
    for kernel in kernels:
        for contest in kernel_contests(kernel, request.peers, mine.get(kernel, {})):
            if all(word in f"{kernel} {contest.case}".lower() for word in words):
                rows = contest.run(request.repeats, request.threads, roofline)
                yield Finding([_with_cold(row, cold) for row in rows] if request.cold else rows)
    for workload in workloads(request.only.lower()) if request.workloads else ():
        contest = workload_contest(workload, request.peers, request.threads)
        yield Finding(contest.run(request.repeats, request.threads, roofline))
    for workload, size in points(request.only.lower()) if request.scaling else ():
        contest = workload_contest(workload, request.peers, request.threads)
        repeats = min(request.repeats, CURVE_REPEATS)
        rows = contest.run(repeats, request.threads, roofline)
        yield Finding([replace(row, case=str(size)) for row in rows], curve=True)


def _with_cold(row: Row, known: set[tuple[str, str]]) -> Row:
    """Return the row with the time of a first call, if its implementation had none so far."""
    from tinymed.bench.cold import cold_seconds

    name = (row.work, row.candidate)
    if row.state != TIMED or not row.candidate.startswith("numba") or name in known:
        return row
    known.add(name)
    return replace(row, cold=cold_seconds(row.work, row.case, row.candidate))


def main() -> None:
    """Answer the request on the standard input."""
    asked = json.load(sys.stdin)
    request = Request(**(asked | {name: tuple(asked[name]) for name in ("kernels", "peers")}))
    pin(request.threads)
    # Libraries print, and this output is for findings alone: what they print is to be seen.
    out, sys.stdout = sys.stdout, sys.stderr
    warnings.simplefilter("ignore")
    if any(peer.startswith("torch") for peer in request.peers):
        with contextlib.suppress(ImportError):
            import torch

            torch.set_num_threads(request.threads)
    for finding in findings(request):
        print(json.dumps(asdict(finding)), file=out, flush=True)
    os._exit(0)  # some libraries' threads take seconds to end


if __name__ == "__main__":
    main()
