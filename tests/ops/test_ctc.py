"""The CTC loss against the sum over all alignments, one by one, and what it refuses."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed import ops
from tinymed.autograd import Function
from tinymed.backpropagation import grad
from tinymed.creation import tensor
from tinymed.gradcheck import gradcheck

inf = math.inf
RANDOM = np.random.default_rng(13)


def log_probs(*shape: int) -> np.ndarray:
    x = RANDOM.standard_normal(shape)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def labels_of(alignment: tuple[int, ...], blank: int) -> list[int]:
    """Merge equal neighbours, then drop blanks."""
    return [c for c, _ in itertools.groupby(alignment) if c != blank]


def brute(x: np.ndarray, labels: list[int], blank: int) -> tuple[float, np.ndarray]:
    """Return the probability of the labels, and of being at each class at each step as well."""
    steps, classes = x.shape
    total, at = 0.0, np.zeros_like(x)
    for alignment in itertools.product(range(classes), repeat=steps):
        if labels_of(alignment, blank) == labels:
            p = math.exp(sum(x[t, c] for t, c in enumerate(alignment)))
            total += p
            for t, c in enumerate(alignment):
                at[t, c] += p
    return total, at


@given(
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(2, 3), st.integers(0, 3)),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_sum_over_all_alignments(sizes: tuple[int, ...], data: Any) -> None:
    """Repeated labels, no labels, no steps, and labels that no alignment fits among them."""
    steps, batch, classes, most = sizes
    blank = data.draw(st.integers(0, classes - 1))
    label = st.sampled_from([c for c in range(classes) if c != blank])
    targets = [data.draw(st.lists(label, max_size=most)) for _ in range(batch)]
    lengths = [data.draw(st.integers(0, steps)) for _ in range(batch)]
    x = tensor(log_probs(steps, batch, classes), requires_grad=True)
    joined = np.array([c for target in targets for c in target], np.int64)
    losses = ops.ctc_loss(x, joined, lengths, [len(t) for t in targets], blank, "none", True)
    losses.sum().backward()
    for n, (length, target) in enumerate(zip(lengths, targets, strict=True)):
        p, at = brute(x.data[:length, n], target, blank)
        assert losses.data[n] == pytest.approx(-math.log(p) if p else 0, abs=1e-12)
        expected = np.zeros((steps, classes))
        if p:
            expected[:length] = np.exp(x.data[:length, n]) - at / p
        np.testing.assert_allclose(x.grad.data[:, n], expected, atol=1e-12)


def test_number_of_alignments() -> None:
    """T steps hold S different labels in C(T + S, 2 S) ways; exp(-loss) alone would underflow."""
    steps, classes, count = 1000, 50, 30
    x = np.full((steps, classes), -math.log(classes))
    loss = ops.ctc_loss(x, np.arange(1, count + 1), [steps], [count], reduction="sum")
    alignments = math.comb(steps + count, 2 * count)
    assert loss == pytest.approx(steps * math.log(classes) - math.log(alignments), rel=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradient_of_the_logits(reduction: str) -> None:
    """Finite differences hold through log_softmax, for which the gradient is made."""
    logits = tensor(RANDOM.standard_normal((5, 3, 4)), requires_grad=True)
    targets = np.array([[1, 1, 2], [3, 2, 0], [0, 0, 0]])

    def loss(x: Any) -> Any:
        rows = ops.log_softmax(x, 2)
        return ops.ctc_loss(rows, targets, [5, 3, 4], [3, 2, 0], reduction=reduction)

    assert gradcheck(loss, [logits], rtol=1e-6, atol=1e-8)
    rows = ops.log_softmax(logits, 2).detach()
    rows.requires_grad = True
    direct = grad([loss(logits)], [logits], [np.ones(loss(logits).shape)])[0]
    given_rows = ops.ctc_loss(rows, targets, [5, 3, 4], [3, 2, 0], reduction=reduction)
    already = grad([given_rows], [rows], [np.ones(given_rows.shape)])[0]
    np.testing.assert_allclose(already.data, direct.data, atol=1e-14)


def test_reductions() -> None:
    x, targets, lengths = log_probs(5, 3, 4), np.array([[1, 2], [3, 0], [0, 0]]), (2, 1, 0)
    each = ops.ctc_loss(x, targets, (5, 5, 5), lengths, reduction="none")
    assert each.shape == (3,)
    np.testing.assert_allclose(ops.ctc_loss(x, targets, (5, 5, 5), lengths, 0, "sum"), each.sum())
    mean = (each / [2, 1, 1]).mean()  # by the number of labels, at least 1
    np.testing.assert_allclose(ops.ctc_loss(x, targets, (5, 5, 5), lengths), mean)
    alone = ops.ctc_loss(x[:, 0], targets[0], 5, 2, reduction="none")
    assert alone.shape == ()
    np.testing.assert_allclose(alone, each[0])


def test_what_cannot_be_aligned() -> None:
    """Two equal labels need three steps."""
    x = tensor(log_probs(2, 2, 3), requires_grad=True)
    targets = np.array([[1, 1], [1, 2]])
    losses = ops.ctc_loss(x, targets, (2, 2), (2, 2), reduction="none")
    losses.sum().backward()
    assert losses.data[0] == inf
    assert math.isfinite(losses.data[1])
    assert np.isnan(x.grad.data[:, 0]).all()
    assert np.isfinite(x.grad.data[:, 1]).all()
    x.grad = None
    losses = ops.ctc_loss(x, targets, (2, 2), (2, 2), reduction="none", zero_infinity=True)
    losses.sum().backward()
    assert losses.data[0] == 0
    assert not x.grad.data[:, 0].any()


def test_no_steps_and_no_sequences() -> None:
    x, targets = log_probs(0, 2, 3), np.array([[1], [2]])
    assert ops.ctc_loss(x, targets, (0, 0), (0, 1), reduction="none").tolist() == [0, inf]
    assert ops.ctc_loss(x, targets, (0, 0), (0, 1), 0, "none", True).tolist() == [0, 0]
    nothing = tensor(np.zeros((4, 0, 3)), requires_grad=True)
    losses = ops.ctc_loss(nothing, np.zeros((0, 2), int), (), (), reduction="none")
    losses.sum().backward()
    assert losses.shape == (0,)
    assert nothing.grad.shape == (4, 0, 3)


def test_probabilities_of_0() -> None:
    """A class that cannot be has neither NaN in the loss nor in the gradient."""
    x = log_probs(4, 1, 3)
    x[1, 0, 2] = x[2, 0, 0] = -inf
    rows = tensor(x, requires_grad=True)
    loss = ops.ctc_loss(rows, np.array([[1, 2]]), (4,), (2,), reduction="sum")
    loss.backward()
    p, at = brute(x[:, 0], [1, 2], 0)
    assert loss.item() == pytest.approx(-math.log(p))
    np.testing.assert_allclose(rows.grad.data[:, 0], np.exp(x[:, 0]) - at / p, atol=1e-12)


@pytest.mark.parametrize(("dtype", "digits"), [(np.float16, 2e-3), (np.float32, 1e-6)])
def test_dtypes_are_kept(dtype: Any, digits: float) -> None:
    x, targets = log_probs(20, 2, 4), np.array([[1, 2, 2], [3, 0, 0]])
    exact = ops.ctc_loss(x, targets, (20, 15), (3, 1))
    rows = tensor(x.astype(dtype), requires_grad=True)
    loss = ops.ctc_loss(rows, targets, (20, 15), (3, 1))
    loss.backward()
    assert loss.dtype == rows.grad.dtype == dtype
    np.testing.assert_allclose(loss.data, exact, digits)


def test_inputs_are_left_alone() -> None:
    x, targets = log_probs(3, 1, 3), np.array([[1, -5]])
    before = x.copy(), targets.copy()
    ops.ctc_loss(x, targets, (3,), (1,))
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(targets, before[1])


def test_no_second_derivative() -> None:
    assert not Function.registry["CTC"].twice_differentiable
    x = tensor(log_probs(3, 1, 3), requires_grad=True)
    loss = ops.ctc_loss(x, np.array([[1]]), (3,), (1,))
    with pytest.raises(NotImplementedError, match="ctc_loss: no second derivative; drop create"):
        grad([loss], [x], create_graph=True)


ROWS, TARGETS = log_probs(4, 2, 3), np.array([[1, 2], [2, 1]])


@pytest.mark.parametrize(
    ("kind", "words", "changed"),
    [
        (ValueError, "input_lengths holds 5, expected 0 to 4 steps", {"input_lengths": (4, 5)}),
        (ValueError, "input_lengths holds -1, expected 0 to", {"input_lengths": (-1, 4)}),
        (ValueError, "target_lengths holds -1, expected 0 labels", {"target_lengths": (-1, 2)}),
        (ValueError, r"targets \(2, 2\) do not .* \(2, 3 or more\)", {"target_lengths": (3, 2)}),
        (ValueError, "target_lengths has 1 lengths for 2 seq", {"target_lengths": (2,)}),
        (TypeError, "input_lengths is float64, expected int", {"input_lengths": (4.0, 4.0)}),
        (ValueError, r"targets \(2, 2\) do not fit", {"target_lengths": (2**40, 2)}),
        (IndexError, "the label 3; expected one of 3 classes", {"targets": TARGETS + 1}),
        (IndexError, "the label -1", {"targets": TARGETS - 2}),
        (IndexError, "the label 0; .* other than the blank 0", {"targets": TARGETS - 1}),
        (TypeError, "targets is float64, expected integers", {"targets": TARGETS * 1.0}),
        (ValueError, r"targets \(5,\) do not .* or the 4 labels", {"targets": np.ones(5, int)}),
        (ValueError, "blank=3 is not one of the 3 classes", {"blank": 3}),
        (ValueError, "log_probs holds 1.5, a probability above 1", {"log_probs": ROWS * 0 + 1.5}),
        (ValueError, r"log_probs \(1, 4, 2, 3\) expected", {"log_probs": ROWS[None]}),
        (TypeError, "log_probs is int64", {"log_probs": ROWS.astype(int)}),
        (ValueError, "reduction='avg' is not", {"reduction": "avg"}),
    ],
)  # fmt: skip
def test_what_is_refused(kind: type[Exception], words: str, changed: dict[str, Any]) -> None:
    right = {"log_probs": ROWS, "targets": TARGETS, "input_lengths": (4, 4)}
    with pytest.raises(kind, match=f"ctc_loss: .*{words}"):
        ops.ctc_loss(**{**right, "target_lengths": (2, 2), **changed})
