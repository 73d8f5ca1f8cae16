"""The picture in one DICOM file, in grey values or Hounsfield units, and why others are refused."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.imaging.dicom_header import (
    SALT,
    DicomError,
    DicomHeader,
    open_dicom,
    parsing,
    tell,
)

__all__ = ["AIR", "CT", "MOST_VALUES", "DicomSlice", "read_pixels", "read_slice"]

Array = NDArray[np.float32]

AIR = -1024.0  # HU: what scanners store outside the field of view; nothing is thinner than air
CT = "CT"
CODECS = "pip install tinymed[dicom-codecs]"
MOST_VALUES = 2**31  # 8 GiB of float32; a header that claims more is damaged or hostile
_SMALL, _MOST_PACKED = 2**26, 1000  # bytes that are decoded however few they came from; the ratio
_GREY = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True, eq=False)
class DicomSlice:
    """One image of one file.

    Parameters
    ----------
    pixels : array of float32 (H, W)
        Hounsfield units >= -1024 for CT; else grey values, higher is brighter.
    spacing : (float, float) or None
        Distance between rows and between columns in mm.
    position : (float, float, float) or None
        Centre of the first pixel in mm, patient coordinates (to the left, the back, the head).
    modality : str
    group : str or None
        `patient_key`; None if the file does not say whose it is.
    """

    pixels: Array
    spacing: tuple[float, float] | None
    position: tuple[float, float, float] | None
    modality: str
    group: str | None


def read_slice(
    file: str | os.PathLike[str], *, modality: str | None = CT, salt: str = SALT
) -> DicomSlice:
    """Read a file with one image: CT in Hounsfield units, other kinds in their grey values.

    Parameters
    ----------
    file : path
    modality : str, optional
        The kind that is expected ("CT", "DX", "CR", ...); None takes any grey picture.
    salt : str
        Of `patient_key`.

    Raises
    ------
    FileNotFoundError
    ImportError
        Without pydicom.
    DicomError
        What cannot be read, or is not such an image: damaged, truncated, compressed with a codec
        that is not installed, no pixels, colour, another modality, no or an impossible rescale.

    Warns
    -----
    DicomWarning
        Oddities, such as values outside the stated number of bits.

    Notes
    -----
    CT: HU = slope * stored + intercept, of the frame where frames have their own; padding and what
    lies below air becomes -1024. Others: MONOCHROME1, where low values are bright, is inverted
    within the range of its bits; slope and intercept are 1 and 0 where not given.

    References
    ----------
    DICOM PS3.3, C.7.6.3 (image pixel), C.8.2.1 (CT), C.11.1 (modality transformation).
    """
    header, pixels = read_pixels(file, modality=modality, salt=salt)
    if len(pixels) != 1:
        raise DicomError(file, f"{len(pixels)} frames, one expected; read_series takes volumes")
    tell([header])
    plane = header.planes[0]
    return DicomSlice(pixels[0], plane.spacing, plane.position, header.modality, header.group)


def read_pixels(
    file: str | os.PathLike[str], *, modality: str | None = CT, salt: str = SALT
) -> tuple[DicomHeader, Array]:
    """Return header and pixels (frames, H, W) as `read_slice` does, warnings kept in the header."""
    file = Path(file)
    header, dataset = open_dicom(file, salt, pixels=True)
    if header is None:
        raise DicomError(file, "a directory of files (DICOMDIR), an image expected")
    notes = list(header.notes)
    with parsing(file, notes, "its header is damaged"):
        reasons = [*_objections(header, dataset, modality)]
    if reasons:
        raise DicomError(file, "; ".join(reasons))
    stored = _decoded(header, dataset, notes)
    return replace(header, notes=tuple(dict.fromkeys(notes))), _grey(header, stored)


# -------------------------------------------------------------------------------------- refusing


def _objections(header: DicomHeader, dataset: Any, modality: str | None) -> Iterator[str]:
    """Yield every reason not to read the pixels: all at once, so that nobody has to ask twice."""
    kind = header.modality or "no known modality"
    if modality is not None and header.modality != modality:
        yield f"modality {kind}, {modality} expected"
    if not dataset.get("PixelData") or not all(header.shape):
        yield f"no pixels in it ({kind}), an image expected"
        return
    if header.photometric == "PALETTE COLOR":
        yield "colours from a palette, grey values expected"
    elif header.samples != 1 or header.photometric not in _GREY:
        yield f"colour ({header.samples} values a pixel), grey values expected"
    if header.bits not in (8, 16, 32) or not 0 < header.bits_used <= header.bits:
        yield f"{header.bits_used} of {header.bits} bits used, values of 8, 16 or 32 bits expected"
    if math.prod(header.shape) > MOST_VALUES:
        yield f"it claims {header.shape} values, at most {MOST_VALUES} expected"
    yield from _encoding_objections(header, dataset)
    yield from _rescale_objections(header)


def _encoding_objections(header: DicomHeader, dataset: Any) -> Iterator[str]:
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    syntax = UID(header.transfer_syntax)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        yield "its transfer syntax is not one of an image that pydicom can decode"
        return
    if not decoder.is_available:
        yield f"compressed as {syntax.name}, which needs a codec: {CODECS}"
    expected = math.prod(header.shape) * header.samples * header.bits // 8
    found = len(dataset.PixelData)
    if decoder.is_encapsulated and expected > max(_SMALL, _MOST_PACKED * found):
        yield f"it claims {expected} bytes of pixels in {found} compressed ones"
    if not decoder.is_encapsulated and found < expected:
        frames, rows, columns = header.shape
        yield (
            f"truncated: {found} bytes of pixels, {expected} expected "
            f"({frames} x {rows} x {columns} of {header.bits} bits); copy it again"
        )


def _rescale_objections(header: DicomHeader) -> Iterator[str]:
    if header.lookup:
        yield "grey values through a lookup table, which is not supported"
    for plane in header.planes:
        if plane.slope is None or plane.intercept is None:
            if header.modality == CT:
                yield "no rescale slope and intercept, so its Hounsfield units are not known"
                return
        elif not (math.isfinite(plane.slope) and math.isfinite(plane.intercept) and plane.slope):
            yield f"rescale slope {plane.slope:g} and intercept {plane.intercept:g} are impossible"
            return
        if header.modality == CT and plane.unit not in ("", "HU"):
            yield "its rescale type is not HU, so its Hounsfield units are not known"
            return


# ---------------------------------------------------------------------------------------- pixels


def _decoded(header: DicomHeader, dataset: Any, notes: list[str]) -> NDArray[Any]:
    """Return the stored values (frames, H, W), and add to ``notes`` what is odd about them."""
    from pydicom.uid import UID

    with parsing(header.file, notes, "its header is damaged"):
        syntax = UID(header.transfer_syntax)
    advice = "; save it without compression" if syntax.is_compressed else ""
    how = f"{syntax.name}, {header.bits_used} bits"
    with parsing(header.file, notes, f"its pixels ({how}) cannot be decoded{advice}"):
        stored: NDArray[Any] = dataset.pixel_array
    if stored.size != math.prod(header.shape):
        raise DicomError(
            header.file, f"its pixels decode to {stored.shape}, {header.shape} expected"
        )
    if not syntax.is_compressed and header.bits == 16:
        kind = ("<" if syntax.is_little_endian else ">") + ("i2" if header.signed else "u2")
        written = np.frombuffer(dataset.PixelData, kind, stored.size)
        changed = int((written != stored.ravel()).sum())
        if changed:  # old files keep drawings in the spare bits; a wrong header looks the same
            notes.append(f"{changed} values lost bits above the {header.bits_used} it states")
    return stored.reshape(header.shape)


def _range(header: DicomHeader) -> tuple[int, int]:
    """Return the least and the greatest value that the stated bits can hold."""
    if header.signed:
        return -(2 ** (header.bits_used - 1)), 2 ** (header.bits_used - 1) - 1
    return 0, 2**header.bits_used - 1


def _grey(header: DicomHeader, stored: NDArray[Any]) -> Array:
    slopes, intercepts = (
        np.array([otherwise if value is None else value for value in values], np.float32)
        for values, otherwise in (
            ([plane.slope for plane in header.planes], 1),
            ([plane.intercept for plane in header.planes], 0),
        )
    )
    values = stored.astype(np.float32)
    if header.photometric == "MONOCHROME1" and header.modality != CT:
        # only how a picture is shown: Hounsfield units mean the same in either interpretation
        values = np.float32(sum(_range(header))) - values
    values = values * slopes[:, None, None] + intercepts[:, None, None]
    if header.modality != CT:
        return values
    if header.padding is not None:
        low, high = header.padding
        values[(stored >= low) & (stored <= high)] = AIR
    return np.maximum(values, np.float32(AIR))
