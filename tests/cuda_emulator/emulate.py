"""Kernels run on the CPU: `emulate` one launch, or put `EmulatedLauncher` in the place of a GPU.

Every array lies between closed pages, so that what reaches past its ends stops the launch; what a
kernel leaves untouched is NaN. ``import tests.cuda_emulator.emulate`` needs no compiler; running
does (`unavailable`).
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.cuda_emulator.build import library, unavailable
from tinymed.kernels.cuda import LAUNCHER, Grid, Resources, Struct, TensorMap, Variant

__all__ = [
    "SCHEDULES",
    "EmulatedLauncher",
    "EmulationError",
    "Rehearsal",
    "as_struct",
    "emulate",
    "emulated",
    "on",
    "unavailable",
]

SCHEDULES = ("forward", "reverse", "shuffled")
PAGE = mmap.PAGESIZE
ALIGNMENT = 16  # bytes that the longest load of a thread relies on
BYTE = 0xFF  # what memory is full of that nobody has written: NaN
Place = tuple[int, int]  # the number of an argument, and of the word in it if that is a struct
KINDS = {
    **{"f": "float32", "d": "float64"},
    **{"i": "int32", "u": "uint32", "l": "int64", "L": "uint64"},
}


class EmulationError(RuntimeError):
    """A kernel did what a GPU would not survive, or never comes to an end."""


class _Stacks(ctypes.Structure):
    """As fibers.h has it: stacks that kernels use in turn."""

    _fields_ = [("of", ctypes.c_void_p), ("count", ctypes.c_uint64)]


STACKS = _Stacks()


class _Launch(ctypes.Structure):
    """As fibers.h has it."""

    _fields_ = [
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("dynamic_bytes", ctypes.c_uint64),
        ("schedule", ctypes.c_uint64),
        ("seed", ctypes.c_uint64),
        ("cooperative", ctypes.c_uint64),
        ("cluster", ctypes.c_uint64),
        ("removed", ctypes.c_uint64),
        ("fault", ctypes.c_uint64),
        ("stacks", ctypes.POINTER(_Stacks)),
    ]


class Guarded:
    """A copy of an array with a closed page on both sides, at the end of its own or at the start.

    A few bytes may lie between the array and the page, for the array's alignment: they are checked.
    """

    def __init__(self, array: np.ndarray[Any, Any], at_start: bool) -> None:
        size = -(-max(array.nbytes, 1) // PAGE) * PAGE
        self.memory = mmap.mmap(-1, size + 2 * PAGE)
        whole = np.frombuffer(self.memory, np.uint8)
        self.start = whole.ctypes.data
        self.bytes = whole[PAGE : PAGE + size]
        self.bytes[:] = BYTE
        self.offset = 0 if at_start else (size - array.nbytes) // ALIGNMENT * ALIGNMENT
        self.array = self.bytes[self.offset : self.offset + array.nbytes].view(array.dtype)
        self.array = self.array.reshape(array.shape)
        self.array[...] = array
        for page in (self.start, self.start + PAGE + size):
            _protect(page, 0)

    def untouched(self) -> bool:
        """Return whether the bytes before and after the array are what they were."""
        before, after = self.bytes[: self.offset], self.bytes[self.offset + self.array.nbytes :]
        return bool((before == BYTE).all() and (after == BYTE).all())

    def distance(self, address: int) -> int | None:
        """Return how far an address is from the start, in bytes, if it is in one of the pages."""
        inside = self.start <= address < self.start + len(self.memory)
        return address - self.array.ctypes.data if inside else None


def _protect(page: int, how: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), how):
        raise OSError(ctypes.get_errno(), "mprotect")


def emulate(
    variant: Variant,
    grid: Sequence[int],
    arguments: Sequence[Any],
    *,
    schedule: str = "forward",
    removed: str = "",
    entry: str | None = None,
    threads: int | Sequence[int] = 0,
) -> None:
    """Run one launch; arrays are changed in place.

    Parameters
    ----------
    variant : Variant
    grid : 1 to 3 ints
    arguments : list
        NumPy arrays, None, and numbers: NumPy's scalars, or Python's for ``int`` and ``float``.
    schedule : "forward", "reverse" or "shuffled"
        The order of threads and blocks; also whether asynchronous copies land late, at once, or by
        chance.
    removed : str
        The name of a barrier, a wait or a check that the kernel has to do without.
    entry : str or None
        Which entry point; the first for None.
    threads : int or 1 to 3 ints
        Threads of a block; the variant's for 0.

    Raises
    ------
    EmulationError
        A deadlock, an access outside of all arrays or misaligned, lanes of a warp that diverge.
    TypeError
        If the arguments are not what the kernel takes.
    """
    entry = entry or variant.entries[0]
    built = library(variant)
    arrays = dict(_arrays(arguments))
    guarded = {place: Guarded(a, schedule == "reverse") for place, a in arrays.items()}
    signature, sizes = (getattr(built, f"{what}_of_{entry}") for what in ("signature", "sizes"))
    signature.restype, sizes.restype = ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint)
    values = _values(f"{variant} {entry}", signature().decode(), sizes(), arguments, guarded)
    pointers = (ctypes.c_void_p * len(values))(*[value.ctypes.data for value in values])
    how = _Launch(
        (ctypes.c_uint * 3)(*grid, *[1] * (3 - len(grid))),
        (ctypes.c_uint * 3)(*_block(threads or variant.threads)),
        variant.shared,
        SCHEDULES.index(schedule),
        1,
        variant.cooperative,
        variant.cluster,
        name_hash(removed) if removed else 0,
        0,
        ctypes.pointer(STACKS),
    )
    run = getattr(built, f"run_{entry}")
    run.restype = ctypes.c_char_p
    failure = run(ctypes.byref(how), pointers)
    try:
        _judge(f"{variant} {entry} ({schedule})", failure, how.fault, guarded)
    finally:
        for place, guard in guarded.items():
            arrays[place][...] = guard.array


def _arrays(arguments: Sequence[Any]) -> Iterator[tuple[Place, np.ndarray[Any, Any]]]:
    """Yield the arrays among the arguments and in their structs, and where each of them stands."""
    for number, given in enumerate(arguments):
        if isinstance(given, Struct):
            for n, word in enumerate(given.words):
                if isinstance(word, np.ndarray):
                    yield (number, n), word
        elif isinstance(given, np.ndarray):
            yield (number, -1), given


def _block(threads: int | Sequence[int]) -> list[int]:
    sizes = [threads] if isinstance(threads, int) else list(threads)
    return sizes + [1] * (3 - len(sizes))


def name_hash(name: str) -> int:
    """Return the 64-bit FNV-1a hash of a name, as fibers.h computes it."""
    value = 14695981039346656037
    for byte in name.encode():
        value = (value ^ byte) * 1099511628211 % 2**64
    return value


def _values(
    what: str, signature: str, sizes: Any, arguments: Sequence[Any], guarded: dict[Place, Guarded]
) -> list[Any]:
    """Return the arguments as memory that C reads; `TypeError` where it would read another type."""
    if len(signature) != len(arguments):
        raise TypeError(f"{what}: {len(arguments)} arguments, expected {len(signature)}")
    values = []
    for number, (kind, given) in enumerate(zip(signature, arguments, strict=True)):
        if kind == "p":
            guard = guarded.get((number, -1))
            if given is not None and guard is None and given != 0:
                raise TypeError(f"{what}: argument {number} is {given!r}, expected an array")
            values.append(np.array([guard.array.ctypes.data if guard else 0], np.uint64))
            continue
        if kind == "s":
            values.append(
                _struct(f"{what}: argument {number}", sizes[number], number, given, guarded)
            )
            continue
        dtype = np.dtype(KINDS[kind])
        own = {int: "int32", float: "float32", bool: "int32"}.get(type(given))
        is_given = own or (given.dtype.name if isinstance(given, np.generic) else type(given))
        if is_given != dtype.name:
            raise TypeError(f"{what}: argument {number} is {is_given}, expected {dtype.name}")
        values.append(np.array([given], dtype))
    return values


def _struct(
    what: str, size: int, number: int, given: Any, guarded: dict[Place, Guarded]
) -> np.ndarray[Any, Any]:
    """Return a struct as memory that C reads; `TypeError` where C's has another size."""
    if not isinstance(given, Struct) or 8 * len(given.words) != size:
        is_given = f"{8 * len(given.words)} bytes" if isinstance(given, Struct) else repr(given)
        raise TypeError(f"{what} is {is_given}, expected a Struct of {size} bytes")
    own = {n: guard.array.ctypes.data for (place, n), guard in guarded.items() if place == number}
    return given.written(own)


def _judge(what: str, failure: bytes | None, fault: int, guarded: dict[Place, Guarded]) -> None:
    """Raise if the launch failed, or wrote beside an array."""
    if failure:
        near = [(*p, g, d) for p, g in guarded.items() if (d := g.distance(fault)) is not None]
        text = "".join(
            f": byte {distance} of argument {n}{_word(word)}, which is {g.array.dtype}"
            f"{list(g.array.shape)}"
            for n, word, g, distance in near[:1]
        )
        raise EmulationError(f"{what}: {failure.decode()}{text}")
    for (number, word), guard in guarded.items():
        if not guard.untouched():
            place = f"{number}{_word(word)}"
            raise EmulationError(f"{what}: it writes just before or after argument {place}")


def _word(number: int) -> str:
    return f", word {number}" if number >= 0 else ""


def as_struct(given: TensorMap) -> Struct:
    """Return a map of an array as hopper.cuh has it."""
    matrices, rows, columns = given.array.shape
    box = (given.columns, given.rows)
    return Struct((given.array, columns, rows, matrices, *box, given.array.itemsize, *[0] * 9))


class EmulatedLauncher:
    """A GPU that is not there: kernels get NumPy arrays and run in the emulator."""

    def __init__(
        self,
        schedule: str = "forward",
        removed: str = "",
        capability: tuple[int, int] = (9, 0),
        multiprocessors: int = 16,
    ) -> None:
        self.schedule, self.removed, self.compute = schedule, removed, capability
        self.multiprocessors = multiprocessors
        self.ran: list[tuple[Variant, Grid]] = []

    def holds(self, array: Any) -> bool:
        """Return whether this is a NumPy array."""
        return isinstance(array, np.ndarray)

    def capability(self, array: Any) -> tuple[int, int]:
        """Return what the GPU is said to be capable of."""
        return self.compute

    def resources(self, array: Any) -> Resources:
        """Return little, so that small cases are large enough for all there is."""
        return Resources(self.multiprocessors, shared=64 * 1024)

    def address(self, array: Any) -> int:
        """Return 0: an emulated kernel gets a copy that is aligned as a GPU's memory is."""
        return 0

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        """Return a new array, full of NaN."""
        return np.frombuffer(bytes([BYTE]) * (np.dtype(dtype).itemsize * int(np.prod(shape))),
                             dtype).reshape(shape).copy()  # fmt: skip

    def run_python(self, kernel: Any, *given: Any) -> None:
        """Refuse: there is another simulator for them, in tests/numba_cuda."""
        raise LookupError(f"{kernel.__name__}: the emulator runs CUDA C, not numba-cuda's kernels")

    def run(
        self, variant: Variant, entry: str, grid: Grid, threads: int, arguments: tuple[Any, ...]
    ) -> None:
        """Emulate the launch."""
        variant.target(self.compute)
        self.ran.append((variant, grid))
        given = [as_struct(one) if isinstance(one, TensorMap) else one for one in arguments]
        emulate(variant, grid, given, schedule=self.schedule, removed=self.removed,
                entry=entry, threads=threads)  # fmt: skip


class Rehearsal(EmulatedLauncher):
    """A GPU that runs nothing: what is launched is written down, and results stay NaN."""

    def run(
        self, variant: Variant, entry: str, grid: Grid, threads: int, arguments: tuple[Any, ...]
    ) -> None:
        """Write the launch down."""
        self.ran.append((variant, grid))


@contextmanager
def emulated(
    schedule: str = "forward",
    removed: str = "",
    capability: tuple[int, int] = (9, 0),
    multiprocessors: int = 16,
) -> Iterator[EmulatedLauncher]:
    """Run CUDA kernels in the emulator inside, on NumPy arrays; on 1 multiprocessor in no parts."""
    with on(EmulatedLauncher(schedule, removed, capability, multiprocessors)) as launcher:
        yield launcher


@contextmanager
def on(launcher: EmulatedLauncher) -> Iterator[EmulatedLauncher]:
    """Have CUDA kernels launched by ``launcher`` inside."""
    token = LAUNCHER.set(launcher)
    try:
        yield launcher
    finally:
        LAUNCHER.reset(token)
