"""The array of the stand-in: NumPy's numbers, in a class that NumPy cannot look into."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.fake_cupy.state import STATE, Device, OutOfMemoryError

__all__ = ["Flags", "compute", "host_of", "ndarray", "refuse_copy", "wrapped"]

H2D = "the current stream is capturing, so H2D transfers are disallowed"
TO_NUMPY = "Implicit conversion to a NumPy array is not allowed. Please use `.get()`"
# Shapes and dtypes that atomics of CUDA are there for
ADDED = ("int32", "int64", "float16", "float32", "float64", "uint32", "uint64")


def host_of(value: Any) -> Any:
    """Return arguments with the NumPy arrays behind the arrays; host arrays are refused."""
    if isinstance(value, ndarray):
        return value.host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, (list, tuple)):
        inner = map(host_of, value)
        return type(value)(*inner) if hasattr(value, "_fields") else type(value)(inner)
    return {k: host_of(v) for k, v in value.items()} if isinstance(value, dict) else value


def wrapped(result: Any, inputs: Any = ()) -> Any:
    """Return NumPy's results as arrays of the stand-in: scalars too have an array."""
    if isinstance(result, tuple):
        return tuple(wrapped(each, inputs) for each in result)
    if isinstance(result, list):
        return [wrapped(each, inputs) for each in result]
    if not isinstance(result, (np.ndarray, np.generic)):
        return result
    if STATE.full:
        raise OutOfMemoryError("Out of memory allocating 96 bytes (allocated so far: 3 GiB)")
    made = object.__new__(ndarray)
    made.host, made.device, made.base = np.asarray(result), Device(), None
    for one in arrays_in(inputs):
        if made.host.base is not None and np.may_share_memory(made.host, one.host):
            made.base, made.device = (one if one.base is None else one.base), one.device
    return made


def arrays_in(value: Any) -> Iterator[ndarray]:
    """Yield the arrays among arguments."""
    if isinstance(value, ndarray):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from arrays_in(each)
    elif isinstance(value, dict):
        yield from arrays_in(tuple(value.values()))


def compute(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Call NumPy's function; in a capture, take it down and leave nothing in its result."""
    given_host, named_host = host_of(given), host_of(named)
    out = named.get("out")

    def run() -> Any:
        with np.errstate(all="ignore"):  # a GPU does not warn
            return function(*given_host, **named_host)

    if out is not None:
        write(run)
        return out
    result = wrapped(run(), (given, named))
    if STATE.capture is not None:
        several = result if isinstance(result, (tuple, list)) else [result]
        made = [r for r in several if isinstance(r, ndarray) and r.base is None]
        if made:
            STATE.capture.append(lambda: again(run, several, made))
        for each in made:
            if not each.host.flags.writeable:  # one element, seen many times
                continue
            each.host.fill(np.nan if each.dtype.kind == "f" else 0)
    return result


def again(run: Callable[[], Any], several: Any, made: list[ndarray]) -> None:
    """Put the results of what was captured where they were said to be."""
    found = run()
    found = found if isinstance(found, (tuple, list)) else [found]
    for place, value in zip(several, found, strict=True):
        if any(place is one for one in made):
            np.copyto(place.host, value)


def refuse_copy(size: int) -> None:
    """Refuse a copy from the host in a capture; what comes first is the allocator of its buffer."""
    STATE.pinned(size)
    raise RuntimeError(H2D)


def write(run: Callable[[], Any]) -> None:
    """Change memory, or take down that it is to be changed."""
    if STATE.capture is None:
        run()
    else:
        STATE.capture.append(run)


class Flags:
    """What CuPy says of an array's layout."""

    def __init__(self, host: np.ndarray) -> None:
        self.c_contiguous = host.flags.c_contiguous
        self.f_contiguous = host.flags.f_contiguous
        self.owndata = host.flags.owndata


class Pointer:
    """Where an array begins."""

    def __init__(self, ptr: int) -> None:
        self.ptr = ptr


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):  # noqa: N801 - CuPy's name
    """As ``cupy.ndarray``: no subclass of NumPy's, and not made into one by itself."""

    host: np.ndarray
    device: Device
    base: ndarray | None
    __array_priority__ = 100

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError(TO_NUMPY)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        if method != "__call__":
            raise NotImplementedError(f"`{ufunc.__name__}.{method}` is not supported yet")
        given = named.pop("out", (None,))
        if given[0] is not None:
            named["out"] = given if len(given) > 1 else given[0]
        return compute(ufunc, *inputs, **named)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from tests.fake_cupy.module import function_of

        if any(not issubclass(kind, ndarray) for kind in types):
            return NotImplemented
        return function_of(function.__name__)(*args, **kwargs)

    # ------------------------------------------------------------------------- what it is

    shape = property(lambda self: self.host.shape)
    dtype = property(lambda self: self.host.dtype)
    ndim = property(lambda self: self.host.ndim)
    size = property(lambda self: self.host.size)
    nbytes = property(lambda self: self.host.nbytes)
    itemsize = property(lambda self: self.host.itemsize)
    strides = property(lambda self: self.host.strides)
    flags = property(lambda self: Flags(self.host))
    data = property(lambda self: Pointer(self.host.ctypes.data))
    T = property(lambda self: wrapped(self.host.T, self))

    def __len__(self) -> int:
        return len(self.host)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.host)

    # ----------------------------------------------------------- read by the host, which waits

    def get(self, **_: Any) -> np.ndarray:
        """Return a copy in host memory."""
        STATE.read_by_host()
        return self.host.copy()

    def item(self, *index: Any) -> Any:
        """Return an element as a Python number."""
        return self.get().item(*index)

    def tolist(self) -> Any:
        """Return nested lists."""
        return self.get().tolist()

    def tobytes(self) -> bytes:
        """Return the memory."""
        return self.get().tobytes()

    def __bool__(self) -> bool:
        return bool(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __int__(self) -> int:
        return int(self.get())

    # --------------------------------------------------------------------------- elements

    def __getitem__(self, index: Any) -> Any:
        at = self._indices(index)
        return compute(lambda array: array[at], self)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        at = self._indices(index, waits=isinstance(value, ndarray) and value.ndim > 0)
        new = value if isinstance(value, np.ndarray) else host_of(value)
        write(lambda: operator.setitem(self.host, at, new))

    def _indices(self, index: Any, waits: bool = True) -> Any:
        """Return what an index is on the host; CuPy sends lists and arrays from there itself."""
        several = isinstance(index, tuple)
        parts = []
        for part in index if several else (index,):
            if isinstance(part, ndarray):
                if part.dtype == bool and waits:  # the number of places has to be known
                    STATE.read_by_host()
                parts.append(part.host)
                continue
            if isinstance(part, (list, np.ndarray)) and STATE.capture is not None:
                refuse_copy(np.asarray(part).nbytes)
            parts.append(part)
        return tuple(parts) if several else parts[0]

    def set(self, value: np.ndarray, stream: Any = None) -> None:
        """Copy from host memory."""
        if value.dtype != self.dtype:
            raise TypeError(f"{value.dtype} array cannot be set to {self.dtype} array")
        if value.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {value.shape}")
        if STATE.capture is not None:
            raise RuntimeError(H2D)
        STATE.events.append(("set", (stream or STATE.stream).name))
        write(lambda: np.copyto(self.host, value))

    def fill(self, value: Any) -> None:
        """Set all elements."""
        write(lambda: self.host.fill(value))

    def scatter_add(self, index: Any, value: Any) -> None:
        """Add at places, each as often as it is named."""
        if self.dtype.name not in ADDED:
            raise TypeError(f"scatter_add supports {', '.join(ADDED)} as data type")
        write(lambda: np.add.at(self.host, host_of(index), host_of(value)))


def _in_place(name: str) -> Callable[..., Any]:
    function = getattr(operator, name)

    def method(self: ndarray, other: Any) -> ndarray:
        if getattr(other, "__array_ufunc__", True) is None:
            return NotImplemented
        value = host_of(other)
        write(lambda: function(self.host, value))
        return self

    return method


def _method(name: str) -> Callable[..., Any]:
    def method(self: ndarray, *given: Any, **named: Any) -> Any:
        if unknown := {"initial", "where"} & set(named):
            raise TypeError(f"{name}() got an unexpected keyword argument {min(unknown)!r}")
        return compute(getattr(np.ndarray, name), self, *given, **named)

    return method


COMPUTED = [
    "all",
    "any",
    "argmax",
    "argmin",
    "argpartition",
    "argsort",
    "astype",
    "clip",
    "conj",
    "copy",
    "cumprod",
    "cumsum",
    "diagonal",
    "dot",
    "flatten",
    "max",
    "mean",
    "min",
    "prod",
    "ravel",
    "repeat",
    "reshape",
    "round",
    "searchsorted",
    "squeeze",
    "std",
    "sum",
    "swapaxes",
    "take",
    "trace",
    "transpose",
    "var",
    "view",
]
for each in COMPUTED:
    setattr(ndarray, each, _method(each))
for each in [
    "iadd",
    "isub",
    "imul",
    "itruediv",
    "ifloordiv",
    "imod",
    "ipow",
    "iand",
    "ior",
    "ixor",
    "ilshift",
    "irshift",
]:
    setattr(ndarray, f"__{each}__", _in_place(f"__{each}__"))


def _sort(self: ndarray, axis: int = -1, kind: Any = None) -> None:
    write(lambda: self.host.sort(axis=axis, kind="stable"))


def _nonzero(self: ndarray) -> Any:
    STATE.read_by_host()
    return compute(np.nonzero, self)


ndarray.sort, ndarray.nonzero = _sort, _nonzero  # type: ignore[attr-defined]
