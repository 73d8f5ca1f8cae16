"""Copies to a GPU while it computes: through pinned memory, on a stream of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, Device, to_place
from tinymed.kernels.devices import cupy_on_gpu, out_of_memory

__all__ = ["CopyStream", "Sent"]


class CopyStream:
    """A stream of a GPU for copies alone.

    Memory comes from the pool of the stream that computes, since it is there that it is freed: the
    pool then hands it on in the order of that stream. So a copy waits for what had been begun when
    its memory was taken, which was before the batch that is computed now.
    """

    def __init__(self, device: Device, who: str) -> None:
        self.who = who  # for messages
        self.cupy = cupy_on_gpu(f"{who}: device={device!r}")
        self.device = self.cupy.cuda.Device(device.index)
        with self.device:
            self.stream = self.cupy.cuda.Stream(non_blocking=True)

    def send(self, batch: Any, mapped: Callable[[Any, Callable[[Array], Array]], Any]) -> Sent:
        """Begin to copy a batch; ``mapped(batch, move)`` returns it with its arrays moved."""
        pinned: list[Array] = []
        with self.device:
            self.stream.wait_event(self.cupy.cuda.get_current_stream().record())
            there = mapped(batch, lambda array: self._copy(array, pinned))
            return Sent(self, there, pinned, self.stream.record())

    def _copy(self, array: Array, pinned: list[Array]) -> Array:
        """Return an array on the GPU that the copy will fill."""
        if not isinstance(array, np.ndarray):
            return to_place(array, Device("cuda", self.device.id))
        try:
            there = self.cupy.empty(array.shape, array.dtype)
            if array.size:
                memory = self.cupy.cuda.alloc_pinned_memory(array.nbytes)
                from_here = np.ndarray(array.shape, array.dtype, memory)
                np.copyto(from_here, array)
                there.set(from_here, stream=self.stream)
                pinned.append(from_here)
        except self.cupy.cuda.memory.OutOfMemoryError as error:
            raise out_of_memory(
                self.cupy, f"{self.who}: {array.dtype} {array.shape}", error
            ) from error
        return there


class Sent:
    """A batch on its way."""

    def __init__(self, stream: CopyStream, there: Any, pinned: list[Array], copied: Any) -> None:
        self.stream, self.there, self.pinned, self.copied = stream, there, pinned, copied

    def batch(self) -> Any:
        """Return the batch; what is computed on it from now on waits for the copy, not the host."""
        with self.stream.device:
            self.stream.cupy.cuda.get_current_stream().wait_event(self.copied)
        return self.there

    def release(self) -> None:
        """Give the pinned memory back, once the copy has read it."""
        self.copied.synchronize()
        self.pinned.clear()
