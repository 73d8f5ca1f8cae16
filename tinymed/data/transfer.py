"""Batches to a GPU: each is copied while the one before it is computed on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Device, to_place
from tinymed.kernels.devices import cupy_on_gpu, out_of_memory
from tinymed.tensor import Tensor

__all__ = ["check_device", "on_device"]

Array = Any  # a NumPy or CuPy array


def check_device(device: str | None) -> Device | None:
    """Return where batches are to go, None for where they are made, or raise why they cannot."""
    if device is None:
        return None
    where = Device(device)
    if where != "cpu":
        to_place(np.zeros(0, np.float32), where)  # raises what is missing before an epoch begins
    return where


def on_device(batches: Iterator[Any], device: Device) -> Generator[Any, None, None]:
    """Yield ``batches`` with their tensors and arrays on ``device``, in the same order.

    The copy of a batch to a GPU is begun before the one before it is handed out: through pinned
    memory, on a stream of its own. An error comes after all batches that were before it.
    """
    if device == "cpu":
        for batch in batches:
            yield mapped(batch, lambda array: to_place(array, device))
        return
    stream = CopyStream(device)
    ahead: Sent | None = None
    failure: Exception | None = None
    try:
        while True:
            try:
                sent = stream.send(next(batches))
            except StopIteration:
                break
            except Exception as error:
                failure = error
                break
            if ahead is not None:
                yield ahead.batch()
                ahead.release()
            ahead = sent
        if ahead is not None:
            yield ahead.batch()
        if failure is not None:
            raise failure
    finally:
        if ahead is not None:
            ahead.batch()  # no one may be given its memory before the copy is through
            ahead.release()


class CopyStream:
    """A stream of a GPU for copies alone.

    Memory comes from the pool of the stream that computes, since it is there that it is freed: the
    pool then hands it on in the order of that stream. So a copy waits for what had been begun when
    its memory was taken, which was before the batch that is computed now.
    """

    def __init__(self, device: Device) -> None:
        self.cupy = cupy_on_gpu(f"DataLoader: device={device!r}")
        self.device = self.cupy.cuda.Device(device.index)
        with self.device:
            self.stream = self.cupy.cuda.Stream(non_blocking=True)

    def send(self, batch: Any) -> Sent:
        """Begin to copy a batch."""
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
                self.cupy, f"DataLoader: {array.dtype} {array.shape}", error
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


def mapped(batch: Any, move: Callable[[Array], Array]) -> Any:
    """Return a batch of any structure with ``move`` applied to the arrays in it."""
    if isinstance(batch, Tensor):
        return Tensor(move(batch.data), batch.requires_grad)
    if hasattr(batch, "packing"):  # a packed sequence: the sizes of its steps stay on the host
        return batch._replace(data=mapped(batch.data, move))
    if isinstance(batch, Mapping):
        return {key: mapped(value, move) for key, value in batch.items()}
    if isinstance(batch, (tuple, list)):
        parts = [mapped(part, move) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    if hasattr(batch, "dtype") and hasattr(batch, "ndim") and batch.dtype.kind in "biuf":
        return move(batch)
    return batch
