"""How a scanner sees what is there: pixels, slice thickness, blur and coloured noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tinymed.medical.imaging.slabs import Array, Points, Slab

__all__ = ["MARGIN", "Scanner", "draw_scanner"]

MARGIN = 4  # pixels drawn beyond an image: the reach of the blur


@dataclass(frozen=True)
class Scanner:
    """Settings of a scan and of its reconstruction."""

    pixel: float  # mm
    thickness: float  # of a slice, mm
    blur: float  # sigma of the point spread function, pixels
    edge: float  # how much a sharp kernel overshoots at edges
    noise: float  # standard deviation, HU
    cutoff: float  # of the noise, cycles per pixel: sharp kernels let high frequencies through
    streaks: float  # how much longer the grain is along x than along y: 1 where it is round

    def slab(self, centre: Points, shape: tuple[int, int]) -> Slab:
        """Return where an image of ``shape`` about ``centre`` is sampled, with its margin."""
        height, width = shape
        wider = (height + 2 * MARGIN, width + 2 * MARGIN)
        return Slab.about(centre, wider, self.pixel, self.thickness)

    def image(self, scene: Array, generator: np.random.Generator) -> Array:
        """Return the CT image in HU of what is there, scene (H + 8, W + 8) -> (H, W).

        Filtered back-projection colours its noise: the amplitude is sqrt(f) exp(-(f / cutoff)^2).
        """
        down, across, frequency = _frequencies(*scene.shape)
        smooth = np.exp(-2 * (np.pi * self.blur * frequency) ** 2)
        transfer = smooth * (1 + self.edge * (1 - np.exp(-2 * (np.pi * 1.2 * frequency) ** 2)))
        grain = np.sqrt(down**2 + (across * self.streaks) ** 2)
        colour = np.sqrt(grain) * np.exp(-((grain / self.cutoff) ** 2))
        # of white noise with deviation 1: Parseval
        scale = self.noise / np.sqrt(_mean_square(colour, scene.shape[1]))
        white = generator.standard_normal(scene.shape, dtype=np.float32)
        spectrum = np.fft.rfft2(scene) * transfer + np.fft.rfft2(white) * (scale * colour)
        image = np.fft.irfft2(spectrum, scene.shape)
        return image[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)


def draw_scanner(generator: np.random.Generator) -> Scanner:
    """Draw the settings of a scan; the sharper its kernel, the more noise it lets through."""
    rng = generator
    sharpness = rng.random() ** 1.6
    return Scanner(
        pixel=float(np.clip(rng.normal(0.695, 0.083), 0.5, 0.95)),
        thickness=float(rng.choice([1.0, 1.25, 2.0, 2.5, 3.0], p=(0.1, 0.25, 0.2, 0.35, 0.1))),
        blur=float(np.interp(sharpness, (0, 1), (0.92, 0.45)) + rng.uniform(-0.1, 0.1)),
        edge=max(0.0, sharpness - 0.4) * rng.uniform(0, 1.5),
        noise=float(16 * (112 / 16) ** sharpness * np.exp(rng.normal(0, 0.25))),
        cutoff=float(np.interp(sharpness, (0, 1), (0.235, 0.52)) * np.exp(rng.normal(0, 0.12))),
        streaks=float(np.exp(max(0.0, rng.normal(0.3, 0.3)))),
    )


@lru_cache(maxsize=8)
def _frequencies(height: int, width: int) -> tuple[Array, Array, Array]:
    """Return frequencies down, across and in all for `numpy.fft.rfft2`, in cycles per pixel."""
    down = np.fft.fftfreq(height).astype(np.float32)[:, None]
    across = np.fft.rfftfreq(width).astype(np.float32)[None]
    return down, across, np.hypot(down, across)


def _mean_square(colour: Array, width: int) -> float:
    """Return the mean of colour^2 over all frequencies, of which rfft2 keeps half."""
    twice = np.full(colour.shape[1], 2.0)
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    return float((colour**2 * twice).sum() / (colour.shape[0] * width))
