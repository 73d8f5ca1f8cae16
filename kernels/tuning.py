"""Choosing by this machine's clock instead of the table of rules; measured once, kept in a file.

The rules of `rules` were measured on one kind of processor and generalise over sizes. Where neither
fits, `autotune` times, for each kernel and each kind of arguments it meets, all implementations
that can do what is asked, and keeps the fastest. Results then change with the implementation,
within the bounds that each is proved to: a run that is to be repeated to the bit needs its table.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinymed.kernels import recording
from tinymed.kernels.arrays import is_array
from tinymed.kernels.registry import PREFERENCE, missing
from tinymed.kernels.threads import get_num_threads

if TYPE_CHECKING:
    from tinymed.kernels.registry import Kernel
    from tinymed.kernels.rules import Rule

__all__ = ["Tuned", "autotune"]

RUNS = 3  # of each implementation, after a first one that may compile
GAIN = 0.95  # another than the rules' choice has to be that much faster: less is noise


class Tuned:
    """What was fastest on this machine: kernel, threads and kinds of arguments -> implementation.

    Parameters
    ----------
    fastest : dict
        As its file holds it.
    """

    def __init__(self, fastest: dict[str, str]) -> None:
        self.fastest = fastest

    def rule(self, kernel: Kernel, arguments: tuple[Any, ...]) -> Rule:
        """Return the rule of the implementation to run on host arrays; time all, the first time."""
        default = kernel.default(arguments, on_host=True)
        able = {
            rule.implementation: rule
            for rule in kernel.candidates(on_host=True)
            if rule.can(*arguments) and not missing(rule.implementation)
        }
        key = described(kernel.name, arguments)
        if self.fastest.get(key) not in able:  # never met, or by a name that is gone
            if len(able) == 1 or recording.active() is not None:  # its calls would be taken down
                return default
            self.fastest[key] = self._timed(kernel, arguments, able, default.implementation)
        return able[self.fastest[key]]

    def _timed(
        self, kernel: Kernel, arguments: tuple[Any, ...], able: dict[str, Rule], default: str
    ) -> str:
        """Return the fastest implementation on copies of the arguments."""
        seconds = {name: _seconds(kernel.load(name), arguments) for name in able}
        best = min(seconds, key=lambda name: seconds[name])
        return best if seconds[best] < GAIN * seconds[default] else default


def described(kernel: str, arguments: tuple[Any, ...]) -> str:
    """Return what a time depends on, as text.

    Examples
    --------
    >>> import numpy as np
    >>> described("conv.forward", (np.zeros((2, 3), np.float32), (1, 1), 0.5)).split(": ")[1]
    'float32[2, 3], (1, 1), 0.5'
    """
    threads = get_num_threads()
    kinds = ", ".join(map(_kind, arguments))
    return f"{kernel}, {threads} thread{'s' * (threads > 1)}: {kinds}"


def _kind(argument: Any) -> str:
    if is_array(argument):
        layout = "" if argument.flags.c_contiguous else f" strides {list(argument.strides)}"
        return f"{argument.dtype}{list(argument.shape)}{layout}"
    if isinstance(argument, list):
        return f"[{', '.join(map(_kind, argument))}]"
    return repr(argument)


def _seconds(implementation: Any, arguments: tuple[Any, ...]) -> float:
    """Return the least of a few times; what a kernel writes, it writes to copies."""
    copies = tuple(map(_copied, arguments))
    implementation(*copies)
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        implementation(*copies)
        times.append(time.perf_counter() - started)
    return min(times)


def _copied(argument: Any) -> Any:
    """Return a copy of the arrays; transposed ones stay transposed."""
    if is_array(argument):
        return argument.copy(order="K")
    return list(map(_copied, argument)) if isinstance(argument, list) else argument


@contextlib.contextmanager
def autotune(path: str | os.PathLike[str]) -> Iterator[Tuned]:
    """Run kernels on host arrays by the table in a file, and add what it lacks.

    The first call with new kinds of arguments takes several times as long. The file is written at
    the end of the block, whole or not at all, also after an error inside. It holds for this thread
    or task, as `use_backend` does, which inside of it goes first.

    Parameters
    ----------
    path : JSON file; it is made if there is none

    Raises
    ------
    ValueError
        The file is no such table, or one of another machine.

    Examples
    --------
    >>> import tempfile, numpy as np, tinymed as tm
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with tm.kernels.autotune(f"{folder}/tuned.json") as table:
    ...         _ = tm.ops.linear(np.ones((8, 4)), np.ones((2, 4)))
    >>> len(table.fastest) <= 1
    True
    """
    file = Path(path)
    tuned = Tuned(_read(file) if file.exists() else {})
    token = PREFERENCE.set(tuned)
    try:
        yield tuned
    finally:
        PREFERENCE.reset(token)
        _write(file, tuned.fastest)


def machine() -> str:
    """Return what a table is true of."""
    import platform  # for those who ask

    processor = platform.processor() or platform.machine()
    return f"{platform.node()}: {processor}, {os.cpu_count()} processors"


def _read(file: Path) -> dict[str, str]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        own, fastest = content["machine"], dict(content["fastest"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"autotune: {file} is not a table that autotune wrote: {error}") from error
    if own != machine():
        raise ValueError(
            f"autotune: {file} was measured on {own}, this is {machine()}; give another file"
        )
    return fastest


def _write(file: Path, fastest: dict[str, str]) -> None:
    text = json.dumps({"machine": machine(), "fastest": fastest}, indent=1, sort_keys=True) + "\n"
    beside = file.with_name(f"{file.name}.{os.getpid()}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)
