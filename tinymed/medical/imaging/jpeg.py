"""What JPEG takes away from grey images: public patch sets are stored in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["jpeg_loss"]

# ITU-T T.81 (1992), table K.1: steps for luminance at quality 50.
_STEPS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)


def jpeg_loss(images: NDArray[np.uint8], quality: int = 92) -> NDArray[np.uint8]:
    """Return images as they come back from a JPEG file.

    Parameters
    ----------
    images : array of uint8 (n, H, W)
    quality : int, 1-100
        In the scale of the Independent JPEG Group, which Pillow and others use.

    Raises
    ------
    TypeError
        Images of another dtype.
    ValueError
        Images of another number of axes, or a quality out of range.

    Notes
    -----
    Blocks of 8 x 8 pixels are written as sums of cosines, whose amplitudes are rounded to multiples
    of a step: coarse for the finest cosines, so that noise loses its highest frequencies.

    Examples
    --------
    >>> smooth = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8)[None]
    >>> int(np.abs(jpeg_loss(smooth).astype(int) - smooth).max())
    0
    """
    if images.dtype != np.uint8:
        raise TypeError(f"jpeg_loss: images are {images.dtype}, uint8 expected")
    if images.ndim != 3:
        raise ValueError(f"jpeg_loss: images {images.shape} given, (n, H, W) expected")
    if not 1 <= quality <= 100:
        raise ValueError(f"jpeg_loss: quality is {quality}, 1 to 100 expected")
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = np.clip((_STEPS * scale + 50) // 100, 1, 255).astype(np.float32)
    n, height, width = images.shape
    whole = ((0, 0), (0, -height % 8), (0, -width % 8))
    padded = np.pad(images, whole, mode="edge").astype(np.float32) - 128
    blocks = padded.reshape(n, padded.shape[1] // 8, 8, -1, 8).swapaxes(2, 3)
    cosines = _cosines()
    amplitudes = cosines @ blocks @ cosines.T  # (n, H / 8, W / 8, 8, 8)
    restored = cosines.T @ (np.rint(amplitudes / steps) * steps) @ cosines
    grey = np.rint(restored.swapaxes(2, 3).reshape(padded.shape)[:, :height, :width] + 128)
    return np.clip(grey, 0, 255).astype(np.uint8)


def _cosines() -> NDArray[np.float32]:
    """Return the orthonormal cosines of length 8, one a row."""
    wave, place = np.mgrid[:8, :8]
    rows = np.cos((2 * place + 1) * wave * np.pi / 16) / 2
    rows[0] /= np.sqrt(2)
    return rows.astype(np.float32)
