"""A folder of images with a table: ``image,label[,group][,split]``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.errors import DataError
from tinymed.medical.imaging.label_table import LabelTable
from tinymed.medical.imaging.pictures import read_picture
from tinymed.medical.imaging.samples import Samples

__all__ = ["read_images"]


def read_images(table: LabelTable, classes: int | None) -> Samples:
    """Read the images of a table whose column ``image`` names files, beside it or in folders there.

    Parameters
    ----------
    table : LabelTable
    classes : int, optional
        Labels are 0 .. classes - 1; None if they are not needed.

    Returns
    -------
    Samples
        Groups are those of the table, else of the DICOM files if all are such and say whose.

    Raises
    ------
    DataError
        Naming file and line: a file outside the folder, missing or unreadable, an image twice, of
        another size or depth than the first; and what `LabelTable` refuses.
    """
    labels = None if classes is None else table.labels(classes)
    splits, groups = table.splits(), table.groups()
    files = [table.place(row, "image") for row in table.rows]
    table.check_unique([file.resolve() for file in files])
    images: list[NDArray[Any]] = []
    patients: list[str | None] = []
    for row, file in zip(table.rows, files, strict=True):
        try:
            image, patient = read_picture(file)
        except (DataError, FileNotFoundError) as error:  # not found: it is a folder
            raise table.error(row, str(error)) from error
        if images and (image.shape, image.dtype) != (images[0].shape, images[0].dtype):
            raise table.error(
                row,
                f"{file.name} is {image.shape} {image.dtype}, but {files[0].name} is "
                f"{images[0].shape} {images[0].dtype}; images of one size and depth expected",
            )
        images.append(image)
        patients.append(patient)
    if groups is None and all(patients):
        groups = np.array(patients)
    sources = [(row.cells["image"], 0) for row in table.rows]
    return Samples(table.name, np.stack(images), sources, labels, groups, splits)
