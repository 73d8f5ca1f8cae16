"""Run kernels with every array beside a page that nobody may touch.

    python -m tests.kernels.guarded [KERNEL ...]

Vector code loads and stores through addresses, which no check of bounds sees. Here the memory of
each argument, and all that a kernel asks `buffers.empty` for, ends where an inaccessible page
begins, or begins where one ends: a step outside of it ends the process. Each case is printed before
it runs, so the last line says which one it was. Linux; see test_guard_pages.py.
"""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinymed.bench import proof
from tinymed.kernels import KERNELS, buffers
from tinymed.kernels.case import Case, proofs
from tinymed.kernels.registry import missing
from tinymed.kernels.threads import set_num_threads

PAGE = mmap.PAGESIZE
INACCESSIBLE = 0  # PROT_NONE, which Python's mmap lacks
NOWHERE = ctypes.c_void_p(-1).value  # what mmap returns when it cannot
PLACES = ("before", "behind")  # where the guard is, as seen from the array

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


class _Memory:
    """What NumPy makes an array of."""

    def __init__(self, address: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.__array_interface__ = {
            "shape": shape,
            "typestr": dtype.str,
            "data": (address, False),
            "version": 3,
        }


class Guard:
    """Memory for arrays between inaccessible pages, freed all at once.

    Parameters
    ----------
    place : {"before", "behind"}
        On which side of each array there is no byte left.
    """

    def __init__(self, place: str = "behind") -> None:
        self.place = place
        self.taken: list[tuple[int, int]] = []

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return a new array, as `buffers.empty` does."""
        kind = np.dtype(dtype)
        size = kind.itemsize * int(np.prod(shape, dtype=np.int64))
        pages = max(1, -(-size // PAGE)) * PAGE
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        start = libc.mmap(None, pages + 2 * PAGE, INACCESSIBLE, flags, -1, 0)
        if start in (None, NOWHERE):
            raise MemoryError(f"no memory for {pages} bytes: error {ctypes.get_errno()}")
        self.taken.append((start, pages + 2 * PAGE))
        if libc.mprotect(start + PAGE, pages, mmap.PROT_READ | mmap.PROT_WRITE):
            raise MemoryError(f"mprotect: error {ctypes.get_errno()}")
        first = start + PAGE + (pages - size if self.place == "behind" else 0)
        made = np.asarray(_Memory(first, shape, kind))
        assert made.ctypes.data == first
        return made

    def full(self, shape: tuple[int, ...], value: float, dtype: Any) -> Any:
        """Return a new array full of one number, as `buffers.full` does."""
        return self.copy(np.full(shape, value, dtype))

    def copy(self, argument: Any) -> Any:
        """Return an equal array, or list of arrays, in such memory; anything else as it is."""
        if isinstance(argument, list):
            return [self.copy(one) for one in argument]
        if not isinstance(argument, np.ndarray):
            return argument
        made = self.empty(argument.shape, argument.dtype)
        made[...] = argument
        return made

    def strided(self, argument: Any) -> Any:
        """Return the same with every second element of each row unused, but not beyond its end."""
        if isinstance(argument, list):
            return [self.strided(one) for one in argument]
        if not isinstance(argument, np.ndarray) or argument.ndim == 0:
            return self.copy(argument)
        spread = self.empty((*argument.shape[:-1], 2 * argument.shape[-1]), argument.dtype)
        view = spread[..., 1::2] if self.place == "behind" else spread[..., ::2]
        view[...] = argument
        return view

    def release(self) -> None:
        """Free the memory of all arrays."""
        for start, size in self.taken:
            libc.munmap(start, size)
        self.taken.clear()


def run(case: Case, implementation: str, dtype: Any, guard: Guard) -> int:
    """Run a case with guards on either side; return how often it ran."""
    given, runs = proof.arguments(case, dtype), 0
    for guard.place in PLACES:
        for lay_out in (guard.copy, guard.strided):
            arguments = tuple(map(lay_out, given))
            if proof.able(case.kernel, implementation, arguments):
                KERNELS[case.kernel].load(implementation)(*arguments)
                runs += 1
        guard.release()
    return runs


def main(kernels: Sequence[str]) -> None:
    """Run every implementation of the kernels, or of all, on their proofs."""
    faulthandler.enable()  # and which line of Python was at it
    set_num_threads(3)
    guard, runs = Guard(), 0
    # Kernels import these when they are loaded, which is after this line.
    buffers.empty, buffers.full = guard.empty, guard.full
    for kernel in kernels or sorted(KERNELS):
        for implementation in proof.implementations(kernel):
            if missing(implementation):
                continue
            for case in proofs(kernel):
                for dtype in (np.float32, np.float64):
                    print(f"{case} ({np.dtype(dtype)}) on {implementation}", flush=True)
                    runs += run(case, implementation, dtype, guard)
    print(f"{runs} runs")


if __name__ == "__main__":
    main(sys.argv[1:])
