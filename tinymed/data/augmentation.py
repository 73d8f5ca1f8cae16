"""Random augmentation of an image and its mask, in one interpolation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np

from tinymed.data.elastic import checked_elastic, checked_spacing, displacement_field
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
from tinymed.data.intensity import adjust_contrast, adjust_gamma, erase, gaussian_blur
from tinymed.data.noise import add_noise, add_shot_noise
from tinymed.random import or_default

__all__ = ["Augment"]

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Random rotation, scaling, shift, flip and deformation of an image and its mask, alike.

    They are composed to one map (flip, scale, rotate, shift, in this order, about the centre, then
    the elastic deformation) and applied in one interpolation, so that nothing is blurred twice.
    Then the image alone is changed in its values, as far as asked for: blur, contrast, gamma, gain
    and offset, shot noise, noise, a box erased; in this order.

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
    noise : float or (float, float)
        Standard deviation of Gaussian noise added to the image, in its units; or its range.
    probability : float
        Of anything being done at all; otherwise copies are returned.
    spatial_dims : int
        2 for images (..., rows, columns), 3 for volumes (..., slices, rows, columns).
    order, mode, fill
        Interpolation of the image, see `rotate`. The mask takes the nearest pixel, the same mode
        and, outside, 0.
    elastic : (float, float), optional
        Standard deviations (alpha, sigma) in pixels of the displacement and of the Gaussian it is
        smoothed with, see `displacement_field`.
    spacing : sequence of float, optional
        Size of a pixel along each axis, in any unit, such as (2.5, 0.7, 0.7) mm. Rotations are then
        rigid in this unit, and the pixels of ``elastic``, ``blur`` and ``noise_correlation`` are
        those of the finest axis.
    blur : float or (float, float)
        Standard deviation in pixels of a Gaussian blur, or its range.
    contrast : (float, float), optional
        Range of the factor, see `adjust_contrast`.
    gamma : (float, float), optional
        Range of the exponent, above 0, see `adjust_gamma`.
    shot_noise : float or (float, float)
        Standard deviation, at image value 1, of noise as of counted photons, or its range; see
        `add_shot_noise`.
    noise_correlation : float
        Grain of ``noise`` in pixels, see `add_noise`.
    erased : (float, float), optional
        Range of the share of the image, 0 to 1, that a box takes up which is filled with
        ``erased_value``; its sides vary by a factor of 3. The mask keeps what lies there.
    erased_value : float
        In the units of the result.

    Raises
    ------
    ValueError, TypeError
        A value outside its range, or the wrong number of them.

    Notes
    -----
    A 50 x 50 float32 image takes about 0.1 ms. Each call draws the same number of values
    for rotation, scaling, shift and flip, so that turning one of them off leaves the others as they
    were.

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
    noise: float | Range = 0.0
    probability: float = 1.0
    spatial_dims: int = 2
    order: int = 1
    mode: str = "nearest"
    fill: float | None = None
    elastic: tuple[float, float] | None = None
    spacing: Sequence[float] | None = None
    blur: float | Range = 0.0
    contrast: Range | None = None
    gamma: Range | None = None
    shot_noise: float | Range = 0.0
    noise_correlation: float = 0.0
    erased: Range | None = None
    erased_value: float = 0.0

    _angles: Array = field(init=False, repr=False, compare=False)  # the same, one per axis
    _pixels: Array = field(init=False, repr=False, compare=False)
    _flips: Array = field(init=False, repr=False, compare=False)
    _sizes: Array = field(init=False, repr=False, compare=False)  # of a pixel, the finest being 1

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
        object.__setattr__(self, "_sizes", checked_spacing("Augment", self.spacing, dims))
        if self.elastic is not None:
            checked_elastic("Augment", self.elastic)
        self._check_intensity()
        _check_range("scale", self.scale)
        if self.scale[0] <= 0:
            raise ValueError(f"Augment: scale is {self.scale}, factors above 0 expected")
        if not 0 <= checked_number("Augment", "probability", self.probability) <= 1:
            raise ValueError(f"Augment: probability is {self.probability}, 0 to 1 expected")

    def _check_intensity(self) -> None:
        """Check what concerns the values of the image."""
        if self.intensity is not None and len(self.intensity) != 2:
            raise ValueError(
                f"Augment: intensity is {self.intensity}, two ranges (gain, offset) expected"
            )
        gain, offset = self.intensity or ((1.0, 1.0), (0.0, 0.0))
        for name, limits in (("gain", gain), ("offset", offset)):
            _check_range(name, limits)
        for name in ("noise", "shot_noise", "blur"):
            _check_range(name, getattr(self, name), (0, math.inf), number=True)
        for name, most in (("contrast", math.inf), ("gamma", math.inf), ("erased", 1)):
            if getattr(self, name) is not None:
                _check_range(name, getattr(self, name), (0, most))
        if self.gamma is not None and not self.gamma[0]:
            raise ValueError(f"Augment: gamma is {self.gamma}, exponents above 0 expected")
        if checked_number("Augment", "noise_correlation", self.noise_correlation) < 0:
            raise ValueError(
                f"Augment: noise_correlation is {self.noise_correlation}, pixels >= 0 expected"
            )
        if self.noise_correlation and not np.any(self.noise):
            raise ValueError(
                f"Augment: noise_correlation={self.noise_correlation} without noise; set noise"
            )
        if checked_number("Augment", "erased_value", self.erased_value) and self.erased is None:
            raise ValueError(f"Augment: erased_value={self.erased_value} without a box; set erased")

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
        generator = or_default(generator)
        # always the same number of draws: turning one transform off leaves the others as they were
        applies, factor, gain, offset, *geometry = generator.random(
            4 + self._angles.size + 2 * self.spatial_dims
        ).tolist()
        if applies >= self.probability:
            return image.copy() if mask is None else (image.copy(), mask.copy())
        inverse, move = self._map(_within(self.scale, factor), np.array(geometry))
        bend = None
        if self.elastic is not None:
            spatial = image.shape[-self.spatial_dims :]
            bend = displacement_field(
                spatial, *self.elastic, spacing=self.spacing, generator=generator
            )
        moved = warp(image, inverse, move, self.order, self.mode, self.fill, bend)
        moved = as_dtype(self._changed(moved, gain, offset, generator), image.dtype)
        if mask is None:
            return moved
        return moved, as_dtype(warp(mask, inverse, move, 0, self.mode, None, bend), mask.dtype)

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
        # p -> R (factor signs p) + move, so back: p -> signs / factor R^T (p - move);
        # R turns lengths: pixels times their sizes, then back to pixels
        back = rotation(angles.tolist()).T * self._sizes / self._sizes[:, None]
        return (signs / factor)[:, None] * back, move

    def _changed(
        self, moved: Array, gain: float, offset: float, generator: np.random.Generator
    ) -> Array:
        """Return the image (..., *spatial) with its values changed; ``gain``, ``offset`` in 0..1.

        The amounts are drawn first and all of them, so that turning one of these transforms off
        leaves the amounts of the others as they were.
        """
        dims = self.spatial_dims
        ranged = np.ndim(self.noise) > 0
        some = self.blur or self.contrast or self.gamma or self.shot_noise or self.erased or ranged
        draws = generator.random(6 + 2 * dims) if some else np.zeros(6 + 2 * dims)
        if self.blur:
            sigma = _within(self.blur, draws[0]) / self._sizes
            moved = gaussian_blur(moved, sigma.tolist(), spatial_dims=dims)
        if self.contrast is not None:
            moved = adjust_contrast(moved, _within(self.contrast, draws[1]), spatial_dims=dims)
        if self.gamma is not None:
            moved = adjust_gamma(moved, _within(self.gamma, draws[2]), spatial_dims=dims)
        if self.intensity is not None:
            moved *= _within(self.intensity[0], gain)
            moved += _within(self.intensity[1], offset)
        if self.shot_noise:
            scale = _within(self.shot_noise, draws[3])
            moved = add_shot_noise(moved, scale, generator=generator)
        if self.noise:
            deviation = _within(self.noise, draws[4])
            grain = (self.noise_correlation / self._sizes).tolist()
            moved = add_noise(
                moved, deviation, correlation=grain, spatial_dims=dims, generator=generator
            )
        if self.erased is not None:
            box = _box(moved.shape[-dims:], _within(self.erased, draws[5]), draws[6:])
            moved = erase(moved, *box, self.erased_value)
        return moved


def _box(
    shape: tuple[int, ...], share: float, draws: Array
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return corner and sides of a box of ``share`` of the pixels, from 2d draws in 0..1."""
    sizes = np.array(shape)
    stretch = 3.0 ** (draws[: len(shape)] - 0.5)  # sides at most 3 times as long as others
    stretch /= np.prod(stretch) ** (1 / len(shape))
    wanted = np.rint(sizes * share ** (1 / len(shape)) * stretch).astype(int)
    sides = np.minimum(wanted, sizes)
    corner = (draws[len(shape) :] * (sizes - sides + 1)).astype(int)
    return tuple(corner.tolist()), tuple(sides.tolist())


def _within(limits: float | Range, draw: float) -> float:
    """Return the point of the range that ``draw`` in 0..1 stands for; a number is a point."""
    pair: Any = (limits, limits) if np.ndim(limits) == 0 else limits
    low, high = pair
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


def _check_range(
    name: str,
    limits: float | Range,
    within: Range = (-math.inf, math.inf),
    *,
    number: bool = False,
) -> None:
    """Refuse what is no pair low <= high ``within`` a range, nor, where allowed, one ``number``."""
    one = np.ndim(limits) == 0
    if one != number and np.shape(limits) != (2,):
        also = "a number or " if number else ""
        raise ValueError(f"Augment: {name} is {limits}, {also}a range (low, high) expected")
    pair: Any = (limits, limits) if one else limits
    low, high = (checked_number("Augment", name, limit) for limit in pair)
    if low > high:
        raise ValueError(f"Augment: {name} is {limits}, low <= high expected")
    if low < within[0] or high > within[1]:
        least, most = within
        allowed = f">= {least}" if most == math.inf else f"in {least}..{most}"
        raise ValueError(f"Augment: {name} is {limits}, numbers {allowed} expected")
