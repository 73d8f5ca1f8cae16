"""What image data are like, before they are trained on."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.errors import DataError
from tinymed.medical.imaging.checks import DataReport, check_dataset
from tinymed.medical.imaging.dataset import ImageDataset

__all__ = ["checked_images"]


def checked_images(task: str, dataset: ImageDataset) -> dict[str, Any]:
    """Print what the data are like and return it, for the model's file.

    Raises
    ------
    DataError
        What cannot be trained on, or judged: patients in two splits, a class missing, other labels
        than 0 and 1.
    """
    report = check_dataset(dataset)
    print(told(report))
    for name, split in dataset.splits.items():
        if split.labels is None or not set(np.unique(split.labels)) <= {0, 1}:
            found = None if split.labels is None else np.unique(split.labels).tolist()
            raise DataError(f"{task}: {name}_labels are {found}, 0 and 1 expected")
    if report.problems:
        raise DataError(f"{task}: {'; '.join(report.problems)}")
    facts = report.to_dict()
    shared = [
        {name: len(each) if isinstance(each, list) else each for name, each in pair.items()}
        for pair in facts["shared"]
    ]
    return {
        "name": report.name,
        "splits": facts["splits"],
        "shared": shared,
        "warnings": report.warnings,
    }


def told(report: DataReport) -> str:
    """Return the data report as lines of text."""
    lines = [
        f"{split.name}: {split.images} images"
        + (f" of {split.groups} patients" if split.groups else "")
        + "".join(f", {n} of class {label}" for label, n in split.class_counts.items())
        for split in report.splits
    ]
    return "\n".join([*lines, *(f"warning: {warning}" for warning in report.warnings)])
