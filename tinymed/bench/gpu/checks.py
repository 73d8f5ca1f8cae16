"""The proof of one implementation on a GPU: all its cases, twice, in memory with margins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinymed.bench.gpu.device import Gpu
from tinymed.bench.gpu.guard import SMALL, Guard, OtherGpuError
from tinymed.bench.gpu.journal import Row
from tinymed.bench.gpu.trials import Trial, judge, lacking, same_bits, trials
from tinymed.bench.proof import DisagreementError
from tinymed.kernels import KERNELS
from tinymed.kernels.cuda import LAUNCHER, Resources

__all__ = ["At", "LostError", "check", "lost", "run"]

SHOWN = 5  # failures of an implementation that are kept in full
At = Callable[..., None]  # of what is being done, and of what a row of it would have


class LostError(Exception):
    """The GPU no longer answers: a kernel took the context of this process with it.

    ``row`` is what is known of what did it.
    """

    def __init__(self, row: Row) -> None:
        super().__init__(str(row))
        self.row = row


def run(
    gpu: Gpu, trial: Trial, apart: bool = False, resources: Resources | None = None
) -> tuple[list[Any], Guard]:
    """Run a trial; return its results, as `proof.outcome` lists them, on the host, and its guard.

    Raises
    ------
    DisagreementError
        If it writes beside its arrays.
    """
    guard = Guard(gpu, resources)
    given = tuple(guard.given(one, apart) for one in trial.arguments())
    function = KERNELS[trial.case.kernel].load(trial.implementation)
    token = LAUNCHER.set(guard)
    try:
        result = function(*given)
    finally:
        LAUNCHER.reset(token)
    guard.check()
    results = list(result) if isinstance(result, tuple) else [result]
    parts = (part for one in given for part in (one if isinstance(one, list) else [one]))
    found = results + [part for part in parts if gpu.holds(part)]
    return [gpu.host(one) if gpu.holds(one) else one for one in found], guard


def check(gpu: Gpu, kernel: str, implementation: str, at: At) -> Row:
    """Return the row of an implementation: what was proved, and all that is wrong.

    Parameters
    ----------
    gpu : Gpu
    kernel, implementation : str
    at : function
        Told each trial before it begins: what to look at if the process does not come back.

    Raises
    ------
    LostError
        If the GPU is no longer to be used in this process.
    """
    row: Row = {"kernel": kernel, "implementation": implementation, "trials": 0, "proved": 0}
    if needs := lacking(implementation):
        return row | {"state": "not run", "note": needs}
    failures: list[str] = []
    ran: set[str] = set()
    worst, row["state"] = 0.0, "proved"
    for trial in trials(kernel, implementation):
        row["trials"] += 1
        try:
            at(str(trial))
            for how in _prove(gpu, trial, ran):
                worst = max(worst, how)
            row["proved"] += 1
            continue
        except OtherGpuError as error:
            row["note"] = str(error)
            continue
        except DisagreementError as error:
            row["state"] = "wrong"
            failures.append(f"{trial}: {error}")
        except Exception as error:  # whatever it is, the others go on and this one is told
            row["state"] = "failed" if row["state"] == "proved" else row["state"]
            failures.append(f"{trial}: {type(error).__name__}: {error}")
        if said := lost(gpu):
            failures.append(f"{trial}: the GPU is lost after it ({said})")
            row["state"] = "crashed"
            break
    shown = [*failures[: SHOWN - 1], *failures[SHOWN - 1 :][-1:]]  # the last says how it ended
    row |= {"worst": worst, "variants": sorted(ran), "failures": shown}
    row["failed"] = len(failures)
    if row["state"] == "crashed":
        raise LostError(row)
    if "note" in row and not failures:
        row["state"] = "not run"
    if not row["trials"]:
        row |= {"state": "failed", "failures": ["no case for it: see cases.py and device_rules"]}
    return row


def _prove(gpu: Gpu, trial: Trial, ran: set[str]) -> Iterator[float]:
    """Run a trial in each way there is; yield its errors as fractions of what is allowed."""
    first, guard = run(gpu, trial)
    ran |= guard.ran
    yield judge(trial, first)
    if trial.implementation != "reference":  # CuPy's own sums may be in any order
        again, _ = run(gpu, trial)
        if not same_bits(first, again):
            raise DisagreementError("other bits the second time")
    if guard.asked:
        little, guard = run(gpu, trial, resources=SMALL)
        ran |= guard.ran
        yield judge(trial, little)
    if trial.dtype.name != "bfloat16":  # whose strided cases are those of float32, byte for byte
        apart, guard = run(gpu, trial, apart=True)
        ran |= guard.ran
        yield judge(trial, apart)


def lost(gpu: Gpu) -> str | None:
    """Return what the GPU says if nothing can be done on it any more."""
    try:
        gpu.host(gpu.bytes(np.zeros(1, np.uint8)))
        gpu.synchronize()
    except Exception as error:  # CuPy's own, of several kinds
        return f"{type(error).__name__}: {error}"
    return None
