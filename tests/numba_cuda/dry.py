"""What numba-cuda's kernels are asked to do, without a GPU: another launcher takes CuPy's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinymed.kernels.cuda import LAUNCHER, Grid
from tinymed.kernels.cuda.launcher import Threads

Queue = Callable[[Any, Grid, Threads, tuple[Any, ...]], None]


class Host:
    """A launcher whose GPU has NumPy's memory; new arrays are full of NaN, or of ones."""

    def __init__(self, queue: Queue) -> None:
        self.run_python = queue

    def holds(self, array: Any) -> bool:
        return isinstance(array, np.ndarray)

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 1, dtype)


@contextmanager
def queueing(queue: Queue) -> Iterator[None]:
    """Let ``queue`` take kernels inside, with arrays of NumPy."""
    token = LAUNCHER.set(Host(queue))
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        LAUNCHER.reset(token)
