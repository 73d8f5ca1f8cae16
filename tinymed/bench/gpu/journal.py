"""The journal of a run: a file of JSON lines, to which each row is added when it is known.

The first line says on what and when. A step is begun, gives rows and is ended: whoever reads the
file sees what was found, what was being done when a run stopped, and what was never begun. A run
that is started again on the same file goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinymed.errors import DataError

__all__ = ["FORMAT", "RIGHT", "WRONG", "Journal", "Row", "state_of"]

FORMAT = 1
Row = dict[str, Any]
RIGHT = ("proved", "compiled", "measured", "timed")
WRONG = ("wrong", "failed", "crashed", "hung")  # what makes the exit status 1
PEER = "torch"  # in the names of candidates that are not ours


def state_of(candidate: str, state: str) -> str:
    """Return the state of a candidate's row: what a peer does wrong is not ours to answer for.

    Examples
    --------
    >>> state_of("cuda", "disagrees"), state_of("torch graph", "crashed")
    ('wrong', 'peer crashed')
    """
    if PEER in candidate:
        return f"peer {state}" if state in (*WRONG, "disagrees") else state
    return {"disagrees": "wrong"}.get(state, state)


class Journal:
    """A file of rows.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     journal = Journal(Path(folder) / "gpu.jsonl")
    ...     journal.create({"device": "a GPU"})
    ...     journal.begin("check conv")
    ...     journal.add("check conv", {"state": "proved"})
    ...     journal.begun(), journal.left(["check conv", "check pooling"])
    ('check conv', ['check conv', 'check pooling'])
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self, about: dict[str, Any]) -> None:
        """Begin a new file, in place of what is there."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({"format": FORMAT, **about}) + "\n")

    def begin(self, step: str) -> None:
        """Say that a step begins."""
        self._append({"step": step, "event": "begun", "time": time.time()})

    def add(self, step: str, row: Row) -> None:
        """Add a row that a step found."""
        self._append({"step": step, **row})

    def end(self, step: str) -> None:
        """Say that a step has come to its end."""
        self._append({"step": step, "event": "ended", "time": time.time()})

    def broken(self, step: str, row: Row) -> None:
        """Add the row of what broke a step off, and end the step.

        Where it is one candidate of a contest, the step does not end but is to be begun again:
        the others take part without it.
        """
        if "candidate" in row:
            row = row | {"state": state_of(row["candidate"], row["state"])}
        self.add(step, row)
        event = "broken off" if "candidate" in row else "ended"
        self._append({"step": step, "event": event, "time": time.time()})

    def candidates(self, step: str) -> set[str]:
        """Return the candidates of a step that have a row."""
        return {row["candidate"] for row in self.rows()
                if row["step"] == step and "candidate" in row}  # fmt: skip

    def clocked(self, step: str, clock: Row) -> None:
        """Say what the card ran at during a step."""
        self._append({"step": step, "event": "clock", "clock": clock})

    def unclocked(self, note: str) -> None:
        """Say why it is not known what the card ran at."""
        self._append({"event": "no clocks", "note": note})

    def about(self) -> dict[str, Any]:
        """Return the first line: device, versions, date."""
        return self._lines()[0]

    def rows(self) -> list[Row]:
        """Return all rows, in order, with the ``clock`` of their step where it is known."""
        lines = self._lines()[1:]
        clocks = {line["step"]: line["clock"] for line in lines if line.get("event") == "clock"}
        return [
            line | ({"clock": clocks[line["step"]]} if line["step"] in clocks else {})
            for line in lines
            if "event" not in line
        ]

    def spans(self) -> dict[str, tuple[float, float]]:
        """Return of each step that has ended when it was begun and ended, by `time.time`."""
        begun: dict[str, float] = {}
        found = {}
        for line in self._lines()[1:]:
            if line.get("event") == "begun":
                begun[line["step"]] = line["time"]
            elif line.get("event") == "ended":
                found[line["step"]] = (begun[line["step"]], line["time"])
        return found

    def no_clocks(self) -> str | None:
        """Return why it is not known what the card ran at, None if it is."""
        notes = [line["note"] for line in self._lines()[1:] if line.get("event") == "no clocks"]
        return notes[-1] if notes else None

    def left(self, steps: Iterable[str]) -> list[str]:
        """Return those of ``steps`` that have not come to their end."""
        ended = {line["step"] for line in self._lines()[1:] if line.get("event") == "ended"}
        return [step for step in steps if step not in ended]

    def begun(self) -> str | None:
        """Return the step that was begun last and neither ended nor broken off, if any."""
        events = [
            e for e in self._lines()[1:] if e.get("event") in ("begun", "ended", "broken off")
        ]
        return events[-1]["step"] if events and events[-1]["event"] == "begun" else None

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("r+b") as file:  # closed after each: what is known is in the file
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":  # whoever wrote the last line was killed
                whole = self.path.read_bytes().rfind(b"\n") + 1
                file.truncate(whole)
                file.seek(whole)
            file.write(json.dumps(line).encode() + b"\n")

    def _lines(self) -> list[dict[str, Any]]:
        """Return all whole lines: the last may have been cut when a run was killed."""
        try:
            text = self.path.read_text()
            lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
            if lines[0]["format"] != FORMAT:
                raise ValueError("another format")
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise DataError(
                f"Journal: {self.path} is not a journal of format {FORMAT} ({error}); write one "
                "with: python -m benchmarks.gpu_verify"
            ) from None
        return lines
