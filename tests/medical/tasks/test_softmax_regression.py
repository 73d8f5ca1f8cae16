"""Softmax regression against scikit-learn, and at its optimum."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.medical.tasks.softmax_regression import SoftmaxRegression


def cases(n=400, separated=False):
    generator = np.random.default_rng(0)
    y = generator.integers(0, 3, n)
    spread = 0.01 if separated else 1.5
    return 5 + np.eye(3)[y] @ np.eye(3, 4) * 3 + generator.normal(0, spread, (n, 4)), y


@pytest.mark.parametrize("weights", [(1, 1, 1), (1, 5, 0.2)])
def test_it_agrees_with_scikit_learn(weights):
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = cases()
    ours = SoftmaxRegression.fitted(x, y, np.array(weights, float), penalty=2.0)(x)
    standard = (x - x.mean(0)) / x.std(0)
    peer = linear.LogisticRegression(C=0.5, class_weight=dict(enumerate(weights)), tol=1e-8)
    np.testing.assert_allclose(ours, peer.fit(standard, y).predict_proba(standard), atol=1e-4)


def test_no_small_change_of_the_weights_lowers_the_objective():
    x, y = cases(100)
    fitted = SoftmaxRegression.fitted(x, y, np.ones(3))
    standard = np.hstack([np.ones((100, 1)), (x - fitted.mean) / fitted.scale])

    def objective(weight):
        scores = standard @ weight
        entropy = np.log(np.exp(scores).sum(1)) - scores[np.arange(100), y]
        return entropy.sum() + 0.5 * (weight[1:] ** 2).sum()

    generator = np.random.default_rng(1)
    best = objective(fitted.weight)
    for _ in range(20):
        assert objective(fitted.weight + generator.normal(0, 0.01, fitted.weight.shape)) > best


def test_separable_classes_and_a_constant_feature_stay_finite():
    x, y = cases(separated=True)
    x = np.hstack([x, np.ones((len(x), 1))])
    p = SoftmaxRegression.fitted(x, y, np.ones(3))(x)
    assert np.isfinite(p).all()
    assert (p.argmax(1) == y).all()
