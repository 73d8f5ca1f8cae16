"""A folder of DICOM series with a table: ``series,x,y,z,label`` or ``series,label``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.imaging.dicom_header import DicomError, patient_key
from tinymed.medical.imaging.dicom_series import Series, list_series, read_series
from tinymed.medical.imaging.label_table import LabelTable, Row
from tinymed.medical.imaging.samples import Samples
from tinymed.medical.imaging.volume import Volume

__all__ = ["read_scans"]

PLACE = ("x", "y", "z")


def read_scans(table: LabelTable, classes: int | None) -> Samples:
    """Read what a table whose column ``series`` names CT series says to look at.

    With the columns x, y and z (mm, patient coordinates as in DICOM) each row is the axial patch
    about that point, 50 x 50 pixels of 0.7 mm; without them, the middle slice of the scan,
    256 x 256 pixels of 1.4 mm. Each series is read once, one at a time.

    Parameters
    ----------
    table : LabelTable
        A series is a folder beside the table ("." for the table's own), or a SeriesInstanceUID
        of a file in the table's folder or in those in it.
    classes : int, optional
        Labels are 0 .. classes - 1; None if they are not needed.

    Returns
    -------
    Samples
        Images in Hounsfield units; groups are those of the table, else hashes of the PatientID.

    Raises
    ------
    DataError
        Naming file and line: what `read_series` refuses, a point outside the scan, a scan that
        does not say whose it is while the table has no groups.
    """
    given = [column for column in PLACE if column in table.columns]
    if given:
        table.require(*PLACE)
    labels = None if classes is None else table.labels(classes)
    splits, groups = table.splits(), table.groups()
    names = [row.cells["series"] for row in table.rows]
    points = [tuple(table.number(row, column) for column in given) for row in table.rows]
    table.check_unique(list(zip(names, points, strict=True)))
    images: list[NDArray[Any]] = [np.empty(0)] * len(names)
    scans: list[tuple[str, str]] = [("", "")] * len(names)  # keys of series and patient
    by_uid: dict[str, Series] = {}
    for name in dict.fromkeys(names):
        own = [i for i, other in enumerate(names) if other == name]
        first = table.rows[own[0]]
        volume = _volume(table, first, by_uid)
        if groups is None and not volume.group:
            raise table.error(first, f"series {name!r} has no PatientID; add a column group")
        for i in own:
            scans[i] = volume.series, volume.group or ""
            try:
                images[i] = volume.patch(points[i]) if given else volume.middle_slice()
            except ValueError as error:
                raise table.error(table.rows[i], str(error)) from error
    table.check_unique([(*scan, point) for scan, point in zip(scans, points, strict=True)])
    groups = np.array([patient for _, patient in scans]) if groups is None else groups
    sources = [(name, i) for i, name in enumerate(names)]
    return Samples(table.name, np.stack(images), sources, labels, groups, splits)


def _volume(table: LabelTable, row: Row, by_uid: dict[str, Series]) -> Volume:
    """Return a series by folder or by UID; ``by_uid`` is filled when it is first needed."""
    name, root = row.cells["series"], table.path.parent
    try:
        if not _uid(name) or (root / name).is_dir():
            return read_series(table.place(row, "series"))
        if not by_uid:
            by_uid.update((series.key, series) for series in list_series(root))
        if patient_key(name) not in by_uid:
            raise table.error(row, f"no series {name!r} in {root}")
        return read_series(by_uid[patient_key(name)].files)
    except DicomError as error:
        raise table.error(row, str(error)) from error


def _uid(name: str) -> bool:
    """Return whether a cell can be a SeriesInstanceUID: numbers with dots between them."""
    return "." in name and all(part.isdecimal() for part in name.split("."))
