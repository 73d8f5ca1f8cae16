"""A random part of an image and the same of its mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from tinymed.data.geometry import Array, checked_number
from tinymed.data.sampler import checked_count
from tinymed.random import or_default

__all__ = ["RandomCrop"]

PADDINGS = ("constant", "edge", "reflect", "symmetric")


@dataclass(frozen=True, kw_only=True)
class RandomCrop:
    """Cut a box of a fixed size out of an image and its mask, at a random place.

    Parameters
    ----------
    size : sequence of int
        One per spatial axis, >= 1; they are the last axes of the image, 1 to 3.
    padding : int or one int per axis
        Pixels added on either side before, >= 0.
    mode : {"constant", "edge", "reflect", "symmetric"}
        What is added, as in `numpy.pad`; the mask gets the same, but 0 for "constant".
    fill : float
        The value for mode "constant".

    Raises
    ------
    ValueError, TypeError
        Numbers outside their ranges, or a wrong number of them; a fill that the mode ignores.

    Examples
    --------
    >>> crop = RandomCrop(size=(32, 32), padding=4)
    >>> image = np.ones((3, 32, 32), np.float32)
    >>> crop(image, generator=np.random.default_rng(0)).shape
    (3, 32, 32)
    """

    size: Sequence[int]
    padding: int | Sequence[int] = 0
    mode: str = "constant"
    fill: float = 0.0

    def __post_init__(self) -> None:
        """Check all settings."""
        if np.ndim(self.size) != 1 or not 1 <= len(self.size) <= 3:
            raise ValueError(f"RandomCrop: size is {self.size}, 1 to 3 numbers expected")
        for side in self.size:
            checked_count("RandomCrop", "size", side)
        if len(self._margins) != len(self.size):
            raise ValueError(
                f"RandomCrop: padding is {self.padding}, one number or {len(self.size)} expected"
            )
        for margin in self._margins:
            checked_count("RandomCrop", "padding", margin, minimum=0)
        if self.mode not in PADDINGS:
            raise ValueError(
                f"RandomCrop: mode is {self.mode!r}, one of {', '.join(PADDINGS)} expected"
            )
        if checked_number("RandomCrop", "fill", self.fill) and self.mode != "constant":
            raise ValueError(
                f"RandomCrop: fill={self.fill} with mode {self.mode!r}; use mode='constant'"
            )

    @overload
    def __call__(
        self, image: Array, mask: None = None, *, generator: np.random.Generator | None = None
    ) -> Array: ...

    @overload
    def __call__(
        self, image: Array, mask: Array, *, generator: np.random.Generator | None = None
    ) -> tuple[Array, Array]: ...

    def __call__(
        self,
        image: Array,
        mask: Array | None = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> Array | tuple[Array, Array]:
        """Return a copy of a random part of ``image``, and the same part of ``mask``.

        Parameters
        ----------
        image, mask : numpy.ndarray (..., *spatial)
            Not changed.
        generator : numpy.random.Generator, optional
            The default one if not given.

        Returns
        -------
        numpy.ndarray (..., *size), or a pair (image, mask)

        Raises
        ------
        ValueError
            An image that is smaller than ``size``, padding included, or too small to be mirrored;
            a mask of another spatial shape.
        """
        image = np.asarray(image)
        dims = len(self.size)
        spatial = image.shape[-dims:]
        free = [n + 2 * m - s for n, m, s in zip(spatial, self._margins, self.size, strict=False)]
        if image.ndim < dims or min(free) < 0:
            raise ValueError(
                f"RandomCrop: image {image.shape} with padding {self.padding} is smaller than "
                f"{tuple(self.size)}; give more padding"
            )
        generator = or_default(generator)
        corner = [int(generator.integers(room + 1)) for room in free]
        part = self._cut(image, corner, self.fill)
        if mask is None:
            return part
        mask = np.asarray(mask)
        if mask.shape[-dims:] != spatial:
            raise ValueError(
                f"RandomCrop: image {image.shape} and mask {mask.shape} differ in their last "
                f"{dims} axes, equal ones expected"
            )
        return part, self._cut(mask, corner, 0)

    def on_image(self, sample: Any, generator: np.random.Generator) -> tuple[Any, ...]:
        """Crop the first entry of a sample ``(image, label, ...)``, for `DataLoader`."""
        image, *rest = sample
        return self(image, generator=generator), *rest

    def on_image_and_mask(self, sample: Any, generator: np.random.Generator) -> tuple[Any, ...]:
        """Crop the first two entries of a sample ``(image, mask, ...)``, alike."""
        image, mask, *rest = sample
        return *self(image, mask, generator=generator), *rest

    @property
    def _margins(self) -> list[int]:
        """The padding of each axis."""
        if np.ndim(self.padding) == 0:
            return [self.padding] * len(self.size)  # type: ignore[list-item]
        return list(self.padding)  # type: ignore[arg-type]

    def _cut(self, array: Array, corner: list[int], fill: float) -> Array:
        """Return the part of the padded ``array`` that begins at ``corner``."""
        margins = [(0, 0)] * (array.ndim - len(corner)) + [(m, m) for m in self._margins]
        if self.mode == "constant":
            padded = np.pad(array, margins, "constant", constant_values=fill)
        else:
            padded = np.pad(array, margins, self.mode)  # type: ignore[call-overload]
        box = (slice(c, c + s) for c, s in zip(corner, self.size, strict=True))
        index: tuple[Any, ...] = (..., *box)
        return padded[index].copy()
