"""The proof that an implementation is the kernel: it gives what the reference gives, always.

The oracle is the reference in float64. Results in float32 may differ from it by their rounding
errors, which grow with the square root of the number of terms that are added up:

    |found - expected| <= bound (scale + |expected|),  bound = FACTOR sqrt(terms) eps

where scale is the largest expected number, 1 at least. Arguments that a kernel writes to are
compared like results. NaN and infinities must be where the reference has them.

Source: Higham (2002), "Accuracy and stability of numerical algorithms", section 2.6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinymed.kernels import KERNELS
from tinymed.kernels.case import Case
from tinymed.kernels.registry import HOST
from tinymed.kernels.threads import get_num_threads, set_num_threads

__all__ = [
    "DisagreementError",
    "Limits",
    "able",
    "arguments",
    "bound",
    "compare",
    "expected",
    "implementations",
    "outcome",
    "prove",
    "prove_bits",
    "strided",
]

# The relative error that results of a dtype may have. The first dtype is that of the case: of what
# the reference has in float64. Others it has as they are: float32 sums beside numbers of 16 bits.
Limits = Mapping[np.dtype[Any], float]

FACTOR = 16
# Algorithms whose own error bound is larger than that of a plain sum, and by how much.
LARGER = {"numba_cpu:winograd": 40}

SEED = 5
ARRAYS = (np.ndarray, np.generic)


class DisagreementError(Exception):
    """An implementation does not give what the reference gives."""


def implementations(kernel: str) -> list[str]:
    """Return what is not the reference and takes NumPy arrays."""
    backends = [b for b in HOST if b != "reference"]
    return [i for i in KERNELS[kernel].implementations if i.partition(":")[0] in backends]


def arguments(case: Case, dtype: Any) -> tuple[Any, ...]:
    """Return the arguments of a case, the same numbers each time."""
    return case.make(np.random.default_rng(SEED), np.dtype(dtype))


def strided(argument: Any) -> Any:
    """Return an equal array that is not contiguous, or a list of such; anything else as it is."""
    if isinstance(argument, list):
        return [strided(one) for one in argument]
    if not isinstance(argument, np.ndarray) or argument.ndim == 0:
        return argument
    spread = np.empty((*argument.shape[:-1], 2 * argument.shape[-1]), argument.dtype)
    spread[..., ::2] = argument
    return spread[..., ::2]


def able(kernel: str, implementation: str, given: tuple[Any, ...]) -> bool:
    """Return whether the rules say that an implementation can do this."""
    rules = KERNELS[kernel].candidates(on_host=True)
    return all(r.can(*given) for r in rules if r.implementation == implementation)


def outcome(function: Callable[..., Any], given: tuple[Any, ...]) -> list[Any]:
    """Return the results, and what became of the arrays among the arguments, as a flat list.

    NumPy does not warn of NaN and infinities on the way: where they end is what is compared.
    """
    with np.errstate(all="ignore"):
        result = function(*given)
    results = list(result) if isinstance(result, tuple) else [result]
    given_one_by_one = (a for one in given for a in (one if isinstance(one, list) else [one]))
    return results + [a for a in given_one_by_one if isinstance(a, np.ndarray)]


def expected(case: Case) -> list[Any]:
    """Return the outcome of the reference in float64."""
    return outcome(KERNELS[case.kernel].load("reference"), arguments(case, np.float64))


def bound(case: Case, dtype: Any, implementation: str = "") -> float:
    """Return the relative error that rounding may cause."""
    factor = FACTOR * LARGER.get(implementation, 1)
    return factor * math.sqrt(max(1, case.terms)) * float(np.finfo(dtype).eps)


def compare(found: Sequence[Any], expected: Sequence[Any], limits: Limits) -> float:
    """Return the largest error as a fraction of what is allowed.

    Raises
    ------
    DisagreementError
        Names the first result that differs, and how.
    """
    if len(found) != len(expected):
        raise DisagreementError(f"{len(found)} results, not {len(expected)}")
    worst = 0.0
    for number, (a, b) in enumerate(zip(found, expected, strict=True)):
        try:
            worst = max(worst, _error(a, b, limits))
        except DisagreementError as error:
            raise DisagreementError(f"result {number}: {error}") from None
    return worst


def _error(a: Any, b: Any, limits: Limits) -> float:
    """Return the largest error of ``a`` as a fraction of what is allowed."""
    if not isinstance(b, ARRAYS):
        if type(a) is not type(b) or a != b:
            raise DisagreementError(f"{a!r} is not {b!r}")
        return 0.0
    if not isinstance(a, ARRAYS):
        raise DisagreementError(f"{type(a).__name__}, not an array")
    return _array_error(a, b, limits)


def _array_error(a: Any, b: Any, limits: Limits) -> float:
    if a.shape != b.shape:
        raise DisagreementError(f"shape {a.shape} is not {b.shape}")
    wanted = next(iter(limits)) if b.dtype == np.float64 else b.dtype
    if a.dtype != wanted:
        raise DisagreementError(f"dtype {a.dtype} is not {wanted}")
    if b.dtype.kind != "f":
        _refuse(np.asarray(a != b), a, b)
        return 0.0
    finite, bound = np.isfinite(b), limits[wanted]
    scale = max(1.0, float(abs(b[finite]).max(initial=0)))
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.where(finite, abs(a - b) / (bound * (scale + abs(b))), 0)
        # a NaN compares as wrong; so does an infinity that is not the expected one
        wrong = np.where(finite, ~(error <= 1), ~((a == b) | (np.isnan(a) & np.isnan(b))))
    _refuse(wrong, a, b)
    return float(error.max(initial=0))


def _refuse(wrong: Any, a: Any, b: Any) -> None:
    """Raise if an element is wrong, showing the first that is."""
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DisagreementError(
            f"{a[place]} is not {b[place]} at {place}; "
            f"{np.count_nonzero(wrong)} of {wrong.size} elements differ"
        )


def prove(
    case: Case, implementation: str, dtype: Any, function: Callable[..., Any] | None = None
) -> float | None:
    """Compare with the reference, on contiguous and on strided arrays.

    Parameters
    ----------
    case : Case
    implementation : str
        Its name.
    dtype : float32 or float64
    function : callable or None
        The implementation itself, where it is not registered.

    Returns
    -------
    float or None
        The largest error as a fraction of what is allowed; None if the rules say that the
        implementation is not for this case.

    Raises
    ------
    DisagreementError
        If it differs.
    """
    if not able(case.kernel, implementation, arguments(case, dtype)):
        return None
    function = function or KERNELS[case.kernel].load(implementation)
    exact = expected(case)
    limits, worst = {np.dtype(dtype): bound(case, dtype, implementation)}, 0.0
    for layout, view in (("contiguous", lambda a: a), ("strided", strided)):
        given = tuple(map(view, arguments(case, dtype)))
        if not able(case.kernel, implementation, given):
            continue
        try:
            worst = max(worst, compare(outcome(function, given), exact, limits))
        except DisagreementError as error:
            raise DisagreementError(f"{layout} {np.dtype(dtype)}: {error}") from None
    return worst


def prove_bits(case: Case, implementation: str, dtype: Any = np.float32) -> bool:
    """Compare the bits of runs with 1, 3 and again 3 threads; False if it is not for this case.

    Raises
    ------
    DisagreementError
        If they differ.
    """
    if not able(case.kernel, implementation, arguments(case, dtype)):
        return False
    function, before, runs = KERNELS[case.kernel].load(implementation), get_num_threads(), []
    try:
        for threads in (1, 3, 3):
            set_num_threads(threads)
            runs.append(outcome(function, arguments(case, dtype)))
    finally:
        set_num_threads(before)
    for again in runs[1:]:
        for number, (a, b) in enumerate(zip(runs[0], again, strict=True)):
            array = isinstance(a, np.ndarray)
            if not (np.array_equal(a, b, equal_nan=a.dtype.kind == "f") if array else a == b):
                raise DisagreementError(f"result {number} changes from run to run, or with threads")
    return True
