"""Temperature and comparisons of models against closed forms and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed import metrics
from tinymed.metrics import UndefinedMetricError

RANDOM = np.random.default_rng(11)
EXAMPLES = settings(max_examples=40, deadline=None)


def softmax(logits):
    each = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return each / each.sum(axis=-1, keepdims=True)


def simulated(n, classes, generator, sharpness=1.0):
    """Return logits (n, C), and classes drawn from softmax(logits / sharpness)."""
    logits = generator.normal(0, 2, (n, classes))
    p = softmax(logits / sharpness)
    return logits, (p.cumsum(axis=1) < generator.random((n, 1))).sum(axis=1).clip(0, classes - 1)


@EXAMPLES
@given(st.integers(0, 10**6), st.sampled_from([2, 3, 7]), st.floats(0.2, 5), st.floats(1e-3, 1e3))
def test_temperature_minimises_the_cross_entropy(seed, classes, sharpness, scale):
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is the oracle")
    logits, y = simulated(60, classes, np.random.default_rng(seed), sharpness)
    logits = scale * logits

    def loss(log_t):
        return -np.log(softmax(logits / np.exp(log_t))[np.arange(60), y] + 1e-300).mean()

    try:
        found = metrics.fit_temperature(y, logits)
    except UndefinedMetricError as error:
        if "are right" in str(error):
            assert (logits.argmax(axis=1) == y).all()
            return
        far = loss(np.log(scale) + 20)  # nothing is better than no temperature at all
        assert all(loss(np.log(scale) + t) >= far - 1e-9 for t in np.linspace(-4, 20, 99))
        return
    bounds = np.log(found) - 3, np.log(found) + 3
    best = optimize.minimize_scalar(loss, bounds=bounds, method="bounded")
    assert loss(np.log(found)) <= best.fun + 1e-9


def test_temperature_finds_what_was_put_in():
    logits, y = simulated(40000, 4, RANDOM, sharpness=2.5)
    assert metrics.fit_temperature(y, logits) == pytest.approx(2.5, rel=0.05)
    single = logits[:, 1] - logits[:, 0]
    kept = y < 2
    of_one = metrics.fit_temperature(y[kept], single[kept])
    assert of_one == pytest.approx(2.5, rel=0.08)
    of_two = metrics.fit_temperature(y[kept], logits[kept][:, :2])
    assert of_one == pytest.approx(of_two, rel=1e-9)
    before, after = (
        metrics.expected_calibration_error(y[kept], 1 / (1 + np.exp(-single[kept] / t)))
        for t in (1.0, of_one)
    )
    assert after < 0.3 * before


def test_temperature_that_does_not_exist_is_not_made_up():
    with pytest.raises(UndefinedMetricError, match="all 2 cases are right"):
        metrics.fit_temperature([0, 1], [-1.0, 2.0])
    with pytest.raises(UndefinedMetricError, match="exceed that of the true class by"):
        metrics.fit_temperature([1, 0, 1], [-1.0, 2.0, 0.5])
    with pytest.raises(ValueError, match=r"y_true holds 3 at index 0, expected class indices 0"):
        metrics.fit_temperature([3, 0], [[1.0, 2, 3], [1, 2, 3]])
    with pytest.raises(ValueError, match="finite"):
        metrics.fit_temperature([1, 0], [np.inf, 0])
    with pytest.raises(ValueError, match="y_true has 1 cases, logits has 2"):
        metrics.fit_temperature([1], [0.5, 0])


def delong_by_loops(y, first, second):
    """Return difference and variance by the double sums of the paper."""

    def kernel(x, z):
        return 1.0 if x > z else 0.5 if x == z else 0.0

    v10, v01 = [], []
    for score in (first, second):
        positive, negative = score[y == 1], score[y == 0]
        v10.append([np.mean([kernel(x, z) for z in negative]) for x in positive])
        v01.append([np.mean([kernel(x, z) for x in positive]) for z in negative])
    s = np.cov(v10) / len(v10[0]) + np.cov(v01) / len(v01[0])
    return np.mean(v10[0]) - np.mean(v10[1]), s[0, 0] + s[1, 1] - 2 * s[0, 1]


@EXAMPLES
@given(st.integers(0, 10**6), st.sampled_from([4, 100]))
def test_delong_equals_its_double_sums(seed, levels):
    stats = pytest.importorskip("scipy.stats", reason="SciPy is the oracle")
    generator = np.random.default_rng(seed)
    y = np.arange(25) % 3 == 0
    first, second = (generator.integers(0, levels, 25) + 1.0 * y for _ in range(2))
    difference, variance = delong_by_loops(y, first, second)
    found = metrics.delong_test(y, first, second, level=0.9)
    assert found.difference == pytest.approx(difference, abs=1e-12)
    aucs = metrics.roc_auc(y, first), metrics.roc_auc(y, second)
    assert found.difference == pytest.approx(aucs[0] - aucs[1], abs=1e-12)
    normal = stats.norm(difference, np.sqrt(variance))
    np.testing.assert_allclose([found.low, found.high], normal.interval(0.9), atol=1e-9)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(difference) / np.sqrt(variance)))


def test_delong_without_spread_is_refused():
    y = np.array([0, 0, 1, 1])
    with pytest.raises(UndefinedMetricError, match="no spread"):
        metrics.delong_test(y, [1, 2, 3, 4], [2, 4, 6, 8])
    with pytest.raises(UndefinedMetricError, match="1 positive of 3 cases"):
        metrics.delong_test([0, 0, 1], [1, 2, 3], [3, 2, 1])
    with pytest.raises(ValueError, match="level is 95"):
        metrics.delong_test(y, y, y, level=95)


def test_a_paired_difference_is_surer_than_two_intervals():
    y = RANDOM.integers(0, 2, 200)
    base = y + RANDOM.normal(size=200)
    first, second = base + RANDOM.normal(0, 0.1, 200), base + RANDOM.normal(0, 0.6, 200)
    patient = np.arange(200) // 2

    def interval(function, *scores):
        return function(
            metrics.roc_auc, y, *scores, patient, resamples=300, generator=np.random.default_rng(1)
        )

    pair = interval(metrics.paired_difference, first, second)
    alone = interval(metrics.bootstrap_interval, first)
    assert pair.estimate == metrics.roc_auc(y, first) - metrics.roc_auc(y, second)
    assert pair.high - pair.low < 0.8 * (alone.high - alone.low)
    swapped = interval(metrics.paired_difference, second, first)
    np.testing.assert_allclose(swapped[:3], [-pair.high, -pair.low, -pair.estimate])
