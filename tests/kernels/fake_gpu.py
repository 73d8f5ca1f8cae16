"""A launcher that writes down what it is asked, for tests of launches without a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.cuda import Resources


class Fake:
    """A GPU that writes down what it is asked, and where arrays of float16 do not live."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.offset = 0
        self.compute = 9, 0
        self.has = Resources(132, 227 * 1024)

    def holds(self, array: Any) -> bool:
        return array.dtype != np.float16

    def capability(self, array: Any) -> tuple[int, int]:
        return self.compute

    def resources(self, array: Any) -> Resources:
        return self.has

    def address(self, array: Any) -> int:
        return self.offset

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else -1, dtype)

    def run(self, *asked: Any) -> None:
        self.asked.append(asked)


class Hopper(Fake):
    """A GPU for arrays of float16 too."""

    def holds(self, array: Any) -> bool:
        return True
