"""What a GPU, its driver and CuPy know beside arrays: the device, streams, what is captured."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

__all__ = [
    "MOST_SHARED",
    "STATE",
    "CUDARuntimeError",
    "Device",
    "Event",
    "Graph",
    "OutOfMemoryError",
    "Stream",
    "using_allocator",
]


MOST_SHARED = 227 * 1024  # bytes of shared memory that a block of Hopper may ask for


class CUDARuntimeError(RuntimeError):
    """What the CUDA runtime says."""


class OutOfMemoryError(MemoryError):
    """What CuPy's pool says."""


class State:
    """Of this process. `events` is what streams were asked, in order, for tests to look at."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all."""
        self.device = 0
        self.count = 2
        self.error: str | None = None  # that the runtime answers with: no driver
        self.driver = 13000  # its CUDA version
        self.full = False  # no memory left
        self.stream: Any = Stream(null=True)
        self.capture: list[Callable[[], Any]] | None = None
        self.undone = False  # the capture, by something that a graph cannot hold
        self.pinned: Callable[[int], Any] = bytearray
        self.host_reads = 0
        self.events: list[tuple[str, ...]] = []
        self.launched: list[tuple[Any, ...]] = []  # kernels: entry, grid, block, arguments, shared

    def read_by_host(self) -> None:
        """Count one wait of the host; a capture cannot wait."""
        if self.capture is not None:
            raise RuntimeError("the current stream is capturing, so D2H transfers are disallowed")
        self.host_reads += 1

    def synchronize(self, *what: str) -> None:
        """Let the host wait; a capture is undone by that."""
        if self.capture is not None:
            self.undone = True
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted")
        self.events.append(what)


class Device:
    """One GPU; entered, it is where new arrays are made."""

    def __init__(self, device: int | None = None) -> None:
        self.id = STATE.device if device is None else int(device)
        self.outer: list[int] = []

    def __enter__(self) -> Device:
        if self.id >= STATE.count:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        self.outer.append(STATE.device)
        STATE.device = self.id
        return self

    def __exit__(self, *error: Any) -> None:
        STATE.device = self.outer.pop()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def synchronize(self) -> None:
        """Wait."""
        STATE.synchronize("synchronize")

    @property
    def compute_capability(self) -> str:
        """Return "90" for 9.0."""
        return "90"

    @property
    def attributes(self) -> dict[str, int]:
        """Return what it has."""
        return {"MultiProcessorCount": 132, "MaxSharedMemoryPerBlockOptin": MOST_SHARED}


class Event:
    """A mark in a stream."""

    made = 0

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        Event.made += 1
        self.number = Event.made

    def record(self, stream: Any = None) -> None:
        """Mark the place that a stream is at."""
        self.on = (STATE.stream if stream is None else stream).name
        STATE.events.append(("record", self.on))

    def synchronize(self) -> None:
        """Let the host wait."""
        STATE.synchronize("event.synchronize")


class Stream:
    """An order of work; entered, it is where work goes."""

    made = 0

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        Stream.made += 1
        self.ptr = 0 if null else Stream.made
        self.name = "null" if null else f"stream {Stream.made}"
        self.is_null = null
        self.outer: list[Any] = []

    def __enter__(self) -> Stream:
        self.outer.append(STATE.stream)
        STATE.stream = self
        return self

    def __exit__(self, *error: Any) -> None:
        STATE.stream = self.outer.pop()

    def record(self, event: Event | None = None) -> Event:
        """Mark the place this is at."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Go on only when another stream has come to its mark."""
        STATE.events.append(("wait", self.name, event.on))

    def synchronize(self) -> None:
        """Let the host wait."""
        STATE.synchronize("synchronize", self.name)

    def is_capturing(self) -> bool:
        """Return whether work is taken down rather than done."""
        if STATE.undone:
            raise RuntimeError("the stream was capturing, but an error has invalidated the capture")
        return STATE.capture is not None

    def begin_capture(self, mode: int | None = None) -> None:
        """Take down from now on what this is given to do."""
        if self.is_null:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        STATE.capture, STATE.undone = [], False

    def end_capture(self) -> Graph:
        """Return what was taken down."""
        taken, STATE.capture = STATE.capture, None
        if taken is None:
            raise CUDARuntimeError("cudaErrorIllegalState: the operation cannot be performed")
        if STATE.undone:
            STATE.undone = False
            raise CUDARuntimeError("cudaErrorStreamCaptureInvalidated: operation failed")
        return Graph(taken)


class Graph:
    """Work that was taken down; none of it was done then."""

    def __init__(self, work: list[Callable[[], Any]]) -> None:
        self.work = work

    def launch(self, stream: Any = None) -> None:
        """Do it."""
        STATE.events.append(("launch", str(len(self.work))))
        for each in self.work:
            each()


@contextlib.contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    """Take memory from an allocator inside."""
    STATE.events.append(("allocator", getattr(allocator, "__name__", str(allocator))))
    yield


STATE = State()
