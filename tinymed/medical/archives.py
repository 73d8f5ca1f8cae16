"""Arrays from npz files that others made: damaged ones are named, nothing in them is executed."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tinymed.errors import DataError

__all__ = ["array_in", "open_archive"]

_SMALL, _MOST_PACKED = 2**28, 500  # bytes that are unpacked however few they were; the ratio
# What zipfile, zlib and NumPy's reader are seen to raise on truncated, altered and foreign files.
_UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    AttributeError,
    TypeError,
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    MemoryError,
)


def open_archive(reader: str, path: Path, file: BinaryIO) -> Any:
    """Return the open npz file, NumPy's `NpzFile`: ``files`` are the names of its arrays.

    Parameters
    ----------
    reader : str
        Who reads, for errors.
    path : Path
    file : opened for reading
        Given a name, NumPy would leave a broken file open.

    Raises
    ------
    DataError
        No npz file, a truncated one, or one that would unpack to far more than it is.
    """
    try:
        archive = np.load(file, allow_pickle=False)
    except _UNREADABLE as error:
        raise DataError(
            f"{reader}: {str(path)!r} is not a whole npz file; copy it again ({error})"
        ) from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DataError(f"{reader}: {str(path)!r} is a single array; save it with numpy.savez")
    for member in archive.zip.infolist() if archive.zip else ():
        if member.file_size > max(_SMALL, _MOST_PACKED * member.compress_size):
            raise DataError(
                f"{reader}: {str(path)!r} would unpack {member.compress_size} bytes to "
                f"{member.file_size}, no measurements expected to be so alike"
            )
    return archive


def array_in(reader: str, path: Path, archive: Any, key: str) -> np.ndarray[Any, Any]:
    """Return one array of an open npz file, or raise `DataError` where it cannot be read."""
    try:
        array = archive[key]
    except _UNREADABLE as error:
        reason = str(error) or type(error).__name__
        if "allow_pickle" in reason:
            reason = "it is an object array, numbers expected; such files can run code"
        raise DataError(f"{reader}: {path.name}: {key} is unreadable: {reason}") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{reader}: {path.name}: {key} is not an array in NumPy's format")
    return array
