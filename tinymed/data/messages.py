"""Objects between processes: pickled, with their arrays beside the pickle, through a pipe.

Plain pipes, because nothing of them outlives the processes: no segment of shared memory to be left
behind by a worker that was killed, no limit of /dev/shm to die of. Up to about 1 MB they are the
faster of the two; a batch of 20 MB takes 1.6 times as long.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["Parts", "failed", "pack", "receive", "send", "unpack"]

Parts = Sequence[bytes | bytearray | memoryview]  # a pickle, then the buffers of its arrays

TAKEN, FAILED = True, False


def pack(message: Any) -> Parts:
    """Return ``message`` as the parts that `send` takes; its arrays are not copied."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    return [head, *(buffer.raw() for buffer in buffers)]


def unpack(parts: Parts) -> Any:
    """Return the message; its arrays lie in the parts, which are its own and can be written to."""
    return pickle.loads(parts[0], buffers=parts[1:])


def send(connection: Connection, number: int, parts: Parts) -> None:
    """Write a numbered message; waits for the reader while the pipe is full."""
    connection.send_bytes(pickle.dumps((number, [len(part) for part in parts])))
    for part in parts:
        connection.send_bytes(part)


def receive(connection: Connection) -> tuple[int, Parts]:
    """Read a numbered message.

    Raises
    ------
    EOFError, OSError
        The other end is closed, or its process is gone, maybe in the middle of a message.
    """
    number, sizes = pickle.loads(connection.recv_bytes())
    parts = [bytearray(size) for size in sizes]
    for part in parts:
        connection.recv_bytes_into(part)
    return number, parts


def failed(error: Exception, where: str) -> Parts:
    """Return the parts of (FAILED, error, notes): the traceback is lost, and kept as a note.

    An error that does not survive pickling becomes a RuntimeError with its type and text.
    """
    notes = error.__dict__.pop("__notes__", [])  # not twice: the traceback would show them too
    lines = "".join(traceback.format_exception(error)).rstrip()
    notes = [*notes, f"DataLoader: raised in {where}:\n{lines}"]
    try:
        parts = pack((FAILED, error, notes))
        if type(unpack(parts)[1]) is type(error):
            return parts
    except Exception:  # whatever its __init__ or __reduce__ may raise
        pass
    return pack((FAILED, RuntimeError(f"{type(error).__qualname__}: {error}"), notes))
