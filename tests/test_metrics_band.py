"""The band of a curve against resamples written out."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.metrics import UndefinedMetricError, bootstrap_band, bootstrap_interval, roc_auc


def recall_at(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    if not truth.any():
        raise UndefinedMetricError("no positive")
    return np.array([(score[truth == 1] >= t).mean() for t in (0.2, 0.5, 0.8)])


def test_edges_are_quantiles_over_resamples_of_whole_groups():
    generator = np.random.default_rng(3)
    truth, score, group = generator.integers(2, size=40), generator.random(40), np.arange(40) // 4
    low, high = bootstrap_band(
        recall_at, truth, score, group, resamples=50, generator=np.random.default_rng(7)
    )
    rng, found = np.random.default_rng(7), []
    for _ in range(50):
        drawn = rng.integers(10, size=10)
        rows = np.concatenate([np.flatnonzero(group == g) for g in drawn])
        found.append(recall_at(truth[rows], score[rows]))
    np.testing.assert_allclose(low, np.quantile(found, 0.025, axis=0))
    np.testing.assert_allclose(high, np.quantile(found, 0.975, axis=0))


def test_a_curve_of_one_place_is_the_interval():
    generator = np.random.default_rng(0)
    truth = generator.integers(2, size=50)
    score = truth + generator.normal(size=50)
    low, high = bootstrap_band(
        lambda t, s: np.array([roc_auc(t, s)]),
        truth,
        score,
        resamples=80,
        generator=np.random.default_rng(1),
    )
    interval = bootstrap_interval(
        roc_auc, truth, score, resamples=80, generator=np.random.default_rng(1)
    )
    assert (low[0], high[0]) == (interval.low, interval.high)


def test_what_cannot_be_resampled_is_said():
    with pytest.raises(UndefinedMetricError, match="bootstrap_band: 3 cases are one group"):
        bootstrap_band(recall_at, [0, 1, 1], [0.1, 0.2, 0.3], [5, 5, 5])
    with pytest.raises(ValueError, match="bootstrap_band: level is 95"):
        bootstrap_band(recall_at, [0, 1, 1], [0.1, 0.2, 0.3], level=95)
