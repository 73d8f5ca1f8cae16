"""Take down the compiled calls that a piece of Python makes, in order to make them again.

What costs a small network its time is Python: finding the kernel, checking shapes, allocating. All
of it comes out the same for each batch of one shape. What remains is a list of calls of compiled
functions with fixed arrays, and that is what a `Recording` holds: `parallel` notes each call here
while one is active. `tinymed.compile` makes one function of the list.

What must be done anew each time (random numbers, an optimizer's step count) is an *action*: a
Python function noted among the calls, whose own compiled calls are not.

What else Python computes would be lost. So kernels take all memory from `buffers`, which notes it
here, and lay out what is not contiguous by `copied`; operations that NumPy does well enough on its
own ask `active` and call a kernel instead.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

__all__ = [
    "Action",
    "Call",
    "Numbers",
    "Pause",
    "Recording",
    "Slot",
    "act",
    "action",
    "active",
    "constant",
    "copied",
    "once",
    "pausing",
    "record",
    "repeats",
    "slot",
    "values_known",
    "written",
]


P = ParamSpec("P")
R = TypeVar("R")


class Call(NamedTuple):
    """One call ``parallel(function, count, least, *given)``."""

    function: Callable[..., Any]
    count: int  # type: ignore[assignment]  # a tuple's own count() is not used
    least: int
    given: tuple[Any, ...]


class Action(NamedTuple):
    """A Python function of no arguments that is called at its place, and what it wrote then."""

    function: Callable[[], Any]
    written: list[tuple[Any, Any]]  # arrays, and copies of what was in them afterwards


class Numbers(tuple[float, ...]):
    """Numbers of a call that an action computes anew: the program reads them from ``place``."""

    place: Any


class Slot:
    """Where the numbers of one call are put by an action, and read from by its repetitions.

    The Python that computes the numbers and makes the call is run in the action by `fill`, and only
    leaves the numbers here; then, by `read`, it makes the call.
    """

    def __init__(self, place: Any) -> None:
        self.place = place
        self.filling = False

    def fill(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call ``function``; calls inside only leave their numbers."""
        self.filling, before, _state.slot = True, _state.slot, self
        try:
            function(*arguments)
        finally:
            self.filling, _state.slot = False, before

    def read(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call ``function``; calls inside are recorded as such that read their numbers here."""
        before, _state.slot = _state.slot, self
        try:
            function(*arguments)
        finally:
            _state.slot = before

    def takes(self, numbers: tuple[float, ...]) -> bool:
        """Return whether the numbers were all that was asked for; they are here then."""
        if self.filling:
            self.place[: len(numbers)] = numbers
        return self.filling

    def attach(self, numbers: tuple[float, ...], hidden: list[Any]) -> None:
        """Note that the last call reads its last argument here, and what its addresses lead to."""
        recording = _state.recording
        if recording is not None:
            call = recording.steps.pop()
            changing = Numbers(numbers)
            changing.place = self.place
            if isinstance(call, Call):
                recording.steps.append(call._replace(given=(*call.given[:-1], changing)))
            recording.hidden += hidden


class Recording:
    """The calls and actions of one thread, in order, and the memory that kernels asked for.

    Parameters
    ----------
    watched : sequence of array
        What actions may write, beside the memory that kernels ask for: parameters, say.
    """

    def __init__(self, watched: Sequence[Any] | None = None) -> None:
        self.steps: list[Call | Action] = []
        self.made: list[Any] = []  # all results and scratch, kept: each has its own place
        self.constants: list[Any] = []  # those among them that nobody writes again
        self.hidden: list[Any] = []  # arrays that calls reach through a table of addresses
        self.guards: list[Callable[[], bool]] = []  # whether what was recorded still holds
        self.watched = watched  # None: what actions write is not taken down

    def note(self, array: Any) -> None:
        """Keep memory that a kernel asked for; make it NaN if it matters what actions write."""
        self.made.append(array)
        if self.watched is not None and array.dtype.kind == "f":
            array.fill(math.nan)  # what was in it before might be what is written

    def seen(self) -> list[Any]:
        """Return copies of what an action may write, if that is to be taken down."""
        return [] if self.watched is None else [a.copy() for a in (*self.watched, *self.made)]

    def changed(self, before: list[Any]) -> list[tuple[Any, Any]]:
        """Return what differs now from what `seen` returned."""
        arrays = () if self.watched is None else (*self.watched, *self.made)
        return [
            (array, array.copy())
            for array, old in zip(arrays, before, strict=False)
            if array.tobytes() != old.tobytes()
        ]


class Pause(Protocol):
    """How a capture stops: for ``function``, which repetitions do too if it is done ``again``."""

    def __call__(self, function: Callable[[], Any], again: bool) -> Any:
        """Do it outside of the capture."""


class _State(threading.local):
    recording: Recording | None = None
    slot: Slot | None = None
    pause: Pause | None = None


_state = _State()


def active() -> Recording | None:
    """Return the recording of this thread, if there is one."""
    return _state.recording


def repeats() -> str | None:
    """Return who will repeat what this thread does, "compile" or "capture", if anybody will."""
    if _state.recording is not None:
        return "compile"
    return None if _state.pause is None else "capture"


def values_known() -> bool:
    """Return whether values can be read: what a capture takes down is only done afterwards."""
    return _state.pause is None


@contextlib.contextmanager
def pausing(pause: Pause) -> Iterator[None]:
    """Let each action inside be done by ``pause``: a capture that stops for it."""
    if _state.recording is not None or _state.pause is not None:
        raise RuntimeError("pausing: what is recorded or captured already cannot be captured")
    _state.pause = pause
    try:
        yield
    finally:
        _state.pause = None


def slot() -> Slot | None:
    """Return where the numbers of calls go just now, if anywhere."""
    return _state.slot


@contextlib.contextmanager
def record(watched: Sequence[Any] | None = None) -> Iterator[Recording]:
    """Take down what this thread calls inside; see `Recording`."""
    if _state.recording is not None:
        raise RuntimeError("record: a recording is active already; they do not nest")
    _state.recording = Recording(watched)
    try:
        yield _state.recording
    finally:
        _state.recording = None


def act(function: Callable[[], Any]) -> Any:
    """Call ``function``, note it as an action, and take down nothing of what it does."""
    recording = _state.recording
    if recording is None:
        return _outside(function, again=True)
    before = recording.seen()
    _state.recording = None
    try:
        result = function()
    finally:
        _state.recording = recording
    recording.steps.append(Action(function, recording.changed(before)))
    return result


def once(function: Callable[[], Any]) -> Any:
    """Do what a capture cannot hold and no repetition needs: send a constant to the GPU, say."""
    return _outside(function, again=False)


def _outside(function: Callable[[], Any], again: bool) -> Any:
    """Call ``function`` outside of the capture of this thread, if there is one."""
    pause = _state.pause
    if pause is None:
        return function()
    _state.pause = None  # actions within this one are part of it
    try:
        return pause(function, again)
    finally:
        _state.pause = pause


def written(function: Callable[[], Any]) -> Any:
    """Do what changes arrays in place: an action of `compile`; a capture takes it down itself."""
    return function() if _state.recording is None else act(function)


def constant(array: Any) -> Any:
    """Return an array that Python made, and note that it holds the same in each repetition.

    Nobody may write it, and what is in it may depend on shapes alone.
    """
    if _state.recording is not None:
        _state.recording.made.append(array)
        _state.recording.constants.append(array)
    return array


def copied(array: Any) -> Any:
    """Return a contiguous copy of a host array, made by a compiled call while one is recorded."""
    if _state.recording is None:
        return array.copy(order="C")
    from tinymed.kernels.copying import copy  # Numba, for those who compile

    return copy(array)


def action(function: Callable[P, R]) -> Callable[P, R]:
    """Make each call of a function or method an action, with the arguments it has now."""

    @functools.wraps(function)
    def noted(*arguments: P.args, **named: P.kwargs) -> R:
        if repeats() is None:
            return function(*arguments, **named)
        result: R = act(lambda: function(*arguments, **named))
        return result

    return noted
