"""Images with what a table says of them, before and after they are dealt out to splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.data import grouped_stratified_holdout
from tinymed.errors import DataError
from tinymed.medical.imaging.dataset import SPLITS, ImageDataset, Split

__all__ = ["Samples", "deal"]

SHARES = (0.15, 0.15)  # of all images, for validation and test


@dataclass(frozen=True, eq=False)
class Samples:
    """Images in the order of their table or file; entry i of every column is about image i.

    Parameters
    ----------
    name : str
        Of the table or file.
    images : array (n, H, W)
        Unsigned integers are grey values, others Hounsfield units.
    sources : list of (str, int)
        File and number in it.
    labels, groups : array (n,), optional
    splits : list of str, optional
        "train", "val" or "test".
    """

    name: str
    images: NDArray[Any]
    sources: list[tuple[str, int]]
    labels: NDArray[np.int64] | None = None
    groups: NDArray[Any] | None = None
    splits: list[str] | None = None


def deal(samples: Samples, seed: int) -> ImageDataset:
    """Return a data set: by the splits that are given, else 70 / 15 / 15 by group.

    Without given splits the same groups and seed give the same splits, whatever the order of rows.

    Raises
    ------
    DataError
        If there are no labels, or too few groups or classes to deal out.
    """
    if samples.labels is None:
        raise DataError(f"read_dataset: {samples.name} has no labels")
    splits = samples.splits
    if splits is None:
        files = np.array([f"{file} {number}" for file, number in samples.sources])
        groups = files if samples.groups is None else samples.groups
        try:
            parts = grouped_stratified_holdout(
                samples.labels, groups, SHARES, generator=np.random.default_rng(seed)
            )
        except ValueError as error:
            raise DataError(
                f"read_dataset: {samples.name} cannot be split ({error}); add a column split"
            ) from error
        chosen = dict(zip(SPLITS, parts, strict=True))
    else:
        rows = {name: np.flatnonzero(np.array(splits) == name) for name in SPLITS}
        chosen = {name: indices for name, indices in rows.items() if indices.size}
    groups_of = samples.groups
    return ImageDataset(
        samples.name,
        {
            name: Split(
                samples.images[indices],
                samples.labels[indices],
                None if groups_of is None else groups_of[indices],
            )
            for name, indices in chosen.items()
        },
    )
