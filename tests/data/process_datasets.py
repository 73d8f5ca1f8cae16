"""Data sets for worker processes, which import this file alone and so start quickly."""

import os
import signal
import time
from typing import Any

import numpy as np


class Images:
    """``size`` images and their numbers; what happens at number ``at``, ``kind`` says."""

    def __init__(self, size: int = 10, kind: str = "", at: int = 7, pixels: int = 4) -> None:
        self.size, self.kind, self.at, self.pixels = size, kind, at, pixels

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if index == self.at and self.kind:
            getattr(self, self.kind)()
        return np.full(self.pixels, index, np.float64), index

    def killed(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def gone(self) -> None:
        os._exit(3)

    def missing(self) -> None:
        raise KeyError("no such scan")

    def undecodable(self) -> None:
        raise UnicodeDecodeError("utf-8", b"x", 0, 1, "bad")

    def unpicklable(self) -> None:
        class LocalError(ValueError):
            pass

        raise LocalError("of a class that only the worker knows")

    def demanding(self) -> None:
        raise DemandingError("a", "b")

    def stuck(self) -> None:
        time.sleep(600)


class DemandingError(Exception):
    """An exception that pickles and does not come back."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class Pids(Images):
    """Samples that say which process made them."""

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return np.int64(os.getpid()), index


def jitter(sample: tuple[Any, int], generator: np.random.Generator) -> tuple[Any, int]:
    image, number = sample
    return image + generator.normal(size=image.shape), number


def blend(batch: Any, generator: np.random.Generator) -> Any:
    images, numbers = batch
    return images * generator.random(), numbers


def as_functions(samples: list[Any]) -> Any:
    return lambda: samples


def refuse_worker_1(number: int) -> None:
    if number == 1:
        raise LookupError("no licence for worker 1")


def remember(number: int) -> None:
    os.environ["DATALOADER_WORKER"] = str(number)


class Environment(Images):
    def __getitem__(self, index: int) -> Any:
        return int(os.environ["DATALOADER_WORKER"])
