"""How much memory a step needs beyond its model and its batch, and how that grows.

Each measurement has a process of its own. It first does the same at a small size, so that all code
is loaded; then it makes the model and the batch, notes the memory that is resident, takes a few
steps, and says by how much the peak was above that: activations, gradients, the optimizer's
averages, working memory, and whatever a library keeps.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.bench.contest import Attempt, CannotError, InstallError
from tinymed.bench.machine import pin, threads_environment
from tinymed.bench.peers import PEERS
from tinymed.bench.record import MEASURED, Figure, exactly
from tinymed.bench.workloads import Conv, Network, Recurrent, Spec

__all__ = ["NEEDS", "Need", "extra_memory", "memory_figures"]

OURS = "tinymed"
CALLS = 3  # the first makes the optimizer's averages, the second has them and new gradients
STATUS, RESTART = Path("/proc/self/status"), Path("/proc/self/clear_refs")
HIGHEST = "5"  # what clear_refs takes for: begin the peak anew (man 5 proc)


@dataclass(frozen=True)
class Need:
    """Work whose memory is measured.

    Parameters
    ----------
    work, case : str
        As in a `Figure`; cases that are numbers make a curve.
    spec, first : Spec
        The work, and what is done before it for its code to be loaded.
    goal : float or None
        Bytes.
    whole : bool
        Whether the memory of the whole process is a figure too.
    """

    work: str
    case: str
    spec: Spec
    first: Spec
    goal: float | None = None
    whole: bool = False


def _by_size() -> Iterator[Need]:
    for n in (8, 16, 32, 64, 128):
        name = "extra memory of conv 3x3, 32 channels on 32x32, by batch"
        yield Need(name, str(n), Conv(n, 32, 32, 32), Conv(1, 32, 32, 32))
    for length in (1000, 2000, 4000, 8000):
        name = "extra memory of LSTM 4x32, H 64, by length"
        first = Recurrent("lstm", 10, 4, 32, 64)
        yield Need(name, str(length), Recurrent("lstm", length, 4, 32, 64), first)


IMAGES = (3, 28, 28)
RESNET = Network("resnet18", 32, IMAGES)
NEEDS = (
    Need(
        "extra memory of a ResNet-18 step",
        str(RESNET),
        RESNET,
        Network("narrow resnet18", 2, IMAGES),
        goal=300e6,
        whole=True,
    ),
    *_by_size(),
)


def memory_figures(peers: Sequence[str], threads: int, only: str = "") -> Iterator[list[Figure]]:
    """Yield the figures of tinymed and of peers, one list for each work and size.

    Parameters
    ----------
    peers : sequence of str
        Keys of `PEERS`.
    threads : int
        As many may be used, and as many cores.
    only : str
        Words that the work and its case must contain.
    """
    for number, need in enumerate(NEEDS):
        if all(word in f"{need.work} {need.case}".lower() for word in only.lower().split()):
            figures = [_figures(number, name, threads) for name in (OURS, *peers)]
            yield [extra for extra, *_ in figures]
            if need.whole:
                yield [whole for _, whole in figures]


def _figures(number: int, candidate: str, threads: int) -> tuple[Figure, Figure]:
    """Return the extra memory of ``NEEDS[number]``, and that of the whole process at its peak."""
    need, ours = NEEDS[number], candidate == OURS
    found = subprocess.run(
        [sys.executable, "-m", "tinymed.bench.memory"],
        input=json.dumps({"number": number, "candidate": candidate, "threads": threads}),
        env=threads_environment(threads),
        capture_output=True,
        text=True,
    )
    if found.returncode == 0:
        said = json.loads(found.stdout)
    else:
        lines = found.stderr.strip().splitlines() or [f"it ended with {found.returncode}"]
        said = {"state": "failed", "note": lines[-1]}
    state, note = said["state"], said.get("note", "")
    values = [None if state != MEASURED else exactly(said[name]) for name in ("extra", "peak")]
    whole = need.work.replace("extra memory of", "memory of the process in")
    return (
        Figure(
            need.work, need.case, candidate, threads, state, "B", note, ours, values[0],
            need.goal if ours else None,
        ),
        Figure(whole, need.case, candidate, threads, state, "B", note, ours, values[1]),
    )  # fmt: skip


def extra_memory(
    make: Callable[[Spec], Attempt], spec: Spec, first: Spec
) -> tuple[float, float, bool]:
    """Return how far calls raise the peak of this process, the peak, and whether that is exact.

    Parameters
    ----------
    make : function
        Returns the attempt at a workload, with its model and its batch.
    spec, first : Spec
        What is measured, and what is done before.

    Returns
    -------
    (float, float, bool)
        Bytes; False where the system cannot forget the peak before, and the first is too small by
        as much as that was above the memory then resident.
    """
    _call(make(first))
    attempt = make(spec)
    gc.collect()
    exact = _forget_peak()
    before = _peak()
    _call(attempt)
    peak = _peak()
    return peak - before, peak, exact


def _call(attempt: Attempt) -> None:
    for _ in range(CALLS):
        attempt.call()


def _forget_peak() -> bool:
    """Begin the peak anew at the memory that is resident now; False where that cannot be done."""
    try:
        RESTART.write_text(HIGHEST)
    except OSError:
        return False
    return True


def _peak() -> float:
    """Return the most bytes that were resident.

    Raises
    ------
    CannotError
        Where the system does not say.
    """
    if STATUS.exists():  # ru_maxrss would begin with what the parent had, and is never forgotten
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM"):
                return float(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        raise CannotError("this system does not say how much memory was used") from None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(most) * (1 if sys.platform == "darwin" else 1024)


def _maker(candidate: str) -> Callable[[Spec], Attempt]:
    """Return what makes a candidate's attempt."""
    from tinymed.bench.ours import attempt

    if candidate == "jax":
        raise CannotError("it compiles for each shape, which would be counted")

    def make(spec: Spec) -> Attempt:
        arrays = spec.inputs(np.random.default_rng(0))
        if candidate == OURS:
            return attempt(spec, arrays)
        peer = PEERS[candidate]
        if peer.workloads is None:
            raise CannotError("nothing like it")
        made = peer.made(peer.workloads, "workload", spec, arrays)
        return next(iter(made.values())) if isinstance(made, Mapping) else made

    return make


def _measured(number: int, candidate: str) -> dict[str, Any]:
    need = NEEDS[number]
    try:
        extra, peak, exact = extra_memory(_maker(candidate), need.spec, need.first)
    except CannotError as error:
        return {"state": "cannot", "note": str(error)}
    except InstallError as error:
        return {"state": "not installed", "note": str(error)}
    note = "" if exact else "at least: the peak before could not be forgotten"
    return {"state": MEASURED, "note": note, "extra": extra, "peak": peak}


def main() -> None:
    """Answer the request on the standard input."""
    asked = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, sys.stderr  # libraries print
    warnings.simplefilter("ignore")
    pin(asked["threads"])
    print(json.dumps(_measured(asked["number"], asked["candidate"])), file=out, flush=True)
    os._exit(0)  # some libraries' threads take seconds to end


if __name__ == "__main__":
    main()
