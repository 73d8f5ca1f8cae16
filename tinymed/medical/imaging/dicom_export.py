"""Writing a synthetic scan as a series of DICOM files, to exercise what reads them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.imaging.synthetic_scan import LOWEST_HU, SyntheticScan

__all__ = ["write_dicom_series"]

_CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_LARGEST_SIDE = 2**16 - 1  # Rows and Columns have 16 bits
_LOWEST_PADDING = -(2**15) + LOWEST_HU  # what is stored has 16 bits and lies -LOWEST_HU above HU


def write_dicom_series(
    scan: SyntheticScan, folder: str | os.PathLike[str], *, padding: int | None = None
) -> list[Path]:
    """Write one CT image file for each slice and return their paths, from the feet to the head.

    Parameters
    ----------
    scan : SyntheticScan
    folder : path
        Made where it is missing; it must hold no file of the same name.
    padding : int, optional
        In HU, below -1024: what scanners write outside the circle that they reconstruct, here the
        one that fits into the slice. It is announced as Pixel Padding Value. By default nothing is
        padded.

    Raises
    ------
    FileExistsError
        A file of that name is there already; nothing is written.
    ValueError
        A padding out of range, or a slice of more than 65,535 rows or columns.
    ImportError
        pydicom is not installed.

    Notes
    -----
    HU are stored as signed 16 bits with Rescale Intercept -1024. Positions are those of the volume
    in DICOM's own patient coordinates, and all identifiers depend on ``scan.identifier`` alone.
    The patient is synthetic and the files say so.

    References
    ----------
    DICOM PS3.3 2024, A.3 "CT Image Information Object Definition".

    Examples
    --------
    >>> import tempfile
    >>> from tinymed.medical.imaging import synthesise_volume
    >>> scan = synthesise_volume(np.random.default_rng(0), (3, 32, 32), (10.0, 10.0, 10.0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write_dicom_series(scan, folder)]
    ['slice_0001.dcm', 'slice_0002.dcm', 'slice_0003.dcm']
    """
    try:
        from pydicom import dcmwrite
    except ImportError as error:
        raise ImportError(
            "write_dicom_series: needs pydicom: pip install tinymed[medical]"
        ) from error
    hounsfield = scan.volume.hounsfield
    if padding is not None and not _LOWEST_PADDING <= padding < LOWEST_HU:
        raise ValueError(
            f"write_dicom_series: padding is {padding}, {_LOWEST_PADDING} to {LOWEST_HU - 1} "
            "expected, below all HU"
        )
    if max(hounsfield.shape) > _LARGEST_SIDE:
        raise ValueError(
            f"write_dicom_series: volume is {hounsfield.shape}, sides of at most {_LARGEST_SIDE} "
            "expected"
        )
    folder = Path(folder)
    paths = [folder / f"slice_{index + 1:04d}.dcm" for index in range(len(hounsfield))]
    taken = [path.name for path in paths if path.exists()]
    if taken:
        raise FileExistsError(f"write_dicom_series: {folder} already holds {taken[0]}")
    folder.mkdir(parents=True, exist_ok=True)
    for index, path in enumerate(paths):
        dcmwrite(path, _file(scan, index, padding), enforce_file_format=True)
    return paths


def _file(scan: SyntheticScan, index: int, padding: int | None) -> Any:
    """Return the data set of one slice."""
    from pydicom.dataset import FileDataset, FileMetaDataset

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = _CT_IMAGE_STORAGE
    meta.MediaStorageSOPInstanceUID = _uid(scan, f"image {index}")
    meta.TransferSyntaxUID = _EXPLICIT_LITTLE_ENDIAN
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    stored = _stored(scan.volume.hounsfield[index], padding)
    for keyword, value in {
        **_whose(scan),
        **_where(scan, index),
        **_pixels(stored, padding),
    }.items():
        setattr(file, keyword, value)
    return file


def _whose(scan: SyntheticScan) -> dict[str, Any]:
    """Return patient, study, series and frame of reference."""
    name = f"SYNTHETIC-{scan.identifier:X}"
    return {
        "SpecificCharacterSet": "ISO_IR 100",
        "ImageType": ["DERIVED", "PRIMARY", "AXIAL"],
        "SOPClassUID": _CT_IMAGE_STORAGE,
        "StudyDate": "",
        "StudyTime": "",
        "AccessionNumber": "",
        "Modality": "CT",
        "Manufacturer": "tinymed (synthetic)",
        "ReferringPhysicianName": "",
        "SeriesDescription": "synthetic chest",
        "PatientName": "Synthetic^Patient",
        "PatientID": name,
        "PatientBirthDate": "",
        "PatientSex": "O",
        "BodyPartExamined": "CHEST",
        "PatientPosition": "HFS",
        "StudyInstanceUID": _uid(scan, "study"),
        "SeriesInstanceUID": _uid(scan, "series"),
        "FrameOfReferenceUID": _uid(scan, "frame of reference"),
        "PositionReferenceIndicator": "",
        "StudyID": "1",
        "SeriesNumber": 1,
        "AcquisitionNumber": 1,
        "KVP": None,
    }


def _where(scan: SyntheticScan, index: int) -> dict[str, Any]:
    """Return what identifies a slice and where it lies."""
    apart, rows, columns = scan.volume.spacing
    x, y, z = scan.volume.origin
    height = z + index * apart
    return {
        "SOPInstanceUID": _uid(scan, f"image {index}"),
        "InstanceNumber": index + 1,
        "ImagePositionPatient": [_decimal(value) for value in (x, y, height)],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "SliceThickness": _decimal(apart),
        "SpacingBetweenSlices": _decimal(apart),
        "SliceLocation": _decimal(height),
        "PixelSpacing": [_decimal(rows), _decimal(columns)],
    }


def _pixels(stored: NDArray[np.int16], padding: int | None) -> dict[str, Any]:
    """Return the pixels and how to read them."""
    described: dict[str, Any] = {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,  # signed
        "RescaleIntercept": LOWEST_HU,
        "RescaleSlope": 1,
        "RescaleType": "HU",
        "WindowCenter": -600,
        "WindowWidth": 1500,
    }
    if padding is not None:
        described["PixelPaddingValue"] = padding - LOWEST_HU
    return {**described, "PixelData": stored.astype("<i2").tobytes()}


def _stored(hu: NDArray[np.float32], padding: int | None) -> NDArray[np.int16]:
    """Return HU as they are stored, padded outside the largest circle where that is asked for."""
    stored = (hu - LOWEST_HU).astype(np.int16)
    if padding is not None:
        rows, columns = (np.arange(side) - (side - 1) / 2 for side in hu.shape)
        outside = np.hypot(rows[:, None], columns) > min(hu.shape) / 2
        stored[outside] = padding - LOWEST_HU
    return stored


def _uid(scan: SyntheticScan, what: str) -> str:
    """Return a unique identifier derived from a 128-bit number (DICOM PS3.5, B.2)."""
    digest = hashlib.sha256(f"tinymed {scan.identifier} {what}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _decimal(value: float) -> str:
    """Return a number in the 16 characters that a decimal string may have."""
    text = repr(value)
    return text if len(text) <= 16 else f"{value:.10g}"
