"""Parts of an image data set, as training and judging take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinymed.data import DataLoader, TensorDataset, grouped_stratified_holdout
from tinymed.medical.imaging.dataset import ImageDataset, Split, joined
from tinymed.medical.tasks.preprocessing import Preprocessing

__all__ = [
    "group_numbers",
    "images_and_labels",
    "images_in",
    "loader",
    "one_split",
    "part",
    "patients_of",
    "with_fewer",
    "with_validation",
]

Array = np.ndarray[Any, Any]


def images_and_labels(split: Split, preprocessing: Preprocessing) -> TensorDataset:
    """Return samples (image, label), or (image, label, group) where groups are numbers."""
    return TensorDataset(preprocessing(split.images), split.labels, *group_numbers(split))


def images_in(dataset: ImageDataset) -> list[Array]:
    """Return the images of each split."""
    return [split.images for split in dataset.splits.values()]


def group_numbers(split: Split) -> list[Array]:
    """Return the patients of a split as numbers, in a list; an empty one if they are not known."""
    if split.groups is None:
        return []
    return [np.unique(split.groups, return_inverse=True)[1].astype(np.int64)]


def loader(split: Split, preprocessing: Preprocessing, device: str = "cpu") -> DataLoader:
    """Return the batches of a split in order, without augmentation."""
    return DataLoader(images_and_labels(split, preprocessing), batch_size=256, device=device)


def part(split: Split, indices: Array) -> Split:
    """Return some of the images of a split."""
    labels, groups, masks = (
        None if column is None else column[indices]
        for column in (split.labels, split.groups, split.masks)
    )
    return Split(split.images[indices], labels, groups, masks)


def with_fewer(dataset: ImageDataset, count: int, generator: np.random.Generator) -> ImageDataset:
    """Return the data set with so many of its training images, drawn at random."""
    train = dataset["train"]
    chosen = np.sort(generator.permutation(len(train))[:count])
    return replace(dataset, splits={**dataset.splits, "train": part(train, chosen)})


def with_validation(dataset: ImageDataset, generator: np.random.Generator) -> ImageDataset:
    """Return the data set with a fifth of the training patients as validation, if it has none."""
    if "val" in dataset:
        return dataset
    train = dataset["train"]
    if train.labels is None:
        return dataset
    kept, held = grouped_stratified_holdout(
        train.labels, patients_of(train), 0.2, generator=generator
    )
    splits = {**dataset.splits, "train": part(train, kept), "val": part(train, held)}
    return replace(dataset, splits={name: splits[name] for name in ("train", "val", *splits)})


def one_split(splits: Sequence[Split]) -> Split:
    """Return several labelled splits as one; patients only where all of them know theirs."""
    return Split(
        np.concatenate([split.images for split in splits]),
        joined([split.labels for split in splits]),
        joined([split.groups for split in splits]),
    )


def patients_of(split: Split) -> Array:
    """Return the patient of each image (n,); each image is its own where none are known."""
    return np.arange(len(split)) if split.groups is None else split.groups
