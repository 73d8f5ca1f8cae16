"""The folder of a run, and what tells a run from others that could be taken for it."""

from __future__ import annotations

import argparse
from hashlib import blake2b, file_digest
from pathlib import Path

from tinymed.medical.tasks.options import MODEL
from tinymed.training import LOG

__all__ = ["asked", "check_folder", "free_folder", "run_folder"]

Options = argparse.Namespace


def asked(options: Options) -> dict[str, str]:
    """Return all that was asked for but where and whether to go on: what tells a run from others.

    A file counts by its bytes, a folder by those of its tables and its model: what is in them may
    move to another place, but not change while a run is stopped. With other data, or another seed,
    patients who were learned from could be in the part that judges.
    """
    apart = ("device", "json", "out", "resume", "run", "compiles")
    given = {name: value for name, value in vars(options).items() if name not in apart}
    return {
        name: digest(value) if isinstance(value, Path) else str(value)
        for name, value in given.items()
    }


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


def run_folder(options: Options, task: str) -> Path:
    """Return the folder to write to, once `check_folder` and the data allow of a run."""
    return free_folder(task) if options.out is None else options.out


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
