"""Two runs of a step compared, and the program made of the second with what the second did.

What `compile` may repeat is found here, not in a list of what Python is allowed to do: calls must
be the same in both runs, arrays must come from kernels, and made again from nothing, the results
must be the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinymed.errors import CompileError
from tinymed.kernels.recording import Call, Numbers, Recording

__all__ = ["arrays_of", "check_alike", "check_repeats"]

Array = np.ndarray[Any, Any]

TOLERANCE = 1e-5  # of what the program computes, relative to the largest number of an array


def arrays_of(taken: Recording) -> Iterator[Array]:
    """Yield the arrays of all calls, in order, those in tuples too."""
    for step in taken.steps:
        if isinstance(step, Call):
            yield from _arrays_in(step.given)


def _arrays_in(values: Any) -> Iterator[Array]:
    for value in values:
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple):
            yield from _arrays_in(value)


def check_alike(earlier: Recording, now: Recording, inputs: Sequence[Array]) -> None:
    """Raise if two runs made different calls, or handed over what depends on values."""
    steps, others = now.steps, earlier.steps
    if list(map(_shape_of, steps)) != list(map(_shape_of, others)):
        raise CompileError("compile: two runs of the step made different calls; it reads values")
    ours = [_extent(array) for array in (*now.made, *inputs)]
    for array, then in zip(arrays_of(now), arrays_of(earlier), strict=True):
        at = array.ctypes.data
        lasting = at == then.ctypes.data or not array.size
        if lasting or any(first <= at < last for first, last in ours):
            continue
        floats = array.dtype.kind == "f" and array.size > 1
        if floats or not np.array_equal(array, then):
            raise CompileError(
                f"compile: an array {array.shape} {array.dtype} of the step is made by Python, not "
                "by a kernel"
            )


def _extent(array: Array) -> tuple[int, int]:
    """Return the first address of a contiguous array, and the one behind its last."""
    return array.ctypes.data, array.ctypes.data + array.nbytes


def _shape_of(step: Any) -> Any:
    """Return what two runs must have in common: all but the contents and places of arrays."""
    if not isinstance(step, Call):
        return getattr(step.function, "__qualname__", type(step.function).__name__)
    return step.function, step.count, step.least, tuple(map(_form, step.given))


def _form(value: Any) -> Any:
    if isinstance(value, Numbers):
        return len(value)
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype
    return tuple(map(_form, value)) if isinstance(value, tuple) else (type(value), value)


def check_repeats(
    program: Any,
    recorded: Recording,
    outcome: Sequence[Array],
    given: Sequence[Array],
    before: Sequence[tuple[Array, Array]],
) -> None:
    """Make recorded calls once more, from where the run began, and compare what they computed.

    What kernels are to write is made NaN before: what they do not write would not be noticed.
    """
    made, inputs = recorded.made, {array.ctypes.data for array in given}
    state = [(a, then) for a, then in before if a.ctypes.data not in inputs and a.flags.writeable]
    compared = [(a, a.copy()) for a in (*outcome, *(array for array, _ in state))]
    after = [(array, array.copy()) for array in made]
    constants = set(map(id, recorded.constants))
    try:
        for array in made:
            if array.dtype.kind == "f" and id(array) not in constants:
                array.fill(np.nan)
        for array, contents in state:
            np.copyto(array, contents)
        program.again()
        for array, expected in compared:
            _check_same(array, expected)
    finally:
        for array, contents in (*after, *compared):
            np.copyto(array, contents)


def _check_same(found: Array, expected: Array) -> None:
    """Raise if what a program computed is not what the eager run did."""
    if expected.dtype.kind != "f":
        same = np.array_equal(found, expected)
    else:
        finite = np.isfinite(expected)
        scale = float(np.abs(expected[finite]).max(initial=0)) or 1.0
        differs = np.abs(found[finite] - expected[finite]).max(initial=0) / scale
        others = np.array_equal(found[~finite], expected[~finite], equal_nan=True)
        same = others and bool(differs <= TOLERANCE)
    if not same:
        raise CompileError(
            f"compile: repeated, an array {found.shape} of the step comes out differently; "
            "something that leads to it is not a kernel's"
        )
