"""Volumes and planes with masks, from files, and as a network is shown them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.data import Augment
from tinymed.errors import DataError
from tinymed.medical.imaging.dataset import read_npz
from tinymed.medical.imaging.nifti import NIFTI, read_nifti
from tinymed.medical.imaging.pictures import read_array
from tinymed.medical.segmentation.losses import signed_distance
from tinymed.medical.segmentation.views import from_centre
from tinymed.medical.tasks.examples import Examples
from tinymed.medical.tasks.image_examples import images_of

__all__ = ["Cut", "Moved", "image_and_place", "read_outlined"]

Array = np.ndarray[Any, Any]
SIDES = (8, 128)  # voxels: fewer show nothing about a centre, more are no cut about one


def read_outlined(path: Path, dimensions: int | None = None) -> Examples:
    """Return images, and masks where there are any, of a file.

    Parameters
    ----------
    path : Path
        npz (`read_npz`) with masks; npy with images; .nii or .nii.gz with one volume, whose axes
        become (rows, columns, slices).
    dimensions : 2, 3 or None
        Of the images: whether an npy file (a, b, c) holds a volume or planes. None: an array of
        three axes holds planes.

    Raises
    ------
    FileNotFoundError
    DataError
        What cannot be read; masks that hold other than 0 and 1, or nothing; images of other
        dimensions, or too small or large to be cut about something.
    """
    name = path.name.lower()
    if name.endswith(NIFTI):
        examples = Examples(np.moveaxis(read_nifti(path).hounsfield, 0, -1)[None])
    elif name.endswith(".npy") and path.is_file():
        array = read_array(path, axes=(2, 3, 4))
        examples = Examples(array if array.ndim == (dimensions or 2) + 1 else array[None])
    else:
        examples = _of_npz(path)
    shape = examples.inputs.shape[1:]
    if len(shape) != (dimensions or len(shape)) or len(shape) not in (2, 3):
        raise DataError(
            f"segment: {path} holds images {shape}, {dimensions or '2 or 3'} axes of "
            "one channel expected"
        )
    if min(shape) < SIDES[0] or max(shape) > SIDES[1]:
        raise DataError(
            f"segment: {path} holds images {shape}, {SIDES[0]} to {SIDES[1]} voxels along each "
            "axis expected; cut them about what is to be outlined"
        )
    return examples


def _of_npz(path: Path) -> Examples:
    """Return what all splits of a file hold."""
    dataset = read_npz(path)
    for name, split in dataset.splits.items():
        if split.masks is None:
            continue
        values = np.unique(split.masks)
        if not np.isin(values, (0, 1)).all():
            raise DataError(f"segment: {name}_masks hold {values[:5].tolist()}, 0 and 1 expected")
        empty = np.flatnonzero(~split.masks.reshape(len(split), -1).any(1))
        if len(empty):
            raise DataError(
                f"segment: {len(empty)} of {len(split)} {name}_masks are empty, the first at "
                f"{empty[0]}; what has no outline cannot be compared with one"
            )
    masks = dataset.joined("masks")
    targets = None if masks is None else masks.astype(np.bool_)
    return replace(images_of(dataset), targets=targets, strata=None)


def image_and_place(images: Array) -> Array:
    """Return images (n, 1, ...) with the distance from the centre beside them, (n, 2, ...)."""
    place = np.broadcast_to(from_centre(images.shape[2:]), images.shape)
    return np.concatenate([images, place], axis=1)


@dataclass(frozen=True)
class Moved:
    """What is shown in training: an image and its mask, moved alike.

    Parameters
    ----------
    augment : Augment
    distances : bool
        Whether the target is followed by its `signed_distance`.
    """

    augment: Augment
    distances: bool

    def __call__(self, sample: Any, generator: np.random.Generator) -> tuple[Array, Array]:
        """Return image and place (2, ...) and target (1, ...) or (2, ...), for `DataLoader`."""
        image, mask = self.augment(*sample, generator=generator)  # (1, ...) each
        target = np.concatenate([mask, signed_distance(mask)]) if self.distances else mask
        return image_and_place(image[None])[0], target


@dataclass(frozen=True)
class Cut:
    """A random part of a batch, cut out of images and targets alike.

    Parts cost less than the whole, and no two are alike. The distance from the centre is cut with
    them, so that the network still knows where the centre is.

    Parameters
    ----------
    sides : (int, int)
        Least and most voxels along each axis of a part; of a shorter axis all.
    """

    sides: tuple[int, int]

    def __call__(self, batch: Any, generator: np.random.Generator) -> tuple[Any, ...]:
        """Return the part of each array (N, C, ...), for `DataLoader`."""
        shape = np.array(batch[0].shape[2:])
        side = int(generator.integers(self.sides[0], self.sides[1] + 1))
        corner = generator.integers(0, np.maximum(shape - side, 0) + 1)
        part = (..., *(slice(start, start + side) for start in corner.tolist()))
        return tuple(each[part] for each in batch)
