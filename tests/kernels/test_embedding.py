"""The kernels of embedding against plain loops in float64."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rounding import assert_rounded
from tinymed.kernels import embedding, use_backend


@pytest.fixture(autouse=True, scope="module")
def on_the_reference() -> Any:
    with use_backend("reference"):
        yield


@st.composite
def bags(draw: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a table (V, D), ids, and offsets of bags, empty ones among them."""
    rows, features = draw(st.integers(1, 5)), draw(st.integers(0, 3))
    lengths = draw(st.lists(st.integers(0, 4), max_size=5))
    size = sum(lengths)
    ids = draw(st.lists(st.integers(0, rows - 1), min_size=size, max_size=size))
    seed = draw(st.integers(0, 2**16))
    weight = np.random.default_rng(seed).standard_normal((rows, features)).astype(np.float32)
    return weight, np.array(ids, np.int64), np.cumsum([0, *lengths])


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(bags())
def test_bags_and_sums_of_rows(drawn: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    weight, ids, offsets = drawn
    scale = normal(len(ids))
    sums, largest, winner = (np.zeros((len(offsets) - 1, weight.shape[1])) for _ in range(3))
    weighted, winner = sums.copy(), winner - 1
    for bag, (start, end) in enumerate(itertools.pairwise(offsets)):
        for place in range(start, end):
            row = weight[ids[place]].astype(float)
            sums[bag] += row
            weighted[bag] += scale[place] * row
            for d, value in enumerate(row):
                if winner[bag, d] < 0 or value > largest[bag, d]:
                    largest[bag, d], winner[bag, d] = value, ids[place]
    scales = np.full(sums.shape, 4.0)
    assert_rounded(embedding.bag_sum(weight, ids, offsets, None), sums, terms=5, scale=scales)
    assert_rounded(embedding.bag_sum(weight, ids, offsets, scale), weighted, terms=5, scale=scales)
    found = embedding.bag_max(weight, ids, offsets)
    np.testing.assert_array_equal(found[0], largest)
    np.testing.assert_array_equal(found[1], winner)

    values = normal(len(ids), 3)
    total = np.zeros((len(weight), 3))
    for number, value in zip(ids, values, strict=True):
        total[number] += value
    dense = embedding.grad_weight(values, ids, len(weight))
    assert_rounded(dense, total, terms=10, scale=np.full(total.shape, 4.0))
    rows, parts = embedding.sum_rows(values, ids)
    assert rows.tolist() == sorted(set(ids.tolist()))
    np.testing.assert_array_equal(parts, dense[rows])
    np.testing.assert_array_equal(embedding.forward(weight, ids), weight[ids])


def test_the_same_bits_at_each_run() -> None:
    ids = np.random.default_rng(0).integers(0, 7, 2000)
    values = normal(2000, 5)
    runs = [embedding.grad_weight(values, ids, 7) for _ in range(3)]
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])


def test_nan_wins_and_the_first_of_equals() -> None:
    weight = np.array([[1.0, math.nan], [math.nan, 2.0], [3.0, 3.0], [3.0, -math.inf]])
    for ids, largest, winner in (
        ([0, 1, 2], [math.nan, math.nan], [1, 0]),
        ([1, 0], [math.nan, math.nan], [1, 0]),
        ([3, 2], [3.0, 3.0], [3, 2]),
        ([3], [3.0, -math.inf], [3, 3]),
    ):
        found = embedding.bag_max(weight, np.array(ids), np.array([0, len(ids)]))
        np.testing.assert_array_equal(found[0], [largest])
        np.testing.assert_array_equal(found[1], [winner])


def test_float16_adds_in_float32() -> None:
    ids, ones = np.zeros(5000, np.int64), np.ones((5000, 3), np.float16)
    assert embedding.grad_weight(ones, ids, 1).tolist() == [[5000] * 3]
    assert embedding.bag_sum(ones, ids, np.array([0, 5000]), None).tolist() == [[5000] * 3]


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_renormalize(p: float, dtype: str) -> None:
    weight = normal(6, 4).astype(dtype)
    before, rows = weight.astype(float), np.array([0, 2, 5])
    assert embedding.renormalize(weight, rows, 1.0, p)
    for row in range(6):
        norm = (
            np.linalg.norm(before[row], p)
            if p == math.inf
            else ((np.abs(before[row]) ** p).sum() ** (1 / p))
        )
        factor = 1 / (norm + 1e-7) if row in rows and norm > 1 else 1.0
        accuracy = 4 * float(np.finfo(dtype).eps)
        np.testing.assert_allclose(weight[row].astype(float), before[row] * factor, accuracy)
    assert weight.dtype == dtype
    assert not embedding.renormalize(weight, rows, 100.0, p)
    assert not embedding.renormalize(weight, rows[:0], 0.0, p)


def test_inputs_are_left_alone() -> None:
    weight, ids, offsets = normal(4, 2), np.array([3, 0, 3]), np.array([0, 2, 3])
    scale = normal(3)
    arrays = weight, ids, offsets, scale
    before = [a.copy() for a in arrays]
    embedding.bag_sum(weight, ids, offsets, scale)
    embedding.bag_max(weight, ids, offsets)
    embedding.sum_rows(weight[:3], ids)
    for array, original in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, original)
