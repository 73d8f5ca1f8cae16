"""FROC against a definition in plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed.metrics import (
    FALSE_ALARMS,
    UndefinedMetricError,
    froc_curve,
    froc_score,
    froc_sensitivity,
)


def by_loops(scores, lesion, num_lesions, num_scans, rate):
    """The highest sensitivity of any threshold with at most ``rate`` false positives a scan."""
    best = 0.0
    for threshold in [np.inf, *scores]:
        marked = [hit for score, hit in zip(scores, lesion, strict=True) if score >= threshold]
        if marked.count(-1) / num_scans <= rate:
            best = max(best, len(set(marked) - {-1}) / num_lesions)
    return best


marks = st.lists(
    st.tuples(st.integers(0, 12).map(lambda n: n / 4), st.integers(-1, 4)), max_size=40
)


@given(marks, st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_sensitivity_is_that_of_the_definition(marks, scans):
    scores, lesion = [score for score, _ in marks], [hit for _, hit in marks]
    curve = froc_curve(scores, lesion, num_lesions=5, num_scans=scans)
    expected = [by_loops(scores, lesion, 5, scans, rate) for rate in FALSE_ALARMS]
    np.testing.assert_allclose(froc_sensitivity(curve), expected)
    assert froc_score(curve) == pytest.approx(np.mean(expected))


def test_points_of_the_curve():
    curve = froc_curve([4, 3, 3, 2, 1], [1, 1, -1, -1, 0], num_lesions=3, num_scans=2)
    assert curve.thresholds.tolist() == [np.inf, 4, 3, 2, 1]
    assert curve.false_positives.tolist() == [0, 0, 0.5, 1, 1]
    np.testing.assert_allclose(curve.sensitivity, [0, 1 / 3, 1 / 3, 1 / 3, 2 / 3])


def test_a_second_mark_on_a_lesion_is_no_false_positive():
    curve = froc_curve([3, 2, 1], [0, 0, 0], num_lesions=1, num_scans=1)
    assert curve.false_positives.max() == 0
    assert froc_score(curve) == 1


def test_no_marks_find_nothing():
    assert froc_score(froc_curve([], [], num_lesions=2, num_scans=3)) == 0


def test_perfect_marks_score_one_and_only_false_ones_zero():
    assert froc_score(froc_curve([0.9, 0.8], [0, 1], num_lesions=2, num_scans=1)) == 1
    assert froc_score(froc_curve([0.9, 0.8], [-1, -1], num_lesions=2, num_scans=1)) == 0


def test_bad_input_is_refused():
    with pytest.raises(UndefinedMetricError, match="0 lesions in 2 scans"):
        froc_curve([1.0], [-1], num_lesions=0, num_scans=2)
    with pytest.raises(ValueError, match=r"others than -1, 0 \.\. 1"):
        froc_curve([1.0], [2], num_lesions=2, num_scans=1)
    with pytest.raises(ValueError, match="others than"):
        froc_curve([1.0], [0.5], num_lesions=2, num_scans=1)
    with pytest.raises(ValueError, match="2 cases, lesion has 1"):
        froc_curve([1.0, 2.0], [0], num_lesions=2, num_scans=1)
    with pytest.raises(ValueError, match="finite"):
        froc_curve([np.nan], [0], num_lesions=2, num_scans=1)
    curve = froc_curve([1.0], [0], num_lesions=1, num_scans=1)
    with pytest.raises(ValueError, match=">= 0 expected"):
        froc_sensitivity(curve, [-1.0])
