"""Uplift against plain loops, and on trials whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.medical.survival import plain
from tinymed.medical.survival import policy_value, qini, uplift_curve
from tinymed.metrics import UndefinedMetricError


def trial(n, seed):
    draw = np.random.default_rng(seed)
    benefit = draw.permutation(n).astype(float)
    treated = draw.integers(0, 2, n)
    treated[:2] = 0, 1
    weight = draw.uniform(0.5, 2, n)
    return benefit, treated, draw.integers(0, 2, n).astype(float), weight


@given(n=st.integers(2, 30), seed=st.integers(0, 2**32))
def test_uplift_curve_is_the_plain_one(n, seed):
    benefit, treated, outcome, weight = trial(n, seed)
    curve = uplift_curve(benefit, treated, outcome, weight)
    expected = [plain.uplift_gain(benefit, treated, outcome, weight, k) for k in range(n + 1)]
    np.testing.assert_allclose(curve.gain, expected, atol=1e-12)
    np.testing.assert_allclose(curve.share, np.arange(n + 1) / n)


@given(n=st.integers(2, 30), seed=st.integers(0, 2**32))
def test_equal_predictions_order_nobody(n, seed):
    _, treated, outcome, weight = trial(n, seed)
    assert qini(np.zeros(n), treated, outcome, weight) == pytest.approx(0, abs=1e-12)


def test_qini_is_high_for_the_truth_and_low_for_its_opposite():
    draw = np.random.default_rng(0)
    effect, treated = draw.normal(0, 0.3, 4000), draw.integers(0, 2, 4000)
    outcome = 0.5 + effect * treated + draw.normal(0, 0.2, 4000)
    assert qini(effect, treated, outcome) > 0.04
    assert qini(-effect, treated, outcome) < -0.04
    assert abs(qini(draw.normal(size=4000), treated, outcome)) < 0.02


def test_policy_value_is_what_the_policy_would_reach():
    draw = np.random.default_rng(1)
    n = 20000
    means = draw.uniform(0, 1, (n, 3))  # of each patient under each arm
    given_arm = draw.choice(3, n, p=(0.5, 0.3, 0.2))
    outcome = means[np.arange(n), given_arm]
    best = means.argmax(1)
    assert policy_value(best, given_arm, outcome) == pytest.approx(means.max(1).mean(), abs=0.01)
    assert policy_value(np.full(n, 1), given_arm, outcome) == pytest.approx(
        outcome[given_arm == 1].mean(), abs=1e-12
    )


def test_what_is_not_defined():
    with pytest.raises(UndefinedMetricError, match="treated=0"):
        uplift_curve([1, 2], [1, 1], [0, 1])
    with pytest.raises(UndefinedMetricError, match="chosen arm"):
        policy_value([1, 1], [0, 0], [0, 1])
    with pytest.raises(ValueError, match="weight holds -1"):
        uplift_curve([1, 2], [1, 0], [0, 1], [-1, 1])
