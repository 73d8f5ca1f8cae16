"""What runs inside a worker process: jobs come in by one pipe, batches leave by another.

Two threads tend the pipes, so that neither side ever waits for the other to read, and so that the
end of the first pipe is seen at once: it closes when the loader is done and when its process dies.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from tinymed.data.batch import BatchMaker, Job
from tinymed.data.messages import TAKEN, Parts, failed, pack, receive, send, unpack

__all__ = ["GRACE", "serve"]

GRACE = 1.0  # seconds that a worker has for the sample it is at when it is told to end

Inbox = SimpleQueue[tuple[int, Parts] | None]
Outbox = SimpleQueue[tuple[int, Parts]]


def serve(worker: int, jobs: Connection, results: Connection) -> None:
    """Be worker number ``worker``: take what makes batches, then jobs, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which closes the pipe
    process = multiprocessing.current_process()
    process.name = f"DataLoader worker {worker}"
    where = f"worker {worker} (process {os.getpid()})"
    stop = threading.Event()
    inbox: Inbox = SimpleQueue()
    outbox: Outbox = SimpleQueue()
    threading.Thread(target=_read, args=(jobs, inbox, stop), daemon=True).start()
    threading.Thread(target=_write, args=(results, outbox), daemon=True).start()
    first = inbox.get()
    if first is None:
        return
    make: Callable[[Job, threading.Event], Any]
    try:
        make = _prepared(worker, first[1])
    except Exception as error:
        make = _refusing(error)
    for number, parts in iter(inbox.get, None):
        outbox.put((number, _answer(make, unpack(parts), stop, where)))


def _prepared(worker: int, parts: Parts) -> BatchMaker:
    """Return what makes batches, after the user's own preparations."""
    try:
        make, worker_init_fn = unpack(parts)
    except Exception as error:
        error.add_note(
            "DataLoader: raised while a worker process rebuilt the data set and its functions; "
            "what is defined in an interactive session is not there: put it in a module, or use "
            "workers='thread'"
        )
        raise
    if worker_init_fn is not None:
        worker_init_fn(worker)
    return make


def _refusing(error: Exception) -> Callable[[Job, threading.Event], Any]:
    """Return a maker of batches that raises ``error`` for each of them."""

    def refuse(job: Job, stop: threading.Event) -> Any:
        raise error

    return refuse


def _answer(
    make: Callable[[Job, threading.Event], Any], job: Job, stop: threading.Event, where: str
) -> Parts:
    """Return the batch of ``job``, or its error, ready to be sent."""
    try:
        batch = make(job, stop)
    except Exception as error:
        return failed(error, where)
    try:
        return pack((TAKEN, batch, None))
    except Exception as error:
        error.add_note(
            f"DataLoader: the batch of samples {job.indices} cannot be pickled to leave the worker "
            "process; use workers='thread'"
        )
        return failed(error, where)


def _read(jobs: Connection, inbox: Inbox, stop: threading.Event) -> None:
    """Hand on what comes in; after its end see to it that this process ends too."""
    try:
        while True:
            inbox.put(receive(jobs))
    except (EOFError, OSError):
        stop.set()
        inbox.put(None)
    time.sleep(GRACE)  # a daemon thread: it does not outlive a main thread that ends before
    os._exit(1)


def _write(results: Connection, outbox: Outbox) -> None:
    """Send what leaves."""
    try:
        while True:
            send(results, *outbox.get())
    except OSError:  # nobody listens any more
        return
