"""Take down the compiled calls that a piece of Python makes, in order to make them again.

What costs a small network its time is Python: finding the kernel, checking shapes, allocating. All
of it comes out the same for each batch of one shape. What remains is a list of calls of compiled
functions with fixed arrays, and that is what a `Recording` holds: `parallel` notes each call here
while one is active. `tinymed.compile` makes one function of the list.

What must be done anew each time (random numbers, an optimizer's step count) is an *action*: a
Python function noted among the calls, whose own compiled calls are not.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, ParamSpec, TypeVar

__all__ = ["Action", "Call", "Recording", "act", "action", "active", "record"]


P, R = ParamSpec("P"), TypeVar("R")


class Call(NamedTuple):
    """One call ``parallel(function, count, least, *given)``."""

    function: Callable[..., Any]
    count: int
    least: int
    given: tuple[Any, ...]


class Action(NamedTuple):
    """A Python function of no arguments that is called at its place."""

    function: Callable[[], Any]


class Recording:
    """The calls and actions of one thread, in order, and the memory that kernels asked for."""

    def __init__(self) -> None:
        self.steps: list[Call | Action] = []
        self.made: list[tuple[int, int]] = []  # first and last address of each result


class _State(threading.local):
    recording: Recording | None = None


_state = _State()


def active() -> Recording | None:
    """Return the recording of this thread, if there is one."""
    return _state.recording


@contextlib.contextmanager
def record() -> Iterator[Recording]:
    """Take down what this thread calls inside."""
    if _state.recording is not None:
        raise RuntimeError("record: a recording is active already; they do not nest")
    _state.recording = Recording()
    try:
        yield _state.recording
    finally:
        _state.recording = None


def act(function: Callable[[], Any]) -> Any:
    """Call ``function``, note it as an action, and take down nothing of what it does."""
    recording = _state.recording
    if recording is None:
        return function()
    recording.steps.append(Action(function))
    _state.recording = None
    try:
        return function()
    finally:
        _state.recording = recording


def action(function: Callable[P, R]) -> Callable[P, R]:
    """Make each call of a function or method an action, with the arguments it has now."""

    @functools.wraps(function)
    def noted(*arguments: P.args, **named: P.kwargs) -> R:
        if _state.recording is None:
            return function(*arguments, **named)
        result: R = act(lambda: function(*arguments, **named))
        return result

    return noted
