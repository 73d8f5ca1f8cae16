"""The folder of a run, and what tells a run from others that could be taken for it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.medical.tasks.options import MODEL
from tinymed.training import LOG

__all__ = ["asked", "check_folder", "free_folder", "run_folder"]

Array = np.ndarray[Any, Any]
Options = argparse.Namespace


def asked(options: Options, examples: Iterable[Array]) -> dict[str, str]:
    """Return all that was asked for but where and whether to go on: what tells a run from others.

    A file counts by its bytes, a folder by those of its tables and its model: what is in them may
    move to another place, but not change while a run is stopped. With other data, or another seed,
    patients who were learned from could be in the part that judges. Pictures of a folder count by
    what was read of them, ``examples``: a copy has other dates, and is the same.
    """
    apart = ("device", "json", "out", "resume", "run", "compiles")
    given = {name: value for name, value in vars(options).items() if name not in apart}
    told = {
        name: digest(value) if isinstance(value, Path) else str(value)
        for name, value in given.items()
    }
    return {**told, "examples": digest_of(examples)}


def digest_of(arrays: Iterable[Array]) -> str:
    """Return 16 hexadecimal digits that stand for arrays of numbers, texts, or other objects.

    Raises
    ------
    TypeError
        Objects whose ``repr`` is where they lie in memory: it says nothing of what they hold.
    """
    found = blake2b(digest_size=8)
    for array in arrays:
        objects = array.dtype.hasobject
        found.update(f"{array.dtype} {array.shape}".encode())
        for kind in {type(each) for each in array.flat} if objects else ():
            told: Any = kind.__repr__
            if told is object.__repr__:
                raise TypeError(f"digest_of: {kind.__name__} has no __repr__, its content expected")
        found.update(repr(array.tolist()).encode() if objects else array.tobytes())
    return found.hexdigest()


def digest(path: Path) -> str:
    """Return 16 hexadecimal digits that stand for a file, or for the tables of a folder."""
    found = blake2b(digest_size=8)
    for file in sorted((*path.glob("*.csv"), *path.glob(MODEL))) if path.is_dir() else [path]:
        with open(file, "rb") as opened:
            found.update(file_digest(opened, blake2b).digest())
    return found.hexdigest()


def check_folder(options: Options, task: str) -> None:
    """Raise, before anything is read, where there cannot be a run: none is ever overwritten."""
    out: Path | None = options.out
    if out is None:
        if options.resume:
            raise ValueError(f"{task}: --resume needs --out, the folder of the run")
    elif not options.resume and ((out / MODEL).exists() or (out / LOG).exists()):
        raise FileExistsError(
            f"{task}: {out} already holds a run; choose another --out, or --resume it"
        )


@contextmanager
def run_folder(options: Options, task: str) -> Iterator[Path]:
    """Yield the folder to write to, once `check_folder` and the data allow of a run.

    While the run is in it, no other may be. A run that is refused before it has written anything
    leaves no folder.

    Raises
    ------
    FileExistsError
        Another run is in this folder.
    """
    out: Path | None = options.out
    places = (Path("runs"),) if out is None else (out, *out.parents)
    made = [place for place in places if not place.exists()]
    if out is None:
        out = free_folder(task)
        made.insert(0, out)
    else:
        out.mkdir(parents=True, exist_ok=True)
    try:
        with locked(out, task):
            yield out
    except BaseException:
        with suppress(OSError):  # one that holds something stays, and all above it
            for place in made:
                place.rmdir()
        raise


@contextmanager
def locked(folder: Path, task: str) -> Iterator[None]:
    """Keep others out of a folder; the system lets them in when the process ends, however it does.

    Raises
    ------
    FileExistsError
        Another process is in it.
    """
    with ExitStack() as stack:
        try:
            import fcntl

            opened = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, opened)
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FileExistsError(
                f"{task}: another run is writing to {folder}; wait for it, or choose another --out"
            ) from error
        except (ImportError, OSError) as error:  # Windows; some network file systems
            print(f"warning: {folder} cannot be locked ({error}): start no second run there")
        yield


def free_folder(name: str) -> Path:
    """Make and return the first of runs/name-1, runs/name-2 .. that is not there.

    It is made at once, so that runs that begin together do not write into one folder.
    """
    number = 1
    while True:
        free = Path("runs") / f"{name}-{number}"
        try:
            free.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return free
