"""Focal, Dice and Tversky losses against plain loops over pixels, and their laws."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.creation import tensor

nan = math.nan
RANDOM = np.random.default_rng(5)
X = RANDOM.standard_normal((2, 3, 2, 2))
P = RANDOM.uniform(0, 1, (2, 3, 2, 2))
MASKS = RANDOM.integers(0, 2, (2, 3, 2, 2))
CLASSES = RANDOM.integers(0, 3, (2, 2, 2))
ONE_HOT = np.eye(3)[CLASSES].transpose(0, 3, 1, 2)


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum(1, keepdims=True)


# ------------------------------------------------------------------------------------------ focal


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("alpha", [None, 0.25, 1.0])
def test_sigmoid_focal_by_hand(gamma: float, alpha: float | None) -> None:
    def loss(x: float, t: float) -> float:
        p = 1 / (1 + math.exp(-x))
        right = p * t + (1 - p) * (1 - t)
        weight = 1 if alpha is None else alpha * t + (1 - alpha) * (1 - t)
        cross_entropy = -t * math.log(p) - (1 - t) * math.log(1 - p)
        return weight * (1 - right) ** gamma * cross_entropy

    for target in (MASKS, P):
        each = np.vectorize(loss)(X, target)
        np.testing.assert_allclose(ops.sigmoid_focal_loss(X, target, alpha, gamma), each)
        np.testing.assert_allclose(
            ops.sigmoid_focal_loss(X, target, alpha, gamma, "mean"), each.mean()
        )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_by_hand(gamma: float) -> None:
    alpha, target = np.array([0.2, 1.0, 3.0]), CLASSES.copy()
    target[0, 0, 0] = 7
    each, kept = np.zeros(CLASSES.shape), 0
    for n, i, j in np.ndindex(CLASSES.shape):
        if (c := target[n, i, j]) != 7:
            q = softmax(X)[n, c, i, j]
            each[n, i, j] = -alpha[c] * (1 - q) ** gamma * math.log(q)
            kept += 1
    found = ops.focal_loss(X, target, alpha, gamma, 7, "none")
    np.testing.assert_allclose(found, each)
    np.testing.assert_allclose(ops.focal_loss(X, target, alpha, gamma, 7), each.sum() / kept)


def test_focal_without_focus_is_cross_entropy() -> None:
    np.testing.assert_allclose(ops.focal_loss(X, CLASSES, gamma=0), ops.cross_entropy(X, CLASSES))
    np.testing.assert_allclose(
        ops.sigmoid_focal_loss(X, MASKS, None, 0),
        ops.binary_cross_entropy_with_logits(X, MASKS, reduction="none"),
    )


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_focal_is_finite_where_all_is_right_or_wrong(gamma: float, dtype: str) -> None:
    far = tensor(np.array([800.0, 800.0, -800.0, -800.0], dtype), requires_grad=True)
    loss = ops.sigmoid_focal_loss(far, np.array([1, 0, 1, 0]), None, gamma)
    loss.sum().backward()
    assert loss.tolist() == [0, 800, 800, 0]
    assert np.abs(far.grad.data).tolist() == [0, 1, 1, 0]
    rows = tensor(np.array([[800.0, 0.0], [0.0, 800.0]], dtype), requires_grad=True)
    loss = ops.focal_loss(rows, np.array([0, 0]), gamma=gamma, reduction="none")
    loss.sum().backward()
    assert loss.tolist() == [0, 800]
    assert rows.grad.tolist() == [[0, 0], [-1, 1]]


# --------------------------------------------------------------------------------- Dice, Tversky


def by_region(score: Callable[..., float], p: Any, t: Any, batch: bool = False) -> np.ndarray:
    """Return the score of lists of pixels: of each channel of each image, or of all images."""
    if batch:
        return np.array([score(p[:, c].ravel(), t[:, c].ravel()) for c in range(p.shape[1])])
    regions = [[score(b.ravel(), d.ravel()) for b, d in zip(a, c, strict=True)]
               for a, c in zip(p, t, strict=True)]  # fmt: skip
    return np.array(regions)


def dice(p: Any, t: Any) -> float:
    overlap = sum(a * b for a, b in zip(p, t, strict=True))
    return float(1 - (2 * overlap + 1e-5) / (sum(p) + sum(t) + 1e-5))


@pytest.mark.parametrize("batch", [False, True])
def test_dice_by_hand(batch: bool) -> None:
    for target in (MASKS, MASKS > 0, P[::-1]):
        each = by_region(dice, P, target, batch)
        found = ops.dice_loss(P, target, batch=batch, reduction="none")
        np.testing.assert_allclose(found, each)
        np.testing.assert_allclose(ops.dice_loss(P, target, batch=batch), each.mean())
        np.testing.assert_allclose(
            ops.dice_loss(P, target, batch=batch, include_background=False), each[..., 1:].mean()
        )
    np.testing.assert_allclose(
        ops.dice_loss(X, MASKS, sigmoid=True, batch=batch),
        by_region(dice, 1 / (1 + np.exp(-X)), MASKS, batch).mean(),
    )
    np.testing.assert_allclose(
        ops.dice_loss(X, CLASSES, softmax=True, batch=batch),
        by_region(dice, softmax(X), ONE_HOT, batch).mean(),
    )


def test_squared_dice_by_hand() -> None:
    def score(p: Any, t: Any) -> float:
        total = sum(a * a for a in p) + sum(b * b for b in t)
        return float(1 - (2 * sum(a * b for a, b in zip(p, t, strict=True)) + 0.5) / (total + 2))

    found = ops.dice_loss(P, MASKS, squared_pred=True, smooth_nr=0.5, smooth_dr=2, reduction="none")
    np.testing.assert_allclose(found, by_region(score, P, MASKS))


def test_tversky_by_hand() -> None:
    def score(p: Any, t: Any) -> float:
        pairs = list(zip(p, t, strict=True))
        hit = sum(a * b for a, b in pairs)
        wrong = 0.3 * sum(a * (1 - b) for a, b in pairs) + 0.7 * sum((1 - a) * b for a, b in pairs)
        return float((1 - (hit + 1e-5) / (hit + wrong + 1e-5)) ** 0.75)

    found = ops.tversky_loss(P, MASKS, alpha=0.3, beta=0.7, gamma=4 / 3, reduction="none")
    np.testing.assert_allclose(found, by_region(score, P, MASKS))


def test_tversky_contains_dice_and_jaccard() -> None:
    smooth = {"smooth_nr": 2e-3, "smooth_dr": 2e-3}
    np.testing.assert_allclose(
        ops.tversky_loss(P, MASKS, smooth_nr=1e-3, smooth_dr=1e-3),
        ops.dice_loss(P, MASKS, **smooth),
    )
    found = ops.tversky_loss(MASKS * 1.0, MASKS[::-1], alpha=1, beta=1, reduction="none")
    both = (MASKS & MASKS[::-1]).sum((2, 3))
    either = (MASKS | MASKS[::-1]).sum((2, 3))
    np.testing.assert_allclose(found, 1 - (both + 1e-5) / (either + 1e-5))


def test_perfect_and_empty_regions() -> None:
    for loss in (ops.dice_loss, ops.tversky_loss):
        np.testing.assert_allclose(loss(ONE_HOT, CLASSES), 0, atol=1e-12)
        np.testing.assert_allclose(loss(1 - ONE_HOT, CLASSES, include_background=False), 1, 1e-4)
        assert loss(np.zeros((1, 1, 4)), np.zeros((1, 1, 4))) == 0
    x = tensor(np.zeros((1, 1, 4)), requires_grad=True)
    ops.tversky_loss(x, np.zeros((1, 1, 4)), gamma=4 / 3).backward()
    assert np.isfinite(x.grad.data).all()


def test_masks_of_classes_in_any_number_of_axes() -> None:
    for axes in (1, 2, 3):
        x, target = P[0, :, 0, 0][None].repeat(4, 0), RANDOM.integers(0, 3, (4, *(2,) * axes))
        x = np.broadcast_to(x.reshape(4, 3, *(1,) * axes), (4, 3, *(2,) * axes))
        masks = np.moveaxis(np.eye(3)[target], -1, 1)
        np.testing.assert_allclose(ops.dice_loss(x, target), ops.dice_loss(x, masks))
    flat = ops.dice_loss(P[:, :, 0, 0], MASKS[:, :, 0, 0], batch=True)
    np.testing.assert_allclose(
        flat, ops.dice_loss(P[:, :, :1, :1], MASKS[:, :, :1, :1], batch=True)
    )


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (
            ValueError,
            r"dice_loss: x holds values outside \[0, 1\] or NaN; for logits pass sigmoid=True",
            lambda: ops.dice_loss(X, MASKS),
        ),
        (ValueError, "exclude", lambda: ops.dice_loss(X, MASKS, sigmoid=True, softmax=True)),
        (ValueError, "target holds", lambda: ops.dice_loss(P, MASKS * 255)),
        (ValueError, "target holds", lambda: ops.tversky_loss(P, MASKS * nan)),
        (IndexError, "class index 3 in", lambda: ops.dice_loss(P, CLASSES + 1)),
        (
            ValueError,
            r"x \(2, 3, 2, 2\) and target \(2, 1, 2, 2\) do not fit; expected masks \(2, 3, 2, 2\)"
            r", or class indices \(2, 2, 2\)",
            lambda: ops.dice_loss(P, CLASSES[:, None]),
        ),
        (
            ValueError,
            r"softmax=True needs 2 channels or more; x \(2, 1, 2, 2\) has 1",
            lambda: ops.dice_loss(X[:, :1], MASKS[:, :1], softmax=True),
        ),
        (
            ValueError,
            "include_background=False needs 2 channels",
            lambda: ops.tversky_loss(P[:, :1], MASKS[:, :1], include_background=False),
        ),
        (
            ValueError,
            r"x \(2, 3\) expected \(N, C, ...\), with axes to sum over; batch=True",
            lambda: ops.dice_loss(P[:, :, 0, 0], MASKS[:, :, 0, 0]),
        ),
        (TypeError, "x is int64", lambda: ops.dice_loss(MASKS, MASKS)),
        (ValueError, "alpha=-1 is not >= 0", lambda: ops.tversky_loss(P, MASKS, alpha=-1)),
        (ValueError, "gamma=0 is not > 0", lambda: ops.tversky_loss(P, MASKS, gamma=0)),
        (ValueError, "reduction='avg' is not", lambda: ops.dice_loss(P, MASKS, reduction="avg")),
        (
            ValueError,
            r"alpha=-1 is not in \[0, 1\]; None weighs both with 1",
            lambda: ops.sigmoid_focal_loss(X, MASKS, -1),
        ),
        (ValueError, "gamma=-1 is not >= 0", lambda: ops.sigmoid_focal_loss(X, MASKS, None, -1)),
        (ValueError, "sigmoid_focal_loss: target", lambda: ops.sigmoid_focal_loss(X, MASKS * 2)),
        (IndexError, "focal_loss: class index 3", lambda: ops.focal_loss(X, CLASSES + 1)),
        (ValueError, "focal_loss: alpha", lambda: ops.focal_loss(X, CLASSES, np.ones(2))),
    ],
)
def test_what_is_refused(kind: type[Exception], words: str, call: Callable[[], Any]) -> None:
    with pytest.raises(kind, match=words):
        call()
