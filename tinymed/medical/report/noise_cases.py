"""Single images of a page on noise: as they should be, with noise, freed of it, what is left."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.medical.report.cases import CAUTION, SHOWN, png, random_cases
from tinymed.medical.report.page import Picture, Section
from tinymed.metrics import psnr

__all__ = ["noise_cases"]

Array = np.ndarray[Any, Any]
STRONGER = 4  # the difference, so that it can be seen
NOTE = (
    "Above: clean, noisy. Below: freed of noise, and the difference of that to the clean image, "
    f"{STRONGER} times as strong: grey where there is none. Edges in it are what was "
    "smoothed away; a spot in it may be a finding that was lost, or one that was drawn. The lowest "
    "PSNR is often that of an image whose own scan was noisy."
)


def noise_cases(clean: Array, noisy: Array, found: Array) -> list[Section]:
    """Return the cases that are furthest from their clean image, and some drawn at random.

    Parameters
    ----------
    clean, noisy, found : array (n, H, W)
        Grey values in [0, 1].
    """
    before, after = psnr(clean, noisy), psnr(clean, found)

    def shown(case: int) -> Picture:
        left = 0.5 + STRONGER * (found[case] - clean[case])
        line = np.ones((1, clean.shape[2]))
        panels = [
            np.repeat(np.concatenate([above, line, below]).clip(0, 1)[..., None], 3, axis=2)
            for above, below in ((clean[case], found[case]), (noisy[case], left))
        ]
        text = f"case {case}: {before[case]:.1f} dB before, {after[case]:.1f} dB after"
        alt = f"{text}; clean, noisy, freed of noise, difference"
        return Picture(png(panels), alt, text, marked=bool(after[case] <= before[case]))

    worst = np.argsort(after, kind="stable")[:SHOWN].tolist()
    drawn = random_cases(clean).tolist()
    return [
        Section("Worst cases", (NOTE, CAUTION), pictures=[*map(shown, worst)], gallery=True),
        Section("Drawn at random", pictures=[*map(shown, drawn)], gallery=True),
    ]
