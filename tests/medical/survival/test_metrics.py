"""Metrics and curves of survival against plain loops and lifelines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.medical.survival import plain
from tinymed.medical.survival import (
    baseline_hazard,
    brier_score,
    censoring_survival,
    concordance_index,
    concordance_index_ipcw,
    horizon_calibration,
    horizon_weights,
    integrated_brier_score,
    kaplan_meier,
    metrics,
)
from tinymed.metrics import UndefinedMetricError

SIZES = given(n=st.integers(4, 40), distinct=st.integers(3, 30), seed=st.integers(0, 2**32))


@SIZES
def test_concordance_is_the_plain_count(n, distinct, seed):
    time, event, risk = plain.patients(n, seed, distinct)
    time[-1] = distinct + 1.0  # someone is comparable
    expected = plain.concordance(time, event, risk)
    assert concordance_index(time, event, risk) == pytest.approx(expected, abs=1e-12)
    assert concordance_index(time, event, -risk) == pytest.approx(1 - expected, abs=1e-12)


def test_concordance_in_blocks_is_the_same(monkeypatch):
    time, event, risk = plain.patients(300, 2, 100)
    whole = concordance_index(time, event, risk)
    monkeypatch.setattr(metrics, "AT_ONCE", 700)
    assert concordance_index(time, event, risk) == pytest.approx(whole, abs=1e-15)


@SIZES
def test_concordance_is_that_of_lifelines(n, distinct, seed):
    lifelines = pytest.importorskip("lifelines.utils", reason="lifelines is not installed")
    time, event, risk = plain.patients(n, seed, distinct)
    time[-1] = distinct + 1.0
    expected = lifelines.concordance_index(time, -risk, event)
    assert concordance_index(time, event, risk) == pytest.approx(expected, abs=1e-12)


@SIZES
def test_weighed_concordance_is_the_plain_sum(n, distinct, seed):
    time, event, risk = plain.patients(n, seed, distinct)
    time[-1], until = distinct + 1.0, distinct / 2 + 1
    event[0], time[0] = True, 1.0
    weight = [
        plain.censoring(time, event, t, before=True) ** -2.0 if e and t < until else 0.0
        for t, e in zip(time, event, strict=True)
    ]
    expected = plain.concordance(time, event, risk, weight, until, ties_in_time=False)
    found = concordance_index_ipcw(time, event, risk, censoring_survival(time, event), until)
    assert found == pytest.approx(expected, abs=1e-12)


@SIZES
def test_kaplan_meier_and_censoring_are_the_plain_products(n, distinct, seed):
    time, event, _ = plain.patients(n, seed, distinct)
    for at in (0.0, 1.0, 2.5, distinct - 1.0, 99.0):
        expected = plain.kaplan_meier(time, event, at)
        assert kaplan_meier(time, event)(at) == pytest.approx(expected, abs=1e-12)
        lost = censoring_survival(time, event)
        assert lost(at) == pytest.approx(plain.censoring(time, event, at), abs=1e-12)
        before = plain.censoring(time, event, at, before=True)
        assert lost.before(at) == pytest.approx(before, abs=1e-12)


def test_kaplan_meier_is_that_of_lifelines():
    lifelines = pytest.importorskip("lifelines", reason="lifelines is not installed")
    time, event, _ = plain.patients(200, 4, 60)
    fitted = lifelines.KaplanMeierFitter().fit(time, event)
    at = np.arange(0, 70, 0.5)
    expected = fitted.survival_function_at_times(at).to_numpy()
    np.testing.assert_allclose(kaplan_meier(time, event)(at), expected, atol=1e-12)


@SIZES
def test_brier_score_is_the_plain_sum(n, distinct, seed):
    time, event, risk = plain.patients(n, seed, distinct)
    at = distinct / 2
    time[-1] = at + 1.0  # someone is seen for longer
    survival = 1 / (1 + np.exp(risk))
    found = brier_score(time, event, survival, at, censoring_survival(time, event))
    assert found == pytest.approx(plain.brier(time, event, survival, at), abs=1e-12)


def test_integrated_brier_score_is_the_trapezium():
    time, event, risk = plain.patients(50, 6)
    lost, at = censoring_survival(time, event), [2.0, 5.0, 6.0]
    curves = np.exp(-np.exp(risk)[:, None] * np.array([0.1, 0.3, 0.4]))
    scores = [brier_score(time, event, curves[:, k], t, lost) for k, t in enumerate(at)]
    expected = ((scores[0] + scores[1]) / 2 * 3 + (scores[1] + scores[2]) / 2 * 1) / 4
    found = integrated_brier_score(time, event, curves, at, lost)
    assert found == pytest.approx(expected, abs=1e-12)


def test_weights_stand_for_all_patients():
    """Where events come at random, weighed patients are as many as there were."""
    draw = np.random.default_rng(0)
    time, event = draw.exponential(1, 4000), draw.random(4000) < 0.7
    free, weights = horizon_weights(time, event, 0.8, censoring_survival(time, event))
    assert weights.mean() == pytest.approx(1, abs=1e-9)
    assert (weights * free).mean() == pytest.approx(kaplan_meier(time, event)(0.8), abs=1e-9)


def test_nobody_seen_at_the_horizon():
    lost = censoring_survival([1, 2], [1, 0])
    with pytest.raises(UndefinedMetricError, match="censored before 3"):
        horizon_weights([1, 4], [1, 0], 3, lost)


def test_baseline_hazard_without_covariates_is_nelson_aalen():
    time, event, _ = plain.patients(40, 8)
    distinct = np.unique(time[event])
    hazards = [(event & (time == t)).sum() / (time >= t).sum() for t in distinct]
    found = baseline_hazard(np.zeros(40), time, event)
    np.testing.assert_allclose(found(distinct), np.cumsum(hazards), rtol=1e-12)
    halved = baseline_hazard(np.full(40, np.log(2)), time, event)  # a hazard twice as high
    np.testing.assert_allclose(halved.values, found.values / 2, rtol=1e-12)


def test_calibration_of_what_is_true_is_small_and_of_what_is_not_large():
    draw = np.random.default_rng(0)
    rate = np.exp(draw.normal(0, 0.7, 5000))
    dies, leaves = draw.exponential(1 / rate), draw.exponential(2.0, 5000)
    time, event = np.minimum(dies, leaves), dies <= leaves
    good = horizon_calibration(time, event, np.exp(-0.5 * rate), 0.5)
    bad = horizon_calibration(time, event, np.exp(-0.5 * rate) ** 2, 0.5)
    assert good.error < 0.03 < 0.1 < bad.error
    assert good.support.sum() == 5000
    assert (np.diff(good.predicted) > 0).all()


def test_no_pair_can_be_compared():
    with pytest.raises(UndefinedMetricError, match=r"no pair of 3 patients can be compared \(0"):
        concordance_index([1, 2, 3], [0, 0, 0], [1, 2, 3])


def test_wrong_shapes():
    lost = censoring_survival([1, 2], [1, 0])
    with pytest.raises(ValueError, match="expected the same number"):
        concordance_index([1, 2], [1, 1], [1])
    with pytest.raises(ValueError, match="probabilities"):
        brier_score([1, 2], [1, 0], [1.5, 0], 1, lost)
    with pytest.raises(ValueError, match="two rising times"):
        integrated_brier_score([1, 2], [1, 0], [[0.5], [0.5]], [1], lost)
