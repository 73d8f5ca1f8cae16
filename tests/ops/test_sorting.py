"""Sorting, quantiles, counting and searching against NumPy and plain loops."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tinymed import ops
from tinymed.backpropagation import grad
from tinymed.creation import tensor
from tinymed.tensor import Tensor

nan, inf = np.nan, np.inf
FEW = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, inf, -inf, nan])
ARRAYS = arrays(np.float64, array_shapes(max_dims=3, max_side=5), elements=FEW)


@given(ARRAYS, st.integers(0, 2), st.booleans())
def test_sort_is_in_order_and_stable(x: np.ndarray, dim: int, descending: bool) -> None:
    dim %= x.ndim
    values, indices = ops.sort(x, dim, descending)
    np.testing.assert_array_equal(values, np.take_along_axis(x, indices, dim))
    rows = np.moveaxis(indices, dim, -1).reshape(-1, x.shape[dim])
    elements = np.moveaxis(x, dim, -1).reshape(-1, x.shape[dim])
    for index, row in zip(rows, elements, strict=True):

        def key(i: int, row: Any = row) -> tuple[float, ...]:
            size = (1.0, 0.0) if np.isnan(row[i]) else (0.0, row[i])
            return tuple(-s for s in size) if descending else size

        assert index.tolist() == sorted(range(len(row)), key=key)


@given(ARRAYS, st.data())
def test_topk_and_kthvalue_are_parts_of_the_order(x: np.ndarray, data: Any) -> None:
    k = data.draw(st.integers(1, x.shape[-1]))
    for largest in (False, True):
        everything = ops.sort(x, -1, largest)
        for found, whole in zip(ops.topk(x, k, -1, largest), everything, strict=True):
            np.testing.assert_array_equal(found, whole[..., :k])
    ascending = ops.sort(x)
    for found, whole in zip(ops.kthvalue(x, k), ascending, strict=True):
        np.testing.assert_array_equal(found, whole[..., k - 1])


@given(ARRAYS)
def test_median_equals_numpy(x: np.ndarray) -> None:
    for op, rows in ((ops.median, lambda r: r), (ops.nanmedian, lambda r: r[~np.isnan(r)])):
        flat = np.sort(rows(x.reshape(-1)))
        missing = not len(flat) or np.isnan(flat).any()
        np.testing.assert_array_equal(op(x), nan if missing else flat[(len(flat) - 1) // 2])
        values, indices = op(x, -1)
        np.testing.assert_array_equal(values, np.take_along_axis(x, indices[..., None], -1)[..., 0])
        for row, value in zip(x.reshape(-1, x.shape[-1]), values.reshape(-1), strict=True):
            np.testing.assert_array_equal(op(row), value)


@given(ARRAYS)
def test_mode_by_counting(x: np.ndarray) -> None:
    values, indices = ops.mode(x)
    for row, value, index in zip(
        x.reshape(-1, x.shape[-1]), values.reshape(-1), indices.reshape(-1), strict=True
    ):
        counts = Counter(v for v in row.tolist() if v == v)
        if not counts:
            assert np.isnan(value)
            continue
        most = max(counts.values())
        assert value == min(v for v, n in counts.items() if n == most)
        assert index == max(i for i, v in enumerate(row) if v == value)


METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


@given(
    arrays(np.float64, array_shapes(max_dims=3, max_side=6), elements=st.floats(-1e3, 1e3)),
    st.sampled_from(METHODS),
    st.floats(0, 1),
    st.booleans(),
)
def test_quantile_equals_numpy(x: np.ndarray, method: Any, q: float, keep: bool) -> None:
    if method != "linear":
        q = round(q * 8) / 8  # NumPy and PyTorch round ranks that are near a whole one differently
    for dim in (None, 0, -1):
        found = ops.quantile(x, q, dim, keep, interpolation=method)
        expected = np.quantile(x, q, axis=dim, keepdims=keep, method=method)
        np.testing.assert_allclose(found, expected, 1e-9, 1e-9)
        assert found.shape == expected.shape


def test_quantiles_of_infinities_and_missing_values() -> None:
    x = np.array([-inf, 1.0, 2.0, inf, inf])
    assert ops.quantile(x, np.array([0, 0.1, 0.25, 0.6, 0.75, 0.9, 1])).tolist() == [
        -inf, -inf, 1, inf, inf, inf, inf,
    ]  # fmt: skip
    assert ops.nanquantile(np.array([nan, 3.0, nan, 5.0]), 0.5) == 4
    assert np.isnan(ops.quantile(np.array([nan, 3.0]), 0.0))
    assert ops.quantile(np.array([1, 2], np.float16), 0.5).dtype == np.float16


def test_quantile_of_equal_elements_is_exact() -> None:
    x = np.full(7, 0.1)
    assert set(ops.quantile(x, np.linspace(0, 1, 50)).tolist()) == {0.1}


def test_gradients_go_where_the_values_stood() -> None:
    x = tensor([3.0, 1.0, 2.0, 3.0], requires_grad=True)
    for function, expected in (
        (lambda x: ops.sort(x).values[0], [0, 1, 0, 0]),
        (lambda x: ops.topk(x, 1).values[0], [1, 0, 0, 0]),  # the first of equal ones
        (lambda x: ops.kthvalue(x, 4).values, [0, 0, 0, 1]),  # the last in the order
        (lambda x: ops.mode(x).values, [0, 0, 0, 1]),
        (lambda x: ops.median(x, 0).values, [0, 0, 1, 0]),
        (ops.amax, [0.5, 0, 0, 0.5]),
        (lambda x: ops.cummax(x, 0).values.sum(), [3, 0, 0, 1]),
    ):
        assert grad(function(x), [x])[0].tolist() == expected
    even = tensor([1.0, 1.0, 1.0, 2.0], requires_grad=True)
    np.testing.assert_allclose(grad(ops.median(even), [even])[0].numpy(), [1 / 3] * 3 + [0])


@given(
    arrays(np.int64, array_shapes(max_dims=3, max_side=4), elements=st.integers(0, 2)),
    st.integers(-1, 2),
)
def test_unique_equals_numpy(x: np.ndarray, dim: int) -> None:
    axis = None if dim < 0 else dim % x.ndim
    found = ops.unique(x, True, True, True, axis)
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, axis=axis)
    for ours, theirs in zip(found, (values, inverse.reshape(found[1].shape), counts), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    runs = ops.unique_consecutive(np.sort(x.reshape(-1)), True, True)
    np.testing.assert_array_equal(runs[0], np.unique(x))
    np.testing.assert_array_equal(runs[0][runs[1]], np.sort(x.reshape(-1)))
    assert runs[2].sum() == x.size


def test_counting_takes_tensors_and_arrays() -> None:
    assert type(ops.unique(np.array([1]))) is np.ndarray
    values, counts = ops.unique(tensor([2, 1, 2]), return_counts=True)
    assert isinstance(values, Tensor)
    assert (values.tolist(), counts.tolist()) == ([1, 2], [1, 2])
    x = tensor([1.0, 2.0], requires_grad=True)
    assert not ops.unique(x).requires_grad
    assert isinstance(ops.searchsorted(np.array([1.0]), x), Tensor)
    assert isinstance(ops.bincount(tensor([1, 1])), Tensor)
    assert ops.searchsorted(tensor([1.0, 3.0]), 2).tolist() == 1


@given(arrays(np.float64, (3, 4), elements=FEW.filter(lambda v: v == v)), ARRAYS)
def test_searchsorted_equals_numpy(rows: np.ndarray, values: np.ndarray) -> None:
    rows = np.sort(rows, -1)
    for right, side in ((False, "left"), (True, "right")):
        found = ops.bucketize(values, rows[0], right=right)
        np.testing.assert_array_equal(found, np.searchsorted(rows[0], values, side))
        each = [np.searchsorted(a, b, side) for a, b in zip(rows, rows[::-1], strict=True)]
        np.testing.assert_array_equal(ops.searchsorted(rows, rows[::-1], right=right), each)


@given(arrays(np.float32, st.integers(0, 30), elements=st.integers(-32, 32)))
def test_histc_equals_numpy(x: np.ndarray) -> None:
    x /= 8  # exact, as the limits are
    for low, high in ((-2, 2), (-4.0, 4.0)):
        expected, _ = np.histogram(x, 8, (low, high))
        np.testing.assert_array_equal(ops.histc(x, 8, low, high), expected)


HUGE = 2**40


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (IndexError, "topk: k=4 is not between 0 and 3, the length of dim -1", lambda: ops.topk(
            np.ones((2, 3)), 4)),
        (IndexError, "kthvalue: k=0 is not between 1 and 3", lambda: ops.kthvalue(np.ones(3), 0)),
        (IndexError, "sort: dim 2 is out of range for 1 axes", lambda: ops.sort(np.ones(3), 2)),
        (IndexError, r"median: x \(0,\) has no elements", lambda: ops.median(
            np.zeros(0, int))),
        (IndexError, r"mode: x \(2, 0\) has no elements along", lambda: ops.mode(np.ones((2, 0)))),
        (ValueError, "quantile: q=1.5 is not between 0 and 1", lambda: ops.quantile(
            np.ones(3), 1.5)),
        (ValueError, r"quantile: q=\[0.5, nan\] is not between", lambda: ops.quantile(
            np.ones(3), np.array([0.5, nan]))),
        (TypeError, "quantile: q is list, expected a number", lambda: ops.quantile(
            np.ones(3), [0.5])),
        (TypeError, "nanquantile: x is int64, expected a floating", lambda: ops.nanquantile(
            np.ones(3, int), 0.5)),
        (ValueError, "interpolation='cubic' is not in", lambda: ops.quantile(
            np.ones(3), 0.5, interpolation="cubic")),
        (ValueError, r"quantile: x \(0,\) has no elements", lambda: ops.quantile(np.ones(0), 0.5)),
        (ValueError, "bincount: x holds -1, expected integers >= 0", lambda: ops.bincount(
            np.array([1, -1]))),
        (ValueError, "bincount: .* is too large", lambda: ops.bincount(np.array([HUGE]))),
        (ValueError, "bincount: .* is too large", lambda: ops.bincount(
            np.array([1]), minlength=HUGE)),
        (ValueError, "histc: .* is too large", lambda: ops.histc(np.ones(2), HUGE)),
        (ValueError, "histc: the range 1.0 to inf is not finite", lambda: ops.histc(
            np.array([1, inf]))),
        (IndexError, "topk: k=1099511627776 is not between", lambda: ops.topk(np.ones(3), HUGE)),
        (ValueError, "searchsorted: side='middle' is neither", lambda: ops.searchsorted(
            np.ones(3), 1, side="middle")),
        (ValueError, r"sorted_sequence \(2, 3\) and values \(2,\) must", lambda: ops.searchsorted(
            np.ones((2, 3)), np.ones(2))),
        (IndexError, "sorter holds 0 to 3, expected 0 to 2", lambda: ops.searchsorted(
            np.ones(3), 1, sorter=np.array([0, 3, 1]))),
        (ValueError, r"bucketize: boundaries \(1, 2\) have not", lambda: ops.bucketize(
            np.ones(3), np.ones((1, 2)))),
        (IndexError, "unique: dim=0 of a tensor without axes", lambda: ops.unique(
            np.array(1), dim=0)),
        (ValueError, r"unique: x \(3, 0\) has slices of no elements", lambda: ops.unique(
            np.ones((3, 0)), dim=0)),
    ],
)  # fmt: skip
def test_refuses(kind: type[Exception], words: str, call: Any) -> None:
    with pytest.raises(kind, match=words):
        call()
