"""Random augmentation of an image and its mask, in one interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np

from tinymed.data.geometry import (
    Array,
    as_dtype,
    checked_dims,
    checked_image,
    checked_interpolation,
    checked_number,
    rotation,
    warp,
)
from tinymed.random import default_generator

__all__ = ["Augment"]

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Random rotation, scaling, shift and flip of an image and its mask, alike.

    The four are composed to one affine map (flip, scale, rotate, shift, in this order, about the
    centre) and applied in one interpolation, so that nothing is blurred twice.

    Parameters
    ----------
    rotate : float or 3 floats
        Largest angle in degrees, >= 0: drawn from -rotate..rotate. In 3-D about each of the axes in
        turn, or one limit per axis: ``(15, 0, 0)`` turns a volume (z, y, x) in the axial plane
        alone, as thick slices ask for.
    scale : (float, float)
        Range of the factor, above 0; the same along each axis.
    shift : float or one float per axis
        Largest shift in pixels, >= 0: drawn from -shift..shift.
    flip : bool or one bool per axis
        Reverse the axis every other time. Not where sides mean something: the heart is on the left.
    intensity : ((float, float), (float, float)), optional
        Ranges of gain and offset: image * gain + offset, not for the mask.
    noise : float
        Standard deviation of Gaussian noise added to the image, in its units.
    probability : float
        Of anything being done at all; otherwise copies are returned.
    spatial_dims : int
        2 for images (..., rows, columns), 3 for volumes (..., slices, rows, columns).
    order, mode, fill
        Interpolation of the image, see `rotate`. The mask takes the nearest pixel, the same mode
        and, outside, 0.

    Raises
    ------
    ValueError, TypeError
        A value outside its range, or the wrong number of them.

    Notes
    -----
    A 50 x 50 float32 image takes about 0.1 ms. Each call draws the same number of values
    for the geometry, so that turning one of the transforms off leaves the others as they were.

    Examples
    --------
    >>> augment = Augment(rotate=15, scale=(0.9, 1.1), shift=3, flip=True)
    >>> image = np.random.default_rng(0).random((50, 50), dtype=np.float32)
    >>> augment(image, generator=np.random.default_rng(1)).shape
    (50, 50)
    >>> moved, mask = augment(image, image > 0.5, generator=np.random.default_rng(1))
    >>> mask.dtype
    dtype('bool')

    In a loader, for samples ``(image, label)`` and ``(image, mask, ...)``:

    >>> from tinymed.data import DataLoader, TensorDataset
    >>> dataset = TensorDataset(np.stack([image] * 4), np.arange(4))
    >>> loader = DataLoader(dataset, batch_size=2, augment=augment.on_image)
    >>> masks = TensorDataset(np.stack([image] * 4), np.stack([image > 0.5] * 4))
    >>> loader = DataLoader(masks, batch_size=2, augment=augment.on_image_and_mask)
    """

    rotate: float | Sequence[float] = 15.0
    scale: Range = (0.9, 1.1)
    shift: float | Sequence[float] = 3.0
    flip: bool | Sequence[bool] = True
    intensity: tuple[Range, Range] | None = None
    noise: float = 0.0
    probability: float = 1.0
    spatial_dims: int = 2
    order: int = 1
    mode: str = "nearest"
    fill: float | None = None

    _angles: Array = field(init=False, repr=False, compare=False)  # the same, one per axis
    _pixels: Array = field(init=False, repr=False, compare=False)
    _flips: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check all settings."""
        dims = checked_dims("Augment", self.spatial_dims, (2, 3))
        checked_interpolation("Augment", self.order, self.mode, self.fill)
        for name, private, count in (
            ("rotate", "_angles", 1 if dims == 2 else 3),
            ("shift", "_pixels", dims),
            ("flip", "_flips", dims),
        ):
            amounts = _per_axis(name, getattr(self, name), count)
            object.__setattr__(self, private, amounts)  # the one way in a frozen dataclass
        if not np.isin(self._flips, (0, 1)).all():
            raise ValueError(f"Augment: flip is {self.flip}, True or False expected")
        object.__setattr__(self, "_flips", self._flips.astype(bool))
        if self.intensity is not None and len(self.intensity) != 2:
            raise ValueError(
                f"Augment: intensity is {self.intensity}, two ranges (gain, offset) expected"
            )
        gain, offset = self.intensity or ((1.0, 1.0), (0.0, 0.0))
        for name, limits in (("scale", self.scale), ("gain", gain), ("offset", offset)):
            _check_range(name, limits)
        if self.scale[0] <= 0:
            raise ValueError(f"Augment: scale is {self.scale}, factors above 0 expected")
        if checked_number("Augment", "noise", self.noise) < 0:
            raise ValueError(f"Augment: noise is {self.noise}, a standard deviation >= 0 expected")
        if not 0 <= checked_number("Augment", "probability", self.probability) <= 1:
            raise ValueError(f"Augment: probability is {self.probability}, 0 to 1 expected")

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
        """Return a randomly transformed copy of ``image``, and of ``mask`` if there is one.

        Parameters
        ----------
        image : numpy.ndarray (..., *spatial)
            Real numbers; not changed.
        mask : numpy.ndarray (..., *spatial), optional
            Integers, booleans or one-hot channels over the same spatial axes; not changed.
        generator : numpy.random.Generator, optional
            The default one if not given.

        Returns
        -------
        numpy.ndarray, or a pair (image, mask)
            Shapes and dtypes are kept.

        Raises
        ------
        ValueError, TypeError
            Too few axes, no pixel, a mask of another spatial shape, a dtype that cannot be
            interpolated.
        """
        image = checked_image("Augment", image, self.spatial_dims, self.order)
        if mask is not None:
            mask = checked_image("Augment", mask, self.spatial_dims, order=0)
            if image.shape[-self.spatial_dims :] != mask.shape[-self.spatial_dims :]:
                raise ValueError(
                    f"Augment: image {image.shape} and mask {mask.shape} differ in their last "
                    f"{self.spatial_dims} axes, equal ones expected"
                )
        generator = default_generator() if generator is None else generator
        # always the same number of draws: turning one transform off leaves the others as they were
        applies, factor, gain, offset, *geometry = generator.random(
            4 + self._angles.size + 2 * self.spatial_dims
        ).tolist()
        if applies >= self.probability:
            return image.copy() if mask is None else (image.copy(), mask.copy())
        inverse, move = self._map(_within(self.scale, factor), np.array(geometry))
        moved = warp(image, inverse, move, self.order, self.mode, self.fill)
        if self.intensity is not None:
            moved *= _within(self.intensity[0], gain)
            moved += _within(self.intensity[1], offset)
        if self.noise:
            moved += self.noise * generator.standard_normal(moved.shape, moved.dtype.type)
        moved = as_dtype(moved, image.dtype)
        if mask is None:
            return moved
        return moved, as_dtype(warp(mask, inverse, move, 0, self.mode, None), mask.dtype)

    def on_image(self, sample: Any, generator: np.random.Generator) -> tuple[Any, ...]:
        """Augment the first entry of a sample ``(image, label, ...)``, for `DataLoader`."""
        image, *rest = sample
        return self(image, generator=generator), *rest

    def on_image_and_mask(self, sample: Any, generator: np.random.Generator) -> tuple[Any, ...]:
        """Augment the first two entries of a sample ``(image, mask, ...)``, alike."""
        image, mask, *rest = sample
        return *self(image, mask, generator=generator), *rest

    def _map(self, factor: float, draws: Array) -> tuple[Array, Array]:
        """Return inverse matrix (d, d) and shift (d,) from draws in 0..1: angles, shift, flips."""
        turns, d = self._angles.size, self.spatial_dims
        angles = (2 * draws[:turns] - 1) * self._angles
        move = (2 * draws[turns : turns + d] - 1) * self._pixels
        signs = np.where(self._flips & (draws[turns + d :] < 0.5), -1.0, 1.0)
        # p -> R (factor signs p) + move, so back: p -> signs / factor R^T (p - move)
        return (signs / factor)[:, None] * rotation(angles.tolist()).T, move


def _within(limits: Range, draw: float) -> float:
    """Return the point of the range that ``draw`` in 0..1 stands for."""
    low, high = limits
    return low + (high - low) * draw


def _per_axis(name: str, value: Any, count: int) -> Array:
    """Return ``count`` limits >= 0 (or truth values), from one number or one per axis."""
    values = [value] * count if np.ndim(value) == 0 else list(value)
    if len(values) != count:
        raise ValueError(f"Augment: {name} is {value}, one number or {count} expected")
    limits = [checked_number("Augment", name, limit) for limit in values]
    if min(limits) < 0:
        raise ValueError(f"Augment: {name} is {value}, a largest amount >= 0 expected")
    return np.array(limits)


def _check_range(name: str, limits: Range) -> None:
    """Refuse what is no pair low <= high."""
    if np.shape(limits) != (2,):
        raise ValueError(f"Augment: {name} is {limits}, a range (low, high) expected")
    low, high = (checked_number("Augment", name, limit) for limit in limits)
    if low > high:
        raise ValueError(f"Augment: {name} is {limits}, low <= high expected")
