"""Reading and writing at places: against plain loops, and what is refused in which words."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed import ops
from tinymed.autograd import wrote
from tinymed.backpropagation import grad
from tinymed.creation import tensor
from tinymed.tensor import Tensor

X = np.arange(24.0).reshape(2, 3, 4)
SEEDS = st.integers(0, 2**16)


def drawn_index(seed: int, dim: int) -> np.ndarray:
    """Places along ``dim`` of X, on other axes fewer than X has."""
    random = np.random.default_rng(seed)
    shape = [int(random.integers(0, n + 1)) for n in X.shape]
    shape[dim] = int(random.integers(0, 6))
    return random.integers(0, X.shape[dim], shape)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2), SEEDS)
def test_gather_and_scatter_equal_loops(dim: int, seed: int) -> None:
    index = drawn_index(seed, dim)
    source = np.random.default_rng(seed).standard_normal(index.shape)
    read, added, written = np.zeros(index.shape), X.copy(), X.copy()
    multiplied = X.copy()
    for place in np.ndindex(*index.shape):
        target = list(place)
        target[dim] = index[place]
        read[place] = X[tuple(target)]
        added[tuple(target)] += source[place]
        multiplied[tuple(target)] *= source[place]
        written[tuple(target)] = source[place]
    np.testing.assert_array_equal(ops.gather(X, dim, index), read)
    np.testing.assert_allclose(ops.scatter_add(X, dim - 3, index, source), added, rtol=1e-13)
    np.testing.assert_array_equal(ops.scatter(X, dim, index, source), written)
    found = ops.scatter(X, dim, index, source, reduce="multiply")
    np.testing.assert_allclose(found, multiplied, rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2), SEEDS)
def test_gather_and_scatter_add_are_adjoint(dim: int, seed: int) -> None:
    """<gather(x), y> = <x, scatter_add(0, y)>: each is the other's derivative."""
    index = drawn_index(seed, dim)
    y = np.random.default_rng(seed).standard_normal(index.shape)
    left = (ops.gather(X, dim, index) * y).sum()
    right = (X * ops.scatter_add(np.zeros(X.shape), dim, index, y)).sum()
    np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-10)


def test_only_the_value_that_stays_has_a_gradient() -> None:
    x, source = Tensor(np.zeros(3), True), Tensor(np.array([5.0, 6.0, 7.0]), True)
    y = ops.scatter(x, 0, np.array([1, 1, 0]), source)
    assert y.tolist() == [7, 6, 0]
    to_x, to_source = grad(y, [x, source], np.array([1.0, 2.0, 3.0]))
    assert to_x.tolist() == [0, 0, 3]
    assert to_source.tolist() == [0, 2, 1]


def test_gradients_of_values() -> None:
    """A value in many places gets the sum of their gradients; one that is repeated, once."""
    x, value = Tensor(X.copy(), True), Tensor(np.array(9.0), True)
    mask = np.zeros(X.shape, bool)
    mask[:, 1] = True
    g = np.arange(24.0).reshape(X.shape)
    for y, where in (
        (ops.masked_fill(x, mask, value), mask),
        (ops.index_fill(x, 1, np.array([1, 1, -2]), value), mask),
    ):
        np.testing.assert_array_equal(y.data, np.where(where, 9, X))
        to_x, to_value = grad(y, [x, value], g)
        np.testing.assert_array_equal(to_x.data, np.where(where, 0, g))
        assert to_value.item() == g[where].sum()


def test_an_index_that_is_written_afterwards_is_noticed() -> None:
    x, index = Tensor(np.arange(3.0), True), np.array([0, 1])
    for y in (ops.index_select(x, 0, index), ops.index_add(x, 0, index, np.ones(2) * x[:2])):
        index[0] = 2
        wrote(index)
        with pytest.raises(RuntimeError, match="overwritten in place"):
            y.sum().backward()


def test_one_hot_equals_a_comparison() -> None:
    classes = np.random.default_rng(0).integers(0, 4, (3, 5))
    found = ops.one_hot(tensor(classes), 6)
    np.testing.assert_array_equal(found.data, classes[..., None] == np.arange(6))
    assert found.dtype == np.int64
    assert type(ops.one_hot(classes)) is np.ndarray
    assert ops.one_hot(classes.astype(np.int32)).shape == (3, 5, classes.max() + 1)


def index(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


ROW = X[0, 0]


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (
            IndexError,
            "gather: index 4 is out of range for 4 elements, 0 to 3 are expected",
            lambda: ops.gather(ROW, 0, index(0, 4)),
        ),
        (
            IndexError,
            "gather: index -1 is out of range for 4 elements",
            lambda: ops.gather(ROW, 0, index(-1)),
        ),
        (
            TypeError,
            "gather: the index is float64, a tensor of int64 is expected",
            lambda: ops.gather(ROW, 0, np.zeros(1)),
        ),
        (
            ValueError,
            r"gather: index \(1, 5\) for x \(3, 4\); as many axes, none longer apart from dim 0",
            lambda: ops.gather(X[0], 0, np.zeros((1, 5), int)),
        ),
        (
            IndexError,
            "gather: dim 2 is out of range for 1 axes",
            lambda: ops.gather(ROW, 2, index(0)),
        ),
        (
            ValueError,
            r"scatter: index \(2,\) for src \(1,\); as many axes, none longer, are",
            lambda: ops.scatter(ROW, 0, index(0, 1), np.ones(1)),
        ),
        (
            TypeError,
            "scatter: x is float64 but src is float32",
            lambda: ops.scatter(ROW, 0, index(0), np.ones(1, np.float32)),
        ),
        (TypeError, "scatter: give src, a tensor or number", lambda: ops.scatter(ROW, 0, index(0))),
        (
            ValueError,
            "scatter: reduce='mean' is not None, 'add' or 'multiply'",
            lambda: ops.scatter(ROW, 0, index(0), 1, reduce="mean"),
        ),
        (
            TypeError,
            "scatter_add: src is float, a tensor is expected",
            lambda: ops.scatter_add(ROW, 0, index(0), 1.0),
        ),
        (
            ValueError,
            r"index_select: index \(1, 1\) for x \(4,\); \(K,\) is expected",
            lambda: ops.index_select(ROW, 0, index(0)[None]),
        ),
        (
            ValueError,
            r"index_add: source \(3, 4\) for index \(1,\) of dim 0 of x \(3, 4\), \(1, 4\) is",
            lambda: ops.index_add(X[0], 0, index(0), X[0]),
        ),
        (
            ValueError,
            "index_fill: the value 0.5 does not fit int64",
            lambda: ops.index_fill(index(1, 2), 0, index(0), 0.5),
        ),
        (IndexError, "take: index 24 is out of range for 24", lambda: ops.take(X, index(24))),
        (
            IndexError,
            r"select: index 4 is out of range for dim 0 of x \(4,\), -4 to 3 are expected",
            lambda: ops.select(ROW, 0, 4),
        ),
        (
            ValueError,
            r"narrow: start 3 and length 2 reach beyond dim 0 of x \(4,\)",
            lambda: ops.narrow(ROW, 0, 3, 2),
        ),
        (
            TypeError,
            "masked_fill: mask is int64, expected bool; compare first",
            lambda: ops.masked_fill(ROW, index(0, 1, 0, 1), 0),
        ),
        (
            ValueError,
            r"masked_select: shapes \(4,\) and \(3,\) do not broadcast",
            lambda: ops.masked_select(ROW, np.array([True] * 3)),
        ),
        (
            ValueError,
            "masked_fill: the value 300 does not fit uint8",
            lambda: ops.masked_fill(ROW.astype(np.uint8), ROW > 1, 300),
        ),
        (
            ValueError,
            "masked_scatter: source has 1 elements, the mask wants 2",
            lambda: ops.masked_scatter(ROW, ROW > 1, np.ones(1)),
        ),
        (
            IndexError,
            "one_hot: index 3 is out of range for 3 elements, 0 to 2 are expected",
            lambda: ops.one_hot(index(0, 3), 3),
        ),
        (IndexError, "one_hot: index -1 is out of range", lambda: ops.one_hot(index(0, -1))),
        (ValueError, "one_hot: num_classes=-1 for 0 elements", lambda: ops.one_hot(index())),
        (TypeError, "one_hot: the index is bool", lambda: ops.one_hot(np.array([True]))),
    ],
)
def test_refuses(kind: type[Exception], words: str, call: Any) -> None:
    with pytest.raises(kind, match=words):
        call()


# In each: an index, and what PyTorch takes it for, as indices that NumPy uses one after the other.
ALL, ROWS, FLAGS = slice(None), [2, 0, 2], np.array([True, False, True])
TURNS: list[tuple[Any, list[Any]]] = [
    ((0, ALL, ROWS), [0, (ALL, ROWS)]),
    ((-1, ..., ROWS), [-1, (..., ROWS)]),
    ((np.int64(1), None, ROWS), [1, (None, ROWS)]),
    ((ROWS, ALL, 1), [(ALL, ALL, 1), ROWS]),
    ((ALL, 0, ..., FLAGS), [(ALL, 0), (..., FLAGS)]),
    ((0, ALL, Tensor(np.array(ROWS))), [0, (ALL, ROWS)]),
    ((Tensor(np.array(0)), ALL, ROWS), [0, (ALL, ROWS)]),
    ((True, ALL, ALL, 2), [(ALL, ALL, 2), None]),
    ((ALL, ROWS, ..., ROWS), [(ALL, ROWS, ROWS)]),
    ((0, None, np.ones((3, 3), bool)), [0, (None, np.ones((3, 3), bool))]),
]


@pytest.mark.parametrize(("index", "turns"), TURNS)
def test_integers_take_their_axes_away_before_arrays_select(index: Any, turns: list[Any]) -> None:
    """As in PyTorch; NumPy lets them broadcast with the arrays, and moves axes to the front."""
    x = Tensor(np.arange(27.0).reshape(3, 3, 3), requires_grad=True)
    expected, places = x.data, np.arange(27).reshape(3, 3, 3)
    for turn in turns:
        expected, places = expected[turn], places[turn]
    y = x[index]
    np.testing.assert_array_equal(y.data, expected)
    weights = np.arange(1.0, y.numel() + 1).reshape(y.shape)
    (y * Tensor(weights)).sum().backward()
    counted = np.bincount(places.ravel(), weights.ravel(), 27).reshape(3, 3, 3)
    np.testing.assert_array_equal(x.grad.data, counted)
    written = Tensor(np.zeros((3, 3, 3)))
    written[index] = Tensor(weights)
    np.testing.assert_array_equal(written[index].data != 0, np.ones(y.shape, bool))
    assert np.count_nonzero(written.data) == len(np.unique(places))


def test_a_tensor_whose_axes_are_all_taken_away_is_written_to() -> None:
    x = Tensor(np.zeros((2, 3)))
    x[1, None, 2, True] = 5.0
    assert x.data.tolist() == [[0, 0, 0], [0, 0, 5]]


def test_one_element_is_a_number_wherever_it_is_written() -> None:
    x = Tensor(np.zeros((2, 3)))
    x[0, 1] = tensor([5.0])
    x[1] = tensor([[[2.0]]])
    assert x.data.tolist() == [[0, 5, 0], [2, 2, 2]]


@pytest.mark.parametrize(
    ("index", "given", "there"),
    [((0, 1), (2,), ()), (0, (2,), (3,)), ([0, 1, 1], (2, 3), (3, 3)), ((0, ..., [1]), (2,), (1,))],
)
def test_a_value_that_does_not_fit_is_refused(index: Any, given: Any, there: Any) -> None:
    x = Tensor(np.zeros((2, 3)))
    words = f"x[i] = v: v {given} does not fit x[i] {there}"
    with pytest.raises(ValueError, match=re.escape(words)):
        x[index] = Tensor(np.ones(given))
    assert not x.data.any()
