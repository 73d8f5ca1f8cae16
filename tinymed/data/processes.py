"""Worker processes, seen from the process that asks them: started by spawn, one pair of pipes each.

Nothing is shared between workers, no queue and no lock, so that one that is killed cannot leave the
others waiting. This side has no thread: it looks at the pipes when a batch is asked for.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from itertools import count as count_from
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from tinymed.data.batch import BatchMaker, Job
from tinymed.data.messages import Parts, pack, receive, send, unpack
from tinymed.data.worker_process import GRACE, serve

__all__ = ["ProcessWorkers", "packed_maker"]

STARTING = "DataLoader worker {} (starting)"  # the name of a process that is not at work yet
UNGUARDED = 86  # exit code of a worker whose start would have started workers


@dataclass(eq=False)
class Worker:
    """A worker process: its number, this side's ends of its pipes, the jobs it has not answered."""

    number: int
    process: BaseProcess
    jobs: Connection
    results: Connection
    unanswered: int = 0

    def __str__(self) -> str:
        return f"worker {self.number} (process {self.process.pid})"


@dataclass(eq=False)
class Ticket:
    """A job's place in the cloakroom; an answer that no ticket is left for is thrown away."""

    job: Job
    worker: Worker
    answer: Parts | None = None


class ProcessWorkers:
    """Processes that make batches.

    Parameters
    ----------
    make : BatchMaker
    count : int
    timeout : float
        Seconds to wait for a batch; 0 for ever.
    worker_init_fn : callable or None
        Called in each worker with its number, before anything is loaded.

    Raises
    ------
    TypeError
        Something that cannot be pickled.
    RuntimeError
        A worker that ends before its time; in a process that is a worker itself.
    """

    def __init__(
        self,
        make: BatchMaker,
        count: int,
        timeout: float,
        worker_init_fn: Callable[[int], Any] | None,
    ) -> None:
        _refuse_inside_a_worker()
        parts = packed_maker(make, worker_init_fn)
        self._make = make
        self._timeout = timeout
        self._numbers = count_from()
        self._tickets: weakref.WeakValueDictionary[int, Ticket] = weakref.WeakValueDictionary()
        self._workers: list[Worker] = []
        self._finalizer = weakref.finalize(self, _end, self._workers)  # also at the program's end
        try:
            for number in range(count):
                self._workers.append(_started(number))
            for worker in self._workers:
                self._send(worker, next(self._numbers), parts)
        except BaseException:
            self.close()
            raise

    def serves(self, make: BatchMaker) -> bool:
        """Return whether the workers are there and make what ``make`` would."""
        return self._finalizer.alive and all(
            getattr(make, field.name) is getattr(self._make, field.name) for field in fields(make)
        )

    def submit(self, job: Job) -> Callable[[], Any]:
        """Have ``job`` begun by the worker with the least to do."""
        self._check_open()
        worker = min(self._workers, key=lambda worker: worker.unanswered)
        number, ticket = next(self._numbers), Ticket(job, worker)
        self._tickets[number] = ticket
        self._send(worker, number, pack(job))
        worker.unanswered += 1
        return partial(self._batch, ticket)

    def close(self) -> None:
        """End the processes; those that are at a sample have a second to finish it."""
        self._finalizer()

    def _batch(self, ticket: Ticket) -> Any:
        """Wait for the answer and return the batch, or raise what was raised in the worker."""
        deadline = time.monotonic() + self._timeout if self._timeout else None
        while ticket.answer is None:
            self._check_open()
            self._collect(ticket, deadline)
        taken, content, notes = unpack(ticket.answer)
        if taken:
            return content
        content.__notes__ = notes
        raise content

    def _collect(self, ticket: Ticket, deadline: float | None) -> None:
        """Take in the answers that are there, or wait for the next one."""
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        sources: list[Any] = [worker.results for worker in self._workers]
        sources += [worker.process.sentinel for worker in self._workers]
        ready = wait(sources, left)
        if not ready:
            self.close()
            raise TimeoutError(
                f"DataLoader: {ticket.worker} gave no batch of samples {ticket.job.indices} within "
                f"{self._timeout} s; look into the data set, or give a larger timeout="
            )
        for worker in self._workers:
            if worker.results in ready:
                self._receive(worker)
            elif worker.process.sentinel in ready:  # while another process holds its pipe open
                raise self._ended(worker)

    def _receive(self, worker: Worker) -> None:
        """Take in one answer."""
        try:
            number, answer = receive(worker.results)
        except (EOFError, OSError):
            raise self._ended(worker) from None
        worker.unanswered -= 1
        ticket = self._tickets.get(number)
        if ticket is not None:
            ticket.answer = answer

    def _send(self, worker: Worker, number: int, parts: Parts) -> None:
        try:
            send(worker.jobs, number, parts)
        except OSError:
            raise self._ended(worker) from None

    def _ended(self, worker: Worker) -> RuntimeError:
        """End the others too and return the error: ``worker`` ended, though there was work."""
        worker.process.join(GRACE + 1)
        code, name = worker.process.exitcode, str(worker)
        self.close()
        if code == UNGUARDED:
            return RuntimeError(
                "DataLoader: the main script starts worker processes while it is imported, which "
                "each of them does first; put what it does under `if __name__ == '__main__':`, or "
                "use workers='thread'"
            )
        how = "closed its pipe" if code is None else f"ended with exit code {code}"
        if code is not None and code < 0:
            how += f", killed by {signal.Signals(-code).name}"
            if -code == getattr(signal, "SIGKILL", None):
                how += ", maybe for want of memory"
        return RuntimeError(
            f"DataLoader: {name} {how}, before its work was done; what it said is on stderr"
        )

    def _check_open(self) -> None:
        if not self._finalizer.alive:
            raise RuntimeError("DataLoader: its worker processes have ended; begin a new loop")


def packed_maker(make: BatchMaker, worker_init_fn: Callable[[int], Any] | None) -> Parts:
    """Return what each worker is sent first, or raise TypeError naming what cannot be pickled."""
    try:
        return pack((make, worker_init_fn))
    except Exception as error:
        for name in ("dataset", "augment", "collate_fn", "augment_batch", "worker_init_fn"):
            part = worker_init_fn if name == "worker_init_fn" else getattr(make, name)
            try:
                pack(part)
            except Exception as reason:
                raise TypeError(
                    f"DataLoader: {name} {part!r} cannot be pickled for worker processes "
                    f"({reason}); define it at the top level of a module, or use workers='thread'"
                ) from reason
        raise TypeError(f"DataLoader: cannot be pickled for worker processes: {error}") from error


def _started(number: int) -> Worker:
    """Start worker ``number``."""
    context = multiprocessing.get_context("spawn")
    their_jobs, jobs = context.Pipe(duplex=False)
    results, their_results = context.Pipe(duplex=False)
    process = context.Process(
        target=serve,
        args=(number, their_jobs, their_results),
        name=STARTING.format(number),
        daemon=True,
    )
    with their_jobs, their_results:  # theirs alone from then on, so that their end closes the pipes
        process.start()
    return Worker(number, process, jobs, results)


def _end(workers: list[Worker]) -> None:
    """Close the pipes, which ends the processes, and kill those that do not end."""
    for worker in workers:
        worker.jobs.close()
        worker.results.close()
    deadline = time.monotonic() + GRACE + 1
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()


def _refuse_inside_a_worker() -> None:
    """Stop where worker processes would start worker processes."""
    name = multiprocessing.current_process().name
    numbers = [word for word in name.split() if word.isdigit()]
    if numbers and name == STARTING.format(numbers[0]):  # it still imports the main script
        sys.exit(UNGUARDED)
    if name.startswith("DataLoader worker"):
        raise RuntimeError(
            "DataLoader: a worker process cannot have worker processes; use workers='thread' for "
            "the loader inside the data set"
        )
