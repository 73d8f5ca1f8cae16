"""Memory with margins: what a kernel writes beside its arrays, or leaves unwritten, is seen.

All memory begins full of one byte, 0xff, which is NaN in every float. A result that is not written
stays NaN; what is read past the end of an array is NaN too, and spreads; what is written there is
no longer 0xff.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.bench.gpu.device import Gpu, in_memory
from tinymed.bench.proof import DisagreementError, strided
from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda import Grid, Launcher, Resources, Variant
from tinymed.kernels.cuda.launcher import Threads

__all__ = ["SMALL", "Guard", "OtherGpuError"]

MARGIN = 1024  # bytes before and after each array: what follows is as aligned as what CuPy gives
BYTE = 0xFF
# What makes small cases need all there is.
SMALL = Resources(multiprocessors=16, shared=64 * 1024)


class OtherGpuError(Exception):
    """A kernel is written for other GPUs than this one, which is no fault of its own."""


class Guard:
    """A launcher that has another one do the work, in memory with margins.

    Parameters
    ----------
    gpu : Gpu
    resources : Resources or None
        What kernels are told that the GPU has; None for what it has.

    Attributes
    ----------
    ran : set of str
        The names of the variants that were launched.
    asked : bool
        Whether a kernel asked what the GPU has.
    """

    def __init__(self, gpu: Gpu, resources: Resources | None = None) -> None:
        self.gpu, self.told = gpu, resources
        self.inner: Launcher = gpu.launcher
        self.ran: set[str] = set()
        self.asked = False
        self._framed: list[tuple[str, Array]] = []

    def holds(self, array: Array) -> bool:
        """Return whether kernels reach this array."""
        return self.inner.holds(array)

    def capability(self, array: Array) -> tuple[int, int]:
        """Return the compute capability of the GPU."""
        return self.inner.capability(array)

    def address(self, array: Array) -> int:
        """Return where in memory an array begins."""
        return self.inner.address(array)

    def resources(self, array: Array) -> Resources:
        """Return what the GPU has, or is said to have: never more than it has."""
        self.asked = True
        real = self.inner.resources(array)
        return real if self.told is None else Resources(*map(min, real, self.told))

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Array) -> Array:
        """Return a new array full of NaN, between margins."""
        return self._between(shape, np.dtype(dtype), None)

    def run(
        self, variant: Variant, entry: str, grid: Grid, threads: int, arguments: tuple[Any, ...]
    ) -> None:
        """Launch, and remember what; `OtherGpuError` if it is not for this GPU."""
        try:
            variant.target(self.gpu.capability)
        except LookupError as error:
            raise OtherGpuError(str(error)) from error
        self.ran.add(variant.name)
        self.inner.run(variant, entry, grid, threads, arguments)

    def run_python(
        self, kernel: Any, grid: Grid, threads: Threads, arguments: tuple[Any, ...]
    ) -> None:
        """Launch; `OtherGpuError` if there is nobody who could."""
        try:
            self.inner.run_python(kernel, grid, threads, arguments)
        except LookupError as error:
            raise OtherGpuError(str(error)) from error

    def given(self, argument: Any, apart: bool = False) -> Any:
        """Return an argument with its arrays on the device, every second element if ``apart``."""
        if isinstance(argument, list):
            return [self.given(one, apart) for one in argument]
        if not isinstance(argument, np.ndarray):
            return argument
        if apart and argument.ndim:
            spread = strided(argument).base
            return self._between(spread.shape, spread.dtype, spread)[..., ::2]
        whole, axes = in_memory(argument)
        return self._between(whole.shape, whole.dtype, whole).transpose(axes)

    def check(self) -> None:
        """Wait for the device; `DisagreementError` if a margin is not what it was."""
        self.gpu.synchronize()
        for name, whole in self._framed:
            found = self.gpu.host(whole)
            for margin, where in ((found[:MARGIN], "before"), (found[-MARGIN:], "after")):
                if touched := int(np.count_nonzero(margin != BYTE)):
                    raise DisagreementError(f"{touched} bytes written just {where} {name}")

    def _between(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], content: np.ndarray[Any, Any] | None
    ) -> Array:
        """Return an array between margins, with this content or full of NaN."""
        size = math.prod(shape) * dtype.itemsize
        host = np.full(size + 2 * MARGIN, BYTE, np.uint8)
        if content is not None:
            host[MARGIN : MARGIN + size] = content.reshape(-1).view(np.uint8)
        whole = self.gpu.bytes(host)
        kind = "an array given" if content is not None else "a result"
        self._framed.append((f"{kind}, {dtype}{list(shape)}", whole))
        return whole[MARGIN : MARGIN + size].view(dtype).reshape(shape)
