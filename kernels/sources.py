"""Which files compiled code is made of: its own, and what that imports of the kernels.

Numba compiles what a function calls into the function itself, and formulas of other modules too. So
its code may change with any file that its module imports, directly or not, and with no other.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

__all__ = ["SOURCES", "fingerprint", "sources_of"]

SOURCES = Path(__file__).parent
# Python's own parser takes half a second for all kernels; a test compares what both find.
IMPORT = re.compile(
    r"^[ \t]*(?:from (?P<package>tinymed\.kernels[\w.]*) import (?P<names>\([^)]*\)|.*)"
    r"|import (?P<module>tinymed\.kernels[\w.]*))",
    re.MULTILINE,
)
NAME = re.compile(r"(\w+)(?: as \w+)?,?")


def sources_of(path: Path, folder: Path = SOURCES) -> list[Path]:
    """Return a file and, of the kernels in ``folder``, what it imports, and what that imports."""
    found, waiting = {path}, [path]
    while waiting:
        _, imported = _read(waiting.pop(), folder)
        waiting += imported - found
        found |= imported
    return sorted(found)


def fingerprint(path: Path, folder: Path = SOURCES) -> str:
    """Return a hash of what the files of `sources_of` hold, and of their names.

    What was typed in has no file to read imports from: it may use all kernels.
    """
    files = sources_of(path, folder) if path.is_file() else sorted(folder.rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        name = file.relative_to(folder) if file.is_relative_to(folder) else file
        digest.update(f"{name} {_read(file, folder)[0]} ".encode())
    return digest.hexdigest()


@functools.cache
def _read(path: Path, folder: Path) -> tuple[str, frozenset[Path]]:
    """Return a hash of a file, and the files of the kernels that it imports itself."""
    text, imported = path.read_text("utf-8"), set()
    for found in IMPORT.finditer(text):
        package = folder.joinpath(*(found["package"] or found["module"]).split(".")[2:])
        for name in NAME.findall(re.sub(r"#.*", "", found["names"] or "")) or [""]:
            imported |= _module(package, name)
    return hashlib.sha256(text.encode()).hexdigest(), frozenset(imported)


def _module(package: Path, name: str) -> set[Path]:
    """Return the file that ``from package import name`` reads; none for what is not there."""
    inside = package / f"{name}.py", package / name / "__init__.py"
    own = package.with_suffix(".py"), package / "__init__.py"
    return set([file for file in (*inside, *own) if file.is_file()][:1])
