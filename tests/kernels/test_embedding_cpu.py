"""What agreement does not see of embedding's kernels: sorting by ids, and the order of addition."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from tinymed.kernels import embedding, use_backend
from tinymed.kernels.embedding.numba_cpu import grouped

EDGES = [0, 1, 2047, 2048, 2049, (1 << 22) - 1, 1 << 22, (1 << 33) + 5, (1 << 62) + 1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(EDGES), st.integers(0, 9)), max_size=40))
def test_groups_of_equal_ids(numbers: list[int]) -> None:
    ids = np.array(numbers, np.int64)
    order, different, starts, (count,) = grouped(ids)
    different, starts = different[:count], starts[: count + 1]  # they have room for more
    np.testing.assert_array_equal(order, np.argsort(ids, kind="stable"))
    found, counts = np.unique(ids, return_counts=True)
    np.testing.assert_array_equal(different, found)
    np.testing.assert_array_equal(starts, np.concatenate(([0], counts.cumsum())))


@pytest.mark.parametrize("width", [1, 3, 16, 40])
def test_rows_are_added_in_the_order_of_the_ids(width: int) -> None:
    rng = np.random.default_rng(width)
    ids, values = rng.integers(0, 5, 300), rng.standard_normal((300, width)).astype(np.float32)
    expected = np.zeros((7, width), np.float32)
    for number, value in zip(ids, values, strict=True):
        expected[number] += value
    with use_backend("numba_cpu"):
        np.testing.assert_array_equal(embedding.grad_weight(values, ids, 7), expected)
        rows, sums = embedding.sum_rows(values, ids)
    np.testing.assert_array_equal(sums, expected[rows])


@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_rows_of_any_shape(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    weight, ids = rng.standard_normal((6, *shape)), rng.integers(0, 6, (4, 2))
    values = rng.standard_normal((8, *shape))
    expected = np.zeros_like(weight)
    np.add.at(expected, ids.reshape(-1), values)
    with use_backend("numba_cpu"):
        np.testing.assert_array_equal(embedding.forward(weight, ids), weight[ids])
        found = embedding.grad_weight(values, ids.reshape(-1), 6)
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_what_the_loops_are_not_for_stays_with_the_reference() -> None:
    weight, ids = np.ones((3, 4), np.float32), np.array([0, 2])
    calls: list[Any] = [
        lambda: embedding.forward(weight.astype(np.float16), ids),
        lambda: embedding.forward(weight.astype(">f4"), ids),
        lambda: embedding.forward(weight, ids.astype(np.int32)),
        lambda: embedding.renormalize(weight, ids, 1.0, 3.0),
        lambda: embedding.renormalize(weight[:, ::2], ids, 1.0, 2.0),
    ]
    for call in calls:
        call()  # by default there is always one that can
        with use_backend("numba_cpu"), pytest.raises(LookupError, match="cannot do"):
            call()


@pytest.mark.parametrize("p", [1.0, 2.0, float("inf")])
def test_rows_that_are_not_finite_are_shortened_like_the_reference_does(p: float) -> None:
    weight = np.ones((4, 20))
    weight[0, 3], weight[1, 19], weight[2, 0] = np.nan, np.inf, 1e6
    both = [weight.copy(), weight.copy()]
    shortened = []
    for backend, array in zip(("numba_cpu", "reference"), both, strict=True):
        with use_backend(backend), np.errstate(invalid="ignore"):
            shortened.append(embedding.renormalize(array, np.array([0, 1, 2]), 2.0, p))
    assert shortened == [True, True]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-14)
