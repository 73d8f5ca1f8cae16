"""Cases of a page on noise: which are shown, and what is drawn where."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

image = pytest.importorskip("matplotlib.image", reason="the extra `report` is not installed")

from tinymed.medical.report.noise_cases import noise_cases  # noqa: E402


def test_the_worst_come_first_and_a_case_that_got_worse_is_marked():
    clean = np.full((30, 12, 14), 0.5)
    noisy = clean + 0.1
    found = clean + np.linspace(0.01, 0.2, 30)[:, None, None]
    worst, drawn = noise_cases(clean, noisy, found)
    assert [p.caption.split(":")[0] for p in worst.pictures[:2]] == ["case 29", "case 28"]
    assert worst.pictures[0].caption == "case 29: 20.0 dB before, 14.0 dB after"
    assert worst.pictures[0].marked
    assert [p.marked for p in drawn.pictures] == [
        found[int(p.caption.split()[1][:-1]), 0, 0] >= 0.6 for p in drawn.pictures
    ]
    assert len(worst.pictures) == len(drawn.pictures) == 12


def test_four_panels():
    clean, noisy, found = (np.full((1, 12, 14), level) for level in (0.2, 0.4, 0.25))
    (section, _) = noise_cases(clean, noisy, found)
    drawn = image.imread(BytesIO(section.pictures[0].png))
    assert drawn.shape[:2] == (12 + 1 + 12, 14 + 1 + 14)
    corners = [drawn[row, column, 0] for row in (0, -1) for column in (0, -1)]
    assert corners == pytest.approx([0.2, 0.4, 0.25, 0.5 + 4 * 0.05], abs=0.005)
