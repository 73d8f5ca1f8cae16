"""Prediction sets, abstention and uncertainty against definitions and simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_metrics_trust import simulated, softmax
from tinymed import interpret
from tinymed.metrics import UndefinedMetricError

RANDOM = np.random.default_rng(11)
EXAMPLES = settings(max_examples=40, deadline=None)


@pytest.mark.parametrize("method", ["lac", "aps"])
@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_prediction_sets_hold_what_they_promise(method, coverage):
    """Over 100 simulated studies, by probabilities that are wrong: within binomial bounds."""
    trials, n, fresh = 100, 99, 200
    hits, sizes = 0, []
    for _ in range(trials):
        logits, y = simulated(n + fresh, 5, RANDOM, sharpness=2.0)
        p = softmax(logits)  # overconfident: the promise must not need calibration
        sets = interpret.fit_conformal(y[:n], p[:n], coverage=coverage, method=method)
        told = interpret.set_coverage(y[n:], sets(p[n:]))
        hits += told.coverage * fresh
        sizes.append(told.mean_size)
    total = trials * fresh
    # A study's own coverage varies as Beta(k, n + 1 - k) about k / (n + 1): wider than binomial.
    spread = math.sqrt(coverage * (1 - coverage) * (1 / total + 1 / (trials * (n + 2))))
    assert abs(hits / total - coverage) < 4 * spread
    assert 1 < np.mean(sizes) < 5


def test_prediction_sets_are_those_of_the_definition():
    p, y = softmax(RANDOM.normal(0, 1, (30, 4))), RANDOM.integers(0, 4, 30)
    rank = math.ceil(31 * 0.7)
    lac = np.sort(1 - p[np.arange(30), y])[rank - 1]
    found = interpret.fit_conformal(y, p, coverage=0.7)
    assert found.threshold == pytest.approx(lac)
    np.testing.assert_array_equal(found(p), 1 - p <= lac + 1e-9)
    summed = np.array([[row[row > value].sum() + value / 2 for value in row] for row in p])
    aps = np.sort(summed[np.arange(30), y])[rank - 1]
    found = interpret.fit_conformal(y, p, coverage=0.7, method="aps")
    assert found.threshold == pytest.approx(aps)
    np.testing.assert_array_equal(found(p), summed <= aps + 1e-9)


def test_one_probability_is_two_classes():
    y, p = RANDOM.integers(0, 2, 40), RANDOM.random(40)
    one = interpret.fit_conformal(y, p)
    two = interpret.fit_conformal(y, np.stack([1 - p, p], axis=1))
    assert one == two
    np.testing.assert_array_equal(one(p[:, None]), two(np.stack([1 - p, p], axis=1)))


def test_promises_that_cannot_be_kept_are_refused():
    y, p = np.zeros(8, int), np.full(8, 0.3)
    with pytest.raises(UndefinedMetricError, match="8 cases, at least 9 expected"):
        interpret.fit_conformal(y, p, coverage=0.9)
    interpret.fit_conformal(np.zeros(9, int), np.full(9, 0.3), coverage=0.9)
    for wrong, words in (
        ({"coverage": 1.0}, "coverage is 1.0"),
        ({"coverage": 0.5, "method": "raps"}, "method is 'raps'"),
    ):
        with pytest.raises(ValueError, match=words):
            interpret.fit_conformal(y, p, **wrong)
    with pytest.raises(ValueError, match="ranges from"):
        interpret.fit_conformal(y, p + 1)
    with pytest.raises(ValueError, match=r"sets are int64 \(1, 2\)"):
        interpret.set_coverage([0], np.ones((1, 2), np.int64))


def test_coverage_is_counted_class_by_class():
    sets = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0], [1, 1, 1]], bool)
    told = interpret.set_coverage([0, 0, 1, 0], sets)
    assert (told.coverage, told.mean_size, told.empty) == (0.75, 1.5, 0.25)
    np.testing.assert_allclose(told.per_class, [2 / 3, 1, np.nan])


@EXAMPLES
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=30))
def test_risk_and_coverage_are_counted_at_every_threshold(cases):
    wrong, sure = (np.array(column) for column in zip(*cases, strict=True))
    curve = interpret.risk_coverage_curve(np.zeros(len(wrong)), wrong.astype(int), sure)
    levels = sorted(set(sure.tolist()), reverse=True)
    np.testing.assert_array_equal(curve.thresholds, levels)
    np.testing.assert_allclose(curve.coverage, [np.mean(sure >= t) for t in levels])
    np.testing.assert_allclose(curve.risk, [np.mean(wrong[sure >= t]) for t in levels])
    area = interpret.area_under_risk_coverage(np.zeros(len(wrong)), wrong.astype(int), sure)
    each = [np.mean(wrong[sure >= value]) for value in sure]  # the risk when each case is decided
    assert area == pytest.approx(np.mean(each))


def test_the_best_order_of_errors_has_the_smallest_area():
    wrong = np.array([0, 0, 1, 0, 1])
    areas = {
        order: interpret.area_under_risk_coverage(np.zeros(5), wrong, np.array(order))
        for order in itertools.permutations(range(5))
    }
    best = min(areas, key=areas.__getitem__)
    assert {best[2], best[4]} == {0, 1}  # the least sure


def test_uncertainty_is_split_into_noise_and_disagreement():
    stats = pytest.importorskip("scipy.stats", reason="SciPy is the oracle")
    p = softmax(RANDOM.normal(0, 2, (6, 10, 3)))
    p[0, 0] = [1, 0, 0]
    told = interpret.predictive_uncertainty(p)
    np.testing.assert_allclose(told.mean, p.mean(axis=0))
    np.testing.assert_allclose(told.total, stats.entropy(p.mean(axis=0), axis=1))
    np.testing.assert_allclose(told.expected, stats.entropy(p, axis=2).mean(axis=0))
    np.testing.assert_allclose(told.mutual_information, told.total - told.expected)
    divergence = stats.entropy(p, p.mean(axis=0)[None], axis=2).mean(axis=0)  # its other form
    np.testing.assert_allclose(told.mutual_information, divergence)
    alone = interpret.predictive_uncertainty(p[:1])
    np.testing.assert_allclose(alone.mutual_information, 0, atol=1e-12)
    of_one, of_two = interpret.predictive_uncertainty(p[..., 1]), p[..., 1]
    both = interpret.predictive_uncertainty(np.stack([1 - of_two, of_two], axis=2))
    for a, b in zip(of_one, both, strict=True):
        np.testing.assert_array_equal(a, b)
    for wrong in (p[0, 0], p[:, :0], 2 * p, -p, np.full((2, 3, 2), np.nan)):
        with pytest.raises(ValueError, match="predictive_uncertainty: y_prob"):
            interpret.predictive_uncertainty(wrong)
