"""Lung-cancer diagnosis from CT: is it a nodule, and does it look malignant?"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.data import Augment
from tinymed.medical.imaging.image_measures import (
    brightness,
    central_radius,
    central_size,
    noise,
)
from tinymed.medical.imaging.phantoms import synthesise, synthesise_malignancy
from tinymed.medical.imaging.windowing import NODULE
from tinymed.medical.tasks.image_diagnosis import ImageDiagnosis
from tinymed.medical.tasks.kinds import Kinds
from tinymed.medical.tasks.options import Settings

__all__ = ["LUNG", "LUNG_TASKS", "MALIGNANCY"]

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
    kind="nodule",
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

MALIGNANCY = ImageDiagnosis(
    name="lung",
    kind="malignancy",
    help="nodules that radiologists suspect to be malignant, or call benign",
    classes=("benign", "malignant"),
    label_source=(
        "1: radiologists rated the suspicion of malignancy 4 or 5 of 5; 0: 1 or 2; those between "
        "are left out. An opinion on images, not pathology: nobody looked at tissue."
    ),
    drawn=(
        "1: a simulated reader rated the malignancy that the generator drew 4 or 5 of 5; 0: 1 or "
        "2. Readers err, so no model can be right always."
    ),
    window=NODULE,
    network="NoduleCNN",
    settings={"widths": [16, 32, 64], "centre": True},
    quick_settings={"widths": [8, 16, 32], "centre": True},
    augment=Augment(
        rotate=180,
        scale=(0.9, 1.1),  # less than for nodules: size is much of what there is to see
        shift=2,
        flip=True,
        intensity=((0.9, 1.1), (-0.1, 0.1)),
    ),
    synthesise=synthesise_malignancy,
    # of LUNA16's patches it reaches an AUC of 0.809, `central_size` 0.728; the diameters that the
    # readers measured, in the whole scan, are not in the file
    baseline=("size: radius of the largest disc inside", central_radius),
    threshold=0.5,  # a choice on a few hundred cases would fit these very cases
    symmetric=True,
    defaults=Settings(
        epochs=24, quick_epochs=8, batch_size=32, lr=2e-3, on_gpu=True, needs=("scipy",)
    ),
    folds=5,
    quick_folds=3,
    folds_hold_test=True,
    measures={
        "radius of the largest disc inside (pixels)": central_radius,
        "noise (of the window)": noise,
        "brightness": brightness,
    },
)

LUNG_TASKS = Kinds(
    "lung nodules in CT patches: is it a nodule (default), is it suspected to be malignant",
    {"nodule": LUNG, "malignancy": MALIGNANCY},
    option="task",
    unnamed="nodule",
)
