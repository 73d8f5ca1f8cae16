"""Memory for the results of kernels, kept when they are done with.

A fresh array of a megabyte costs more than filling it: the operating system hands out its pages one
by one, at the first touch of each, and takes them back when the array is freed. Training makes the
same arrays step after step, so their memory is kept here and handed out again.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.recording import active, constant

__all__ = ["empty", "full", "release_buffers"]

LEAST = 1 << 17  # bytes: below, NumPy's own allocation costs less
MOST = 1 << 28  # bytes that lie ready at most
ALIGNMENT = 64  # a cache line: no load of a register reaches into two of them

_ready: dict[int, list[Any]] = {}  # size in bytes -> memory that nobody uses
_held = 0
_lock = threading.Lock()


class _Buffer:
    """Memory that comes back when the last array on it is gone."""

    __slots__ = ("__array_interface__", "memory")

    def __init__(self, memory: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.memory = memory
        self.__array_interface__ = {
            "shape": shape,
            "typestr": dtype.str,
            "data": (memory.ctypes.data, False),
            "version": 3,
        }

    def __del__(self) -> None:
        global _held
        # The garbage collector may call this anywhere, even where this thread holds the lock.
        if not _lock.acquire(blocking=False):
            return
        try:
            size = self.memory.nbytes
            if _held + size <= MOST:
                _ready.setdefault(size, []).append(self.memory)
                _held += size
        finally:
            _lock.release()


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return a new array (NumPy) of anything, on memory that was used before if it is large.

    Raises
    ------
    MemoryError
        If there is not that much, with the size asked for.
    """
    global _held
    kind = np.dtype(dtype)
    size = kind.itemsize
    for length in shape:
        size *= length
    if size < LEAST:
        return _noted(np.empty(shape, kind))
    memory = None
    with _lock:
        if _ready.get(size):
            memory = _ready[size].pop()
            _held -= size
    if memory is None:
        memory = _fresh(size, shape, kind)
    return _noted(np.asarray(_Buffer(memory, shape, kind)))


def _fresh(size: int, shape: tuple[int, ...], kind: np.dtype[Any]) -> Any:
    """Return ``size`` bytes from the system, aligned."""
    try:
        memory = np.empty(size + ALIGNMENT, np.uint8)
    except (MemoryError, ValueError) as error:  # ValueError: more than an address can hold
        raise MemoryError(
            f"empty: {kind} {shape} is {size / 2**30:,.1f} GiB, more than there is; "
            "use smaller batches"
        ) from error
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def _noted(array: Array) -> Array:
    """Return ``array``; a recording is told that a kernel asked for its memory."""
    recording = active()
    if recording is not None:
        recording.note(array)
    return array


def full(shape: tuple[int, ...], value: float, dtype: Any) -> Array:
    """Return a new array full of one number, which nobody writes."""
    made: Array = constant(np.full(shape, value, dtype))
    return made


def release_buffers() -> None:
    """Give back to the system all memory that lies ready."""
    global _held
    with _lock:
        _ready.clear()
        _held = 0


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # another thread may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
