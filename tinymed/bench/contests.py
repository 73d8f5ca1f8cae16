"""Who takes part in what: all implementations of a kernel, tinymed's own layers, and peers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinymed.bench import proof
from tinymed.bench.contest import Attempt, CannotError, Contest, Entry, InstallError
from tinymed.bench.peers import kernel_entries, workload_entries
from tinymed.bench.workloads import Words, Workload, size_of
from tinymed.kernels import KERNELS, use_backend
from tinymed.kernels.case import Case, benches
from tinymed.kernels.registry import missing

__all__ = ["has_cases", "kernel_contests", "workload_contest"]

DTYPE = np.dtype(np.float32)


def has_cases(kernel: str) -> bool:
    """Return whether a kernel has been given cases to be proved and timed on."""
    operation = kernel.partition(".")[0]
    try:
        next(iter(benches(kernel)), None)
    except ModuleNotFoundError as error:
        if error.name != f"tinymed.kernels.{operation}.cases":
            raise
        return False
    return True


def kernel_contests(
    kernel: str, peers: Sequence[str], added: dict[str, Callable[..., Any]]
) -> Iterator[Contest]:
    """Yield a contest for each of the kernel's bench cases.

    Parameters
    ----------
    kernel : str
    peers : sequence of str
        Keys of `peers.PEERS`.
    added : dict
        Further implementations by name: a user's own.
    """
    for case in benches(kernel):
        yield Contest(
            kernel,
            case.name,
            functools.partial(proof.expected, case),
            {DTYPE: proof.bound(case, DTYPE)},
            _implementations(case)
            | {name: Entry(_attempt_of(case, given)) for name, given in added.items()}
            | kernel_entries(peers, kernel, functools.partial(proof.arguments, case, DTYPE)),
            case.flops,
            case.bytes,
        )


def _implementations(case: Case) -> dict[str, Entry]:
    """Return an entry for each implementation of a kernel that takes NumPy arrays."""
    kernel, given = KERNELS[case.kernel], proof.arguments(case, DTYPE)
    chosen = kernel.choose(given, None).implementation
    found = {}
    for name in [*proof.implementations(case.kernel), "reference"]:
        larger = proof.bound(case, DTYPE, name) / proof.bound(case, DTYPE)
        make = functools.partial(_loaded, case, name)
        found[name] = Entry(make, ours=name == chosen, larger=larger)
    return found


def _loaded(case: Case, implementation: str) -> Attempt:
    """Return the attempt of a registered implementation."""
    if lacks := missing(implementation):
        raise InstallError(f"needs {lacks}: pip install tinymed[fast]")
    if not proof.able(case.kernel, implementation, proof.arguments(case, DTYPE)):
        raise CannotError("the rules say that it is not for this case")
    return _attempt_of(case, KERNELS[case.kernel].load(implementation))()


def _attempt_of(case: Case, function: Callable[..., Any]) -> Callable[[], Attempt]:
    """Return what makes the attempt of a function with the kernel's signature."""

    def make() -> Attempt:
        given = proof.arguments(case, DTYPE)

        def results(found: Any) -> list[Any]:
            return proof.outcome(lambda *_: found, given)

        return Attempt(lambda: function(*given), results)

    return make


def workload_contest(workload: Workload, peers: Sequence[str], threads: int) -> Contest:
    """Return the contest of tinymed, as it comes or compiled, and peers."""
    from tinymed.bench.ours import attempt, compiled_attempt

    arrays = workload.spec.inputs(np.random.default_rng(proof.SEED))

    def expected() -> list[Any]:
        if isinstance(workload.spec, Words):
            return [np.ones(1)]  # by its construction
        with use_backend("reference"):
            by_reference = attempt(workload.spec, arrays)
            return list(by_reference.results(by_reference.call()))

    make = compiled_attempt if workload.compiled else attempt
    ours = Entry(functools.partial(make, workload.spec, arrays), ours=True)
    return Contest(
        workload.name,
        str(workload.spec),
        expected,
        {DTYPE: workload.bound},
        {"tinymed": ours} | workload_entries(peers, workload.spec, arrays),
        flops=workload.spec.flops,
        bytes=size_of(arrays) if workload.spec.flops else 0,
        words=workload.spec.words if isinstance(workload.spec, Words) else 0,
        goal=workload.goal_with(threads),
    )
