"""The module of the stand-in: NumPy's functions with the names and the arguments of CuPy's."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from typing import Any

import numpy as np

from tests.fake_cupy import raw
from tests.fake_cupy.array import ADDED, compute, host_of, ndarray, refuse_copy, wrapped, write
from tests.fake_cupy.names import known
from tests.fake_cupy.state import (
    STATE,
    CUDARuntimeError,
    Device,
    Event,
    Graph,
    OutOfMemoryError,
    Stream,
    using_allocator,
)
from tinymed.precision import kind_of

__all__ = ["FakeCuPy", "function_of"]

KNOWN = known()
FROM_HOST = ("array", "asarray", "asanyarray", "ascontiguousarray", "full", "full_like")
# The shapes of their results depend on values, which the host has to wait for.
WAIT = ("nonzero", "flatnonzero", "argwhere", "unique", "array_equal", "allclose", "bincount")
CONSTANTS = ("inf", "nan", "pi", "e", "newaxis", "dtype", "finfo", "iinfo")
IN_PLACE = ("copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask")
EXTREMES = ("int32", "float32", "float64", "uint32", "uint64", "int64")


class Ufunc:
    """A function of elements, with the few methods that CuPy's have."""

    def __init__(self, name: str) -> None:
        self.name, self.of_host = name, getattr(np, name)

    def __call__(self, *given: Any, **named: Any) -> Any:
        extra = set(named) - {"out", "dtype", "casting"}
        if extra:
            raise TypeError(f"Wrong arguments {sorted(extra)}")
        return compute(self.of_host, *given, **named)

    def at(self, array: ndarray, index: Any, values: Any = None) -> None:
        """Do it in place, each place as often as it is named."""
        if self.name not in ("add", "subtract", "maximum", "minimum"):
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        if array.dtype.name not in (ADDED if self.name in ("add", "subtract") else EXTREMES):
            raise TypeError(f"{self.name}.at: {array.dtype} is not supported")
        at, new = host_of(index), host_of(values)
        write(lambda: self.of_host.at(array.host, at, new))

    def reduce(self, array: ndarray, axis: Any = 0, dtype: Any = None) -> Any:
        """Return the sum or the product along an axis."""
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        return compute(self.of_host.reduce, array, axis=axis, dtype=dtype)

    def accumulate(self, array: ndarray, axis: int = 0, dtype: Any = None) -> Any:
        """Return the sums or products so far."""
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")
        return compute(self.of_host.accumulate, array, axis=axis, dtype=dtype)

    def reduceat(self, array: ndarray, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
        """Return sums of stretches."""
        if self.name != "add":
            raise NotImplementedError(f"`{self.name}.reduceat` is not supported yet")
        return compute(self.of_host.reduceat, array, indices, axis=axis, dtype=dtype)


def _check_arguments(name: str, given: tuple[Any, ...], named: dict[str, Any]) -> None:
    words = KNOWN[name]
    places = [word for word in words if not word.startswith("*")]
    if len(given) > len(places) and not any(w.startswith("*") and w[1] != "*" for w in words):
        raise TypeError(f"{name}() takes {len(places)} positional arguments, {len(given)} given")
    unknown = [] if any(w.startswith("**") for w in words) else sorted(set(named) - set(places))
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument {unknown[0]!r}")


def _from_host(name: str, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Return a new array of what may be host memory, which is then sent to the GPU."""
    first, *rest = given
    if name.startswith("as") and isinstance(first, ndarray) and not rest and not named:
        return first
    data = rest[0] if name.startswith("full") and rest else first
    if isinstance(first, ndarray) and isinstance(data, (ndarray, int, float)):
        return compute(getattr(np, name), *given, **named)
    if isinstance(data, (list, tuple)) and any(isinstance(each, ndarray) for each in data):
        return compute(np.stack, [each.astype(named.get("dtype", each.dtype)) for each in data])
    sends = name.startswith("a") or isinstance(data, (np.ndarray, list))
    if sends and STATE.capture is not None:
        refuse_copy(np.asarray(data).nbytes)  # the graph would read that memory later
    if name.startswith("full"):
        return compute(lambda: np.array(getattr(np, name)(*host_of((first,)), *rest, **named)))
    if isinstance(data, np.ndarray) and kind_of(data.dtype) not in "biufc":
        raise ValueError(f"Unsupported dtype {data.dtype}")
    named.pop("copy", None)
    return compute(lambda: np.array(*given, **named))


@functools.cache
def function_of(name: str) -> Callable[..., Any]:
    """Return one of CuPy's functions."""
    if name not in KNOWN:
        raise AttributeError(f"module 'cupy' has no attribute {name!r}")
    if KNOWN[name] == ["ufunc"]:
        return Ufunc(name)

    def function(*given: Any, **named: Any) -> Any:
        _check_arguments(name, given, named)
        if name in FROM_HOST and given:
            return _from_host(name, given, dict(named))
        if name in WAIT:
            STATE.read_by_host()
        if name in IN_PLACE:
            host, more = host_of(given), host_of(named)
            return write(lambda: getattr(np, name)(*host, **more))
        return compute(getattr(np, name), *given, **named)

    return function


class Grid:
    """``cupy.ogrid`` and ``cupy.mgrid``."""

    def __init__(self, of_host: Any) -> None:
        self.of_host = of_host

    def __getitem__(self, index: Any) -> Any:
        return wrapped(self.of_host[index])


class MemoryPool:
    """Memory that was used before, by its limits and sizes."""

    def __init__(self, allocator: Any = None) -> None:
        self.limit = 0

    def malloc(self, size: int) -> Any:
        """Return memory."""

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        """Set how much is taken at most."""
        self.limit = size or 0

    def get_limit(self) -> int:
        """Return how much is taken at most, 0 for all there is."""
        return self.limit

    def used_bytes(self) -> int:
        """Return the bytes in use."""
        return 3 * 2**30

    def total_bytes(self) -> int:
        """Return the bytes in use and ready."""
        return 5 * 2**30

    def free_all_blocks(self) -> None:
        """Give back what is ready."""
        STATE.events.append(("free_all_blocks",))


class FakeCuPy(types.ModuleType):
    """As the module ``cupy``; a new one forgets what another was asked."""

    ndarray = ndarray

    def __init__(self) -> None:
        super().__init__("cupy")
        STATE.reset()
        self.__spec__ = ModuleSpec("cupy", None)
        self.ogrid, self.mgrid = Grid(np.ogrid), Grid(np.mgrid)
        self.pool = MemoryPool()
        self.ufunc = Ufunc
        raw.LOADED.clear()
        self.RawModule = raw.RawModule
        self.cuda = types.SimpleNamespace(
            Device=Device,
            Event=Event,
            Graph=Graph,
            MemoryPool=MemoryPool,
            Stream=Stream,
            driver=raw.Driver(),
            alloc_pinned_memory=lambda size: STATE.pinned(size),
            get_allocator=lambda: None,
            set_pinned_memory_allocator=self._set_pinned,
            get_current_stream=lambda: STATE.stream,
            memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            runtime=Runtime(),
            using_allocator=using_allocator,
        )

    @property
    def host_reads(self) -> int:
        """How often the host waited for a value."""
        return STATE.host_reads

    def get_default_memory_pool(self) -> MemoryPool:
        """Return the pool that arrays are taken from."""
        return self.pool

    def _set_pinned(self, allocator: Callable[[int], Any]) -> None:
        STATE.pinned = allocator

    def get_default_pinned_memory_pool(self) -> Any:
        """Return the pool of host memory that a GPU reads by itself."""
        return types.SimpleNamespace(malloc=bytearray)

    def asnumpy(self, array: Any) -> np.ndarray:
        """Return host memory."""
        return array.get() if isinstance(array, ndarray) else np.asarray(array)

    def __getattr__(self, name: str) -> Any:
        if name in KNOWN:
            return function_of(name)
        found = getattr(np, name, None)
        if name in CONSTANTS or (isinstance(found, type) and issubclass(found, np.generic)):
            return found
        raise AttributeError(f"module 'cupy' has no attribute {name!r}")


class Runtime:
    """``cupy.cuda.runtime``."""

    CUDARuntimeError = CUDARuntimeError

    def getDeviceCount(self) -> int:
        """Return how many GPUs there are."""
        if STATE.error is not None:
            raise CUDARuntimeError(STATE.error)
        return STATE.count

    def getDeviceProperties(self, number: int) -> dict[str, Any]:
        """Return what a GPU is."""
        return {"name": b"stand-in"}

    def memGetInfo(self) -> tuple[int, int]:
        """Return the bytes that are free, and all."""
        return 2**30, 80 * 2**30

    def driverGetVersion(self) -> int:
        """Return the CUDA version of the driver."""
        return STATE.driver

    def runtimeGetVersion(self) -> int:
        """Return the CUDA version that CuPy is built for."""
        return 13000
