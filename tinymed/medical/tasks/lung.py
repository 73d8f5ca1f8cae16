"""Lung-cancer diagnosis from CT: a patch that shows a nodule, or something that looks like one."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.data import Augment
from tinymed.medical.imaging.image_measures import brightness, central_size, noise
from tinymed.medical.imaging.phantoms import synthesise
from tinymed.medical.imaging.windowing import NODULE
from tinymed.medical.tasks.image_diagnosis import ImageDiagnosis

__all__ = ["LUNG"]

Array = np.ndarray[Any, Any]


def central_brightness(images: Array) -> Array:
    """Return the mean of the central quarter less that of the rest: bright things at the centre."""
    height, width = images.shape[1:]
    rows, columns = slice(height // 4, -(height // 4)), slice(width // 4, -(width // 4))
    inside = images[:, rows, columns].mean(axis=(1, 2))
    scores: Array = inside - images.mean(axis=(1, 2))
    return scores


LUNG = ImageDiagnosis(
    name="lung",
    help="lung nodules in CT patches: nodule, or a vessel, the pleura or a scar",
    classes=("mimic", "nodule"),
    label_source=(
        "1: radiologists marked a nodule here; 0: a place that a detector took for one. "
        "Not pathology: a nodule may be benign."
    ),
    window=NODULE,
    network="NoduleCNN",
    settings={"widths": [24, 48, 96]},
    quick_settings={"widths": [8, 16, 32]},
    augment=Augment(
        rotate=180,  # an axial patch has no upright
        scale=(0.85, 1.18),
        shift=3,
        flip=True,
        intensity=((0.9, 1.1), (-0.1, 0.1)),
    ),
    synthesise=synthesise,
    baseline=("central brightness", central_brightness),
    symmetric=True,
    measures={
        "size of what is bright at the centre (pixels)": central_size,
        "noise (of the window)": noise,
        "brightness": brightness,
    },
)
