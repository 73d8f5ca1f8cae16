"""Losses for wrong labels by their formulas, their limits, and what they are for."""

import math

import numpy as np
import pytest

import tinymed as tm
from tinymed import nn, ops, optim

RANDOM = np.random.default_rng(9)
X = RANDOM.standard_normal((2, 3, 2, 2))
CLASSES = RANDOM.integers(0, 3, (2, 2, 2))
PROBABILITY = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)


def test_both_are_their_formulas_place_by_place():
    target = CLASSES.copy()
    target[0, 1, 0] = 9
    generalized, symmetric = np.zeros((2, *CLASSES.shape))
    for n, i, j in np.ndindex(CLASSES.shape):
        if (c := target[n, i, j]) == 9:
            continue
        p = PROBABILITY[n, :, i, j]
        generalized[n, i, j] = (1 - p[c] ** 0.3) / 0.3
        label = np.where(np.arange(3) == c, 0.0, -5.0)  # log of the one-hot label, log 0 = -5
        symmetric[n, i, j] = -0.4 * math.log(p[c]) - 2.0 * (p * label).sum()
    for each, loss, settings in (
        (generalized, ops.generalized_cross_entropy, (0.3,)),
        (symmetric, ops.symmetric_cross_entropy, (0.4, 2.0, -5.0)),
    ):
        np.testing.assert_allclose(loss(X, target, *settings, 9, "none"), each)
        np.testing.assert_allclose(loss(X, target, *settings, 9), each.sum() / 7)
        np.testing.assert_allclose(loss(X, target, *settings, 9, "sum"), each.sum())


def test_the_limits_are_cross_entropy_and_absolute_error():
    entropy = ops.cross_entropy(X, CLASSES)
    near = ops.generalized_cross_entropy(X, CLASSES, 1e-9)
    np.testing.assert_allclose(near, entropy, rtol=1e-6)
    own = np.take_along_axis(PROBABILITY, CLASSES[:, None], axis=1)
    np.testing.assert_allclose(ops.generalized_cross_entropy(X, CLASSES, 1.0), 1 - own.mean())
    np.testing.assert_allclose(ops.symmetric_cross_entropy(X, CLASSES, 1.0, 0.0), entropy)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_label_held_for_impossible_is_bounded_and_pulls_little(dtype):
    x = tm.tensor(np.array([[400.0, -400.0]], dtype), requires_grad=True)
    for loss, most in (
        (ops.generalized_cross_entropy(x, np.array([1]), 0.5), 2.0),
        (ops.symmetric_cross_entropy(x, np.array([1]), 0.0), 4.0),
    ):
        assert loss.item() == most
        x.grad = None
        loss.backward()
        np.testing.assert_allclose(x.grad.data, 0, atol=1e-6)


def test_settings_out_of_range_are_refused():
    for q in (0, -1, 1.5, math.nan):
        with pytest.raises(ValueError, match=rf"generalized_cross_entropy: q={q} is not"):
            ops.generalized_cross_entropy(X, CLASSES, q)
    for settings, words in (
        ({"alpha": -1}, "alpha=-1"),
        ({"beta": math.nan}, "beta=nan"),
        ({"log_zero": 0}, "log_zero=0"),
        ({"reduction": "all"}, "reduction='all'"),
    ):
        with pytest.raises(ValueError, match=f"symmetric_cross_entropy: {words}"):
            ops.symmetric_cross_entropy(X, CLASSES, **settings)
    with pytest.raises(IndexError, match="generalized_cross_entropy: class index 3"):
        ops.generalized_cross_entropy(X, CLASSES + 3)


def test_wrong_labels_are_learned_less():
    """Four in ten labels are drawn anew: what the network then says of unseen cases."""

    def learned(loss_of):
        generator = np.random.default_rng(0)
        tm.manual_seed(0)
        centres, truth = generator.normal(0, 1, (4, 20)), generator.integers(0, 4, 800)
        x = (centres[truth] + generator.normal(0, 1, (800, 20))).astype(np.float32)
        other = generator.integers(0, 4, 800)
        given = np.where(generator.random(800) < 0.4, other, truth)
        model = nn.Sequential(nn.Linear(20, 64, activation="relu"), nn.Linear(64, 4))
        optimizer = optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(150):
            optimizer.zero_grad()
            loss_of(model(tm.tensor(x[:400])), tm.tensor(given[:400])).backward()
            optimizer.step()
        with tm.no_grad():
            return np.mean(model(tm.tensor(x[400:])).data.argmax(axis=1) == truth[400:])

    plain = learned(nn.CrossEntropyLoss())
    assert learned(nn.GeneralizedCrossEntropyLoss()) > plain + 0.1
    assert learned(nn.SymmetricCrossEntropyLoss(alpha=0.01)) > plain + 0.02
