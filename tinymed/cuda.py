"""What ``torch.cuda`` is asked most: GPUs, their memory, graphs of whole steps (`capture`).

>>> device = "cuda" if is_available() else "cpu"
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tinymed.kernels import devices
from tinymed.kernels.arrays import Device

__all__ = [
    "capture",
    "device",
    "device_count",
    "empty_cache",
    "is_available",
    "memory_allocated",
    "memory_reserved",
    "synchronize",
]


def device_count() -> int:
    """Return how many GPUs CuPy can use; 0 without CuPy, a driver or a GPU."""
    if importlib.util.find_spec("cupy") is None:
        return 0
    import cupy

    return devices.device_count(cupy)


def is_available() -> bool:
    """Tell whether tensors can live on a GPU."""
    return device_count() > 0


@contextlib.contextmanager
def device(name: str | int) -> Iterator[None]:
    """Make a GPU the current one inside: "cuda" means it, and results of ops are made there.

    Parameters
    ----------
    name : str or int
        "cuda:1", or 1.
    """
    where = Device("cuda", name) if isinstance(name, int) else Device(name)
    if where.type != "cuda":
        raise ValueError(f"cuda.device: {name!r}, expected 'cuda:N' or N")
    with devices.cupy_on_gpu(f"cuda.device: {name!r}").cuda.Device(where.index):
        yield


def synchronize() -> None:
    """Wait until the current GPU has done all that it was given."""
    devices.cupy_on_gpu("cuda.synchronize").cuda.Device().synchronize()


def memory_allocated() -> int:
    """Return the bytes that arrays hold on the current GPU."""
    return int(_pool("memory_allocated").used_bytes())


def memory_reserved() -> int:
    """Return the bytes that CuPy's pool has of the current GPU: arrays, and what lies ready."""
    return int(_pool("memory_reserved").total_bytes())


def empty_cache() -> None:
    """Give back to the GPU the memory that lies ready in CuPy's pool."""
    _pool("empty_cache").free_all_blocks()


def _pool(who: str) -> Any:
    return devices.cupy_on_gpu(f"cuda.{who}").get_default_memory_pool()


if TYPE_CHECKING:
    from tinymed.capturing import capture
else:

    def __getattr__(name: str) -> Any:
        """Load `capture` when it is first named: it needs nn."""
        if name == "capture":
            return importlib.import_module("tinymed.capturing").capture
        raise AttributeError(f"module 'tinymed.cuda' has no attribute {name!r}")
