"""The simple method that a network has to beat: what is bright, near the centre, and in one piece.

It holds two methods that are often used alone: an endless ball leaves threshold and component, a
threshold below everything leaves the mean shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from tinymed.medical.segmentation.views import SCALE, from_centre
from tinymed.metrics import dice

__all__ = ["Ball", "fitted_ball"]

Array = np.ndarray[Any, Any]
LEVELS = 7  # thresholds tried, and as many radii


@dataclass(frozen=True)
class Ball:
    """What is bright, within a radius of the centre: of its pieces the one nearest to it.

    Parameters
    ----------
    threshold : float
        Grey value, 0 to 1.
    radius : float
        Voxels.
    """

    threshold: float
    radius: float

    def __call__(self, volume: Array) -> Array:
        """Return the outline (...) in grey values (...).

        Raises
        ------
        ImportError
            SciPy is not installed.
        """
        try:
            from scipy.ndimage import label
        except ImportError as error:
            raise ImportError("Ball: needs SciPy: pip install tinymed[medical]") from error
        distance = (from_centre(volume.shape) + 1) * SCALE
        bright = (volume >= self.threshold) & (distance <= self.radius)
        if not bright.any():
            return bright
        parts, _ = label(bright)
        nearest = np.where(bright, distance, np.inf).argmin()
        chosen: Array = parts == parts.flat[nearest]
        return chosen


def fitted_ball(volumes: Array, masks: Array) -> Ball:
    """Return the ball whose mean Dice on volumes (n, ...) in [0, 1] and their masks is best."""
    low, high = np.median(volumes[~masks]), np.median(volumes[masks])
    levels = np.linspace(0, 1, LEVELS)
    distance = (from_centre(volumes.shape[1:]) + 1) * SCALE
    radii = [np.median(distance[mask]) for mask in masks if mask.any()]
    thresholds = [0.0, *(low + levels * (high - low)).tolist()]
    reaches = [*(2 * np.quantile(radii, levels)).tolist(), np.inf]
    choices = [Ball(*pair) for pair in product(thresholds, reaches)]
    reached = [
        np.mean([dice(mask, ball(volume)) for volume, mask in zip(volumes, masks, strict=True)])
        for ball in choices
    ]
    return choices[int(np.argmax(reached))]
