"""Recorded calls as one compiled function.

Each call has been compiled already, for arguments of these types; all that is left to write is code
that calls one machine function after the other, with addresses and numbers as constants in it. LLVM
does that in a moment, since it looks into none of them, and running it costs a microsecond.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.parallel import parallel
from tinymed.kernels.recording import Action, Call, Numbers, Recording
from tinymed.kernels.threads import get_num_threads

__all__ = ["Program"]

NUMBERS = {bool: types.boolean, int: types.intp, float: types.float64}
WORD = ir.IntType(types.intp.bitwidth)
HIDDEN = 2  # arguments before a function's own: where the result goes, and what went wrong


class _Read(NamedTuple):
    """A number that is read anew each time."""

    address: int


class Program:
    """What a recording did, as a list of functions without arguments; calling it does it again.

    Calls that are worth several threads stay calls of `parallel`. The others between them become
    one compiled function each: one for the whole step, if it is small.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording  # keeps all arrays alive where they are
        self.parts: list[Callable[[], Any]] = []
        self.checked: list[Callable[[], Any]] = []  # the same, but actions do what they did
        together: list[Call] = []
        for step in recording.steps:
            if isinstance(step, Call) and not _worth_threads(step):
                together.append(step)
                continue
            self._add(together)
            together = []
            if isinstance(step, Action):
                self.parts.append(step.function)
                self.checked.append(functools.partial(_write_again, step.written))
            else:
                self.parts.append(_on_threads(step))
                self.checked.append(self.parts[-1])
        self._add(together)

    def __call__(self) -> None:
        """Make all calls and actions."""
        for part in self.parts:
            part()

    def again(self) -> None:
        """Make the calls; what actions wrote when they were recorded is written once more."""
        for part in self.checked:
            part()

    def _add(self, calls: Sequence[Call]) -> None:
        calls = [call for call in calls if call.count]
        if calls:
            self.parts.append(_in_turn(calls))
            self.checked.append(self.parts[-1])


def _write_again(written: list[tuple[Any, Any]]) -> None:
    for array, contents in written:
        np.copyto(array, contents)


def _worth_threads(call: Call) -> bool:
    return get_num_threads() > 1 and call.count >= 2 * max(1, call.least)


def _on_threads(call: Call) -> Callable[[], None]:
    *given, last = call.given
    if not isinstance(last, Numbers):
        return lambda: parallel(call.function, call.count, call.least, *call.given)

    def run() -> None:
        numbers = tuple(last.place[: len(last)].tolist())
        parallel(call.function, call.count, call.least, *given, numbers)

    return run


def _in_turn(calls: Sequence[Call]) -> Callable[[], None]:
    """Return a compiled function that makes the calls one after the other."""
    written = []
    for call in calls:
        values = (0, call.count, *call.given)
        kinds = tuple(map(_type_of, values))
        call.function.compile(kinds)  # type: ignore[attr-defined]  # there since it was recorded
        made = call.function.overloads[kinds]  # type: ignore[attr-defined]
        entry = made.library.get_pointer_to_function(made.fndesc.llvm_func_name)
        written.append((entry, kinds, values))

    @intrinsic
    def run_all(typing: Any) -> Any:
        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            convention = context.call_conv
            for entry, kinds, values in written:
                kind = convention.get_function_type(types.none, kinds)
                address = context.get_constant(types.intp, entry)
                function = build.inttoptr(address, kind.as_pointer())
                given = _constants(build, kind.args[HIDDEN:], values)
                flat = [types.intp] * len(given)  # stands for any: nothing is left to take apart
                status, _ = convention.call_function(build, function, types.none, flat, given)
                with build.if_then(status.is_error):
                    convention.return_status_propagate(build, status)
            return context.get_dummy_value()

        return types.void(), generate

    @numba.njit(nogil=True)
    def run() -> None:
        run_all()

    return run


def _type_of(value: Any) -> Any:
    """Return Numba's type of a recorded value: the one its function was called with."""
    if isinstance(value, np.ndarray):
        return numba.typeof(value)
    if isinstance(value, tuple):
        named = type(value) if hasattr(value, "_fields") else None
        return types.BaseTuple.from_types(tuple(map(_type_of, value)), named)
    if value is None:
        return types.none
    if type(value) in NUMBERS:
        return NUMBERS[type(value)]
    if isinstance(value, np.generic):
        return numba.from_dtype(value.dtype)
    raise ValueError(f"a {type(value).__name__} cannot be part of a program")


def _constants(build: Any, kinds: Sequence[Any], values: Any) -> list[Any]:
    """Return recorded values as Numba's calling convention passes them: flat, of these LLVM types.

    What is read from a `Numbers` is loaded, all else is written into the code. It is text for LLVM
    to parse, so it is worth being short: an array put together field by field takes ten times that.
    """
    given = []
    for kind, number in zip(kinds, _flat(values), strict=True):
        if isinstance(number, _Read):
            start = ir.Constant(WORD, number.address).inttoptr(kind.as_pointer())
            given.append(build.load(start))
        elif isinstance(kind, ir.PointerType):
            given.append(ir.Constant(WORD, number).inttoptr(kind))
        else:
            given.append(ir.Constant(kind, number))
    return given


def _flat(values: Any) -> Iterator[Any]:
    """Yield the numbers that values consist of, in the order of Numba's data models."""
    for value in values:
        if isinstance(value, np.ndarray):  # without owner and object, for those who count uses
            yield from (0, 0, value.size, value.itemsize, value.ctypes.data)
            yield from (*value.shape, *value.strides)
        elif isinstance(value, Numbers):
            first, apart = value.place.ctypes.data, value.place.itemsize
            yield from (_Read(first + i * apart) for i in range(len(value)))
        elif isinstance(value, tuple):
            yield from _flat(value)
        elif value is None:
            yield 0
        else:
            number = value.item() if isinstance(value, np.generic) else value
            yield int(number) if isinstance(number, bool) else number
