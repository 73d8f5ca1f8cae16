"""An array as Hopper's copy engine (TMA) sees it: a kernel takes it by value, as 128 bytes.

The driver encodes it, in words that NVIDIA does not publish; CuPy has no call for that.

References
----------
NVIDIA, "CUDA Driver API", release 13.0: cuTensorMapEncodeTiled.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array

__all__ = ["TensorMap"]

ROW = 128  # bytes of a row of a box: the span of the swizzle
UNIT = 16  # bytes that addresses and distances are multiples of
MOST_ROWS, LARGEST = 256, 1 << 32  # of a box, of an array
WORDS = 16
UINT16, UINT32 = 1, 2  # CUtensorMapDataType: the engine copies bits
NO_INTERLEAVE, SWIZZLE_128B, PROMOTE_L2_256B, ZEROS_OUTSIDE = 0, 3, 3, 0


@dataclass(frozen=True)
class TensorMap:
    """Matrices, from which the engine copies boxes of ``rows`` by 128 bytes, swizzled.

    Parameters
    ----------
    array : (matrices, M, N), contiguous, of 16 or 32 bits
    rows : int
        Of a box, 1 to 256; outside of its matrix a box is 0.

    Raises
    ------
    ValueError
        If the engine cannot copy from such an array: rows are no multiple of 16 bytes, an axis is
        empty, or a box has too many rows.
    """

    array: Array
    rows: int

    def __post_init__(self) -> None:
        shape, size = self.array.shape, self.array.dtype.itemsize
        if len(shape) != 3 or size not in (2, 4) or not all(0 < n <= LARGEST for n in shape):
            raise ValueError(
                f"TensorMap: {self.array.dtype} {shape} expected 16 or 32 bits (matrices, M, N), "
                "none of them 0"
            )
        if shape[2] * size % UNIT:
            raise ValueError(
                f"TensorMap: rows of {shape[2]} {self.array.dtype} expected a multiple of {UNIT} "
                "bytes"
            )
        if not 0 < self.rows <= MOST_ROWS:
            raise ValueError(f"TensorMap: boxes of {self.rows} rows expected 1 to {MOST_ROWS}")

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Return the array, as a `Struct` does its own."""
        return (self.array,)

    @property
    def columns(self) -> int:
        """Return how many elements a row of a box has."""
        return ROW // int(self.array.dtype.itemsize)

    def encoded(self, address: int) -> np.ndarray[Any, Any]:
        """Return what a GPU takes, for the array at ``address``.

        Raises
        ------
        RuntimeError
            If the driver refuses, with its number of the error.
        """
        matrices, rows, columns = self.array.shape
        size = self.array.dtype.itemsize
        memory = np.zeros(2 * WORDS, np.uint64)  # of which some place is aligned as it must be
        first = -memory.ctypes.data % 64 // 8
        words = memory[first : first + WORDS]
        error = _encoder()(
            ctypes.c_void_p(words.ctypes.data),
            {2: UINT16, 4: UINT32}[size],
            3,
            ctypes.c_void_p(address),
            (ctypes.c_uint64 * 3)(columns, rows, matrices),
            (ctypes.c_uint64 * 2)(columns * size, rows * columns * size),
            (ctypes.c_uint32 * 3)(self.columns, self.rows, 1),
            (ctypes.c_uint32 * 3)(1, 1, 1),
            *(NO_INTERLEAVE, SWIZZLE_128B, PROMOTE_L2_256B, ZEROS_OUTSIDE),
        )
        if error:
            raise RuntimeError(
                f"TensorMap: the driver refuses {self.array.dtype} {self.array.shape} at "
                f"{address:#x} in boxes of {self.rows} rows (CUresult {error})"
            )
        whole = np.empty(1, np.dtype([("words", np.uint64, (WORDS,))]))
        whole["words"] = words
        return whole


@cache
def _encoder() -> Any:
    """Return the driver's function; it is loaded already where there is a GPU in use."""
    name = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    function = ctypes.CDLL(name).cuTensorMapEncodeTiled
    function.restype = ctypes.c_int
    return function
