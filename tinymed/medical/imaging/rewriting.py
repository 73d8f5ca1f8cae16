"""Images that are written again in the form they were read in, with something taken off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.errors import DataError
from tinymed.medical.imaging.dataset import ImageDataset, read_npz, write_npz
from tinymed.medical.imaging.metaimage import METAIMAGE
from tinymed.medical.imaging.nifti import NIFTI, write_nifti
from tinymed.medical.imaging.pictures import PICTURES, read_array, read_picture
from tinymed.medical.imaging.volume_files import read_volume
from tinymed.medical.imaging.windowing import Window

__all__ = ["Images", "open_images", "without"]

Array = NDArray[Any]
ENDINGS = (".npz", ".npy", ".dcm", *PICTURES, *sorted(NIFTI, key=len, reverse=True), *METAIMAGE)


@dataclass(frozen=True, eq=False)
class Images:
    """The planes of a file, and how such planes are written.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    pixels : array (n, H, W)
        Unsigned integers are grey values over a window, others Hounsfield units.
    ending : str
        Of the files that ``save`` writes: npz and npy as they were, a picture as png, a scan as
        nii.gz.
    save : callable
        ``save(file, pixels)``.
    """

    name: str
    pixels: Array
    ending: str
    save: Callable[[Path, Array], None]


def open_images(path: Path) -> Images:
    """Read the planes of an npz file, an npy file, a picture, or a scan (DICOM, NIfTI, MetaImage).

    Raises
    ------
    DataError
        Colours, volumes in npz, a table of files, or what the readers refuse.
    FileNotFoundError, ImportError
        As the readers.
    """
    lower = path.name.lower()
    name = path.name[: -max((len(e) for e in ENDINGS if lower.endswith(e)), default=0) or None]
    if not path.exists():
        raise FileNotFoundError(f"predict: no file or folder {str(path)!r}")
    if lower.endswith(".csv"):
        raise DataError(f"predict: {path} is a table; give the images themselves")
    if lower.endswith(".npz"):
        dataset = read_npz(path)
        pixels = dataset.images
        if pixels.ndim != 3:
            raise DataError(f"predict: {path} holds images {pixels.shape}, (n, H, W) expected")
        return Images(name, pixels, ".npz", lambda file, new: _save_dataset(file, dataset, new))
    if lower.endswith(".npy"):
        array = read_array(path)
        pixels = array if array.ndim == 3 else array[None]
        return Images(
            name, pixels, ".npy", lambda file, new: np.save(file, new.reshape(array.shape))
        )
    if lower.endswith(PICTURES):
        return Images(name, read_picture(path)[0][None], ".png", _save_picture)
    volume = read_volume(path)
    return Images(
        name, volume.hounsfield, ".nii.gz", lambda file, new: write_nifti(file, new, volume.grid)
    )


def without(pixels: Array, taken: Array, limits: Window) -> Array:
    """Return pixels less ``taken``, in their own unit and dtype; integers are rounded and clipped.

    Hounsfield units above the window, which nobody has looked at, stay as they are; those below
    count as its lowest, as they were seen.

    Examples
    --------
    >>> without(np.array([0, 100, 250], np.uint8), np.array([0.1, 0.1, -0.1]), Window(0, 1))
    array([  0,  74, 255], dtype=uint8)
    >>> without(np.array([-1200, 0, 900], np.int16), np.full(3, 0.1), Window(-1000, 400))
    array([-1140,  -140,   900], dtype=int16)
    """
    if pixels.dtype.kind == "u":
        found = pixels - np.iinfo(pixels.dtype).max * taken
    else:
        found = np.maximum(pixels, limits.low) - (limits.high - limits.low) * taken
        found = np.where(pixels > limits.high, pixels, found)
    if pixels.dtype.kind != "f":
        kind = np.iinfo(pixels.dtype)
        found = np.rint(found).clip(kind.min, kind.max)
    stored: Array = found.astype(pixels.dtype)
    return stored


def _save_dataset(file: Path, dataset: ImageDataset, pixels: Array) -> None:
    """Write a data set with other images, in the order of its splits."""
    ends = np.cumsum([len(split) for split in dataset.splits.values()])
    parts = np.split(pixels, ends[:-1])
    splits = {
        name: replace(split, images=part)
        for (name, split), part in zip(dataset.splits.items(), parts, strict=True)
    }
    write_npz(file, replace(dataset, splits=splits))


def _save_picture(file: Path, pixels: Array) -> None:
    """Write one plane of 8 or 16 bits of grey."""
    from PIL import Image  # which has read it

    Image.fromarray(pixels[0]).save(file)
