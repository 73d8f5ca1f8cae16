"""Losses with a margin against plain loops, at their kinks, and what they refuse."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.creation import tensor

nan, inf = math.nan, math.inf
RANDOM = np.random.default_rng(11)
X, Y, Z = (RANDOM.standard_normal((4, 3)) for _ in range(3))
SIGNS = np.array([[1, -1, 1], [-1, -1, 1], [1, 1, 1], [-1, 1, -1]])
CLASSES = np.array([0, 2, 1, 2])


def by_hand(loss: Callable[..., float], *arrays: Any) -> np.ndarray:
    return np.vectorize(loss, otypes=[np.float64])(*arrays)


def test_signs_by_hand() -> None:
    hinge = by_hand(lambda x, y: max(0.0, 1 - x * y), X, SIGNS)
    np.testing.assert_allclose(ops.hinge_loss(X, SIGNS, "none"), hinge)
    np.testing.assert_allclose(ops.hinge_loss(X, SIGNS), hinge.mean())
    np.testing.assert_allclose(
        ops.soft_margin_loss(X, SIGNS, "none"),
        by_hand(lambda x, y: math.log(1 + math.exp(-x * y)), X, SIGNS),
    )
    np.testing.assert_allclose(
        ops.hinge_embedding_loss(X, SIGNS, 0.5, "none"),
        by_hand(lambda x, y: x if y == 1 else max(0.0, 0.5 - x), X, SIGNS),
    )
    np.testing.assert_allclose(
        ops.margin_ranking_loss(X, Y, SIGNS, 0.5, "none"),
        by_hand(lambda a, b, y: max(0.0, -y * (a - b) + 0.5), X, Y, SIGNS),
    )


def test_cosine_by_hand() -> None:
    def loss(a: np.ndarray, b: np.ndarray, y: int) -> float:
        cosine = a @ b / math.sqrt(a @ a) / math.sqrt(b @ b)
        return 1 - cosine if y == 1 else max(0.0, cosine - 0.2)

    found = ops.cosine_embedding_loss(X, Y, SIGNS[:, 0], 0.2, "none")
    np.testing.assert_allclose(found, [loss(X[n], Y[n], SIGNS[n, 0]) for n in range(4)])
    one = ops.cosine_embedding_loss(X[0], Y[0], np.array(1), reduction="none")
    np.testing.assert_allclose(one, loss(X[0], Y[0], 1))


@pytest.mark.parametrize("p", [1, 2])
def test_multi_margin_by_hand(p: int) -> None:
    weight = np.array([1.0, 2.0, 5.0])
    each = [
        sum(max(0.0, 0.7 - X[n, t] + X[n, i]) ** p for i in range(3) if i != t) * weight[t] / 3
        for n, t in enumerate(CLASSES)
    ]
    found = ops.multi_margin_loss(X, CLASSES, p, 0.7, weight, "none")
    np.testing.assert_allclose(found, each)
    np.testing.assert_allclose(ops.multi_margin_loss(X[1], np.array(2), p, 0.7, weight), each[1])


def test_multilabel_margin_by_hand() -> None:
    lists = np.array([[2, 0, -1], [-1, 1, 2], [1, -1, 0], [0, 1, 2]])
    each = []
    for x, labels in zip(X, ([2, 0], [], [1], [0, 1, 2]), strict=True):
        others = set(range(3)) - set(labels)
        each.append(sum(max(0.0, 1 - x[j] + x[i]) for j in labels for i in others) / 3)
    np.testing.assert_allclose(ops.multilabel_margin_loss(X, lists, "none"), each)


def test_multilabel_soft_margin_is_the_mean_of_binary_cross_entropies() -> None:
    target = (SIGNS + 1) // 2
    each = ops.binary_cross_entropy_with_logits(X, target, reduction="none").mean(1)
    np.testing.assert_allclose(ops.multilabel_soft_margin_loss(X, target, reduction="none"), each)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5, inf])
@pytest.mark.parametrize("swap", [False, True])
def test_triplets_by_hand(p: float, swap: bool) -> None:
    def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.linalg.norm(a - b + 1e-6, p, axis=1)

    far = np.minimum(distance(X, Z), distance(Y, Z)) if swap else distance(X, Z)
    each = np.maximum(0.5 + distance(X, Y) - far, 0)
    found = ops.triplet_margin_loss(X, Y, Z, 0.5, p, swap=swap, reduction="none")
    np.testing.assert_allclose(found, each)
    own = ops.triplet_margin_with_distance_loss(
        X, Y, Z, distance_function=distance, margin=0.5, swap=swap, reduction="none"
    )
    np.testing.assert_allclose(own, each)


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, inf])
def test_equal_points_have_a_finite_gradient(p: float) -> None:
    x = tensor(np.ones((2, 3)), requires_grad=True)
    distance = ops.pairwise_distance(x, np.ones((2, 3)), p, 0.0)
    distance.sum().backward()
    assert distance.tolist() == [0, 0]
    assert x.grad.tolist() == np.zeros((2, 3)).tolist()


def test_far_scores_do_not_overflow() -> None:
    x = tensor([1000.0, -1000.0], requires_grad=True)
    loss = ops.soft_margin_loss(x, tensor([-1, -1]), "none")
    loss.sum().backward()
    assert loss.tolist() == [1000, 0]
    assert x.grad.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (
            ValueError,
            r"hinge_loss: target holds 0, expected 1 or -1; for labels 0 and 1 pass 2 \* target",
            lambda: ops.hinge_loss(X[0], np.array([0, 1, 1])),
        ),
        (ValueError, "target holds nan", lambda: ops.soft_margin_loss(X[0], X[0] * nan)),
        (ValueError, "target holds True", lambda: ops.hinge_embedding_loss(X, X == X)),
        (ValueError, "differ in shape", lambda: ops.margin_ranking_loss(X, Y, SIGNS[:, :1])),
        (
            ValueError,
            r"input1 \(4, 3\) and target \(4, 3\) do not fit; expected \(N, D\) and \(N,\)",
            lambda: ops.cosine_embedding_loss(X, Y, SIGNS),
        ),
        (ValueError, "p=3 is not 1 or 2", lambda: ops.multi_margin_loss(X, CLASSES, 3)),
        (IndexError, "class index 3 in", lambda: ops.multi_margin_loss(X, CLASSES + 1)),
        (IndexError, "class index -100 in", lambda: ops.multi_margin_loss(X, CLASSES - 100)),
        (ValueError, "do not fit", lambda: ops.multi_margin_loss(X, CLASSES[:2])),
        (ValueError, "is not one for", lambda: ops.multi_margin_loss(X, CLASSES, weight=X[0, :2])),
        (ValueError, "at least one class", lambda: ops.multi_margin_loss(X[:, :0], CLASSES)),
        (
            IndexError,
            "multilabel_margin_loss: class index -2 in target is out of range for 3 classes",
            lambda: ops.multilabel_margin_loss(X, np.full((4, 3), -2)),
        ),
        (
            TypeError,
            "multilabel_margin_loss: target holds NaN",
            lambda: ops.multilabel_margin_loss(X, X * nan),
        ),
        (
            ValueError,
            r"multilabel_soft_margin_loss: target holds values outside \[0, 1\] or NaN",
            lambda: ops.multilabel_soft_margin_loss(X, SIGNS),
        ),
        (ValueError, "margin=0 is not > 0", lambda: ops.triplet_margin_loss(X, Y, Z, 0)),
        (ValueError, "differ in shape", lambda: ops.triplet_margin_loss(X, Y, Z[:1])),
        (ValueError, "have no axis", lambda: ops.pairwise_distance(X[0, 0], X[0, 0])),
    ],
)
def test_what_is_refused(kind: type[Exception], words: str, call: Callable[[], Any]) -> None:
    with pytest.raises(kind, match=words):
        call()


def test_the_triplet_is_named_by_the_function_that_was_called() -> None:
    with pytest.raises(ValueError, match=r"triplet_margin_with_distance_loss: anchor \(4, 3\)"):
        ops.triplet_margin_with_distance_loss(X, Y[:1], Z)
