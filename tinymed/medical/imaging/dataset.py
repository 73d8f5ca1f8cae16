"""Image data sets in one file: the npz layout of MedMNIST, with patients and masks where known.

A file holds, for each of its splits ``train``, ``val``, ``test``, the arrays ``{split}_images`` and
``{split}_labels`` or ``{split}_masks``, and ``{split}_groups`` where the patients are known.
A file may hold only some splits; arrays of other names are left alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.archives import array_in, open_archive
from tinymed.medical.tables import GROUP_NAMES

__all__ = [
    "SPLITS",
    "ImageDataset",
    "Split",
    "finite_in_float32",
    "joined",
    "native",
    "read_npz",
    "write_npz",
]

SPLITS = ("train", "val", "test")

_Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Split:
    """Images with what is known of each; row i of every array is image i.

    Parameters
    ----------
    images : array (n, H, W), (n, H, W, C) or (n, D, H, W), integers or floats
        Four axes whose last has 1, 3 or 4 entries are colour images, else volumes.
    labels : array (n,) or (n, 1), integers >= 0, optional
        Class of each image; kept as int64 (n,).
    groups : array (n,) or (n, 1), integers or strings, optional
        Whom the image is of (patient or scan): images of one group belong on one side of a split.
    masks : array, the shape of ``images`` without colours, integers or bool, optional
        What a segmentation is to find. Labels or masks must be given.

    Raises
    ------
    ValueError
        Wrong number of axes, unequal lengths, no image, NaN or infinity, negative labels.
    TypeError
        An array of a kind that makes no sense there, such as labels that are floats.
    """

    images: _Array
    labels: NDArray[np.int64] | None = None
    groups: _Array | None = None
    masks: _Array | None = None

    def __post_init__(self) -> None:
        for wrong in _errors("Split: ", self.images, self.labels, self.groups, self.masks):
            raise wrong
        object.__setattr__(self, "images", native(self.images))
        if self.labels is not None:
            object.__setattr__(self, "labels", self.labels.astype(np.int64).reshape(-1))
        if self.groups is not None:
            object.__setattr__(self, "groups", self.groups.reshape(-1))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """The splits of one file, by name, in the order train, val, test.

    Raises
    ------
    ValueError
        No split, an unknown name, or images whose shape or dtype differs between splits.

    Examples
    --------
    >>> images = np.zeros((2, 50, 50), np.uint8)
    >>> dataset = ImageDataset("demo", {"train": Split(images, np.array([0, 1]))})
    >>> len(dataset["train"]), "test" in dataset
    (2, False)
    """

    name: str
    splits: dict[str, Split]

    def __post_init__(self) -> None:
        unknown = sorted(set(self.splits) - set(SPLITS))
        if unknown or not self.splits:
            raise ValueError(f"ImageDataset: splits {unknown}, some of {list(SPLITS)} expected")
        kinds = {name: (s.images.shape[1:], str(s.images.dtype)) for name, s in self.splits.items()}
        if len(set(kinds.values())) > 1:
            raise ValueError(f"ImageDataset: images of one shape and dtype expected, got {kinds}")

    def __getitem__(self, split: str) -> Split:
        """Return the split of that name, or raise `KeyError` naming those that are there."""
        if split not in self.splits:
            raise KeyError(f"ImageDataset: no split {split!r} in {self.name}; {list(self.splits)}")
        return self.splits[split]

    def __contains__(self, split: object) -> bool:
        return split in self.splits

    @property
    def images(self) -> _Array:
        """The images of all splits, in order."""
        return np.concatenate([split.images for split in self.splits.values()])

    @property
    def split_of_each(self) -> NDArray[np.str_]:
        """The name of the split of each of `images`, (n,)."""
        return np.repeat(list(self.splits), [len(split) for split in self.splits.values()])

    def joined(self, column: Literal["labels", "groups", "masks"]) -> _Array | None:
        """Return a column of all splits in order, or None unless each of them has it."""
        return joined([getattr(split, column) for split in self.splits.values()])


def native(array: _Array) -> _Array:
    """Return an array in this machine's byte order: elsewhere dtypes are compared by name."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def finite_in_float32(array: _Array) -> NDArray[np.bool_]:
    """Return which numbers are finite, also as float32, which all images are computed in."""
    if array.dtype.kind != "f":
        return np.ones(array.shape, np.bool_)
    found: NDArray[np.bool_] = np.abs(array) <= np.finfo(np.float32).max  # NaN is not
    return found


def joined(columns: Sequence[_Array | None]) -> _Array | None:
    """Return columns one after the other, or None unless all are there."""
    known = [column for column in columns if column is not None]
    return np.concatenate(known) if len(known) == len(columns) else None


def read_npz(path: str | os.PathLike[str]) -> ImageDataset:
    """Read a file in the layout of MedMNIST. Nothing in the file is executed.

    Parameters
    ----------
    path : path
        A file written by `numpy.savez`, `numpy.savez_compressed` or `write_npz`.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Not an npz file, a truncated or altered one, no split in it, patients under another name
        than ``{split}_groups``, or what `Split` refuses.
    TypeError
        What `Split` refuses.

    References
    ----------
    Yang et al. (2023), "MedMNIST v2", Scientific Data 10.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"read_npz: no file {str(path)!r}")
    splits = {}
    with open(path, "rb") as file:
        archive = open_archive("read_npz", path, file)
        _check_names(path, archive)
        for split in SPLITS:
            keys = {field.name: f"{split}_{field.name}" for field in fields(Split)}
            arrays = {
                name: array_in("read_npz", path, archive, key)
                for name, key in keys.items()
                if key in archive
            }
            if not arrays:
                continue
            images = arrays.get("images")
            if images is None or not {"labels", "masks"} & set(arrays):
                raise ValueError(_missing_text(path, archive, split))
            known = (images, arrays.get("labels"), arrays.get("groups"), arrays.get("masks"))
            for wrong in _errors(f"read_npz: {path.name}: {split}_", *known):
                raise wrong
            splits[split] = Split(*known)
        if not splits:
            raise ValueError(_missing_text(path, archive, "train"))
    return ImageDataset(path.stem, splits)


def write_npz(path: str | os.PathLike[str], dataset: ImageDataset) -> None:
    """Write ``dataset`` so that `read_npz` gives it back; an existing file is replaced.

    Examples
    --------
    >>> import tempfile
    >>> dataset = ImageDataset("demo", {"val": Split(np.ones((1, 8, 8)), np.array([1]))})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_npz(f"{folder}/demo.npz", dataset)
    ...     read_npz(f"{folder}/demo.npz")["val"].labels
    array([1])
    """
    arrays = {
        f"{name}_{field.name}": getattr(split, field.name)
        for name, split in dataset.splits.items()
        for field in fields(split)
        if getattr(split, field.name) is not None
    }
    with open(path, "wb") as file:  # given a name, NumPy would append .npz to it
        np.savez_compressed(file, **arrays)


def _check_names(path: Path, archive: Any) -> None:
    """Raise where patients are named in an array that would not be read; see `GROUP_NAMES`."""
    for key in archive:
        split, _, name = key.partition("_")
        known = f"{split}_groups"
        if split in SPLITS and name.lower() in GROUP_NAMES - {"groups"} and known not in archive:
            raise ValueError(f"read_npz: {path.name}: {key} is not known; call it {known}")


def _missing_text(path: Path, archive: Any, split: str) -> str:
    expected = [f"{split}_{field.name}" for field in fields(Split)]
    return (
        f"read_npz: {path.name} holds {sorted(archive)}, but {expected[0]} and {expected[1]} "
        f"(or {expected[3]}) are expected, and {expected[2]} if patients are known; "
        f"splits are {', '.join(SPLITS)}"
    )


def _errors(
    prefix: str, images: _Array, labels: _Array | None, groups: _Array | None, masks: _Array | None
) -> Iterator[Exception]:
    """Yield what is wrong with the arrays of a split, each as the exception to raise."""
    shape, n = images.shape, len(images) if images.ndim else 0
    if images.dtype.kind not in "uif":
        yield TypeError(f"{prefix}images are {images.dtype}, integers or floats expected")
    if images.ndim not in (3, 4):
        yield ValueError(
            f"{prefix}images {shape} have {images.ndim} axes, expected (n, H, W), (n, H, W, C) "
            "or (n, D, H, W)"
        )
    if not images.size:
        yield ValueError(f"{prefix}images {shape} are empty, at least one image expected")
    finite = finite_in_float32(images)
    if not finite.all():
        bad = np.flatnonzero(~finite.reshape(n, -1).all(1))
        yield ValueError(
            f"{prefix}images hold NaN or infinity in {len(bad)} of {n}, the first at {bad[0]}"
        )
    if labels is None and masks is None:
        yield ValueError(f"{prefix}images have neither labels nor masks, one of them is needed")
    for name, column, kinds in (("labels", labels, "uib"), ("groups", groups, "uiU")):
        if column is not None:
            yield from _column_errors(f"{prefix}{name}", column, kinds, n)
    if labels is not None and labels.dtype.kind == "i" and labels.min() < 0:
        yield ValueError(f"{prefix}labels go down to {labels.min()}, classes 0, 1, .. expected")
    if masks is not None:
        colour = len(shape) == 4 and shape[-1] in (1, 3, 4)
        if masks.shape != (shape[:-1] if colour else shape):
            yield ValueError(f"{prefix}masks {masks.shape} do not fit images {shape}")
        if masks.dtype.kind not in "uib":
            yield TypeError(f"{prefix}masks are {masks.dtype}, integers or bool expected")


def _column_errors(name: str, column: _Array, kinds: str, n: int) -> Iterator[Exception]:
    if column.dtype.kind == "f" and np.isnan(column).any():
        yield ValueError(f"{name} hold NaN in {int(np.isnan(column).sum())} of {column.size}")
    if column.dtype.kind not in kinds:
        strings = " or strings" if "U" in kinds else ""
        yield TypeError(f"{name} are {column.dtype}, integers{strings} expected")
    if column.shape not in ((n,), (n, 1)):
        yield ValueError(
            f"{name} {column.shape} for {n} images, one each expected: ({n},) or ({n}, 1)"
        )
