"""What the ops mean, against NumPy and by hand: NaN, infinity, nothing, ties, integers, errors."""

import math
from typing import Any

import numpy as np
import pytest

from tests.rounding import assert_rounded
from tinymed import ops
from tinymed.backpropagation import grad
from tinymed.creation import tensor
from tinymed.tensor import Tensor

nan, inf = math.nan, math.inf


def derivative(function: Any, *values: Any) -> list[Any]:
    """Return the derivatives of the sum of ``function`` by each argument, as lists."""
    inputs = [tensor(np.array(v, float), requires_grad=True) for v in values]
    return [g.tolist() for g in grad(function(*inputs).sum(), inputs)]


@pytest.mark.parametrize(
    "call",
    [
        lambda a: ops.mean(a), lambda a: ops.var(a), lambda a: ops.std(a), lambda a: ops.nanmean(a),
        lambda a: ops.norm(a), lambda a: ops.var_mean(a)[0], lambda a: ops.mse_loss(a, 2 * a),
        lambda a: ops.cross_entropy(a, np.array([0, 1])), lambda a: ops.corrcoef(a[0]),
        lambda a: ops.nll_loss(a, np.array([0, 1])), lambda a: ops.focal_loss(a, np.array([0, 1])),
        lambda a: ops.kl_div(-a, a / 2, reduction="batchmean"), lambda a: ops.dot(a[0], a[1]),
        lambda a: ops.generalized_cross_entropy(a, np.array([0, 1])),
        lambda a: ops.symmetric_cross_entropy(a, np.array([0, 1])),
    ],
)  # fmt: skip
def test_a_single_number_of_arrays_is_an_array(call: Any) -> None:
    """Python's operators on NumPy arrays without axes give scalars, which are not writable."""
    y = call(np.array([[0.1, 0.5, 0.4], [0.3, 0.2, 0.5]], np.float32))
    assert type(y) is np.ndarray
    assert y.dtype == np.float32


# -------------------------------------------------------------------------- element by element


@pytest.mark.parametrize(
    ("op", "definition"),
    [
        (ops.exp, np.exp),
        (ops.log, np.log),
        (ops.sqrt, np.sqrt),
        (ops.abs, np.abs),
        (ops.sign, lambda x: np.nan_to_num(np.sign(x))),
        (ops.tanh, np.tanh),
        (ops.negative, np.negative),
        (ops.relu, lambda x: np.where(x < 0, 0, x)),
        (ops.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
        (ops.softplus, lambda x: np.logaddexp(0, x)),
        (ops.isnan, np.isnan),
        (ops.isfinite, np.isfinite),
    ],
)
def test_elementwise_equals_numpy(op: Any, definition: Any) -> None:
    x = np.array([0.0, 1.0, 0.25, 3.0, 40.0, -1.0, -0.5, -700.0, inf, -inf, nan])
    with np.errstate(all="ignore"):
        found, expected = op(x), definition(x)
    np.testing.assert_allclose(found, expected, 1e-14, 0, strict=True)


def test_sigmoid_of_small_results_keeps_its_digits() -> None:
    """(1 + tanh(x / 2)) / 2 would give 0 from x = -17 on in float32."""
    x = np.linspace(-87, 17, 500).astype(np.float32)
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    assert_rounded(ops.sigmoid(x), exact)
    assert ops.sigmoid(np.float32([-1e4, 1e4])).tolist() == [0, 1]


def test_softplus_does_not_overflow() -> None:
    x = np.array([-1e4, -30, 30, 1e4])
    np.testing.assert_allclose(
        ops.softplus(x), [0, math.log1p(math.exp(-30)), 30 + math.exp(-30), 1e4]
    )


def test_softmax_does_not_overflow_and_adds_up_to_one() -> None:
    x = np.array([[1e4, 1e4 - 1, -1e4], [0, 0, 0]])
    np.testing.assert_allclose(ops.softmax(x, 1).sum(axis=1), 1, 1e-15)
    np.testing.assert_allclose(ops.softmax(x, 1)[0, 1], 1 / (1 + math.e))
    assert ops.log_softmax(x, 1)[0, 2] == pytest.approx(-2e4, abs=1)  # softmax underflows there


@pytest.mark.parametrize("op", [ops.softmax, ops.log_softmax])
def test_softmax_wants_an_axis_that_exists(op: Any) -> None:
    with pytest.raises(IndexError, match=f"{op.__name__}: dim 2 is out of range for 2 axes"):
        op(np.ones((2, 3)), 2)


def test_gradients_on_kinks() -> None:
    assert derivative(ops.relu, [-1, 0, 1]) == [[0, 0, 1]]
    assert derivative(ops.abs, [-2, 0, 2]) == [[-1, 0, 1]]
    assert derivative(lambda x: ops.clamp(x, -1, 1), [-1, 1, -1.1, 1.1, 0]) == [[1, 1, 0, 0, 1]]
    assert derivative(ops.maximum, [1, 2, 3], [2, 2, 2]) == [[0, 0.5, 1], [1, 0.5, 0]]
    assert derivative(ops.minimum, [1, 2, 3], [2, 2, 2]) == [[1, 0.5, 0], [0, 0.5, 1]]
    assert derivative(lambda a: a**0, [0, 2]) == [[0, 0]]
    assert derivative(lambda a: a**1, [0, -2]) == [[1, 1]]
    assert derivative(lambda a: a**2, [0, -2]) == [[0, -4]]
    assert derivative(ops.power, [0, 0, 2], [0, 2, 0]) == [[0, 0, 0], [0, 0, math.log(2)]]


def test_powers_of_numbers() -> None:
    assert derivative(lambda b: 2.0**b, [0, 3]) == [[math.log(2), 8 * math.log(2)]]
    assert derivative(lambda b: 0**b, [1, 2]) == [[0, 0]]


def test_integer_powers() -> None:
    assert ops.power(np.array([2, -3]), 3).tolist() == [8, -27]
    with pytest.raises(ValueError, match="negative integer powers are not allowed"):
        ops.power(np.array([2]), -1)
    assert ops.power(np.array([2]), -1.0).tolist() == [0.5]


def test_where_lets_nothing_through_from_the_other_side() -> None:
    x = tensor([0.0, 4.0], requires_grad=True)
    with np.errstate(divide="ignore"):
        y = ops.where(x == 0, 7.0, x)
    (ops.where(x == 0, 0.0, 1 / ops.where(x == 0, 1.0, x)) + y).sum().backward()
    assert x.grad.tolist() == [0, 1 - 1 / 16]


def test_division() -> None:
    with np.errstate(all="ignore"):
        assert str((tensor([1.0, -1.0, 0.0]) / 0).tolist()) == "[inf, -inf, nan]"
    assert (tensor([1, 2]) / tensor([2, 2])).tolist() == [0.5, 1]


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (
            ValueError,
            r"add: shapes \(2, 3\) and \(2,\) do not broadcast; axes are matched from the last",
            lambda: ops.add(np.ones((2, 3)), np.ones(2)),
        ),
        (
            ValueError,
            r"where: shapes \(3,\) and \(2,\) and \(3,\) do not broadcast",
            lambda: ops.where(np.ones(3, bool), np.ones(2), np.ones(3)),
        ),
        (
            TypeError,
            "subtract: bool - bool has no meaning; use !=",
            lambda: ops.subtract(np.ones(2, bool), np.ones(2, bool)),
        ),
        (
            TypeError,
            "negative: -bool has no meaning; use ~",
            lambda: ops.negative(np.ones(2, bool)),
        ),
        (
            TypeError,
            r"power: bool \*\* bool has no meaning",
            lambda: ops.power(np.ones(2, bool), True),
        ),
        (
            TypeError,
            "bitwise_not: the input is float64, expected bools or integers",
            lambda: ~tensor(np.ones(2)),
        ),
        (TypeError, "bitwise_and: the input is float64", lambda: tensor(np.ones(2)) & True),
        (TypeError, "bitwise_or: the input is float32", lambda: 1.0 | tensor([1, 2])),
        (
            ValueError,
            "clamp: min and max are both None; give at least one",
            lambda: ops.clamp(np.ones(2)),
        ),
        (
            TypeError,
            "where: condition is int64, expected bool; compare first",
            lambda: ops.where(np.ones(2, np.int64), 1.0, 0.0),
        ),
        (TypeError, "where: condition is list, expected bool", lambda: ops.where([True], 1.0, 0.0)),
        (
            ValueError,
            "add: Python integer -1 out of bounds for uint8; cast the tensor first",
            lambda: ops.add(np.ones(2, np.uint8), -1),
        ),
        (ValueError, "is too large", lambda: ops.tensor_split(np.ones(3), 2**40)),
        (ValueError, "expand: x .* lengths >= 0", lambda: ops.expand(np.ones(1), (-2,))),
        (ValueError, "dropout: p=1.5 is not a probability", lambda: ops.dropout(np.ones(2), 1.5)),
        (
            TypeError,
            "dropout: x is int64, expected a floating dtype",
            lambda: ops.dropout(np.ones(2, np.int64), 0.5),
        ),
    ],
)
def test_refuses(kind: type[Exception], words: str, call: Any) -> None:
    with pytest.raises(kind, match=words):
        call()


def test_clamp() -> None:
    assert ops.clamp(np.array([-5, 0, 5]), -1, 1).tolist() == [-1, 0, 1]
    assert ops.clamp(np.array([-5, 5]), 2, 1).tolist() == [1, 1]  # the upper limit wins
    assert ops.clamp(np.array([1, 5]), max=2.5).tolist() == [1.0, 2.5]
    assert np.isnan(ops.clamp(np.array([nan]), 0, 1)).all()
    low, high = np.array([0.0, 2.0]), np.array([1.0, 3.0])
    assert ops.clamp(np.array([5.0, 1.0]), low, high).tolist() == [1, 2]


def test_dropout_keeps_the_mean() -> None:
    x = Tensor(np.ones(40_000, np.float32), requires_grad=True)
    y = ops.dropout(x, 0.25, generator=np.random.default_rng(0))
    assert set(np.unique(y.data)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
    assert abs(y.data.mean() - 1) < 0.01
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, y.data)
    again = ops.dropout(x.data, 0.25, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(again, y.data)
    assert ops.dropout(x, 0.5, training=False) is x
    assert ops.dropout(x, 0.0) is x
    assert not ops.dropout(x.data, 1.0).any()


# ---------------------------------------------------------------------------------- reductions


X = np.random.default_rng(3).standard_normal((2, 3, 4))
REDUCTIONS = {
    ops.sum: np.sum,
    ops.mean: np.mean,
    ops.logsumexp: lambda x, axis, keepdims: np.log(np.exp(x).sum(axis=axis, keepdims=keepdims)),
    ops.var: lambda x, axis, keepdims: np.var(x, axis=axis, keepdims=keepdims, ddof=1),
    ops.std: lambda x, axis, keepdims: np.std(x, axis=axis, keepdims=keepdims, ddof=1),
}


@pytest.mark.parametrize("op", REDUCTIONS, ids=lambda op: op.__name__)
@pytest.mark.parametrize("dim", [None, 0, 1, -1, (0, 2), (-1, 0), [1], (0, 1, 2), np.int64(1)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_reductions_equal_numpy(op: Any, dim: Any, keepdim: bool) -> None:
    axis = tuple(dim) if isinstance(dim, list) else dim
    expected = REDUCTIONS[op](X, axis=axis, keepdims=keepdim)
    np.testing.assert_allclose(op(X, dim, keepdim), expected, 1e-13)


@pytest.mark.parametrize("op", REDUCTIONS, ids=lambda op: op.__name__)
def test_no_dims_means_all_dims(op: Any) -> None:
    np.testing.assert_array_equal(op(X, ()), op(X, None))
    np.testing.assert_array_equal(op(X, (), True), op(X, None, True))


@pytest.mark.parametrize("op", [*REDUCTIONS, ops.max, ops.min, ops.argmax, ops.argmin])
def test_dims_out_of_range(op: Any) -> None:
    for dim in (3, -4):
        with pytest.raises(IndexError, match=f"dim {dim} is out of range for 3 axes; use -3 to 2"):
            op(X, dim)
    with pytest.raises(TypeError, match="integer"):
        op(X, 1.0)


@pytest.mark.parametrize("op", REDUCTIONS, ids=lambda op: op.__name__)
def test_a_dim_named_twice(op: Any) -> None:
    with pytest.raises(ValueError, match=r"dim \(0, -3\) names an axis twice"):
        op(X, (0, -3))


def test_sum_of_integers_and_bools_counts_in_int64() -> None:
    assert ops.sum(np.full(300, 200, np.uint8)) == 60_000
    assert ops.sum(np.ones(300, bool)).dtype == np.int64
    assert ops.sum(np.ones(3, np.int32), dtype="float64").dtype == np.float64


def test_of_nothing() -> None:
    nothing = np.zeros((0, 2))
    assert ops.sum(nothing) == 0
    assert ops.sum(nothing, 0).tolist() == [0, 0]
    assert np.isnan(ops.mean(nothing))
    assert np.isnan(ops.var(nothing, 0)).all()
    assert ops.logsumexp(nothing, 0).tolist() == [-inf, -inf]
    assert ops.mean(nothing, 1).shape == (0,)
    assert ops.max(nothing, 1).values.shape == (0,)
    for op in (ops.max, ops.min, ops.argmax, ops.argmin):
        with pytest.raises(IndexError, match=rf"{op.__name__}: x \(0, 2\) has no elements along"):
            op(nothing)
        with pytest.raises(IndexError, match="has no elements along dim=0"):
            op(nothing, 0)


def test_variance() -> None:
    assert np.isnan(ops.var(np.array([3.0])))  # one value has none
    assert ops.var(np.array([3.0]), correction=0) == 0
    assert ops.var(np.array([1.0, 3.0]), unbiased=False) == 1
    assert ops.var(np.array([1.0, 3.0]), unbiased=True) == 2
    x = 1e8 + np.array([4.0, 7.0, 13.0, 16.0])  # E[x^2] - E[x]^2 would give 0 or less
    assert ops.var(x) == 30
    assert ops.std(np.zeros(0)).shape == ()
    for op in (ops.var, ops.std, ops.mean):
        with pytest.raises(TypeError, match=r"x is int64, expected a floating dtype; use x\.float"):
            op(np.arange(3))


def test_std_of_equal_elements_has_no_gradient() -> None:
    assert derivative(lambda x: ops.std(x, 1), [[2, 2], [1, 3]]) == [
        [[0, 0], pytest.approx([-math.sqrt(0.5), math.sqrt(0.5)])]
    ]


def test_float16_is_added_up_in_float32() -> None:
    ones = np.ones((5000, 2), np.float16)
    assert ops.sum(ones, 0).tolist() == [5000, 5000]  # 2048 + 1 is 2048 in float16
    assert ops.sum_to(ones, (2,)).tolist() == [5000, 5000]
    assert ops.mean(np.full(3000, 100, np.float16)).tolist() == 100  # the sum is beyond its range
    x = np.linspace(0, 300, 3000).astype(np.float16)
    assert_rounded(ops.var(x), np.var(x.astype(float), ddof=1), terms=4)


def test_logsumexp() -> None:
    x = np.array([[1000.0, 1000.0], [-inf, -inf], [-inf, 0.0], [inf, 0.0], [nan, 0.0]])
    found = ops.logsumexp(x, 1)
    np.testing.assert_array_equal(found, [1000 + math.log(2), -inf, 0, inf, nan])


def test_extremes() -> None:
    x = np.array([[1.0, 5.0, 5.0], [7.0, -1.0, 7.0]])
    values, indices = ops.max(x, 1)
    assert values.tolist() == [5, 7]
    assert indices.tolist() == [1, 0]  # the first of equal ones
    assert ops.min(x, 1).indices.tolist() == [0, 1]
    assert ops.argmax(x).tolist() == 3
    assert ops.argmin(x, 0, keepdim=True).tolist() == [[0, 1, 0]]
    assert ops.max(x).tolist() == 7
    assert ops.max(np.array([1, 3])).dtype == np.int64
    assert ops.max(np.array(2.0), 0) == (2.0, 0)


def test_nan_is_the_extreme() -> None:
    x = np.array([[1.0, nan, 5.0], [1.0, 2.0, 3.0]])
    assert np.isnan(ops.max(x))
    assert np.isnan(ops.min(x))
    for op in (ops.max, ops.min):
        np.testing.assert_array_equal(np.isnan(op(x, 1).values), [True, False])
        assert op(x, 1).indices[0] == 1
    assert ops.argmax(x) == 1
    assert np.isnan(ops.maximum(x, 0.0)[0, 1])


def test_ties_share_the_gradient() -> None:
    assert derivative(ops.max, [[1, 5], [5, 5]]) == [[[0, 1 / 3], [1 / 3, 1 / 3]]]
    assert derivative(lambda x: ops.min(x, 1).values, [[1, 1], [2, 1]]) == [[[1, 0], [0, 1]]]


def test_clamp_passes_on_nan_in_a_limit() -> None:
    limit = np.array([np.nan, 0.0, 2.0])
    for found in (ops.clamp(np.ones(3), min=limit), ops.clamp(np.ones(3), max=-limit)):
        np.testing.assert_array_equal(abs(found), [np.nan, *abs(found[1:])])
    assert ops.clamp(np.ones(3), limit, limit + 1).tolist()[1:] == [1, 2]
    assert np.isnan(ops.clamp(np.array([np.nan]), min=np.zeros(1))).all()
