"""How a scanner sees what is there: pixels, slice thickness, blur and coloured noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from tinymed.medical.imaging.slabs import Array, Points, Slab

__all__ = ["MARGIN", "Scanner", "draw_scanner", "grain"]

MARGIN = 4  # pixels drawn beyond an image: the reach of the blur
# Scans ranked by the sharpness of their kernel: the noise (HU) and its cutoff (cycles per pixel) at
# some ranks, so that patches have the grain of real ones.
_RANKS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
_NOISE = (13.5, 16.5, 21.5, 31.0, 44.0, 80.0, 120.0)
_CUTOFF = (0.24, 0.26, 0.28, 0.33, 0.44, 0.60, 0.75)
_HIGHEST_CUTOFF = 0.9  # cycles per pixel


@dataclass(frozen=True)
class Scanner:
    """Settings of a scan and of its reconstruction."""

    pixel: float  # mm
    thickness: float  # of a slice, mm
    blur: float  # deviation of the point spread function, pixels
    edge: float  # how much a sharp kernel overshoots at edges
    noise: float  # standard deviation, HU
    cutoff: float  # of the noise, cycles per pixel: sharp kernels let high frequencies through
    streaks: float  # how much longer the grain is along x than along y

    def at(self, pixel: float, thickness: float) -> Scanner:
        """Return this scanner with other pixels: blur and grain keep their size in mm."""
        ratio = self.pixel / pixel
        cutoff = min(self.cutoff / ratio, _HIGHEST_CUTOFF)
        return replace(
            self, pixel=pixel, thickness=thickness, blur=self.blur * ratio, cutoff=cutoff
        )

    def slab(self, centre: Points, shape: tuple[int, int]) -> Slab:
        """Return where an image of ``shape`` about ``centre`` is sampled, with its margin."""
        wider = (shape[0] + 2 * MARGIN, shape[1] + 2 * MARGIN)
        return Slab.about(centre, wider, self.pixel, self.thickness)

    def image(self, scene: Array, generator: np.random.Generator) -> Array:
        """Return the image in HU of what is there, (H + 8, W + 8) -> (H, W)."""
        down, across = _frequencies(*scene.shape)
        squared = down**2 + across**2
        blur = np.exp(-2 * (np.pi * self.blur) ** 2 * squared)
        transfer = blur * (1 + self.edge * (1 - np.exp(-2 * (np.pi * 1.2) ** 2 * squared)))
        colour = _colour(scene.shape, self.cutoff, self.streaks)
        noise = np.fft.rfft2(generator.standard_normal(scene.shape, dtype=np.float32)) * colour
        scale = self.noise / _deviation(colour, scene.shape[1])
        image = np.fft.irfft2(np.fft.rfft2(scene) * transfer + scale * noise, scene.shape)
        return image[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)


def grain(shape: tuple[int, int], cutoff: float, generator: np.random.Generator) -> Array:
    """Draw the noise of a reconstructed slice, of mean 0 and standard deviation 1.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns. It is periodic: cut it out of a larger one where that matters.
    cutoff : float > 0
        Cycles per pixel; the smoother the kernel of the reconstruction, the smaller.
    generator : numpy.random.Generator

    Returns
    -------
    numpy.ndarray (H, W), float32

    References
    ----------
    Riederer, Pelc, Chesler (1978), "The noise power spectrum in computed X-ray tomography".

    Examples
    --------
    >>> noise = grain((200, 200), 0.3, np.random.default_rng(0))
    >>> round(float(noise.std()), 1)
    1.0
    """
    colour = _colour(shape, cutoff, 1.0)
    noise = np.fft.rfft2(generator.standard_normal(shape, dtype=np.float32)) * colour
    scale = np.float32(1 / _deviation(colour, shape[1]))
    return (np.fft.irfft2(noise, shape) * scale).astype(np.float32)


def draw_scanner(generator: np.random.Generator) -> Scanner:
    """Draw the settings of a scan; the sharper its kernel, the more noise it lets through."""
    rng = generator
    rank = rng.random()  # of the kernel, from smooth to sharp
    sharp = max(0.0, rank - 0.6)
    return Scanner(
        pixel=float(np.clip(rng.normal(0.695, 0.083), 0.5, 0.95)),
        thickness=float(rng.choice((1.0, 1.25, 2.0, 2.5, 3.0), p=(0.1, 0.25, 0.2, 0.35, 0.1))),
        blur=0.81 - 0.38 * rank + rng.uniform(-0.1, 0.1),
        edge=sharp * rng.uniform(0, 3),
        noise=float(np.interp(rank, _RANKS, _NOISE) * np.exp(rng.normal(0, 0.15))),
        cutoff=float(np.interp(rank, _RANKS, _CUTOFF) * np.exp(rng.normal(0, 0.1))),
        streaks=float(np.exp(max(0.0, rng.normal(0.4, 0.35)))),
    )


@lru_cache(maxsize=8)
def _frequencies(height: int, width: int) -> tuple[Array, Array]:
    """Return the frequencies of `numpy.fft.rfft2` down and across, in cycles per pixel."""
    down = np.fft.fftfreq(height).astype(np.float32)[:, None]
    return down, np.fft.rfftfreq(width).astype(np.float32)[None]


def _colour(shape: tuple[int, ...], cutoff: float, streaks: float) -> Array:
    """Return the amplitude of noise by frequency: sqrt(f) exp(-(f / cutoff)^2).

    Filtered back-projection colours it so: its filter is a ramp, and a kernel that ends it.
    """
    down, across = _frequencies(*shape)
    frequency = np.hypot(down, across * np.float32(streaks))
    colour: Array = np.sqrt(frequency) * np.exp(-((frequency / np.float32(cutoff)) ** 2))
    return colour


def _deviation(colour: Array, width: int) -> float:
    """Return the deviation of white noise of deviation 1 once it is coloured (Parseval)."""
    twice = np.full(colour.shape[1], 2.0)  # rfft2 keeps one of two conjugates
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    return float(np.sqrt((colour**2 * twice).sum() / (colour.shape[0] * width)))
