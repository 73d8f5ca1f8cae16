"""The launch of a kernel: everything that can be wrong is said before the GPU is asked.

`launch` checks and converts the arguments, which needs no GPU; the `Launcher` does the rest. CuPy's
is the default. Tests put another in its place: one that writes down what it is asked, or the
emulator, which runs the same source on the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from tinymed.kernels.arrays import Array, is_array
from tinymed.kernels.cuda.tensor_map import TensorMap
from tinymed.kernels.cuda.variant import Grid, Variant

__all__ = [
    "LAUNCHER",
    "Launcher",
    "Resources",
    "Struct",
    "address",
    "capability",
    "empty",
    "launch",
    "launch_python",
    "resources",
]

LARGEST_GRID = Grid(2**31 - 1, 2**16 - 1, 2**16 - 1)
Threads = int | tuple[int, int]
INT = range(-(2**31), 2**31)
DTYPES = frozenset(
    [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
    + ["bool", "float16", "float32", "float64", "bfloat16"]
)


@dataclass(frozen=True)
class Struct:
    """A struct that a kernel takes by value, of words of 8 bytes, all in all 4 KiB at most.

    A word is an array (its address), None (a null pointer) or an int (``long long``).
    """

    words: tuple[Any, ...]

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Return the arrays among the words."""
        return tuple(word for word in self.words if is_array(word))

    def written(self, addresses: Mapping[int, int]) -> np.ndarray[Any, Any]:
        """Return it as memory; ``addresses`` are those of the arrays, by the words' numbers."""
        words = [0 if word is None else addresses.get(n, word) for n, word in enumerate(self.words)]
        whole = np.empty(1, np.dtype([("words", np.int64, (len(words),))]))
        whole["words"] = words
        return whole


class Resources(NamedTuple):
    """What a GPU has for kernels whose blocks wait for each other, and so must all be resident."""

    multiprocessors: int
    shared: int  # bytes of shared memory that a block may have


class Launcher(Protocol):
    """What runs kernels. `launch` has checked the arguments by then."""

    def holds(self, array: Array) -> bool:
        """Return whether kernels reach this array."""

    def capability(self, array: Array) -> tuple[int, int]:
        """Return the compute capability of the GPU that holds an array: (9, 0) for sm_90."""

    def resources(self, array: Array) -> Resources:
        """Return what the GPU that holds an array has."""

    def address(self, array: Array) -> int:
        """Return where in the GPU's memory an array begins."""

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Array) -> Array:
        """Return a new array of anything, where ``like`` is."""

    def run(
        self, variant: Variant, entry: str, grid: Grid, threads: int, arguments: tuple[Any, ...]
    ) -> None:
        """Launch ``entry``; the arguments are arrays, NumPy's scalars and structs."""

    def run_python(
        self, kernel: Any, grid: Grid, threads: Threads, arguments: tuple[Any, ...]
    ) -> None:
        """Launch a kernel of numba-cuda; the arguments are arrays, numbers, tuples and None."""


LAUNCHER: ContextVar[Launcher | None] = ContextVar("tinymed_cuda_launcher", default=None)


def _launcher() -> Launcher:
    """Return the launcher in use: CuPy's, unless another was set."""
    chosen = LAUNCHER.get()
    if chosen is None:
        from tinymed.kernels.cuda.cupy_launcher import cupy_launcher

        chosen = cupy_launcher()
    return chosen


def capability(array: Array) -> tuple[int, int]:
    """Return the compute capability of the GPU that holds ``array``: (9, 0) for sm_90."""
    return _launcher().capability(array)


def resources(array: Array) -> Resources:
    """Return how many multiprocessors and how much shared memory the GPU of ``array`` has."""
    return _launcher().resources(array)


def address(array: Array) -> int:
    """Return where in the GPU's memory ``array`` begins: what wide loads need is a multiple."""
    return _launcher().address(array)


def empty(shape: tuple[int, ...], dtype: Any, like: Array) -> Array:
    """Return a new array of anything on the GPU that holds ``like``.

    Raises
    ------
    MemoryError
        If the GPU has not that much, with what was asked for and what is free.
    """
    return _launcher().empty(shape, np.dtype(dtype), like)


def launch(
    variant: Variant, grid: Grid, *arguments: Any, entry: str | None = None, threads: int = 0
) -> None:
    """Run a kernel on the GPU that holds its arrays; without blocks nothing is run.

    Parameters
    ----------
    variant : Variant
    grid : Grid
        Blocks along x, y and z.
    *arguments
        As the kernel takes them: contiguous arrays (pointers), None (a null pointer), ints (C
        ``int``), floats (``float``), bools (``int``), NumPy's scalars as what they are, `Struct`,
        `TensorMap`.
    entry : str or None
        Which of the variant's entry points; its first for None.
    threads : int
        Threads of a block; the variant's for 0.

    Raises
    ------
    ValueError
        If the grid is too large, arrays are not contiguous, or are not all on the GPU.
    TypeError
        If there is an argument that C has no type for.
    OverflowError
        If an int does not fit.
    LookupError
        If the variant is not for this GPU, or has no such entry point.
    """
    entry = entry or variant.entries[0]
    if entry not in variant.entries:
        raise LookupError(f"{variant}: no entry point {entry!r}; it has {variant.entries}")
    if not _filled(str(variant), grid):
        return
    launcher = _launcher()
    given = tuple(_argument(variant, launcher, n, a) for n, a in enumerate(arguments))
    launcher.run(variant, entry, grid, threads or variant.threads, given)


def launch_python(kernel: Any, grid: Grid, threads: Threads, *arguments: Any) -> None:
    """Run a kernel of numba-cuda on the GPU that holds its arrays; without blocks nothing is run.

    numba compiles it at the first call with arguments of some types, which takes a second: for the
    dtypes, dimensions and layouts of arrays, and for what is None.

    Parameters
    ----------
    kernel : a function decorated by ``numba.cuda.jit``
    grid : Grid
        Blocks along x, y and z.
    threads : int or (int, int)
        Threads of a block, along x and y.
    *arguments
        As the kernel takes them: arrays of any strides, None, NumPy's scalars as what they are,
        ints (64 bits), bools and tuples of ints.

    Raises
    ------
    ValueError
        If the grid is too large, or an array is not on the GPU: numba would copy it there and back
        without a word.
    """
    if not _filled(kernel.__name__, grid):
        return
    launcher = _launcher()
    for n, given in enumerate(arguments):
        if is_array(given):
            _reached(f"{kernel.__name__}: argument {n}", launcher, given)
    launcher.run_python(kernel, grid, threads, arguments)


def _filled(name: str, grid: Grid) -> bool:
    """Return whether a grid has blocks, or raise that it has too many."""
    if any(count > most for count, most in zip(grid, LARGEST_GRID, strict=True)):
        raise ValueError(
            f"{name}: a grid of {tuple(grid)} blocks, expected {tuple(LARGEST_GRID)} at most; "
            "split the input along its first axis"
        )
    return math.prod(grid) > 0


def _argument(variant: Variant, launcher: Launcher, number: int, given: Any) -> Any:
    """Return an argument as a kernel takes it, or raise what is wrong with it."""
    where = f"{variant}: argument {number}"
    if given is None:
        return np.uint64(0)
    if is_array(given):
        return _array(where, launcher, given)
    if isinstance(given, np.generic):
        return given
    if isinstance(given, Struct | TensorMap):
        for array in given.arrays:
            _array(where, launcher, array)
        return given
    if isinstance(given, int):
        if given not in INT:
            raise OverflowError(
                f"{where} is {given}, more than a C int holds; pass numpy.int64 to a long long"
            )
        return np.int32(given)
    if isinstance(given, float):
        return np.float32(given)
    raise TypeError(f"{where} is a {type(given).__name__}, expected an array, a number or None")


def _array(where: str, launcher: Launcher, array: Array) -> Array:
    """Return an array that a kernel may be given, or raise what is wrong with it."""
    if array.dtype.name not in DTYPES or not array.dtype.isnative:
        raise TypeError(f"{where} is {array.dtype}, expected one of {', '.join(sorted(DTYPES))}")
    _reached(where, launcher, array)
    if not array.flags.c_contiguous:
        raise ValueError(
            f"{where} has shape {array.shape} and strides {array.strides}, expected a contiguous "
            "array; copy it with ascontiguousarray"
        )
    return array


def _reached(where: str, launcher: Launcher, array: Array) -> None:
    """Raise if the GPU cannot reach an array."""
    if not launcher.holds(array):
        raise ValueError(
            f"{where} is a {type(array).__module__} array {array.shape} that the GPU cannot reach, "
            "expected all arrays on one GPU; move it with arrays.to_place(x, 'cuda')"
        )
