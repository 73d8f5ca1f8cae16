"""Losses and batch normalisation by hand, and what they refuse."""

import math
from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.creation import tensor
from tinymed.gradcheck import gradcheck

nan, inf = math.nan, math.inf
X = np.random.default_rng(3).standard_normal((2, 3))


def test_cross_entropy_by_hand() -> None:
    x = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    target = np.array([2, 0])
    each = [math.log(math.e + math.e**2 + math.e**3) - 3, math.log(3)]
    np.testing.assert_allclose(ops.cross_entropy(x, target, reduction="none"), each)
    np.testing.assert_allclose(ops.cross_entropy(x, target), sum(each) / 2)
    np.testing.assert_allclose(ops.cross_entropy(x, target, reduction="sum"), sum(each))
    weight = np.array([3.0, 1.0, 5.0])
    weighted = (5 * each[0] + 3 * each[1]) / 8  # divided by the weights, not by the count
    np.testing.assert_allclose(ops.cross_entropy(x, target, weight), weighted)
    ignoring = ops.cross_entropy(x, np.array([2, -100]))
    np.testing.assert_allclose(ignoring, each[0])
    np.testing.assert_allclose(ops.cross_entropy(x, target, ignore_index=2), each[1])
    assert ops.cross_entropy(np.array([[1000.0, -1000.0]]), np.array([1])) == 2000


def test_cross_entropy_over_pixels_equals_rows() -> None:
    random = np.random.default_rng(0)
    x, target = random.standard_normal((2, 3, 4, 5)), random.integers(0, 3, (2, 4, 5))
    rows = ops.cross_entropy(x.transpose(0, 2, 3, 1).reshape(-1, 3), target.reshape(-1))
    np.testing.assert_allclose(ops.cross_entropy(x, target), rows)
    assert ops.cross_entropy(x, target, reduction="none").shape == (2, 4, 5)
    np.testing.assert_allclose(
        ops.cross_entropy(x[0, :, 0, 0], target[0, 0, 0]),
        ops.cross_entropy(x[:1, :, 0, 0], target[:1, 0, 0]),
    )


def test_ignored_rows_may_hold_anything() -> None:
    x = tensor([[nan, 1.0], [-inf, 0.0], [0.5, 0.1]], requires_grad=True)
    loss = ops.cross_entropy(x, tensor([-100, -100, 0]))
    loss.backward()
    assert math.isfinite(loss.item())
    assert not x.grad.data[:2].any()
    y = tensor([[1.0, 2.0]], requires_grad=True)
    nothing = ops.cross_entropy(y, tensor([-100]))
    nothing.backward()
    assert math.isnan(nothing.item())
    assert not y.grad.data.any()


@pytest.mark.parametrize(
    ("kind", "words", "x", "target", "named"),
    [
        (
            IndexError,
            "class index 3 in target is out of range for 3 classes",
            X,
            [0, 3],
            {},
        ),
        (IndexError, "class index -1 in target", X, [0, -1], {}),
        (TypeError, "target holds NaN, expected class indices", X, [0.0, nan], {}),
        (
            TypeError,
            "target holds float64 values, expected class indices",
            X,
            [0.0, 1.0],
            {},
        ),
        (TypeError, "target is bool, expected integers", X, [True, False], {}),
        (ValueError, r"x \(2, 3\) and target \(3,\) do not fit", X, [0, 1, 2], {}),
        (ValueError, r"x \(2, 3\) and target \(2, 1\) do not fit", X, [[0], [1]], {}),
        (
            ValueError,
            r"weight \(2,\) is not one for each of 3",
            X,
            [0, 1],
            {"weight": np.ones(2)},
        ),
        (
            TypeError,
            "weight is float32 but x is float64",
            X,
            [0, 1],
            {"weight": np.ones(3, "f4")},
        ),
        (
            ValueError,
            "reduction='avg' is not 'mean', 'sum' or 'none'",
            X,
            [0, 1],
            {"reduction": "avg"},
        ),
        (
            ValueError,
            r"label_smoothing=1.1 is not in \[0, 1\]",
            X,
            [0, 1],
            {"label_smoothing": 1.1},
        ),
        (ValueError, "label_smoothing=nan is not", X, [0, 1], {"label_smoothing": nan}),
        (ValueError, "target holds values below 0 or NaN", X, X * nan, {}),
        (ValueError, "target holds values below 0 or NaN", X, -abs(X), {}),
        (
            TypeError,
            r"target \(2, 3\) is int64; expected probabilities .* or class indices \(2,\)",
            X,
            np.ones((2, 3), int),
            {},
        ),
        (
            ValueError,
            r"ignore_index=2 needs class indices, but target \(2, 3\) holds probabilities",
            X,
            abs(X),
            {"ignore_index": 2},
        ),
        (ValueError, r"x \(2, 0\) has no classes", np.ones((2, 0)), [-100, -100], {}),
        (TypeError, "x is int64, expected floating logits", np.ones((2, 3), int), [0, 1], {}),
    ],
)
def test_cross_entropy_refuses(
    kind: type[Exception], words: str, x: Any, target: Any, named: dict[str, Any]
) -> None:
    with pytest.raises(kind, match=f"cross_entropy: {words}"):
        ops.cross_entropy(x, np.array(target), **named)


def smoothed(target: Any, classes: int, by: float) -> Any:
    return (1 - by) * np.eye(classes)[target] + by / classes


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_smoothed_classes_are_probabilities(reduction: str) -> None:
    target = np.array([2, 0])
    found = ops.cross_entropy(X, target, reduction=reduction, label_smoothing=0.3)
    by_hand = ops.cross_entropy(X, smoothed(target, 3, 0.3), reduction=reduction)
    np.testing.assert_allclose(found, by_hand)
    again = ops.cross_entropy(X, np.eye(3)[target], reduction=reduction, label_smoothing=0.3)
    np.testing.assert_allclose(again, by_hand)


def test_probabilities_by_hand() -> None:
    p = np.exp(X) / np.exp(X).sum(1, keepdims=True)
    target, weight = np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]]), np.array([1.0, 2.0, 5.0])
    each = [-sum(weight[c] * target[n, c] * math.log(p[n, c]) for c in range(3)) for n in range(2)]
    np.testing.assert_allclose(ops.cross_entropy(X, target, weight, reduction="none"), each)
    np.testing.assert_allclose(ops.cross_entropy(X, target, weight), sum(each) / 2)
    pixels = np.stack([X.T, X.T + 1]), np.stack([target.T, target.T])  # (2, 3, 2)
    np.testing.assert_allclose(ops.cross_entropy(*pixels, weight), sum(each) / 2)


def test_ignored_rows_are_not_smoothed() -> None:
    x = tensor(np.vstack([X, [[nan, 0.0, inf]]]), requires_grad=True)
    loss = ops.cross_entropy(x, tensor([2, 0, -100]), label_smoothing=0.2)
    np.testing.assert_allclose(
        loss.data, ops.cross_entropy(X, np.array([2, 0]), label_smoothing=0.2)
    )
    loss.backward()
    assert not x.grad.data[2].any()


def test_nll_is_cross_entropy_of_log_softmax() -> None:
    target, weight = np.array([2, 0]), np.array([1.0, 2.0, 5.0])
    found = ops.nll_loss(ops.log_softmax(X, 1), target, weight)
    np.testing.assert_allclose(found, ops.cross_entropy(X, target, weight))
    with pytest.raises(IndexError, match="nll_loss: class index 3 in target is out of range"):
        ops.nll_loss(X, np.array([0, 3]))
    with pytest.raises(TypeError, match="nll_loss: target holds NaN, expected class indices"):
        ops.nll_loss(X, np.array([0.0, nan]))


def test_weights_of_classes_get_their_gradient() -> None:
    """PyTorch refuses; here they are inputs like others."""
    target, weight = np.array([2, 0]), np.array([1.0, 2.0, 5.0])
    for loss in (ops.cross_entropy, ops.nll_loss):
        assert gradcheck(lambda w, f=loss: f(X, target, w), [tensor(weight, requires_grad=True)])


def test_binary_cross_entropy_by_hand() -> None:
    x, t = np.array([0.3, -2.0, 0.0]), np.array([1.0, 0.0, 0.25])
    p = 1 / (1 + np.exp(-x))
    each = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    name = ops.binary_cross_entropy_with_logits
    np.testing.assert_allclose(name(x, t, reduction="none"), each)
    np.testing.assert_allclose(name(x, t), each.mean())
    np.testing.assert_allclose(name(x, t, np.array([2.0, 1.0, 0.0]), "sum"), 2 * each[0] + each[1])
    emphasised = -(4 * t * np.log(p) + (1 - t) * np.log(1 - p))
    np.testing.assert_allclose(name(x, t, reduction="none", pos_weight=4.0), emphasised)
    far = name(np.array([-800.0, 800.0]), np.array([1.0, 0.0]), reduction="none")
    assert far.tolist() == [800, 800]
    assert name(x, np.array([1, 0, 1])) == name(x, np.array([1.0, 0.0, 1.0]))


def test_binary_cross_entropy_of_probabilities() -> None:
    logits, t = np.array([0.3, -2.0, 0.0]), np.array([1.0, 0.0, 0.25])
    p, weight = 1 / (1 + np.exp(-logits)), np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(
        ops.binary_cross_entropy(p, t, weight),
        ops.binary_cross_entropy_with_logits(logits, t, weight),
    )
    certain = ops.binary_cross_entropy(np.array([0.0, 1.0, 1.0]), np.array([1, 0, 1]), None, "none")
    assert certain.tolist() == [100, 100, 0]
    x = tensor(np.array([0.0, 1.0, 0.0], np.float16), requires_grad=True)
    ops.binary_cross_entropy(x, np.array([1.0, 0.0, 0.0], np.float16), reduction="sum").backward()
    assert np.isfinite(x.grad.data).all()  # 1e-12 does not exist in float16
    with pytest.raises(ValueError, match=r"x holds values outside \[0, 1\] or NaN; for logits use"):
        ops.binary_cross_entropy(logits, t)
    with pytest.raises(ValueError, match=r"weight \(2, 3\) does not broadcast to x \(3,\)"):
        ops.binary_cross_entropy(p, t, np.ones((2, 3)))


def test_mse_by_hand() -> None:
    x, t = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    assert ops.mse_loss(x, t) == 6.5
    assert ops.mse_loss(x, t, "sum") == 13
    assert ops.mse_loss(x, t, "none").tolist() == [4, 9]


@pytest.mark.parametrize("loss", [ops.mse_loss, ops.binary_cross_entropy_with_logits])
def test_losses_do_not_broadcast(loss: Any) -> None:
    with pytest.raises(ValueError, match=r"x \(3,\) and target \(3, 1\) differ in shape"):
        loss(np.ones(3), np.ones((3, 1)))
    with pytest.raises(ValueError, match="reduction='avg' is not"):
        loss(np.ones(3), np.ones(3), reduction="avg")


@pytest.mark.parametrize("bad", [nan, -0.1, 1.1])
def test_binary_targets_lie_between_0_and_1(bad: float) -> None:
    with pytest.raises(ValueError, match=r"target holds values outside \[0, 1\]"):
        ops.binary_cross_entropy_with_logits(np.ones(2), np.array([0.5, bad]))


def test_batch_norm_by_hand() -> None:
    x = np.random.default_rng(0).standard_normal((4, 3, 5)) * 3 + 7
    running_mean, running_var = np.zeros(3), np.ones(3)
    weight, bias = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.0, -1.0])
    y = ops.batch_norm(x, running_mean, running_var, weight, bias, True, 0.25, 1e-3)
    for c in range(3):
        values = x[:, c]
        z = (values - values.mean()) / np.sqrt(values.var() + 1e-3)
        np.testing.assert_allclose(y[:, c], z * weight[c] + bias[c], 1e-12, 1e-12)
        np.testing.assert_allclose(running_mean[c], 0.25 * values.mean())
        np.testing.assert_allclose(running_var[c], 0.75 + 0.25 * values.var(ddof=1))
    before = running_mean.copy(), running_var.copy()
    y = ops.batch_norm(x, running_mean, running_var, weight, bias, eps=1e-3)
    z = (x[:, 1] - running_mean[1]) / np.sqrt(running_var[1] + 1e-3)
    np.testing.assert_allclose(y[:, 1], 2 * z, 1e-12)
    np.testing.assert_array_equal((running_mean, running_var), before)


def test_batch_norm_of_shifted_data_keeps_its_digits() -> None:
    x = np.random.default_rng(0).standard_normal((100, 1))
    near = ops.batch_norm(x, training=True)
    far = ops.batch_norm(x + 1e6, training=True)
    np.testing.assert_allclose(far, near, 1e-6, 1e-8)


@pytest.mark.parametrize(
    ("words", "x", "named"),
    [
        (r"x \(3,\) must be \(N, C\) or \(N, C, \*spatial\)", np.ones(3), {}),
        (
            r"x \(1, 3\) has 1 value per channel; training needs 2",
            np.ones((1, 3)),
            {"training": True},
        ),
        ("without training it needs running_mean and running_var", np.ones((2, 3)), {}),
        (
            "running_mean and running_var belong together",
            np.ones((2, 3)),
            {"running_mean": np.ones(3)},
        ),
        (
            r"running_mean \(1,\) does not fit the 3 channels",
            np.ones((2, 3)),
            {"running_mean": np.ones(1), "running_var": np.ones(3)},
        ),
        (
            r"running_var \(4,\) does not fit",
            np.ones((2, 3)),
            {"running_mean": np.ones(3), "running_var": np.ones(4)},
        ),
        (
            r"weight \(2,\) does not fit the 3 channels of x",
            np.ones((2, 3)),
            {"weight": np.ones(2), "training": True},
        ),
        (
            r"bias \(1,\) does not fit the 3 channels",
            np.ones((2, 3)),
            {"bias": np.ones(1), "running_mean": np.ones(3), "running_var": np.ones(3)},
        ),
    ],
)
def test_batch_norm_refuses(words: str, x: Any, named: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"batch_norm: {words}"):
        ops.batch_norm(x, **named)
