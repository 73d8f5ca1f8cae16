"""CT at a lower dose, and the methods without learning that take its noise off again."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.medical.imaging.scanner import MARGIN, grain

__all__ = ["CUTOFFS", "gaussian", "low_dose", "total_variation"]

Array = np.ndarray[Any, Any]
CUTOFFS = (0.25, 0.6)  # cycles per pixel: of smooth and of sharp kernels, see `scanner`
STEP = 0.25  # of the projected gradient: it converges below 2 / 8, as |div|^2 <= 8


def low_dose(image: Array, level: float, generator: np.random.Generator) -> Array:
    """Return an image with the noise of a lower dose added, as a reconstruction colours it.

    Parameters
    ----------
    image : array (H, W)
        On any scale. The noise that it has already stays.
    level : float >= 0
        Standard deviation of what is added, on the scale of the image.
    generator : numpy.random.Generator
        Draws the noise, and whether the kernel of the reconstruction is smooth or sharp.

    Returns
    -------
    numpy.ndarray (H, W), float32
        Not clipped.

    Examples
    --------
    >>> noisy = low_dose(np.full((200, 200), 0.5), 0.07, np.random.default_rng(0))
    >>> round(float(noisy.std()), 2)
    0.07
    """
    height, width = image.shape
    cutoff = float(generator.uniform(*CUTOFFS))
    noise = grain((height + 2 * MARGIN, width + 2 * MARGIN), cutoff, generator)
    noisy: Array = (
        np.asarray(image, np.float32) + np.float32(level) * noise[MARGIN:-MARGIN, MARGIN:-MARGIN]
    )
    return noisy


def gaussian(images: Array, sigma: float) -> Array:
    """Return images (n, H, W) smoothed by a Gaussian of deviation ``sigma`` pixels.

    Raises
    ------
    ImportError
        Without SciPy.
    """
    try:
        from scipy.ndimage import gaussian_filter
    except ImportError as error:
        raise ImportError("gaussian: needs scipy; pip install tinymed[medical]") from error
    smooth: Array = gaussian_filter(images, (0, sigma, sigma))
    return smooth


def total_variation(images: Array, weight: float, *, iterations: int = 60) -> Array:
    """Return the images u that make |u - image|^2 / 2 + weight TV(u) least.

    TV is the sum over pixels of the length of the gradient, so noise is smoothed and edges stay.

    Parameters
    ----------
    images : array (n, H, W)
    weight : float > 0
        On the scale of the images.
    iterations : int
        Of the projected gradient of the dual problem: u = image + weight div p, |p| <= 1.

    Returns
    -------
    numpy.ndarray (n, H, W), of the dtype of ``images``

    Raises
    ------
    ValueError
        A weight or a number of iterations that is not positive.

    References
    ----------
    Rudin, Osher, Fatemi (1992), "Nonlinear total variation based noise removal algorithms";
    Chambolle (2005), "Total variation minimization and a class of binary MRF models", section 3.

    Examples
    --------
    >>> step = np.repeat([0.0, 1.0], 10)[None, None] * np.ones((1, 20, 1))
    >>> total_variation(step, 0.5, iterations=1000)[0, 0, [0, -1]].round(3)  # 0.5 / 10 nearer
    array([0.05, 0.95])
    """
    if not weight > 0 or iterations < 1:
        raise ValueError(
            f"total_variation: weight={weight}, iterations={iterations}; both positive expected"
        )
    down, across = np.zeros_like(images), np.zeros_like(images)  # p, of the edge that follows
    found = images
    for _ in range(iterations):
        down[:, :-1] += (STEP / weight) * np.diff(found, axis=1)
        across[:, :, :-1] += (STEP / weight) * np.diff(found, axis=2)
        length = np.maximum(1, np.hypot(down, across))
        down /= length
        across /= length
        divergence = down + across
        divergence[:, 1:] -= down[:, :-1]
        divergence[:, :, 1:] -= across[:, :, :-1]
        found = images + weight * divergence
    return found
