"""Compiled code on several cores: Python threads that run functions which let go of the GIL.

A compiled kernel works on a range of independent items: ``kernel(first, last, ...)``, images of a
batch, say. `parallel` cuts the range into pieces; the calling thread and its helpers take one after
the other. Numba's own parallel loops do the same, but their thread layers bring traps: one kills a
process that forks, one aborts when two Python threads use it, the third is one more package. These
threads are a page of Python and have none of them:

- A helper that has nothing to do looks for work for a while, then sleeps: layers follow each other
  closely, and waking a sleeping thread costs 50 us. It is woken on another core than the caller's;
  if it comes when no piece is left, nobody has waited for it.
- One thread at a time has the helpers. Whoever comes second works alone, which is as fast where
  all cores are busy already.
- After a fork the child starts helpers of its own when it first needs them.
- How the range is cut does not change results, since each item has its own: the bits are the same
  with 1 thread or 16. Kernels that add up over items do so in blocks of a fixed size.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels import recording
from tinymed.kernels.compiled import compiled
from tinymed.kernels.threads import get_num_threads

__all__ = ["parallel"]

SETTLE = 100  # looks, some 4 us
LOOKS = 10_000  # how often to look before sleeping: some 100 us
PIECES = 3  # per thread: one that is held up takes fewer


@intrinsic
def _look(typing: Any, counter: Any) -> Any:
    """Read a counter that another thread may be changing, and let the core rest for a moment."""
    signature = types.int64(counter)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, build, arguments[0]).data
        if platform.machine() in ("x86_64", "AMD64"):
            kind, name = ir.FunctionType(ir.VoidType(), []), "llvm.x86.sse2.pause"
            rest = build.module.globals.get(name) or ir.Function(build.module, kind, name)
            build.call(rest, [])
        return build.load_atomic(data, "acquire", 8)

    return signature, generate


@compiled
def _changed(counter: Any, known: int, looks: int) -> bool:
    """Look at ``counter`` until it is not ``known`` any more, ``looks`` times at most."""
    for _ in range(looks):
        if _look(counter) != known:
            # Who changed it still runs Python for a moment; to want the GIL now is to fall asleep.
            for _ in range(SETTLE):
                _look(counter)
            return True
    return False


def _keep_off_this_core(thread: threading.Thread) -> None:
    """Have a thread wake up on another core than the caller's, where Linux can be told that.

    It tends to choose the core that a thread is woken from. Both would then take turns on it, for
    milliseconds, beside cores with nothing to do.
    """
    core = _core() if _core is not None else -1
    if core >= 0 and thread.native_id is not None:
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(thread.native_id, allowed - {core} or allowed)


_core = getattr(ctypes.CDLL(None), "sched_getcpu", None) if platform.system() == "Linux" else None


class _Work:
    """One call of `parallel`: pieces of a range, taken in turn."""

    def __init__(self, function: Callable[..., Any], count: int, piece: int, given: Any) -> None:
        self.function, self.given = function, given
        self.starts = iter(range(0, count, piece))  # next() of it is one step: no lock needed
        self.count, self.piece = count, piece
        self.error: BaseException | None = None

    def do(self) -> None:
        """Take pieces until none is left; the first error is kept for the caller."""
        try:
            for first in self.starts:
                self.function(first, min(first + self.piece, self.count), *self.given)
        except BaseException as error:
            self.error = self.error or error
            self.starts = iter(())  # whoever has not begun need not begin


class _Team:
    """The helpers of this process, and the one piece of work they are at."""

    def __init__(self) -> None:
        self.free = [True]  # empty while the helpers work for somebody
        self.helpers: list[_Helper] = []

    def run(self, work: _Work, threads: int) -> None:
        """Do ``work`` with ``threads`` threads, this one among them."""
        while len(self.helpers) < threads - 1:
            self.helpers.append(_Helper())
        asked = self.helpers[: threads - 1]
        for helper in asked:
            helper.begin(work)
        work.do()
        for helper in asked:
            helper.wait()


class _Helper:
    """A thread that does what it is handed, and sleeps when there has been nothing for a while."""

    def __init__(self) -> None:
        self.handed = np.zeros(1, np.int64)  # how many pieces of work this helper has got
        self.finished = np.zeros(1, np.int64)  # and how many of them it has done
        self.work: _Work | None = None
        # Whoever sleeps says so before, and is rung for. No other thread runs Python between a last
        # look at the counter and the line that says so: no change of it goes unnoticed.
        self.asleep, self.bell = False, threading.Lock()
        self.awaited, self.done = False, threading.Lock()
        self.bell.acquire()
        self.done.acquire()
        self.thread = threading.Thread(target=self.live, name="tinymed-kernels", daemon=True)
        self.thread.start()

    def begin(self, work: _Work) -> None:
        """Hand over ``work``."""
        self.work = work
        self.handed[0] += 1
        if self.asleep:
            _keep_off_this_core(self.thread)
            self.asleep = False
            self.bell.release()

    def wait(self) -> None:
        """Wait until everything that was handed over is done: by others, if it has not begun."""
        if self.work is not None:
            self.work = None
            return
        while self.finished[0] != self.handed[0]:
            if not _changed(self.finished, self.finished[0], LOOKS):
                self.awaited = self.finished[0] != self.handed[0]
                if self.awaited:
                    self.done.acquire()

    def live(self) -> None:
        """Do one piece of work after the other."""
        while True:
            if not _changed(self.handed, self.finished[0], LOOKS):
                self.asleep = self.handed[0] == self.finished[0]
                if self.asleep:
                    self.bell.acquire()
            work, self.work = self.work, None
            if work is not None:  # None: the others were faster, or gave it up, by Ctrl-C
                work.do()
            work = None  # its arrays are not kept alive
            self.finished[0] += 1
            if self.awaited:
                self.awaited = False
                if self.done.locked():  # it is open where a wait was given up, by Ctrl-C
                    self.done.release()


_team = _Team()


def _after_fork() -> None:
    global _team
    _team = _Team()  # threads do not survive a fork, and their locks may be held for ever


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def parallel(function: Callable[..., Any], count: int, least: int, *given: Any) -> None:
    """Run ``function(first, last, *given)`` over all of ``range(count)``, on several threads.

    Parameters
    ----------
    function : compiled
        Works on items first to last - 1, writes nothing that others write, returns nothing.
    count : int
        Items.
    least : int
        Items that are worth a piece of their own, some 20 us of work: fewer stay together.
    *given
        Further arguments.
    """
    taken_down = recording.active()
    if taken_down is not None:
        taken_down.steps.append(recording.Call(function, count, least, given))
    team, threads = _team, get_num_threads()
    pieces = min(count // max(1, least), threads * PIECES)
    if threads > 1 and pieces > 1:
        try:
            del team.free[0]  # only one thread can; after a call, Ctrl-C might come before `try`
        except IndexError:
            pieces = 1
    if threads == 1 or pieces < 2:
        if count:
            function(0, count, *given)
        return
    try:
        work = _Work(function, count, -(-count // pieces), given)
        team.run(work, min(threads, pieces))
    finally:
        team.free.append(True)
    if work.error is not None:
        raise work.error
