"""A progress bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

__all__ = ["progress_bar"]

WIDTH = 30  # characters
PAUSE = 0.1  # seconds between two drawings of the plain bar


@contextlib.contextmanager
def progress_bar(
    label: str, total: int, done: int = 0, *, shown: bool = True, out: TextIO | None = None
) -> Iterator[Callable[[str], None]]:
    """Give a function that counts one more step and shows a text beside the bar.

    Parameters
    ----------
    label : str
    total, done : int
        Steps in all, and how many of them are done already.
    shown : bool
        False writes nothing.
    out : text file or None
        None takes ``sys.stderr``. Where it is not a terminal, nothing is written. The bar is rich's
        where that is installed (``pip install tinymed[cli]``), a plain one otherwise, and gone
        at the end.

    Examples
    --------
    >>> with progress_bar("epoch 1/1", total=2) as advance:
    ...     for loss in (0.7, 0.5):
    ...         advance(f"loss {loss}")
    """
    out = sys.stderr if out is None else out
    if not (shown and out.isatty()):
        yield lambda text: None
        return
    try:
        import rich.progress  # noqa: F401  asked for here, so that no error of the loop is caught
    except ImportError:
        bar = _plain_bar
    else:
        bar = _rich_bar
    with bar(label, total, done, out) as advance:
        yield advance


@contextlib.contextmanager
def _rich_bar(label: str, total: int, done: int, out: TextIO) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(file=out), transient=True) as progress:
        task = progress.add_task(label, total=total, completed=done, text="")
        yield lambda text: progress.update(task, advance=1, text=text)


@contextlib.contextmanager
def _plain_bar(label: str, total: int, done: int, out: TextIO) -> Iterator[Callable[[str], None]]:
    drawn = -PAUSE

    def advance(text: str) -> None:
        nonlocal done, drawn
        done += 1
        now = time.monotonic()
        if now - drawn >= PAUSE:
            drawn = now
            filled = WIDTH * done // total
            bar = "#" * filled + "." * (WIDTH - filled)
            out.write(f"\r{label} [{bar}] {text}\033[K")  # the code clears the rest of the line
            out.flush()

    try:
        yield advance
    finally:
        out.write("\r\033[K")
        out.flush()
