"""The gradient that holds some rows: what it is, and its way through backward to a leaf."""

import copy
from typing import Any

import numpy as np
import pytest

from tinymed import nn
from tinymed.anomaly import detect_anomaly
from tinymed.autograd import Function
from tinymed.backpropagation import grad
from tinymed.errors import AnomalyError
from tinymed.grad_mode import no_grad
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.nn import functional as F
from tinymed.optim import clip_grad_norm_
from tinymed.row_gradient import RowGradient
from tinymed.tensor import Tensor

IDS = np.array([3, 0, 3, 1])
WEIGHTS = np.arange(8.0).reshape(4, 2) + 1


def table(rows: int = 5) -> Tensor:
    return Tensor(np.linspace(-1, 1, 2 * rows).reshape(rows, 2), requires_grad=True)


def loss(weight: Any, ids: np.ndarray = IDS, sparse: bool = True) -> Any:
    """A scalar whose gradient is WEIGHTS, added up by id."""
    return (F.embedding(ids, weight, sparse=sparse) * WEIGHTS[: len(ids)]).sum()


def dense_gradient(*arguments: Any) -> np.ndarray:
    weight = table()
    loss(weight, *arguments, sparse=False).backward()
    return weight.grad.data


def rows(*numbers: int, values: Any = None, size: int = 5) -> RowGradient:
    given = np.ones((len(numbers), 2)) if values is None else np.asarray(values, float)
    return RowGradient(np.array(numbers, np.int64), given, (size, 2))


# ------------------------------------------------------------------------------------- the class


def test_dense_and_back() -> None:
    gradient = rows(1, 4, values=[[1, 2], [3, 4]])
    assert (gradient.shape, gradient.dtype) == ((5, 2), np.float64)
    assert gradient.to_dense().tolist() == [[0, 0], [1, 2], [0, 0], [0, 0], [3, 4]]
    assert repr(gradient) == "RowGradient(2 of 5 rows, shape (5, 2), float64)"
    assert rows().to_dense().tolist() == [[0, 0]] * 5


def test_sums() -> None:
    one, other = rows(1, 4, values=[[1, 2], [3, 4]]), rows(0, 4, values=[[5, 6], [7, 8]])
    both = one + other
    assert both.rows.tolist() == [0, 1, 4]
    assert both.values.tolist() == [[5, 6], [1, 2], [10, 12]]
    dense = np.full((5, 2), 0.5)
    for total in (one + dense, dense + one):
        assert type(total) is np.ndarray
        np.testing.assert_array_equal(total, one.to_dense() + 0.5)
    assert (dense == 0.5).all()
    np.testing.assert_array_equal((-one * 3).to_dense(), -3 * one.to_dense())
    np.testing.assert_array_equal((0.5 * one).values, one.values / 2)
    with pytest.raises(ValueError, match=r"gradients \(5, 2\) and \(6, 2\) cannot be added"):
        one + rows(1, size=6)
    with pytest.raises(ValueError, match=r"\(5, 2\) and \(2,\) cannot be added"):
        np.ones(2) + one
    with pytest.raises(TypeError):
        one + "rows"


def test_many_float16_add_in_float32() -> None:
    many = RowGradient.summed(np.zeros(5000, np.int64), np.ones((5000, 3), np.float16), (2, 3))
    assert many.values.tolist() == [[5000] * 3]
    assert many.dtype == np.float16


@pytest.mark.parametrize(
    ("numbers", "values", "shape", "kind", "words"),
    [
        ([1, 1], np.ones((2, 2)), (5, 2), ValueError, "ascending order, each once"),
        ([2, 1], np.ones((2, 2)), (5, 2), ValueError, "ascending order, each once"),
        ([1.0], np.ones((1, 2)), (5, 2), ValueError, "not int64"),
        ([[1]], np.ones((1, 2)), (5, 2), ValueError, "not int64"),
        (
            [1],
            np.ones((2, 2)),
            (5, 2),
            ValueError,
            r"values \(2, 2\) do not fit 1 rows of \(5, 2\)",
        ),
        ([1], np.ones((1, 3)), (5, 2), ValueError, "do not fit"),
        ([], np.ones(0), (), ValueError, "do not fit"),
        ([5], np.ones((1, 2)), (5, 2), IndexError, "rows 5 to 5 are out of range"),
        ([-1], np.ones((1, 2)), (5, 2), IndexError, "out of range"),
    ],
)
def test_what_is_no_gradient(
    numbers: Any, values: Any, shape: Any, kind: type[Exception], words: str
) -> None:
    array = np.array(numbers, np.int64 if not numbers else None)
    with pytest.raises(kind, match=f"^RowGradient: .*{words}"):
        RowGradient(array, values, shape)


# ------------------------------------------------------------------------------------ in backward


def test_it_becomes_grad() -> None:
    weight = table()
    loss(weight).backward()
    assert isinstance(weight.grad, RowGradient)
    assert weight.grad.rows.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(weight.grad.to_dense(), dense_gradient())
    again = copy.deepcopy(weight)
    assert again.grad is not weight.grad
    np.testing.assert_array_equal(again.grad.values, weight.grad.values)


def test_two_backward_calls_add_up() -> None:
    weight, other = table(), np.array([4, 0, 4])
    loss(weight).backward()
    first = weight.grad
    before = first.values.copy()
    loss(weight, other).backward()
    assert weight.grad.rows.tolist() == [0, 1, 3, 4]
    np.testing.assert_array_equal(weight.grad.to_dense(), dense_gradient() + dense_gradient(other))
    np.testing.assert_array_equal(first.values, before)


def test_two_uses_in_one_graph_add_up_to_rows() -> None:
    weight, other = table(), np.array([4, 0, 4])
    (loss(weight) + loss(weight, other)).backward()
    assert isinstance(weight.grad, RowGradient)
    np.testing.assert_array_equal(weight.grad.to_dense(), dense_gradient() + dense_gradient(other))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_with_a_dense_use_the_gradient_is_dense(first: bool, together: bool) -> None:
    weight = table()
    uses = [loss(weight), (weight * weight).sum()]
    uses = uses if first else uses[::-1]
    if together:
        (uses[0] + uses[1]).backward()
    else:
        for use in uses:
            use.backward()
    assert isinstance(weight.grad, Tensor)
    np.testing.assert_allclose(weight.grad.data, dense_gradient() + 2 * weight.data)


def test_into_a_dense_grad_it_is_added_in_place() -> None:
    """So that whoever holds ``.grad`` sees it, as with dense gradients; the engine is told."""
    weight = table()
    weight.sum().backward()
    held = weight.grad
    squares = (Tensor(held.data, requires_grad=True) ** 2).sum()
    loss(weight).backward()
    assert weight.grad is held
    np.testing.assert_array_equal(held.data, dense_gradient() + 1)
    with pytest.raises(RuntimeError, match="overwritten in place"):
        squares.backward()


def test_into_a_recorded_grad() -> None:
    weight = table()
    (weight**3).sum().backward(create_graph=True)
    loss(weight).backward()
    assert isinstance(weight.grad, Tensor)
    np.testing.assert_allclose(weight.grad.detach().data, 3 * weight.data**2 + dense_gradient())


def test_create_graph_makes_it_dense() -> None:
    weight = table()
    y = F.embedding(IDS, weight, sparse=True)
    (first,) = grad((y**3).sum(), weight, create_graph=True)
    assert isinstance(first, Tensor)
    (second,) = grad((first * first).sum(), weight)
    sums = np.zeros((5, 2))
    np.add.at(sums, IDS, 3 * weight.data[IDS] ** 2)
    slopes = np.zeros((5, 2))
    np.add.at(slopes, IDS, 6 * weight.data[IDS])
    np.testing.assert_allclose(second.to_dense(), 2 * sums * slopes)
    loss(weight).backward()  # rows first, then a recorded gradient
    (F.embedding(IDS, weight, sparse=True) ** 2).sum().backward(create_graph=True)
    assert weight.grad.requires_grad
    expected = dense_gradient()
    np.add.at(expected, IDS, 2 * weight.data[IDS])
    np.testing.assert_allclose(weight.grad.detach().data, expected)


def test_finite_differences_know_it() -> None:
    inputs = [table()]
    assert gradcheck(lambda w: F.embedding(IDS, w, sparse=True), inputs)
    assert gradgradcheck(lambda w: F.embedding(IDS, w, sparse=True) ** 2, inputs)


def test_a_table_that_was_computed_has_dense_gradients() -> None:
    """What goes on to another op is an array, whichever op it is."""
    leaf = table()
    middle = leaf * 2
    middle.retain_grad()
    loss(middle).backward()
    assert isinstance(middle.grad, Tensor)
    np.testing.assert_array_equal(middle.grad.data, dense_gradient())
    np.testing.assert_array_equal(leaf.grad.data, 2 * dense_gradient())


def test_grad_returns_it_and_touches_nothing() -> None:
    weight = table()
    (found,) = grad(loss(weight), weight)
    assert isinstance(found, RowGradient)
    np.testing.assert_array_equal(found.to_dense(), dense_gradient())
    assert weight.grad is None
    (dense,) = grad(loss(weight) + weight.sum(), weight)
    np.testing.assert_array_equal(dense.data, dense_gradient() + 1)


def test_as_the_gradient_to_begin_with() -> None:
    weight = table()
    weight.backward(rows(1, 3))
    np.testing.assert_array_equal(weight.grad.to_dense(), rows(1, 3).to_dense())
    leaf = table()
    (leaf * 3).backward(rows(1, 3))
    np.testing.assert_array_equal(leaf.grad.data, 3 * rows(1, 3).to_dense())
    with pytest.raises(RuntimeError, match=r"the gradient is \(4, 2\) float64, expected \(5, 2\)"):
        weight.backward(rows(1, size=4))


def test_an_op_of_your_own_may_return_it(leave_registry: None) -> None:
    class Row(Function):
        """y = x[2]."""

        def forward(self, x: Any) -> Any:
            return x[2]

        def backward(self, grad_output: Any) -> tuple[Any, ...]:
            return (RowGradient(np.array([2]), grad_output[None], self.input_shape()),)

    weight = table()
    (Row()(weight) * 4).sum().backward()
    assert weight.grad.values.tolist() == [[4, 4]]
    leaf = table()
    (Row()(leaf * 2) * 4).sum().backward()
    assert leaf.grad.data[2].tolist() == [8, 8]


# ------------------------------------------------------------------------------------------ hooks


def test_hooks_see_it_and_may_replace_it() -> None:
    weight = table()
    seen: list[Any] = []
    weight.register_hook(seen.append)
    weight.register_hook(lambda g: g * 3)
    loss(weight).backward()
    assert isinstance(seen[0], RowGradient)
    np.testing.assert_array_equal(weight.grad.to_dense(), 3 * dense_gradient())
    weight = table()
    weight.register_hook(lambda g: Tensor(g.to_dense() + 1))
    loss(weight).backward()
    assert isinstance(weight.grad, Tensor)
    np.testing.assert_array_equal(weight.grad.data, dense_gradient() + 1)
    weight = table()
    weight.register_hook(lambda g: rows(2))
    assert isinstance(grad(weight.sum() * 1, weight)[0], RowGradient)


@pytest.mark.parametrize(
    ("returned", "kind"),
    [(rows(1, size=4), ValueError), (np.ones((5, 2)), TypeError), (Tensor(np.ones(2)), ValueError)],
)
def test_hooks_that_return_what_does_not_fit(returned: Any, kind: type[Exception]) -> None:
    weight = table()
    weight.register_hook(lambda g: returned)
    with pytest.raises(kind, match="hook: returned"):
        loss(weight).backward()


def test_a_leaf_owns_its_gradient() -> None:
    """What hooks have seen does not change when ``.grad`` is scaled in place."""
    weight, seen = table(), []
    weight.register_hook(seen.append)
    loss(weight).backward()
    before = seen[0].values.copy()
    clip_grad_norm_(weight, 0.1)
    assert np.abs(weight.grad.values).max() < 0.2
    np.testing.assert_array_equal(seen[0].values, before)


def test_retain_grad_on_the_table_changes_nothing() -> None:
    weight = table()
    weight.retain_grad()
    loss(weight).backward()
    np.testing.assert_array_equal(weight.grad.to_dense(), dense_gradient())


# ----------------------------------------------------------------------------- what stands around


def test_anomaly_is_found_in_rows() -> None:
    weight = table()
    with detect_anomaly():
        loss(weight).backward()
        y = F.embedding(IDS, weight, sparse=True)
        with pytest.raises(AnomalyError, match=r"Embedding\.backward: made nan \(3, 2\)"):
            y.backward(np.full((4, 2), np.nan))


@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad(set_to_none: bool) -> None:
    layer = nn.Embedding(5, 2, sparse=True)
    layer(IDS).sum().backward()
    layer.zero_grad(set_to_none)
    if set_to_none:
        assert layer.weight.grad is None
    else:
        assert layer.weight.grad.data.tolist() == [[0, 0]] * 5


def test_a_module_takes_it_along() -> None:
    layer = nn.Embedding(5, 2, sparse=True)
    layer(IDS).sum().backward()
    before = layer.weight.grad.to_dense()
    layer.double()
    assert layer.weight.grad.dtype == np.float64
    np.testing.assert_array_equal(layer.weight.grad.data, before)


def test_nothing_is_recorded_under_no_grad() -> None:
    with no_grad():
        assert not loss(table()).requires_grad
