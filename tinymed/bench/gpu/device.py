"""A GPU as the proof uses it: memory that is copied to and from, and a clock of its own.

Nothing here makes the GPU compute anything of CuPy's: what is proved depends on copies alone.
"""

from __future__ import annotations

import importlib
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tinymed.bench.machine import machine
from tinymed.kernels import KERNELS
from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda import Launcher

__all__ = ["DEVICE", "CuPyGpu", "Gpu", "Timing", "connect", "in_memory", "named", "on_device"]

# Bytes written before each measurement: more than any second-level cache has, and for longer (a
# third of a millisecond on an H100) than Python takes to hand over what follows.
FLUSHED = 1 << 30


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: of the GPU between two events, and of the host until it was handed over.

    The first has the gaps in which the GPU waits for Python.
    """

    device: float
    host: float


class Gpu(Protocol):
    """What the proof needs of a device."""

    launcher: Launcher
    capability: tuple[int, int]

    def about(self) -> dict[str, Any]:
        """Return the device, its driver and versions, as a record has them."""

    def bytes(self, host: np.ndarray[Any, Any]) -> Array:
        """Return bytes (uint8, one axis) on the device."""

    def host(self, array: Array) -> np.ndarray[Any, Any]:
        """Return an array of the device as a NumPy array, when all before it is done."""

    def holds(self, given: Any) -> bool:
        """Return whether this is an array on the device."""

    def synchronize(self) -> None:
        """Wait for the device; raise what a kernel did wrong."""

    def timed(self, call: Callable[[], object]) -> Timing:
        """Return what a call takes, with nothing of it in the device's caches."""


class CuPyGpu:
    """The current GPU of CuPy."""

    def __init__(self) -> None:
        from tinymed.kernels.cuda.cupy_launcher import cupy_launcher

        launcher = cupy_launcher()
        self.launcher: Launcher = launcher
        self.cupy = launcher.cupy
        found = self.cupy.cuda.runtime.getDeviceProperties(self.cupy.cuda.Device().id)
        self.capability: tuple[int, int] = (found["major"], found["minor"])
        self._flushed: Any = None

    def about(self) -> dict[str, Any]:
        """Return device, driver, CUDA, versions, date and commit."""
        from tinymed.kernels.cuda.nvrtc import library_version

        runtime, device = self.cupy.cuda.runtime, self.cupy.cuda.Device()
        found = runtime.getDeviceProperties(device.id)
        return machine() | {
            "device": found["name"].decode(),
            "capability": list(self.capability),
            "multiprocessors": found["multiProcessorCount"],
            "memory": found["totalGlobalMem"],
            "bus": runtime.deviceGetPCIBusId(device.id),
            "driver": _driver(),
            "cuda_of_driver": _dotted(runtime.driverGetVersion()),
            "cuda": _dotted(runtime.runtimeGetVersion()),
            "nvrtc": ".".join(map(str, library_version())),
            "cupy": self.cupy.__version__,
        }

    def bytes(self, host: np.ndarray[Any, Any]) -> Array:
        """Return bytes on the device, by one copy."""
        there = self.cupy.empty(host.shape, np.uint8)
        there.set(host)
        return there

    def host(self, array: Array) -> np.ndarray[Any, Any]:
        """Return an array of the device as a NumPy array."""
        found: np.ndarray[Any, Any] = self.cupy.asnumpy(array)
        return found

    def holds(self, given: Any) -> bool:
        """Return whether this is a CuPy array."""
        return isinstance(given, self.cupy.ndarray)

    def synchronize(self) -> None:
        """Wait for the device."""
        self.cupy.cuda.Device().synchronize()

    def timed(self, call: Callable[[], object]) -> Timing:
        """Return what a call takes between two events of the default stream.

        Writing past the caches also keeps the device busy until the call has been handed over, so
        that a short kernel is not charged for its launch.
        """
        if self._flushed is None:
            self._flushed = self.cupy.empty(FLUSHED, np.uint8)
        begin, end = self.cupy.cuda.Event(), self.cupy.cuda.Event()
        self.synchronize()
        self._flushed.data.memset_async(0, FLUSHED)
        begin.record()
        start = time.perf_counter()
        call()
        host = time.perf_counter() - start
        end.record()
        end.synchronize()
        return Timing(self.cupy.cuda.get_elapsed_time(begin, end) / 1e3, host)


def on_device(gpu: Gpu, given: Any) -> Any:
    """Return arrays, alone or in lists and dicts, on the device; anything else as it is."""
    if isinstance(given, dict):
        return {name: on_device(gpu, one) for name, one in given.items()}
    if isinstance(given, list):
        return [on_device(gpu, one) for one in given]
    if not isinstance(given, np.ndarray):
        return given
    whole, axes = in_memory(given)
    flat = whole.reshape(-1).view(np.uint8)
    return gpu.bytes(flat).view(given.dtype).reshape(whole.shape).transpose(axes)


def in_memory(array: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], list[int]]:
    """Return an array as it lies in memory, contiguous, and the axes that turn it back.

    Kernels have variants for operands that are the transpose of something contiguous.

    Examples
    --------
    >>> whole, axes = in_memory(np.zeros((2, 3)).T)
    >>> whole.shape, axes
    ((2, 3), [1, 0])
    """
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    whole = np.ascontiguousarray(array.transpose(order)).reshape([array.shape[a] for a in order])
    return whole, [order.index(axis) for axis in range(array.ndim)]


DEVICE = "tinymed.bench.gpu.device:connect"


def named(name: str) -> Gpu:
    """Return what the function "module:function" connects to: `DEVICE`, or what tests emulate."""
    module, _, function = name.partition(":")
    found: Gpu = getattr(importlib.import_module(module), function)()
    return found


def connect() -> CuPyGpu:
    """Return the GPU, after one small kernel has run on it.

    Raises
    ------
    ImportError
        If CuPy or NVRTC is not installed.
    RuntimeError
        If there is no driver or no GPU, the driver is older than the compiler, or the kernel is
        refused.
    """
    gpu = CuPyGpu()
    one = on_device(gpu, np.ones(1, np.float32))
    KERNELS["ceilings.copy"].load("cuda")(one)
    gpu.synchronize()
    return gpu


def _dotted(version: int) -> str:
    """Return "13.0" for 13000, as CUDA writes it in C."""
    return f"{version // 1000}.{version % 1000 // 10}"


def _driver() -> str:
    """Return the driver's release, as nvidia-smi says it."""
    asked = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    try:
        said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return said.split("\n")[0].strip() or "unknown"
