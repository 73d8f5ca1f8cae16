"""Synthetic patients, dealt into splits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.imaging.dataset import SPLITS, ImageDataset, Split
from tinymed.random import or_default, spawn

__all__ = ["Drawn", "split_by_patient"]

ENDS = (0.7, 0.85, 1.0)  # the first patients train, the next validate, the last test

Drawn = tuple[NDArray[Any], list[int]]


def split_by_patient(
    function: str,
    name: str,
    patients: int,
    generator: np.random.Generator | None,
    of_one: Callable[[np.random.Generator], Drawn],
) -> ImageDataset:
    """Return the images of synthetic patients, split 70 / 15 / 15.

    Parameters
    ----------
    function, name : str
        For messages; of the data set.
    patients : int >= 7
    generator : numpy.random.Generator, optional
        Patient i depends on the generator's seed and on i alone.
    of_one : callable
        Images (n, H, W) of one patient, and the label of each.

    Raises
    ------
    ValueError
        If there are too few patients for three splits.
    """
    ends = [round(share * patients) for share in ENDS]
    starts = [0, *ends[:-1]]
    if any(start >= end for start, end in zip(starts, ends, strict=True)):
        raise ValueError(f"{function}: {patients} patients, at least 7 expected to fill the splits")
    generator = or_default(generator)
    splits = {}
    for split, start, end in zip(SPLITS, starts, ends, strict=True):
        found = [of_one(spawn(generator, index)) for index in range(start, end)]
        groups = np.repeat(np.arange(start, end), [len(labels) for _, labels in found])
        labels = np.array([label for _, own in found for label in own])
        splits[split] = Split(np.concatenate([images for images, _ in found]), labels, groups)
    return ImageDataset(name, splits)
