"""Images from a path: one place that knows which kinds of files and folders there are.

To add a kind, append it to `KINDS`: how to know it, and how to read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinymed.errors import DataError
from tinymed.medical.imaging.dataset import ImageDataset, read_npz
from tinymed.medical.imaging.dicom_header import dicom_file
from tinymed.medical.imaging.folder import read_images
from tinymed.medical.imaging.label_table import LabelTable, read_label_table
from tinymed.medical.imaging.pictures import PICTURES, read_array, read_picture
from tinymed.medical.imaging.samples import Samples, deal
from tinymed.medical.imaging.series_folder import read_scans

__all__ = ["FORMS", "KINDS", "Kind", "kind_of", "read_dataset", "read_samples", "table_in"]

LABELS = "labels.csv"

FORMS = """\
what --data can be:
  FILE.npz   arrays {train,val,test}_images, _labels and, where known, _groups (MedMNIST's layout)
  FOLDER     with labels.csv (or one CSV of another name), or the path of that CSV:
    image,label[,group][,split]
             image: a file beside the CSV or in a folder there: png, jpg, tif, bmp (8 or 16 bits of
             grey), npy, or a DICOM file with one CT slice; all of one size
    series,x,y,z,label[,group][,split]
             series: a folder with one CT series in DICOM, or a SeriesInstanceUID; x, y, z: mm in
             patient coordinates; each row is the axial patch there, 50 x 50 pixels of 0.7 mm
    series,label[,group][,split]
             the middle slice of each series, 256 x 256 pixels of 1.4 mm
  label: 0 or 1. group: the patient (for DICOM, without it, a hash of the PatientID).
  split: train, val or test; without it, patients are dealt out 70 / 15 / 15 by --seed.
  grey values run over the window of the task; arrays of signed integers or floats, and DICOM, are
  Hounsfield units.
"""


@dataclass(frozen=True)
class Kind:
    """A kind of path.

    Parameters
    ----------
    name : str
        For messages.
    is_one : callable
        Whether a path that exists is of this kind.
    samples : callable
        ``samples(path, classes)``: all images, in order, with labels unless ``classes`` is None.
    dataset : callable, optional
        ``dataset(path)``: what has splits of its own.
    """

    name: str
    is_one: Callable[[Path], bool]
    samples: Callable[[Path, int | None], Samples]
    dataset: Callable[[Path], ImageDataset] | None = None


def read_dataset(
    path: str | Path, *, classes: int = 2, seed: int = 0, undivided: bool = False
) -> ImageDataset:
    """Read images with labels, in splits, from a file or folder.

    Parameters
    ----------
    path : Path
        An npz file in MedMNIST's layout (`read_npz`); a folder with a table, or the table:
        ``image,label[,group][,split]`` (`read_images`) or ``series[,x,y,z],label[,group][,split]``
        (`read_scans`).
    classes : int
        A table's labels are 0 .. classes - 1.
    seed : int
        Of the splits of a table that names none: patients are never in two of them.
    undivided : bool
        Take a table that names no splits as a whole, as "test", instead.

    Raises
    ------
    FileNotFoundError
    ImportError
        Without the extra ``medical`` where it is needed.
    DataError
        What cannot be read, naming file and line; a path that holds no labels.
    """
    path = Path(path)
    kind = kind_of(path)
    if kind.dataset is not None:
        return kind.dataset(path)
    samples = kind.samples(path, classes)
    if undivided and samples.splits is None:
        samples = replace(samples, splits=["test"] * len(samples.images))
    return deal(samples, seed)


def read_samples(path: str | Path) -> Samples:
    """Read images, with or without labels, in the order of their file or table.

    Parameters
    ----------
    path : Path
        What `read_dataset` takes, where a table needs no label; or one npy file (H, W) or
        (n, H, W), one picture, or one DICOM file with a CT slice.
    """
    path = Path(path)
    return kind_of(path).samples(path, None)


def kind_of(path: Path) -> Kind:
    """Return which of `KINDS` a path is, or raise what `read_dataset` does."""
    if not path.exists():
        raise FileNotFoundError(f"read: no file or folder {str(path)!r}")
    for kind in KINDS:
        if kind.is_one(path):
            return kind
    names = "; ".join(kind.name for kind in KINDS)
    raise DataError(f"read: {path} is none of: {names}")


# ------------------------------------------------------------------------------------ the kinds


def _npz(path: Path, classes: int | None) -> Samples:
    dataset = read_npz(path)
    images = dataset.images
    return Samples(dataset.name, images, _sources(path, len(images)))


def _array(path: Path, classes: int | None) -> Samples:
    array = read_array(path)
    images = array if array.ndim == 3 else array[None]
    return Samples(path.stem, images, _sources(path, len(images)))


def _picture(path: Path, classes: int | None) -> Samples:
    image, patient = read_picture(path)
    groups = np.array([patient]) if patient else None
    return Samples(path.stem, image[None], _sources(path, 1), groups=groups)


def _sources(path: Path, count: int) -> list[tuple[str, int]]:
    return [(str(path), number) for number in range(count)]


# the column that says what a row is about -> how to read such a table
TABLES: dict[str, Callable[[LabelTable, int | None], Samples]] = {
    "image": read_images,
    "series": read_scans,
}


def _tabled(path: Path, classes: int | None) -> Samples:
    table = read_label_table(table_in(path) if path.is_dir() else path)
    (about,) = (column for column in table.columns if column in TABLES)
    return TABLES[about](table, classes)


def table_in(folder: Path) -> Path:
    """Return the table of a folder, or raise `DataError` if it is not clear which."""
    if (folder / LABELS).is_file():
        return folder / LABELS
    tables = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".csv")
    if len(tables) != 1:
        found = ", ".join(table.name for table in tables) or "none"
        raise DataError(
            f"read: {folder} needs a table {LABELS}, or a single CSV file; there: {found}"
        )
    return tables[0]


def _suffix(*suffixes: str) -> Callable[[Path], bool]:
    return lambda path: path.is_file() and path.suffix.lower() in suffixes


KINDS = (
    Kind("npz file", _suffix(".npz"), _npz, read_npz),
    Kind("npy file", _suffix(".npy"), _array),
    Kind(f"picture ({' '.join(PICTURES)})", _suffix(*PICTURES), _picture),
    Kind("CSV file", _suffix(".csv"), _tabled),
    Kind("folder with a CSV file", Path.is_dir, _tabled),
    Kind("DICOM file", lambda path: path.is_file() and dicom_file(path), _picture),
)
