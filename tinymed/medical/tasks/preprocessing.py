"""From stored pixels to the network's input: one object, kept with the model it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
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
    """

    low: float
    high: float
    mean: float
    std: float

    @classmethod
    def fitted(cls, images: Array, limits: Window) -> Preprocessing:
        """Return the preprocessing whose mean and standard deviation are those of ``images``."""
        return cls(limits.low, limits.high, *statistics(grey(images, limits)))

    @classmethod
    def kept(cls, known: Mapping[str, Any]) -> Preprocessing:
        """Return the preprocessing that a model file tells of, among whatever else it tells."""
        return cls(*(known[each.name] for each in fields(cls)))

    def __call__(self, images: Array) -> Array:
        """Return (n, H, W) as the network's input, (n, 1, H, W) float32.

        Raises
        ------
        DataError
            If the images are not single-channel planes, or are no Hounsfield units.
        """
        planes = grey(images, Window(self.low, self.high))
        return normalise(planes, self.mean, self.std)[:, None]

    def to_dict(self) -> dict[str, float]:
        """Return the settings, for the model's file."""
        return asdict(self)


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
    return window(images, *limits)
