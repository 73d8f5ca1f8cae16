"""What a DICOM file says of itself: the elements read, errors, warnings, and nothing about people.

Privacy: only the elements in `_ELEMENTS` are read, none of which names a person, a date or a place.
Of the PatientID only a salted hash leaves this module (`patient_key`), and no message quotes text
that was found in a file.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tinymed.errors import DataError
from tinymed.medical.imaging.dicom_elements import Plane, numbers, plane_of_each_frame, text

__all__ = [
    "SALT",
    "DicomError",
    "DicomHeader",
    "DicomWarning",
    "dicom_file",
    "open_dicom",
    "parsing",
    "patient_key",
    "read_header",
    "tell",
]

SALT = "tinymed"  # the default: keys agree between runs, but whoever knows an ID can find its key
_MOST_FRAMES = 2**16  # a header that claims more is damaged or hostile
_MOST_INFLATED = 2**28  # bytes: 500 slices of 512 x 512
_INFLATED_AT_ONCE = 2**12  # bytes of the file: they grow to 4 MiB at most
_MARK, _MARK_AT = b"DICM", 128
_DIRECTORY = "1.2.840.10008.1.3.10"  # the class of a DICOMDIR, which lists files and is no image
_DEFLATED = "1.2.840.10008.1.2.1.99"
# Everything that is read of a file. With PixelData come the elements that its decoders ask for.
_ELEMENTS = [
    "SOPClassUID", "Modality", "PatientID", "SeriesInstanceUID", "Rows", "Columns",
    "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept", "RescaleType",
    "ModalityLUTSequence", "PixelSpacing", "SliceThickness", "ImagePositionPatient",
    "ImageOrientationPatient", "GantryDetectorTilt", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    "PixelData",
]  # fmt: skip


class DicomError(DataError):
    """A DICOM file, or a folder of them, that cannot be read: ``file`` and ``reason``."""

    def __init__(self, file: str | os.PathLike[str], reason: str) -> None:
        super().__init__(str(file), reason)
        self.file = Path(file)
        self.reason = reason

    def __str__(self) -> str:
        return f"dicom: {self.file}: {self.reason}"


class DicomWarning(UserWarning):
    """Something odd in a DICOM file that does not keep it from being read."""


@dataclass(frozen=True)
class DicomHeader:
    """What one file says of itself, without anything that tells whose it is."""

    file: Path
    modality: str  # "" if not given
    series: str  # SeriesInstanceUID, "" if not given
    group: str | None  # `patient_key`, None without a PatientID
    shape: tuple[int, int, int]  # frames, rows, columns; zeros if there is no picture
    planes: tuple[Plane, ...]  # one for each frame
    samples: int  # values in a pixel: 1 is grey
    photometric: str
    bits: int  # kept for each value
    bits_used: int
    signed: bool
    padding: tuple[float, float] | None  # stored values that stand for "no measurement"
    tilt: float  # of the gantry, degrees
    lookup: bool  # a table instead of slope and intercept
    transfer_syntax: str
    notes: tuple[str, ...] = field(default=())  # oddities to be told once


def patient_key(patient: bytes | str, salt: str = SALT) -> str:
    """Return 16 hexadecimal digits that stand for a PatientID: HMAC-SHA256(salt, ID).

    The same patient gets the same key wherever the salt is the same. With the default salt, which
    is public, short IDs can be found by trying them all: give a secret one before keys are shared.

    Examples
    --------
    >>> patient_key("1CT1") == patient_key(b"1CT1 ")
    True
    >>> patient_key("1CT1") == patient_key("1CT1", salt="another")
    False
    """
    plain = patient.encode() if isinstance(patient, str) else patient
    return hmac.new(salt.encode(), plain.strip(b" \0"), hashlib.sha256).hexdigest()[:16]


def dicom_file(file: Path) -> bool:
    """Return whether a file has the mark of DICOM, or a name that promises it."""
    if file.suffix.lower() in (".dcm", ".dicom", ".ima"):
        return True
    with open(file, "rb") as opened:
        return opened.read(_MARK_AT + 4)[_MARK_AT:] == _MARK


def read_header(file: str | os.PathLike[str], salt: str = SALT) -> DicomHeader | None:
    """Return what a file says of itself, None for a DICOMDIR; raises as `read_slice` does."""
    header, _ = open_dicom(Path(file), salt, pixels=False)
    return header


def tell(headers: Sequence[DicomHeader]) -> None:
    """Warn of the oddities of some files, once for each kind."""
    for note in dict.fromkeys(note for header in headers for note in header.notes):
        where = [header.file for header in headers if note in header.notes]
        more = f" and {len(where) - 1} more" if len(where) > 1 else ""
        warnings.warn(f"dicom: {where[0]}{more}: {note}", DicomWarning, stacklevel=3)


@contextmanager
def parsing(file: Path, notes: list[str], what: str) -> Iterator[None]:
    """Turn all that pydicom raises into `DicomError`, and what it warns of into ``notes``."""
    log = logging.getLogger("pydicom")  # it logs what it warns of, quoting the file
    logged, log.disabled = log.disabled, True
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except (DicomError, MemoryError):
            raise
        except DataError as error:  # ours, of an element
            raise DicomError(file, str(error)) from None
        except RecursionError:
            raise DicomError(file, f"{what}: sequences are nested too deeply") from None
        except Exception as error:  # a parser of foreign bytes: any kind is possible
            # its text may quote the file, and with it a patient
            raise DicomError(file, f"{what} ({type(error).__name__} in pydicom)") from None
        finally:
            log.disabled = logged
    for warning in caught:
        first = str(warning.message).split("\n")[0]
        quoted = re.sub(r"'[^']*'|\"[^\"]*\"|<[^>]*>", "...", first)
        notes.append(f"pydicom warns: {quoted[:160]}")


def open_dicom(file: Path, salt: str, *, pixels: bool) -> tuple[DicomHeader | None, Any]:
    """Return header (None for a DICOMDIR) and pydicom's data set, with or without pixels."""
    try:
        import pydicom
    except ImportError as error:
        raise ImportError(f"dicom: {file} needs pydicom; pip install tinymed[medical]") from error
    if not file.is_file():
        raise FileNotFoundError(f"dicom: no file {str(file)!r}")
    with open(file, "rb") as opened:
        if opened.read(_MARK_AT + 4)[_MARK_AT:] != _MARK:
            raise DicomError(file, "no DICOM file: the mark DICM is missing at byte 128")
    notes: list[str] = []
    with parsing(file, notes, "damaged"):
        meta = pydicom.filereader.read_file_meta_info(file)
        if str(meta.get("TransferSyntaxUID", "")) == _DEFLATED:
            _check_inflated(file)
    with parsing(file, notes, "damaged"), open(file, "rb") as opened:
        dataset = pydicom.dcmread(opened, stop_before_pixels=not pixels, specific_tags=_ELEMENTS)
        meta = dataset.file_meta
        if str(meta.get("MediaStorageSOPClassUID", "")) == _DIRECTORY:
            return None, dataset
        syntax = str(meta.get("TransferSyntaxUID", ""))
        if not syntax:
            raise DicomError(file, "no transfer syntax, so its encoding is not known")
    with parsing(file, notes, "its header is damaged"):
        header = _header(file, dataset, syntax, salt)
    return replace(header, notes=tuple(dict.fromkeys(notes))), dataset


def _check_inflated(file: Path) -> None:
    """Raise for a deflated file that grows beyond all measure; pydicom inflates it whole."""
    content, size = file.read_bytes(), 0
    inflate, start = zlib.decompressobj(-zlib.MAX_WBITS), _after_meta(content)
    if start >= len(content):
        raise DicomError(file, "damaged: nothing follows its meta information")
    for part in range(start, len(content), _INFLATED_AT_ONCE):
        size += len(inflate.decompress(content[part : part + _INFLATED_AT_ONCE]))
        if size > _MOST_INFLATED:
            raise DicomError(file, f"it inflates to more than {_MOST_INFLATED} bytes")


def _after_meta(content: bytes) -> int:
    """Return where the meta elements (group 2, never deflated) end; PS3.5, 7.1.2."""
    at = _MARK_AT + len(_MARK)
    while content[at : at + 2] == b"\x02\x00":
        long = content[at + 4 : at + 6] in (b"OB", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT")
        length = content[at + 8 : at + 12] if long else content[at + 6 : at + 8]
        at += (12 if long else 8) + int.from_bytes(length, "little")
    return at


def _header(file: Path, dataset: Any, syntax: str, salt: str) -> DicomHeader:
    def count(keyword: str, otherwise: int = 0) -> int:
        (value,) = numbers(dataset, keyword, 1) or (otherwise,)
        if value != int(value) or value < 0:
            raise DataError(f"{keyword} is {value:g}, a whole number expected")
        return int(value)

    frames = count("NumberOfFrames", 1)
    rows, columns = count("Rows"), count("Columns")
    if frames > _MOST_FRAMES:
        raise DataError(f"it claims {frames} frames, at most {_MOST_FRAMES} expected")
    tilt = numbers(dataset, "GantryDetectorTilt", 1) or (0.0,)
    patient = _raw_bytes(dataset, "PatientID")
    return DicomHeader(
        file=file,
        modality=text(dataset, "Modality"),
        series=text(dataset, "SeriesInstanceUID"),
        group=patient_key(patient, salt) if patient.strip(b" \0") else None,
        shape=(frames, rows, columns) if rows and columns else (0, 0, 0),
        planes=plane_of_each_frame(dataset, max(frames, 1)),
        samples=count("SamplesPerPixel", 1),
        photometric=text(dataset, "PhotometricInterpretation"),
        bits=count("BitsAllocated"),
        bits_used=count("BitsStored", count("BitsAllocated")),
        signed=count("PixelRepresentation") == 1,
        padding=_padding(dataset),
        tilt=tilt[0],
        lookup="ModalityLUTSequence" in dataset,
        transfer_syntax=syntax,
    )


def _raw_bytes(dataset: Any, keyword: str) -> bytes:
    """Return an element as it stands in the file: decoding it could warn, and quote it."""
    value = dataset.get_item(keyword).value if keyword in dataset else b""
    return value if isinstance(value, bytes) else str(value or "").encode()


def _padding(dataset: Any) -> tuple[float, float] | None:
    """Return the least and the greatest stored value that is padding."""
    value = numbers(dataset, "PixelPaddingValue", 1)
    if value is None:
        return None
    limit = numbers(dataset, "PixelPaddingRangeLimit", 1) or value
    ends = [value[0], limit[0]]
    if dataset.get("PixelRepresentation") == 1:  # some writers store -2000 as 63536
        ends = [end - 2**16 if end >= 2**15 else end for end in ends]
    return min(ends), max(ends)
