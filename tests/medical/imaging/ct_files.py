"""DICOM files for tests: those that pydicom ships, and small series edited from one of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Edit = Callable[[Any, int], None]


def shipped(name: str) -> Path:
    """Return a test file or folder of pydicom, without the network, or skip."""
    pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra `medical`")
    path = Path(pydicom.__file__).parent / "data" / "test_files" / name
    if not path.exists():
        pytest.skip(f"this pydicom does not ship {name}")
    return path


def edited(target: Path, edit: Callable[[Any], None], source: str = "CT_small.dcm") -> Path:
    """Write a copy of one of pydicom's files after ``edit(data set)``."""
    import pydicom

    dataset = pydicom.dcmread(shipped(source))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is edited in is often wrong on purpose
        edit(dataset)
        dataset.save_as(target)
    return target


def write_series(
    folder: Path,
    count: int = 4,
    *,
    size: int = 32,
    step: float = 2.5,
    patient: str = "P1",
    series: str = "1.2.3",
    edit: Edit | None = None,
) -> Path:
    """Write axial slices whose Hounsfield units are -500 + 10 z + x / 10, names not in order of z.

    Voxel (0, 0, 0) lies at (-10, -20, 100) mm, pixels are 0.7 mm; z is from the first slice.
    ``edit(data set, slice)`` comes last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        z = 100 + step * number

        def change(dataset: Any, number: int = number, z: float = z) -> None:
            x = -10 + 0.7 * np.arange(size)
            stored = np.rint(10 * (z - 100) + x / 10 + 1024 - 500).astype(np.int16)
            dataset.Rows = dataset.Columns = size
            dataset.PixelData = np.tile(stored, (size, 1)).tobytes()
            dataset.RescaleIntercept = -1024
            dataset.PixelSpacing = [0.7, 0.7]
            dataset.ImagePositionPatient = [-10, -20, z]
            dataset.SliceThickness = step
            dataset.PatientID, dataset.SeriesInstanceUID = patient, series
            dataset.SOPInstanceUID = f"{series}.{number + 1}"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.InstanceNumber = count - number  # falls as z rises
            if edit is not None:
                edit(dataset, number)

        edited(folder / f"{(7 * number + 3) % 101:03d}.dcm", change)
    return folder
