"""From stored pixels to the network's input: one object, kept with the model it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tinymed.errors import DataError
from tinymed.medical.imaging.windowing import Window, normalise, statistics, window

__all__ = ["Preprocessing"]

Array = np.ndarray[Any, Any]
DARK = 4096  # 12 bits in 16: Hounsfield units with an offset look like that
NARROW = 50.0  # HU: a CT whose values span less than this is no CT, or was scaled before


@dataclass(frozen=True)
class Preprocessing:
    """Window (Hounsfield units -> grey values in [0, 1]), then mean 0 and standard deviation 1.

    uint8 and uint16 images are grey values over that window already; signed integers and floats are
    Hounsfield units.

    Parameters
    ----------
    low, high : float
        The window in Hounsfield units.
    mean, std : float
        Of the windowed training images.
    size : (int, int), optional
        Rows and columns of the training images. A network takes any others without a word, and
        what it says of them means nothing: they are refused. None: a model of before, whose file
        does not say; see `doubts`.
    """

    low: float
    high: float
    mean: float
    std: float
    size: tuple[int, int] | None = None

    @classmethod
    def fitted(cls, images: Array, limits: Window) -> Preprocessing:
        """Return the preprocessing whose mean, standard deviation and size are of ``images``."""
        planes = grey(images, limits)
        return cls(limits.low, limits.high, *statistics(planes), size=planes.shape[1:])

    @classmethod
    def kept(cls, known: Mapping[str, Any]) -> Preprocessing:
        """Return the preprocessing that a model file tells of, among whatever else it tells."""
        size = known.get("size")
        low, high, mean, std = (known[name] for name in ("low", "high", "mean", "std"))
        return cls(low, high, mean, std, None if size is None else tuple(size))

    @property
    def doubts(self) -> list[str]:
        """A warning where it cannot be checked that images are like those of the training."""
        told = "the model file is of before sizes were kept: nobody checks that these images show"
        return [] if self.size else [f"{told} as much as those it learned from"]

    def __call__(self, images: Array) -> Array:
        """Return (n, H, W) as the network's input, (n, 1, H, W) float32.

        Raises
        ------
        DataError
            If the images are not single-channel planes, are no Hounsfield units, or of another
            size than the training images.
        """
        planes = grey(images, Window(self.low, self.high))
        self.check_size(planes)
        return normalise(planes, self.mean, self.std)[:, None]

    def check_size(self, planes: Array) -> None:
        """Raise `DataError` unless planes (n, H, W) are as large as the training images."""
        if self.size is not None and planes.shape[1:] != self.size:
            given, learned = (" x ".join(map(str, each)) for each in (planes.shape[1:], self.size))
            raise DataError(
                f"preprocess: images of {given} pixels, but the model learned from {learned}; cut "
                f"{learned} pixels about the place in question, at the scale of the training "
                "images, or resize images that show the same part of the body"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, for the model's file."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def grey(images: Array, limits: Window) -> Array:
    """Return images (n, H, W) or (n, H, W, 1) as grey values in [0, 1]."""
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim != 3:
        raise DataError(
            f"preprocess: images {images.shape}, planes (n, H, W) of one channel expected"
        )
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    if images.dtype == np.uint16:
        if int(images.max()) - int(images.min()) < DARK:
            raise DataError(
                f"preprocess: uint16 images from {images.min()} to {images.max()} are no grey "
                f"values from 0 to 65535 over the window {limits.low:g} to {limits.high:g}; "
                "Hounsfield units need a signed dtype"
            )
        return images.astype(np.float32) / np.float32(65535)
    if images.dtype.kind == "u":
        raise DataError(
            f"preprocess: {images.dtype} images, uint8 or uint16 over the window {limits.low:g} to "
            f"{limits.high:g} expected; Hounsfield units need a signed dtype"
        )
    if float(images.max()) - float(images.min()) < NARROW:
        raise DataError(
            f"preprocess: {images.dtype} images from {images.min()} to {images.max()} are no "
            "Hounsfield units; give Hounsfield units, or uint8 over the window "
            f"{limits.low:g} to {limits.high:g}"
        )
    if limits.low < 0 <= float(images.min()):
        raise DataError(
            f"preprocess: {images.dtype} images from {images.min()} to {images.max()} are no "
            "Hounsfield units: air is -1000; subtract the offset (often 1024) first"
        )
    return window(images, *limits)
