"""MetaImage files (.mhd with .raw or .zraw beside it, .mha), the format of the LUNA16 challenge.

A few lines ``Key = Value``, then bytes, here or in a file of the same folder. Coordinates are
DICOM's (LPS), x runs fastest, and a row of TransformMatrix is the direction of an axis.
"""

from __future__ import annotations

import math
import os
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinymed.errors import DataError
from tinymed.medical.imaging.nifti import MOST_VOXELS, hounsfield
from tinymed.medical.imaging.volume import Volume

__all__ = ["METAIMAGE", "read_metaimage"]

METAIMAGE = (".mhd", ".mha")
_MOST_HEADER = 2**16  # bytes
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_HERE = "LOCAL"
# Keys that mean the same
_POSITION = ("Offset", "Position", "Origin")
_MATRIX = ("TransformMatrix", "Rotation", "Orientation")
_ORDER = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")


def read_metaimage(file: str | os.PathLike[str]) -> Volume:
    """Read a CT in a MetaImage file as Hounsfield units; see `read_nifti` on what is taken for one.

    Raises
    ------
    FileNotFoundError
        No such file, or the file of voxels that it names is missing.
    DataError
        What is damaged or too large, names a file outside of its folder, or is no such volume.

    References
    ----------
    MetaIO's documentation, "MetaObject tags" and "MetaImage tags" (itk.org).
    """
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"metaimage: no file {str(path)!r}")
    with open(path, "rb") as opened:
        start = opened.read(_MOST_HEADER)
    keys, length = _header(path, start)
    shape = tuple(int(each) for each in _numbers(path, keys, ("DimSize",), 3))
    if min(shape) < 1 or math.prod(shape) > MOST_VOXELS:
        raise DataError(f"metaimage: {path} claims {shape} voxels, 1 to {MOST_VOXELS} expected")
    big = _one(keys, _ORDER, "False").lower() == "true"
    dtype = np.dtype((">" if big else "<") + _TYPES[keys["ElementType"]])
    voxels = _voxels(path, keys, length, math.prod(shape) * dtype.itemsize)
    values = np.frombuffer(voxels, dtype).reshape(shape[::-1])  # x runs fastest
    affine = np.eye(4)
    rows = _numbers(path, keys, _MATRIX, 9, "1 0 0 0 1 0 0 0 1").reshape(3, 3)
    affine[:3, :3] = rows.T * _numbers(path, keys, ("ElementSpacing", "ElementSize"), 3)
    affine[:3, 3] = _numbers(path, keys, _POSITION, 3, "0 0 0")
    try:
        return Volume.of_affine(hounsfield(f"metaimage: {path}", values.T), affine)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"metaimage: {path}: {error}") from None


def _header(path: Path, start: bytes) -> tuple[dict[str, str], int]:
    """Return the keys, checked for a volume of one number a voxel, and the length of their text."""
    keys: dict[str, str] = {}
    length = 0
    for line in start.splitlines(keepends=True):
        length += len(line)
        key, separator, value = line.decode("ascii", "replace").partition("=")
        if not separator:
            break
        keys[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            break
    if not {"NDims", "DimSize", "ElementType", "ElementDataFile"} <= set(keys):
        raise DataError(
            f"metaimage: {path} is no MetaImage: NDims, DimSize, ElementType and ElementDataFile "
            "are expected in its first lines"
        )
    fixed = {"NDims": "3", "ElementNumberOfChannels": "1", "BinaryData": "True"}
    for key, expected in fixed.items():
        if keys.get(key, expected).lower() != expected.lower():
            raise DataError(f"metaimage: {path}: {key} is not {expected}, which is expected")
    if keys["ElementType"] not in _TYPES:
        raise DataError(f"metaimage: {path}: ElementType is not one of {', '.join(_TYPES)}")
    return keys, length


def _one(keys: dict[str, str], names: tuple[str, ...], otherwise: str) -> str:
    return next((keys[name] for name in names if name in keys), otherwise)


def _numbers(
    path: Path, keys: dict[str, str], names: tuple[str, ...], count: int, otherwise: str = ""
) -> NDArray[np.float64]:
    try:
        found = np.array([float(each) for each in _one(keys, names, otherwise).split()])
    except ValueError:
        found = np.empty(0)
    if len(found) != count or not np.isfinite(found).all():
        raise DataError(f"metaimage: {path}: {names[0]} is not {count} numbers, as is expected")
    return found


def _voxels(path: Path, keys: dict[str, str], length: int, size: int) -> bytes:
    """Return ``size`` bytes of voxels, and never unpack more."""
    name, compressed = keys["ElementDataFile"], keys.get("CompressedData", "False").lower()
    (skipped,) = _numbers(path, keys, ("HeaderSize",), 1, "0")
    if skipped != 0:
        raise DataError(f"metaimage: {path}: HeaderSize is {skipped:g}, which is not supported")
    source = path if name == _HERE else _beside(path, name)
    with open(source, "rb") as opened:
        opened.seek(length if name == _HERE else 0)
        if compressed != "true":
            found = opened.read(size + 1)
        else:
            try:
                found = zlib.decompressobj().decompress(opened.read(size + 2**16), size + 1)
            except zlib.error:
                raise DataError(f"metaimage: {source} is not compressed by zlib") from None
    if len(found) != size:
        more = "more" if len(found) > size else f"{len(found)}"
        raise DataError(f"metaimage: {source} holds {more} bytes of voxels, {size} expected")
    return found


def _beside(path: Path, name: str) -> Path:
    """Return the file of voxels, which must lie in the folder of its header."""
    root = path.parent.resolve()
    if not name or Path(name).name != name or "\\" in name or "%" in name or name == "LIST":
        raise DataError(f"metaimage: {path}: ElementDataFile is not a name in the same folder")
    try:
        target = (root / name).resolve()
        there = target.is_file()
    except (OSError, RuntimeError, ValueError):  # a name too long, links in a circle, a zero byte
        there = False
    if not there:
        raise FileNotFoundError(f"metaimage: {path} names a file of voxels that is not there")
    if not target.is_relative_to(root):
        raise DataError(f"metaimage: {path}: its file of voxels is a link out of the folder")
    return target
