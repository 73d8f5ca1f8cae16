"""From samples to batches: structure, dtypes, and what does not fit together."""

from collections import namedtuple
from typing import Any

import numpy as np
import pytest

from tinymed.data import default_collate
from tinymed.tensor import Tensor

Scan = namedtuple("Scan", ["image", "name"])


def check(batch: Any, expected: Any, dtype: str) -> None:
    assert isinstance(batch, Tensor)
    assert batch.data.dtype == dtype
    np.testing.assert_array_equal(batch.data, expected)


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "uint8", "int16", "int64", "bool"]
)
def test_arrays_are_stacked_and_keep_their_dtype(dtype: str) -> None:
    rows = [np.full((2, 3), i, dtype) for i in range(4)]
    check(default_collate(rows), np.array(rows), dtype)


def test_numbers() -> None:
    check(default_collate([1, 2]), [1, 2], "int64")
    check(default_collate([1.5, 2.5]), [1.5, 2.5], "float32")
    check(default_collate([True, False]), [True, False], "bool")
    check(default_collate([np.float64(1), np.float64(2)]), [1, 2], "float64")
    check(default_collate([np.uint8(1), np.uint8(2)]), [1, 2], "uint8")


def test_tensors() -> None:
    check(default_collate([Tensor(np.ones(2)), Tensor(np.zeros(2))]), [[1, 1], [0, 0]], "float64")


def test_structure_is_kept() -> None:
    samples = [{"scan": Scan(np.full(2, i), f"patient {i}"), "pair": [i, (i, -i)]} for i in (1, 2)]
    batch = default_collate(samples)
    assert type(batch["scan"]) is Scan
    check(batch["scan"].image, [[1, 1], [2, 2]], "int64")
    assert batch["scan"].name == ["patient 1", "patient 2"]
    assert isinstance(batch["pair"], list)
    check(batch["pair"][1][1], [-1, -2], "int64")


def test_the_batch_is_a_copy() -> None:
    row = np.zeros(3)
    assert not np.shares_memory(default_collate([row]).data, row)


@pytest.mark.parametrize(
    ("samples", "kind", "message"),
    [
        ([], ValueError, "no sample"),
        (
            [np.zeros((2, 3)), np.zeros((2, 4))],
            ValueError,
            r"shapes: \(2, 3\) .* \(2, 4\) in sample 1",
        ),
        ([(0, np.zeros(2)), (0, np.zeros(3))], ValueError, r"sample\[1\] has different shapes"),
        ([{"x": 1}, {"y": 1}], ValueError, "sample has different fields: {'x'}.*{'y'} in sample 1"),
        ([{"x": 1}, 1], ValueError, "different fields.* int in sample 1"),
        ([(1, 2), (1,)], ValueError, "different numbers of fields: 2 .* 1 in sample 1"),
        ([(1, 2), 5], ValueError, "different numbers of fields: 2 .* int in sample 1"),
        (
            [np.zeros(2, "f4"), np.zeros(2, "f8")],
            TypeError,
            "dtypes: float32 .* float64 in sample 1",
        ),
        ([1, 2.0], TypeError, "dtypes: int64 .* float32"),
        (["a", 1], TypeError, "types: str .* int in sample 1"),
        ([None, None], TypeError, "is object, numbers expected"),
        ([1, None], TypeError, "dtypes: int64 .* object"),
        ([{"x": (1, {1, 2})}] * 2, TypeError, r"sample\['x'\]\[1\] is object"),
        ([1j, 2j], TypeError, "complex128"),
    ],
)
def test_what_does_not_fit(samples: list, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        default_collate(samples)
