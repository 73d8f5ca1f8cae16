"""``tinymed verify``: the proof of every implementation, as the agreement test makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinymed.bench.contests import has_cases
from tinymed.bench.proof import DisagreementError, implementations, prove, prove_bits
from tinymed.kernels.case import proofs
from tinymed.kernels.registry import missing

__all__ = ["Verdict", "verdicts"]

DTYPES = (np.float32, np.float64)


@dataclass(frozen=True)
class Verdict:
    """What the proof of an implementation found.

    Attributes
    ----------
    proved : int
        Cases it agreed on, over both dtypes.
    worst : float
        The largest error as a fraction of what rounding may cause.
    failures : list of str
        "case: what differs".
    note : str
        Why nothing was proved.
    """

    kernel: str
    implementation: str
    proved: int
    worst: float
    failures: list[str]
    note: str = ""

    def __str__(self) -> str:
        start = f"{self.kernel} on {self.implementation}: "
        if self.note:
            return start + self.note
        if self.failures:
            return (
                start + f"disagrees on {len(self.failures)} cases\n  " + "\n  ".join(self.failures)
            )
        return start + f"agrees on {self.proved} cases; largest error {self.worst:.0%} of the bound"


def verdicts(
    kernels: Sequence[str], added: dict[str, dict[str, Callable[..., Any]]]
) -> Iterator[Verdict]:
    """Yield a verdict for each implementation of the kernels, and for those ``added`` to them."""
    for kernel in kernels:
        own = added.get(kernel, {})
        if not has_cases(kernel):
            if own or implementations(kernel):
                yield Verdict(kernel, "all", 0, 0.0, [], "no cases to prove it on")
            continue
        for name in implementations(kernel):
            lacks = missing(name)
            if lacks:
                yield Verdict(kernel, name, 0, 0.0, [], f"not proved, needs {lacks}")
            else:
                yield _verdict(kernel, name, None)
        for name, function in own.items():
            yield _verdict(kernel, name, function)


def _verdict(kernel: str, name: str, function: Callable[..., Any] | None) -> Verdict:
    """Prove one implementation on all cases; the bits of registered ones, too."""
    proved, worst, failures = 0, 0.0, []
    for case in proofs(kernel):
        try:
            for dtype in DTYPES:
                error = prove(case, name, dtype, function)
                if error is not None:
                    proved, worst = proved + 1, max(worst, error)
            if function is None:
                prove_bits(case, name)
        except DisagreementError as error:
            failures.append(f"{case.name}: {error}")
        except Exception as error:  # a user's kernel may raise anything; the others go on
            failures.append(f"{case.name}: {type(error).__name__}: {error}")
    return Verdict(kernel, name, proved, worst, failures)
