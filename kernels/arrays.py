"""The only file that asks "NumPy or CuPy?".

CuPy is never imported to ask: an array can only be a CuPy array if its owner has imported CuPy.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinymed.kernels.recording import once

__all__ = [
    "Array",
    "Device",
    "array_module",
    "is_array",
    "is_at",
    "making",
    "place",
    "sent",
    "to_host",
    "to_place",
]

Array = Any  # a NumPy or CuPy array


class Device(str):
    """Where arrays live, as a string with parts: "cpu", "cuda" (the current GPU) or "cuda:N".

    Examples
    --------
    >>> Device("cuda:1").type, Device("cuda", 1).index, Device("cpu") == "cpu"
    ('cuda', 1, True)
    """

    __slots__ = ()

    def __new__(cls, name: str, index: int | None = None) -> Device:
        """Make one of a name and a number, or raise `ValueError`."""
        device = name if index is None else f"{name}:{index}"
        if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
            raise ValueError(f"device: {device!r} is not 'cpu', 'cuda' or 'cuda:N'")
        return super().__new__(cls, device)

    @property
    def type(self) -> str:
        """Return "cpu" or "cuda"."""
        return self.partition(":")[0]

    @property
    def index(self) -> int | None:  # type: ignore[override]
        """Return the number of the GPU; None where the name has none."""
        number = self.partition(":")[2]
        return int(number) if number else None


CPU = Device("cpu")


def array_module(*arrays: Any) -> Any:
    """Return ``cupy`` if one of ``arrays`` is a CuPy array, else ``numpy``.

    Examples
    --------
    >>> array_module(np.ones(2)).__name__
    'numpy'
    """
    cupy = sys.modules.get("cupy")
    if cupy is not None and any(isinstance(array, cupy.ndarray) for array in arrays):
        return cupy
    return np


def is_array(x: Any) -> bool:
    """Tell whether ``x`` is a NumPy or CuPy array."""
    return type(x) is np.ndarray or isinstance(x, array_module(x).ndarray)


def place(array: Any) -> Device:
    """Return where ``array`` lives: ``"cpu"`` or ``"cuda:0"``, ``"cuda:1"`` ..."""
    return CPU if array_module(array) is np else Device("cuda", array.device.id)


def is_at(array: Any, device: str) -> bool:
    """Tell whether ``array`` is on ``device`` already; "cuda" is the current GPU."""
    here, there = place(array), Device(device)
    if there == "cuda" and here != CPU:
        there = Device("cuda", array_module(array).cuda.Device().id)
    return here == there


def to_place(array: Any, device: str | None) -> Array:
    """Return ``array`` on ``device``, None for "cpu"; itself where it is there already.

    "cuda" is the current GPU: the first, unless ``with tinymed.cuda.device(...)`` says another.

    Raises
    ------
    ValueError
        If ``device`` is not ``"cpu"``, ``"cuda"`` or ``"cuda:N"``, or there are not so many GPUs.
    ImportError, RuntimeError
        If a GPU is asked for, and CuPy, a driver that fits it or the GPU is missing.
    MemoryError
        If the GPU has not that much memory left, with what is in use.
    """
    if device is None or Device(device) == CPU:
        return to_host(array)
    with making(device, f"{array.dtype} {array.shape}") as cupy:
        if isinstance(array, cupy.ndarray) and not is_at(array, "cuda"):
            return array.copy()  # which is made on the current GPU
        return cupy.asarray(array)


@contextlib.contextmanager
def making(device: str | None, what: str = "an array") -> Iterator[Any]:
    """Make arrays on a device inside: yields the module that does, NumPy or CuPy.

    Raises what `to_place` raises.
    """
    where = CPU if device is None else Device(device)
    if where == CPU:
        yield np
        return
    from tinymed.kernels.devices import cupy_on_gpu, device_count, out_of_memory

    cupy = cupy_on_gpu(f"device: {device!r}")
    if where.index is not None and where.index >= (count := device_count(cupy)):
        raise ValueError(f"device: {device!r}, expected 'cuda:0' to 'cuda:{count - 1}' at most")
    with cupy.cuda.Device(where.index):
        try:
            yield cupy
        except cupy.cuda.memory.OutOfMemoryError as error:
            raise out_of_memory(cupy, f"device: {what}", error) from error


def sent(array: np.ndarray[Any, Any], like: Array, dtype: Any = None) -> Array:
    """Return a constant that was made on the host, such as weights that depend on shapes alone,
    where ``like`` is. A graph that is captured just then holds the constant, not the copy.
    """
    xp = array_module(like)
    return xp.asarray(array, dtype) if xp is np else once(lambda: xp.asarray(array, dtype))


def to_host(array: Any) -> np.ndarray[Any, Any]:
    """Return ``array`` as a NumPy array, sharing memory where it can."""
    module = array_module(array)
    host: np.ndarray[Any, Any] = np.asarray(array) if module is np else module.asnumpy(array)
    return host
