"""Batches to a GPU: each is copied while the one before it is computed on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymed.kernels.arrays import Device, to_place
from tinymed.precision import kind_of
from tinymed.tensor import Tensor

if TYPE_CHECKING:
    from tinymed.kernels.cuda.copy_stream import Sent

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
    from tinymed.kernels.cuda.copy_stream import CopyStream  # for those who have a GPU

    stream = CopyStream(device, "DataLoader")
    ahead: Sent | None = None
    failure: Exception | None = None
    try:
        while True:
            try:
                sent = stream.send(next(batches), mapped)
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
    if hasattr(batch, "dtype") and hasattr(batch, "ndim") and kind_of(batch.dtype) in "biuf":
        return move(batch)
    return batch
