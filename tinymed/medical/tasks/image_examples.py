"""Images as examples, for tasks that ask nothing but the images themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinymed.medical.imaging.dataset import ImageDataset
from tinymed.medical.imaging.reading import kind_of
from tinymed.medical.tasks.examples import Examples

__all__ = ["images_of", "read_images"]


def read_images(path: Path) -> Examples:
    """Return all images of a file or folder that `read_samples` takes, without targets.

    Patients and splits are there where they are known; labels, where an npz file has them, as
    strata.
    """
    kind = kind_of(path)
    if kind.dataset is not None:
        return images_of(kind.dataset(path))
    samples = kind.samples(path, None)
    splits = None if samples.splits is None else np.array(samples.splits)
    return Examples(samples.images, None, samples.groups, splits)


def images_of(dataset: ImageDataset) -> Examples:
    """Return all images of a data set, without targets; its labels as strata."""
    return Examples(
        dataset.images,
        None,
        dataset.joined("groups"),
        dataset.split_of_each,
        strata=dataset.joined("labels"),
    )
