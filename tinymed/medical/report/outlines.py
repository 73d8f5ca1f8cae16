"""Outlines on a page: truth and prediction drawn into the slice that shows most of the truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.medical.report.cases import CAUTION, SHOWN, png
from tinymed.medical.report.page import Picture, Section
from tinymed.metrics import dice

__all__ = ["outline_galleries", "outlined"]

Array = np.ndarray[Any, Any]
ENLARGED = 6  # dots for a pixel, so that a line is thinner than one
GREEN, ORANGE = (0.0, 0.85, 0.55), (1.0, 0.45, 0.0)
GOOD = 0.7  # Dice; below it a case is framed


def outline_galleries(images: Array, truth: Array, found: Array) -> list[Section]:
    """Return the worst cases and some drawn at random, each as a picture.

    Parameters
    ----------
    images : array (n, rows, columns[, slices]) in [0, 1]
    truth, found : array of bool, the same shape
    """
    scores = np.array([dice(a, b) for a, b in zip(truth, found, strict=True)])
    worst = np.argsort(scores, kind="stable")[:SHOWN]
    drawn = np.sort(np.random.default_rng(0).permutation(len(scores))[:SHOWN])
    note = (
        "Green: the true outline; orange: the prediction. Volumes: the slice with most of the "
        f"truth. Framed: Dice below {GOOD}."
    )
    galleries = []
    for title, notes, chosen in (
        ("Worst outlines", (note, CAUTION), worst),
        ("Drawn at random", (), drawn),
    ):
        shown = [
            _picture(int(case), images[case], truth[case], found[case], float(scores[case]))
            for case in chosen
        ]
        galleries.append(Section(title, notes, pictures=shown, gallery=True))
    return galleries


def _picture(case: int, image: Array, truth: Array, found: Array, score: float) -> Picture:
    where = ""
    if image.ndim == 3:
        level = int(truth.sum((0, 1)).argmax())
        image, truth, found = image[..., level], truth[..., level], found[..., level]
        where = f", slice {level}"
    text = f"case {case}{where}: Dice {score:.3f}"
    plain = np.repeat(_enlarged(image)[..., None], 3, axis=2)
    panels = [plain, outlined(plain, {GREEN: truth, ORANGE: found})]
    return Picture(png(panels), f"{text}, beside it both outlines", text, marked=score < GOOD)


def outlined(picture: Array, regions: dict[tuple[float, float, float], Array]) -> Array:
    """Return a picture (h, w, 3) with a line about each region (rows, columns), by colour.

    ``h`` and ``w`` are `ENLARGED` times the rows and columns; lines lie inside their regions.
    """
    drawn = picture.copy()
    for colour, region in regions.items():
        inside = _enlarged(region)
        padded = np.pad(inside, 1)
        kept = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        drawn[inside & ~kept] = colour
    return drawn


def _enlarged(plane: Array) -> Array:
    return plane.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
