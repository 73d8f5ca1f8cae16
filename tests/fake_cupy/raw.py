"""Kernels that were compiled elsewhere, as CuPy and the driver take them; what they do is nothing.

A module is loaded once per file, and a function of it is one, whoever asks for it: what is set of
it by one is set for all.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from tests.fake_cupy.array import ndarray
from tests.fake_cupy.state import MOST_SHARED, STATE, Device

__all__ = ["LOADED", "CUDADriverError", "Driver", "RawModule"]

LOADED: dict[tuple[str, str], Function] = {}
RESIDENT = 2  # blocks of a multiprocessor


class CUDADriverError(RuntimeError):
    """What the driver says."""


class Function:
    """An entry point of a module."""

    def __init__(self, entry: str) -> None:
        self.entry = entry
        self.ptr = 4096 + len(LOADED)
        self.shared = 48 * 1024  # bytes of dynamic shared memory that it may have
        self.attributes: dict[int, int] = {}


class RawKernel:
    """An entry point, as CuPy launches it."""

    def __init__(self, function: Function, cooperative: bool) -> None:
        self.kernel, self.cooperative = function, cooperative

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        """Return the bytes that it may have."""
        return self.kernel.shared

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        if not 0 <= size <= MOST_SHARED:
            raise CUDADriverError("CUDA_ERROR_INVALID_VALUE: invalid argument")
        self.kernel.shared = size

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0) -> None:
        """Launch it, if CuPy and the driver would."""
        if not isinstance(grid, tuple) or not isinstance(block, tuple):
            raise TypeError("Expected tuple")
        for one in args:
            if isinstance(one, np.ndarray) and one.size != 1:
                raise TypeError(f"You are trying to pass a numpy.ndarray of shape {one.shape}")
            if not isinstance(one, (ndarray, np.ndarray, np.generic, int, float, type(None))):
                raise TypeError(f"Unsupported type {type(one)}")
        blocks = math.prod(grid)
        if self.cooperative and blocks > (
            most := RESIDENT * Device().attributes["MultiProcessorCount"]
        ):
            warnings.warn(f"The grid size will be reduced from {blocks} to {most}", stacklevel=2)
        if shared_mem > self.kernel.shared or not 0 < math.prod(block) <= 1024:
            raise CUDADriverError("CUDA_ERROR_INVALID_VALUE: invalid argument")
        STATE.launched.append((self.kernel.entry, grid, block, args, shared_mem))


class RawModule:
    """A file of machine code."""

    def __init__(
        self,
        *,
        code: str | None = None,
        path: str | None = None,
        enable_cooperative_groups: bool = False,
    ) -> None:
        if (code is None) == (path is None):
            raise TypeError("Exactly one of `code` and `path` keyword arguments must be given.")
        if not isinstance(path, str):
            raise TypeError("Expected str")
        self.path, self.cooperative = path, enable_cooperative_groups

    def get_function(self, name: str) -> RawKernel:
        """Return an entry point."""
        if (self.path, name) not in LOADED:
            LOADED[self.path, name] = Function(name)
        return RawKernel(LOADED[self.path, name], self.cooperative)


class Driver:
    """``cupy.cuda.driver``."""

    CUDADriverError = CUDADriverError

    def funcSetAttribute(self, f: int, attribute: int, value: int) -> None:
        """Set something of the function at an address."""
        (found,) = [function for function in LOADED.values() if function.ptr == f]
        found.attributes[attribute] = value

    def occupancyMaxActiveBlocksPerMultiprocessor(
        self, func: int, blockSize: int, dynamicSMemSize: int
    ) -> int:
        """Return how many blocks of the function at an address a multiprocessor has at once."""
        return RESIDENT
