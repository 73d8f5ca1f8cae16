"""Losses of values and distributions against plain loops, and the second derivatives of all."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.creation import tensor
from tinymed.gradcheck import gradcheck, gradgradcheck

nan, inf = math.nan, math.inf
RANDOM = np.random.default_rng(7)
X, T = RANDOM.standard_normal((3, 2)), RANDOM.standard_normal((3, 2))
P = RANDOM.uniform(0.1, 0.9, (3, 2))
SIGNS = np.array([[1, -1], [-1, -1], [1, 1]])
ROWS = [RANDOM.standard_normal((4, 3)) for _ in range(3)]
CLASSES = np.array([0, 2, 1, 2])
PIXELS = RANDOM.standard_normal((2, 3, 4))

COMPOSED: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "mse weighted": (lambda x, t, w: ops.mse_loss(x, t, weight=w), (X, T, P)),
    "l1 weighted": (lambda x, t, w: ops.l1_loss(x, t, weight=w), (X, T, P)),
    "smooth_l1": (lambda x, t: ops.smooth_l1_loss(x, t, beta=0.7), (X, T)),
    "huber": (lambda x, t, w: ops.huber_loss(x, t, delta=0.7, weight=w), (X, T, P)),
    "kl_div": (lambda x, t: ops.kl_div(x, t), (X, P)),
    "kl_div log": (lambda x, t: ops.kl_div(x, t, "batchmean", True), (X, T)),
    "poisson_nll": (lambda x: ops.poisson_nll_loss(x, 3 * P, full=True), (X,)),
    "poisson_nll rates": (lambda x: ops.poisson_nll_loss(x, P, log_input=False), (P,)),
    "gaussian_nll": (lambda x, t, v: ops.gaussian_nll_loss(x, t, v, True), (X, T, P[:, :1])),
    "smoothed": (lambda x: ops.cross_entropy(x, CLASSES, label_smoothing=0.1), (ROWS[0],)),
    "probabilities": (lambda x, t: ops.cross_entropy(x, t), (X, P)),
    "nll": (lambda x: ops.nll_loss(x, CLASSES), (ROWS[0],)),
    "bce logits": (lambda x, t, p: ops.binary_cross_entropy_with_logits(x, t, pos_weight=p),
                   (X, P, np.array([2.0, 0.5]))),
    "hinge": (lambda x: ops.hinge_loss(x, SIGNS), (X,)),
    "soft_margin": (lambda x: ops.soft_margin_loss(x, SIGNS), (X,)),
    "hinge_embedding": (lambda x: ops.hinge_embedding_loss(x, SIGNS), (X,)),
    "margin_ranking": (lambda x, y: ops.margin_ranking_loss(x, y, SIGNS, 0.5), (X, T)),
    "cosine_embedding": (lambda x, y: ops.cosine_embedding_loss(x, y, SIGNS[:, 0]), (X, T)),
    "multi_margin": (lambda x: ops.multi_margin_loss(x, CLASSES, p=2), (ROWS[0],)),
    "multilabel_margin": (lambda x: ops.multilabel_margin_loss(x, CLASSES[None]),
                          (ROWS[0][:, 0][None],)),
    "multilabel_soft_margin": (lambda x, t: ops.multilabel_soft_margin_loss(x, t), (X, P)),
    "triplet": (lambda a, p, n: ops.triplet_margin_loss(a, p, n, 3.0, swap=True), tuple(ROWS)),
    "triplet p 3": (lambda a, p, n: ops.triplet_margin_loss(a, p, n, 3.0, p=3), tuple(ROWS)),
    "sigmoid_focal": (lambda x, t: ops.sigmoid_focal_loss(x, t, 0.3, 1.5), (X, P)),
    "focal": (lambda x: ops.focal_loss(x, CLASSES, gamma=1.5), (ROWS[0],)),
    "generalized": (lambda x: ops.generalized_cross_entropy(x, CLASSES, 0.4), (ROWS[0],)),
    "symmetric": (lambda x: ops.symmetric_cross_entropy(x, CLASSES, 0.7), (ROWS[0],)),
    "dice": (lambda x, t: ops.dice_loss(x, t, softmax=True), (PIXELS, abs(PIXELS) / 4)),
    "dice squared": (lambda x: ops.dice_loss(x, PIXELS > 0, sigmoid=True, squared_pred=True),
                     (PIXELS,)),
    "tversky": (lambda x: ops.tversky_loss(x, PIXELS > 0, alpha=0.3, beta=0.7, gamma=4 / 3,
                                           sigmoid=True), (PIXELS,)),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPOSED)
def test_gradients_of_composed_losses(name: str) -> None:
    loss, arrays = COMPOSED[name]
    inputs = [tensor(x, requires_grad=True) for x in arrays]
    assert gradcheck(loss, inputs, rtol=1e-4, atol=1e-6)
    assert gradgradcheck(loss, inputs, rtol=1e-4, atol=1e-6)


def by_hand(loss: Callable[..., float], *arrays: Any) -> np.ndarray:
    return np.vectorize(loss, otypes=[np.float64])(*arrays)


def test_distances_by_hand() -> None:
    def huber(x: float, t: float, delta: float) -> float:
        d = abs(x - t)
        return d * d / 2 if d <= delta else delta * (d - delta / 2)

    for delta in (0.5, 1.0, 3.0):
        found = ops.huber_loss(X, T, "none", delta)
        np.testing.assert_allclose(found, by_hand(huber, X, T, delta))
        np.testing.assert_allclose(ops.smooth_l1_loss(X, T, "none", delta), found / delta)
    np.testing.assert_allclose(ops.l1_loss(X, T, "none"), by_hand(lambda a, b: abs(a - b), X, T))
    np.testing.assert_allclose(ops.smooth_l1_loss(X, T, "none", 1e-12), ops.l1_loss(X, T, "none"))
    np.testing.assert_allclose(ops.huber_loss(X, T, "none", inf), ops.mse_loss(X, T, "none") / 2)
    np.testing.assert_allclose(ops.l1_loss(X, T, weight=P), (abs(X - T) * P).sum() / P.sum())
    np.testing.assert_allclose(ops.mse_loss(X, T, weight=P), ((X - T) ** 2 * P).sum() / P.sum())
    np.testing.assert_allclose(
        ops.huber_loss(X, T, "mean", inf, P), ((X - T) ** 2 * P).sum() / 2 / P.size
    )


def test_distributions_by_hand() -> None:
    q = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    p = np.array([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0]])
    divergence = sum(a * math.log(a / b) for a, b in zip(p.flat, q.flat, strict=True) if a > 0)
    np.testing.assert_allclose(ops.kl_div(np.log(q), p, "sum"), divergence)
    np.testing.assert_allclose(ops.kl_div(np.log(q), p, "batchmean"), divergence / 2)
    np.testing.assert_allclose(ops.kl_div(np.log(q), p), divergence / 6)
    np.testing.assert_allclose(ops.kl_div(np.log(q), np.log(q), log_target=True), 0, atol=1e-15)

    counts = np.array([0.0, 1.0, 7.0])
    rates = np.array([0.3, 1.5, 6.0])
    likelihood = [-math.log(r**k * math.exp(-r) / math.factorial(int(k)))
                  for r, k in zip(rates, counts, strict=True)]  # fmt: skip
    found = ops.poisson_nll_loss(np.log(rates), counts, full=True, reduction="none")
    np.testing.assert_allclose(found, likelihood, atol=0.013)  # Stirling's error at 7
    np.testing.assert_allclose(
        ops.poisson_nll_loss(rates, counts, log_input=False, reduction="none", eps=0),
        rates - counts * np.log(rates),
    )
    density = by_hand(
        lambda x, t, v: -math.log(math.exp(-((x - t) ** 2) / 2 / v) / math.sqrt(2 * math.pi * v)),
        X, T, P,
    )  # fmt: skip
    np.testing.assert_allclose(ops.gaussian_nll_loss(X, T, P, True, reduction="none"), density)


def test_variances_of_all_shapes_and_too_small() -> None:
    column = ops.gaussian_nll_loss(X, T, np.repeat(P[:, :1], 2, 1))
    np.testing.assert_allclose(ops.gaussian_nll_loss(X, T, P[:, :1]), column)
    np.testing.assert_allclose(ops.gaussian_nll_loss(X, T, P[:, 0]), column)
    np.testing.assert_allclose(
        ops.gaussian_nll_loss(X, T, 2), ops.gaussian_nll_loss(X, T, np.full((3, 2), 2.0))
    )
    small = tensor(np.full((3, 2), 1e-9), requires_grad=True)
    loss = ops.gaussian_nll_loss(X, T, small, eps=0.1)
    np.testing.assert_allclose(loss.data, ops.gaussian_nll_loss(X, T, 0.1))
    loss.backward()
    assert (small.grad.data != 0).all()


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (r"huber_loss: delta=0 is not > 0", lambda: ops.huber_loss(X, T, delta=0)),
        (r"smooth_l1_loss: beta=-1 is not >= 0", lambda: ops.smooth_l1_loss(X, T, beta=-1)),
        (r"l1_loss: x \(3, 2\) and target \(2,\) differ", lambda: ops.l1_loss(X, T[0])),
        (r"mse_loss: x \(3, 2\) and weight \(2,\)", lambda: ops.mse_loss(X, T, weight=P[0])),
        (r"kl_div: target holds values below 0 or NaN", lambda: ops.kl_div(X, T)),
        (r"kl_div: target holds values below 0 or NaN", lambda: ops.kl_div(X, P * nan)),
        (r"kl_div: reduction='avg'", lambda: ops.kl_div(X, P, "avg")),
        (
            r"gaussian_nll_loss: var \(2,\) does not fit x \(3, 2\)",
            lambda: ops.gaussian_nll_loss(X, T, P[0]),
        ),
        (r"gaussian_nll_loss: var holds negative", lambda: ops.gaussian_nll_loss(X, T, -P)),
        (r"gaussian_nll_loss: var holds negative", lambda: ops.gaussian_nll_loss(X, T, -1)),
        (r"gaussian_nll_loss: eps=0 is not > 0", lambda: ops.gaussian_nll_loss(X, T, P, eps=0)),
    ],
)
def test_wrong_values(words: str, call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_wrong_types() -> None:
    with pytest.raises(TypeError, match="l1_loss: target is list, expected a Tensor or array"):
        ops.l1_loss(X, [1.0])
    with pytest.raises(TypeError, match="kl_div: target is int64, expected floating probab"):
        ops.kl_div(X, np.ones((3, 2), int))
    with pytest.raises(TypeError, match="huber_loss: x is int64"):
        ops.huber_loss(np.ones(2, int), np.ones(2, int))


@pytest.mark.parametrize(
    "loss", [ops.mse_loss, ops.l1_loss, ops.huber_loss, ops.smooth_l1_loss, ops.poisson_nll_loss]
)
def test_nan_comes_through(loss: Any) -> None:
    bad = np.array([0.0, nan])
    assert np.isnan(loss(bad, np.zeros(2), reduction="none")).tolist() == [False, True]
    assert np.isnan(loss(np.ones(2), bad, reduction="none")).tolist() == [False, True]
    assert math.isnan(loss(bad, bad))
