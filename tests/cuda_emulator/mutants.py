"""Mutants: kernels that lack one barrier, one wait or one boundary check, and must be found out.

``python -m tests.cuda_emulator.mutants`` prints how each is caught; one that passes all trials in
all schedules is an error: either the name is not needed, or no case of ``cases.py`` needs it.
"""

from __future__ import annotations

import multiprocessing
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import NamedTuple

from tests.cuda_emulator.build import COUNTERPARTS
from tests.cuda_emulator.emulate import SCHEDULES, EmulationError, unavailable
from tests.cuda_emulator.trials import (
    Trial,
    implementations,
    judge,
    run,
    same_bits,
    trials,
    variants_of,
)
from tinymed.bench.proof import DisagreementError
from tinymed.kernels.cuda import Variant

NAMED = re.compile(
    r"\b(?:BARRIER|CLUSTER_BARRIER|GRID_BARRIER|CHECK|WAIT_COPIES|ARRIVE|ARRIVE_EXPECTING|WAIT_PHASE"
    r"|WAIT_PRODUCTS|COMMIT_PRODUCTS|FENCE_\w+)\(\s*(\w+)\s*[,)]"
)


class Mutant(NamedTuple):
    """A source, and the name that is taken out of it."""

    source: str
    name: str


def names(variant: Variant) -> list[str]:
    """Return what can be taken out of a variant's source, in the order in which it stands there."""
    own = {name: text for name, text in variant.headers().items() if name not in COUNTERPARTS}
    texts = [variant.text(), *own.values()]
    uses = [re.sub(r"#define.*(?:\\\n.*)*", "", text) for text in texts]
    return list(dict.fromkeys(name for text in uses for name in NAMED.findall(text)))


@cache
def by_source() -> dict[str, list[Trial]]:
    """Return, for each source that ran, trials that between them use each of its variants."""
    found: dict[str, list[Trial]] = {}
    for kernel, implementation in implementations():
        for trial in trials(kernel, implementation):
            for variant in variants_of(trial):
                found.setdefault(variant.source, [])
                if trial not in found[variant.source]:
                    found[variant.source].append(trial)
    return found


def caught(name: str, among: list[Trial]) -> str | None:
    """Return how the mutant without ``name`` is found out, or None if it is not."""
    for trial in reversed(among):  # the largest uses most of what there is
        first = None
        for schedule in SCHEDULES:
            try:
                found = run(trial, schedule, removed=name)
                judge(trial, found)
            except EmulationError as error:
                return f"{schedule}: {str(error).partition('): ')[2][:60]}"
            except DisagreementError as error:
                return f"{schedule}: {str(error)[:60]}"
            if first is not None and not same_bits(first, found):
                return f"{schedule}: other bits than forward"
            first = found
    return None


def judged(mutant: Mutant) -> str | None:
    """Return how a mutant is caught, or None if it is not."""
    return caught(mutant.name, by_source()[mutant.source])


def table() -> Iterator[tuple[Mutant, str | None]]:
    """Yield each mutant of each source that an implementation runs, and how it is caught.

    What writes far beside its arrays may ruin its process, or leave it to the next to crash: where
    one dies, the first mutant without a result tells alone, and the others go on in new processes.
    """
    ran = {v.source: v for among in by_source().values() for t in among for v in variants_of(t)}
    left = [Mutant(source, name) for source in sorted(ran) for name in names(ran[source])]
    while left:
        with processes() as pool:
            for done, result in enumerate([pool.submit(judged, mutant) for mutant in left]):
                try:
                    yield left[done], result.result()
                except BrokenProcessPool:
                    break
            else:
                return
        yield left[done], alone(left[done])
        left = left[done + 1 :]


def processes(count: int | None = None) -> ProcessPoolExecutor:
    """Return processes, one for each processor unless told.

    They are forked, and so know the trials, which hold functions that cannot be sent.
    """
    return ProcessPoolExecutor(count, multiprocessing.get_context("fork"))


def alone(mutant: Mutant) -> str | None:
    """Return how a mutant is caught in a process of its own, by its crash too."""
    with processes(1) as pool:
        try:
            return pool.submit(judged, mutant).result()
        except BrokenProcessPool:
            return "its process crashes"


def main() -> int:
    """Print the table; return 1 if a mutant survives."""
    if unavailable():
        print(f"mutants: not run ({unavailable()})")
        return 0
    lived = 0
    print(f"{'source':36} {'without':18} caught by")
    for mutant, how in table():
        lived += how is None
        print(f"{mutant.source:36} {mutant.name:18} {how or 'NOTHING'}", flush=True)
    print(f"mutants: {lived} survived")
    return 1 if lived else 0


if __name__ == "__main__":
    sys.exit(main())
