"""Workers load batches ahead of the loop that asks for them: what they offer, and the threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from tinymed.data.batch import BatchMaker, Job

__all__ = ["ThreadWorkers", "Workers", "in_order"]


class Workers(Protocol):
    """Some workers, of whatever kind."""

    def submit(self, job: Job) -> Callable[[], Any]:
        """Have ``job`` begun; the function returned waits for its batch, or raises its error."""

    def close(self) -> None:
        """End them, in the midst of their work if need be."""


def in_order(workers: Workers, jobs: Iterable[Job], ahead: int) -> Iterator[Any]:
    """Yield the batches of ``jobs`` in order while ``ahead`` of those to come are being made."""
    waiting: deque[Callable[[], Any]] = deque()
    for job in jobs:
        waiting.append(workers.submit(job))
        if len(waiting) > ahead:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


class ThreadWorkers:
    """Threads of this process: nothing is copied, but Python code runs in one at a time.

    Parameters
    ----------
    make : BatchMaker
    count : int
    """

    def __init__(self, make: BatchMaker, count: int) -> None:
        from concurrent.futures import ThreadPoolExecutor  # 10 ms of import, for workers alone

        self._make = make
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="DataLoader")

    def submit(self, job: Job) -> Callable[[], Any]:
        """Have ``job`` begun by the next thread that is free."""
        return self._pool.submit(self._make, job, self._stop).result

    def close(self) -> None:
        """End the threads, each after the sample it is at."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
