"""DICOMDIR: the list of files on a CD, as paths that are checked not to lead elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinymed.medical.imaging.dicom_header import DicomError, parsing

__all__ = ["listed_files"]

_MOST_PARTS = 8  # of a File ID (DICOM PS3.10, 8.2)


def listed_files(directory: Path) -> list[Path]:
    """Return the image files that a DICOMDIR lists, in its order.

    Nothing else is read of it: its records name patients.

    Raises
    ------
    DicomError
        A damaged list, a file that is not there or not in the folder of the DICOMDIR, none at all.
    """
    import pydicom

    notes: list[str] = []
    with parsing(directory, notes, "damaged"), open(directory, "rb") as opened:
        dataset = pydicom.dcmread(opened, specific_tags=["DirectoryRecordSequence"])
        listed = list(_file_ids(dataset))
    root = directory.parent.resolve()
    found = [_placed(directory, root, parts) for parts in listed]
    if not found:
        raise DicomError(directory, "a directory of files (DICOMDIR) that lists no image")
    return list(dict.fromkeys(found))


def _file_ids(dataset: Any) -> Iterator[tuple[str, ...]]:
    """Yield the parts of the path of each image."""
    for record in dataset.get("DirectoryRecordSequence") or ():
        file_id = record.get("ReferencedFileID")
        if file_id and record.get("DirectoryRecordType") == "IMAGE":
            parts = [file_id] if isinstance(file_id, str) else list(file_id)
            yield tuple(str(part) for part in parts)


def _placed(directory: Path, root: Path, parts: tuple[str, ...]) -> Path:
    sound = len(parts) <= _MOST_PARTS and all(
        part and part not in (".", "..") and not set(part) & set("/\\:\0") for part in parts
    )
    try:
        target = root.joinpath(*parts).resolve() if sound else root
        there = target.is_file()
    except (OSError, RuntimeError):  # a name too long, links in a circle
        there = False
    if not sound or (there and not target.is_relative_to(root)):
        raise DicomError(directory, "it lists a file outside of its folder")
    if not there:
        raise DicomError(directory, "it lists a file that is not there")
    return target
