"""The clocks of the card during a run: what it ran at, how hot it was, what held it back.

A time says little without them: a card that meets its power limit runs at two thirds of its clock.
nvidia-smi is asked again and again, each time anew and without waiting for it: nothing is left that
could outlive the run, and a driver that no longer answers holds up nothing.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import IO, Any, NamedTuple

from tinymed.bench.gpu.journal import Journal

__all__ = ["Clocks", "Sample", "clock_text", "samples_of", "summary"]

PERIOD = 0.5  # seconds between two questions
PATIENCE = 10.0  # seconds after which nvidia-smi is taken to have hung
FIELDS = ("pci.bus_id", "clocks.sm", "clocks.mem", "power.draw", "temperature.gpu")
# What holds the clocks back has a new name since driver 535; older ones know only the second.
REASONS = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")
IDLE = 0x1
SLOWED = {  # bits of nvmlClocksEventReasons, NVIDIA's NVML API reference
    0x4: "power limit",
    0x8: "hardware slowdown",
    0x20: "heat",
    0x40: "heat (hardware)",
    0x80: "power brake",
}


class Sample(NamedTuple):
    """What the card was doing at a time: MHz, W and degrees Celsius; NaN where it does not say."""

    time: float
    bus: str
    sm: float
    memory: float
    power: float
    temperature: float
    reasons: int


class _Question(NamedTuple):
    """nvidia-smi while it runs, and where it writes."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]


class Clocks:
    """Questions to nvidia-smi, and what it answered.

    `look` is called often and returns at once. ``note`` says why nothing is recorded, None if
    something is.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.began = clock()
        self.samples: list[Sample] = []
        self.note: str | None = "nvidia-smi was not asked"
        self._clock = clock
        self._names = list(REASONS)
        self._asked = float("-inf")
        self._asking: _Question | None = None

    def look(self) -> None:
        """Take the answer if there is one, and ask again if it is time."""
        now = self._clock()
        if self._asking is not None:
            if self._asking.process.poll() is not None:
                self._answered(self._asking)
            elif now - self._asked > PATIENCE:
                self.close()
                self._names = []
                self.note = f"nvidia-smi did not answer within {PATIENCE:g} s"
        elif self._names and now - self._asked >= PERIOD:
            self._asked = now
            self._ask()

    def close(self) -> None:
        """End the question in progress."""
        if self._asking is not None:
            self._asking.process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # it may be stuck in the driver
                self._asking.process.wait(1.0)
            self._asking.said.close()
        self._asking = None

    def write(self, journal: Journal) -> None:
        """Add to each step that this run has ended what the card ran at, or why it is unknown."""
        spans = {s: span for s, span in journal.spans().items() if span[0] >= self.began}
        if not spans:
            return
        own = samples_of(self.samples, str(journal.about().get("bus", "")))
        for step, (begun, ended) in spans.items():
            if found := summary([one for one in own if begun <= one.time <= ended]):
                journal.clocked(step, found)
        if not own:
            journal.unclocked(self.note or "nvidia-smi does not show this card")

    def _ask(self) -> None:
        query = f"--query-gpu={','.join((*FIELDS, self._names[0]))}"
        said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with its question)
        try:
            process = subprocess.Popen(
                ("nvidia-smi", query, "--format=csv,noheader,nounits"),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except OSError as error:
            said.close()
            self._names = []
            self.note = f"nvidia-smi cannot be run: {error.strerror}"
        else:
            self._asking = _Question(process, said)

    def _answered(self, question: _Question) -> None:
        with question.said as said:
            said.seek(0)
            text = said.read().decode(errors="replace")
        self._asking = None
        try:
            if status := question.process.returncode:
                raise ValueError(f"status {status}")
            self.samples += [_parsed(self._asked, line) for line in text.splitlines() if line]
            self.note = None
        except ValueError as error:
            if not self.samples:  # it never answered as it should: perhaps under the older name
                self._names.pop(0)
                self.note = f"nvidia-smi: {error}: {text.strip()[-200:]}"


def _parsed(at: float, line: str) -> Sample:
    """Return the sample of a line of nvidia-smi.

    Examples
    --------
    >>> _parsed(0.0, "00000000:18:00.0, 1980, 3201, 412.50, 55, 0x0000000000000004")
    Sample(time=0.0, bus='0000:18:00.0', sm=1980.0, memory=3201.0, power=412.5, temperature=55.0, reasons=4)
    """  # noqa: E501
    bus, *numbers, reasons = (part.strip() for part in line.split(","))
    if len(numbers) != len(FIELDS) - 1:
        raise ValueError(f"{len(FIELDS) + 1} fields were asked for, not {line!r}")
    sm, memory, power, temperature = map(_number, numbers)
    return Sample(at, _short(bus), sm, memory, power, temperature, int(reasons, 16))


def _number(text: str) -> float:
    return float("nan") if text.startswith(("[", "N/A")) else float(text)


def _short(bus: str) -> str:
    """Return a bus with a domain of four digits, as CUDA writes it."""
    return bus.lower()[-len("0000:00:00.0") :]


def samples_of(samples: Sequence[Sample], bus: str) -> list[Sample]:
    """Return those of the card on this bus, or of the only card there is."""
    if len({one.bus for one in samples}) == 1:
        return list(samples)
    return [one for one in samples if one.bus == _short(bus)]


def summary(samples: Sequence[Sample]) -> dict[str, Any] | None:
    """Return what the card ran at while it was not idle, None if nobody looked then."""
    busy = [one for one in samples if not one.reasons & IDLE]
    if not busy:
        return None
    slowed = {
        name: sum(bool(one.reasons & bit) for one in busy) / len(busy)
        for bit, name in SLOWED.items()
        if any(one.reasons & bit for one in busy)
    }
    return {
        "samples": len(busy),
        "sm": statistics.median(one.sm for one in busy),
        "lowest_sm": min(one.sm for one in busy),
        "memory": statistics.median(one.memory for one in busy),
        "power": max(one.power for one in busy),
        "temperature": max(one.temperature for one in busy),
        "slowed": slowed,
    }


def clock_text(clock: dict[str, Any] | None) -> str:
    """Return a summary as a column: the clock, and what held it back in how many of the samples.

    Examples
    --------
    >>> clock_text({"sm": 1410.0, "slowed": {"power limit": 0.75}})
    '1410 MHz, power limit 75%'
    >>> clock_text(None)
    ''
    """
    if clock is None:
        return ""
    slowed = [f"{name} {share:.0%}" for name, share in clock["slowed"].items()]
    return ", ".join((f"{clock['sm']:g} MHz", *slowed))
