"""All that is done on a GPU, in order: what matters most first, since time may run out.

A `Step` gives rows. `steps` finds them without a GPU, so that whoever watches knows what was not
run.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinymed.bench import record
from tinymed.bench.contest import Contest
from tinymed.bench.contests import has_cases
from tinymed.bench.gpu.checks import At, check
from tinymed.bench.gpu.device import Gpu, on_device
from tinymed.bench.gpu.golden import GoldenFile, golden
from tinymed.bench.gpu.journal import Journal, Row, state_of
from tinymed.bench.gpu.referee import GpuReferee
from tinymed.bench.gpu.sanitizer import TOOLS, sanitized
from tinymed.bench.gpu.timings import ARITHMETICS, kernel_contest, precision
from tinymed.bench.gpu.trials import ROUNDED, Trial, bfloat16, implementations
from tinymed.bench.gpu.works import gpu_contest, gpu_workloads, is_network
from tinymed.bench.proof import arguments
from tinymed.bench.roofline import Roofline
from tinymed.bench.workloads import Workload
from tinymed.kernels import KERNELS
from tinymed.kernels.case import Case, benches, large, proofs
from tinymed.kernels.cuda import LAUNCHER, variants
from tinymed.kernels.cuda.cubins import compile_ahead

__all__ = ["KINDS", "Context", "Step", "roofline", "steps"]

KINDS = (
    "compile",  # every variant, for this GPU
    "check",  # every implementation in CUDA against the reference
    "ceiling",  # what the card reaches at most
    "golden",  # against the emulator
    "network",  # steps of whole networks
    "time",  # each kernel on its largest case
    "layer",  # forward and backward
    "sanitize",  # by compute-sanitizer
    "reference",  # the reference itself, on CuPy's arrays
    "numba",  # every implementation in numba-cuda, which compiles it then, against the reference
    "numba_time",  # and beside CUDA C on the largest case
    "sizes",  # each kernel on its other cases
)
REPEATS = 20
CEILING_RUNS = 8
CEILINGS = {  # of what -> the kernel that reaches it, and its dtype
    "bytes": ("ceilings.copy", "cuda", "float32"),
    "float32": ("ceilings.multiply_add", "cuda", "float32"),
    "tf32": ("ceilings.tile_product", "cuda:tensor", "float32"),
    "bfloat16": ("ceilings.tile_product", "cuda:tensor", "bfloat16"),
    "wgmma": ("ceilings.warpgroup_product", "cuda:wgmma", "float16"),
}


class Context(NamedTuple):
    """What steps need: the device, what was found so far, whom to tell what is being done."""

    gpu: Gpu
    journal: Journal
    at: At
    golden: Path | None
    until: float  # by `time.time`: when nothing more is begun


@dataclass(frozen=True)
class Step:
    """One thing to do; its name is its own."""

    name: str
    rows: Callable[[Context], Iterator[Row]]

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""
        return self.name.partition(" ")[0]


def steps(kinds: Sequence[str] = KINDS, kernels: Sequence[str] = ()) -> list[Step]:
    """Return the steps of these kinds, in order; if kernels are named, those of each alone."""
    found = {
        "compile": lambda: [Step("compile all", _compile)],
        "check": lambda: [_check("check", *each) for each in implementations()],
        "ceiling": lambda: [Step(f"ceiling {of}", partial(_ceiling, of)) for of in CEILINGS],
        "golden": lambda: [_golden(*each) for each in implementations()],
        "network": lambda: [_workload("network", w) for w in gpu_workloads() if is_network(w)],
        "time": lambda: [_time("time", case, a) for rank, case, a in _timed() if rank == 0],
        "layer": lambda: [_workload("layer", w) for w in gpu_workloads() if not is_network(w)],
        "sizes": lambda: [_time("sizes", case, a) for rank, case, a in _timed() if rank > 0],
        "reference": lambda: [
            _check("reference", kernel, name)
            for kernel, name in implementations("reference")
            if has_cases(kernel)
        ],
        "numba": lambda: [_check("numba", *each) for each in implementations("numba_cuda")],
        "numba_time": lambda: [
            _time("numba_time", case, a, ("cuda", "numba_cuda"))
            for rank, case, a in _timed("numba_cuda")
            if rank == 0 and a == ARITHMETICS[0]
        ],
        "sanitize": lambda: [Step(f"sanitize {t}", partial(_sanitize, t)) for t in TOOLS],
    }
    wanted = tuple(kernels)
    return [
        step
        for kind in KINDS
        if kind in kinds
        for step in found[kind]()
        if not wanted or step.name.split()[1] in wanted
    ]


def roofline(journal: Journal, arithmetic: str) -> Roofline | None:
    """Return the ceilings that were measured, None if they were not."""
    found = {r["of"]: r["value"] for r in journal.rows() if r["step"].startswith("ceiling")
             and r["state"] == "measured"}  # fmt: skip
    of = arithmetic
    if arithmetic in ("bfloat16", "float16"):  # tensor cores take both at one rate
        of = "wgmma" if "wgmma" in found else "bfloat16"
    if not {"bytes", of} <= found.keys():
        return None
    return Roofline(found[of], found["bytes"])


def _compile(context: Context) -> Iterator[Row]:
    """Compile all variants for this GPU, as many at once as there are processors."""
    chosen = []
    for variant in variants():
        try:
            chosen.append((variant, variant.target(context.gpu.capability)))
        except LookupError:  # not for this GPU
            continue
    for variant, target, error in compile_ahead(chosen):
        row: Row = {"variant": variant.name, "architecture": target, "state": "compiled"}
        if error is not None:
            row |= {"state": "failed", "note": f"{type(error).__name__}: {error}"}
        yield row


def _check(kind: str, kernel: str, implementation: str) -> Step:
    def rows(context: Context) -> Iterator[Row]:
        yield check(context.gpu, kernel, implementation, context.at)

    return Step(f"{kind} {kernel} {implementation}", rows)


def _ceiling(of: str, context: Context) -> Iterator[Row]:
    """Measure bytes or FLOPs a second: the best of several runs, since nothing is faster."""
    kernel, implementation, dtype = CEILINGS[of]
    if dtype == "bfloat16" and bfloat16 is None:
        yield {"of": of, "state": "not run", "note": "needs ml_dtypes: pip install ml-dtypes"}
        return
    gpu, (case,) = context.gpu, benches(kernel)
    trial = Trial(case, implementation, np.dtype(bfloat16 if dtype == "bfloat16" else dtype))
    given = on_device(gpu, list(trial.arguments()))
    function = KERNELS[kernel].load(implementation)
    token = LAUNCHER.set(gpu.launcher)
    try:
        function(*given)
        took = [gpu.timed(lambda: function(*given)).device for _ in range(CEILING_RUNS)]
    except LookupError as error:  # tensor cores of later GPUs
        yield {"of": of, "state": "not run", "note": str(error)}
        return
    finally:
        LAUNCHER.reset(token)
    # An instruction takes twice as many numbers in bfloat16 as the case counts, for TF32.
    work = case.bytes if of == "bytes" else case.flops * (2 if of == "bfloat16" else 1)
    row: Row = {"of": of, "state": "measured", "value": work / min(took)}
    yield row | {"median": work / statistics.median(took)}


def _golden(kernel: str, implementation: str) -> Step:
    def rows(context: Context) -> Iterator[Row]:
        if context.golden is None:
            yield {"state": "not run", "note": "no golden file was given"}
            return
        file = GoldenFile(context.golden)
        yield golden(context.gpu, file, kernel, implementation, context.at)

    return Step(f"golden {kernel} {implementation}", rows)


def _workload(kind: str, workload: Workload) -> Step:
    name = f"{kind} {workload.name}: {workload.spec}"
    return _contest(name, workload.spec.autocast or "float32", partial(gpu_contest, workload))


def _time(kind: str, case: Case, arithmetic: str, backends: Sequence[str] = ("cuda",)) -> Step:
    name = f"{kind} {case.kernel} {case.name}, {arithmetic}"
    return _contest(name, arithmetic, partial(kernel_contest, case, arithmetic, backends))


def _contest(name: str, arithmetic: str, made: Callable[[Gpu], Contest | None]) -> Step:
    """Return the step of a contest, without the candidates that broke it off before."""

    def rows(context: Context) -> Iterator[Row]:
        if arithmetic == "bfloat16" and bfloat16 is None:
            yield {"state": "not run", "note": "needs ml_dtypes: pip install ml-dtypes"}
            return
        gpu, limits = context.gpu, roofline(context.journal, arithmetic)
        token = LAUNCHER.set(gpu.launcher)
        try:
            contest = made(gpu)
            if contest is None:
                return
            referee = GpuReferee(gpu, contest, context.at, context.journal.candidates(name))
            with precision(tf32=arithmetic == "tf32"):
                yield from map(_of_contest, contest.run(REPEATS, 1, limits, referee))
        finally:
            LAUNCHER.reset(token)

    return Step(name, rows)


def _timed(backend: str = "cuda") -> list[tuple[int, Case, str]]:
    """Return each kernel's cases with their rank by size, 0 for the largest, and arithmetics."""
    found: list[tuple[int, Case, str]] = []
    for kernel in dict.fromkeys(name for name, _ in implementations(backend)):
        if kernel.startswith("ceilings."):
            continue
        arithmetics = _arithmetics(kernel, backend)
        cases = [*benches(kernel), *large(kernel)]
        largest = sorted(cases, key=lambda case: -(case.flops + case.bytes))
        found += [(rank, case, a) for rank, case in enumerate(largest) for a in arithmetics]
    return sorted(found, key=lambda one: one[0])


def _arithmetics(kernel: str, backend: str) -> list[str]:
    """Return float32, TF32 where an implementation rounds to it, 16 bits where one takes them."""
    own = [r for r in KERNELS[kernel].candidates(on_host=False)
           if r.implementation.partition(":")[0] == backend]  # fmt: skip
    given = arguments(next(proofs(kernel)), np.float16)
    taken = {"float32": True, "tf32": any(r.implementation in ROUNDED for r in own)}
    halves = any(r.can(*given) for r in own)
    return [a for a in ARITHMETICS if taken.get(a, halves)]


def _of_contest(row: record.Row) -> Row:
    """Return a row of a contest as the journal has it."""
    return asdict(row) | {"state": state_of(row.candidate, row.state)}


def _sanitize(tool: str, context: Context) -> Iterator[Row]:
    yield sanitized(tool, context.until, context.at)
