"""What another scanner would cost: the AUC of the judged images, as it would have shown them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.interpret.generalisation import image_shifts, shift_table
from tinymed.medical.report.image_page import Judged
from tinymed.medical.tasks.preprocessing import Preprocessing
from tinymed.metrics import UndefinedMetricError, roc_auc

__all__ = ["under_shifts"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
NOISE = 0.035  # of the window: of 1400 HU 49, what 25 HU become at a fifth of the dose
RESAMPLES = 300  # of an interval


def under_shifts(cases: Judged, preprocessing: Preprocessing) -> Facts:
    """Return the metrics of the same cases under each of `image_shifts`.

    Returns
    -------
    dict
        ``shifts``: of each its name, the AUC and its difference to that of the images as they are,
        with 95 % intervals over the same resampled patients; ``worst_shift`` and
        ``worst_shift_auc``. Empty where there is no AUC, or no interval of it.
    """
    if cases.asked_again is None:
        raise TypeError("under_shifts: cases that cannot be asked again, `asked_again` expected")
    ask = cases.asked_again
    mean, std = preprocessing.mean, preprocessing.std

    def scores(images: Array) -> Array:
        return ask(((images.clip(0, 1) - mean) / std)[:, None].astype(np.float32))

    try:
        rows = shift_table(
            roc_auc,
            scores,
            cases.planes[:, 0] * std + mean,
            np.asarray(cases.split.labels),
            image_shifts(NOISE, generator=np.random.default_rng(0)),
            cases.split.groups,
            generator=np.random.default_rng(0),
            resamples=RESAMPLES,
        )
    except UndefinedMetricError:
        return {}
    _, *shifted = rows
    worst = min(shifted, key=lambda row: row.estimate)
    return {
        "shifts": [
            {
                "shift": row.shift,
                "auc": row.estimate,
                "auc_ci": [row.low, row.high],
                "difference": row.difference,
                "difference_ci": [row.difference_low, row.difference_high],
            }
            for row in shifted
        ],
        "worst_shift": worst.shift,
        "worst_shift_auc": worst.estimate,
    }
