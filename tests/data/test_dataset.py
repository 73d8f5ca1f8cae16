"""Map-style data sets against plain lists."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed.data import ConcatDataset, Dataset, Subset, TensorDataset
from tinymed.tensor import Tensor


def test_a_sample_is_the_tuple_of_rows() -> None:
    images, labels = np.arange(24.0).reshape(4, 2, 3), np.array([3, 1, 4, 1])
    dataset = TensorDataset(images, labels)
    assert len(dataset) == 4
    for index in (0, 3, -1, -4, np.int64(2)):
        image, label = dataset[index]
        np.testing.assert_array_equal(image, images[index])
        assert label == labels[index]


def test_rows_are_views_and_read_only_arrays_are_accepted() -> None:
    images = np.zeros((4, 2))
    assert np.shares_memory(TensorDataset(images)[1][0], images)
    images.flags.writeable = False
    assert not TensorDataset(images)[1][0].flags.writeable


def test_tensors_and_lists_are_taken_as_arrays() -> None:
    row = TensorDataset(Tensor(np.arange(6.0).reshape(3, 2)), ["a", "b", "c"])[2]
    assert isinstance(row[0], np.ndarray)
    assert row[0].tolist() == [4.0, 5.0]
    assert row[1] == "c"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((), "no array given"),
        (
            (np.zeros((3, 2)), np.zeros(4)),
            r"equal length expected, got shapes \[\(3, 2\), \(4,\)\]",
        ),
        ((np.zeros((0, 2)),), "at least one row"),
        ((np.float32(1),), "0-d array has no rows"),
    ],
)
def test_arrays_that_are_no_data_set(arrays: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TensorDataset(*arrays)


@pytest.mark.parametrize("index", [4, -5, 100])
def test_an_index_out_of_range(index: int) -> None:
    for dataset in (TensorDataset(np.zeros(4)), Subset("abcdef", [1, 2, 3, 4])):
        with pytest.raises(IndexError, match=f"index {index} is out of range for 4 samples"):
            dataset[index]
    with pytest.raises(IndexError, match=f"ConcatDataset: index {index} is out of range"):
        ConcatDataset(["ab", "cd"])[index]


def test_an_index_that_is_no_integer() -> None:
    with pytest.raises(TypeError):
        TensorDataset(np.zeros(4))[1.0]  # type: ignore[index]


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1))
def test_subset_is_indexing(indices: list[int]) -> None:
    source = list("abcdefghij")
    assert list(Subset(source, indices)) == [source[i] for i in indices]
    assert Subset(source, np.array(indices))[-1] == source[indices[-1]]


@pytest.mark.parametrize(
    ("indices", "kind", "message"),
    [
        ([], ValueError, r"shape \(0,\)"),
        ([[0, 1]], ValueError, r"shape \(1, 2\)"),
        ([True, False, True], TypeError, "np.flatnonzero"),
        ([0.0, 1.0], TypeError, "float64, integers expected"),
        ([0, 3], IndexError, r"index 3, indices in 0\.\.2 expected"),
        ([0, -1], IndexError, r"index -1, indices in 0\.\.2 expected"),
    ],
)
def test_indices_that_are_none(indices: list, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        Subset("abc", indices)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(), min_size=1), min_size=1))
def test_concatenation_is_that_of_lists(parts: list[list[int]]) -> None:
    joined = [value for part in parts for value in part]
    dataset = ConcatDataset(parts)
    assert len(dataset) == len(joined)
    assert [dataset[i] for i in range(len(joined))] == joined
    assert [dataset[i] for i in range(-len(joined), 0)] == joined


@pytest.mark.parametrize(
    ("parts", "message"),
    [([], "no data set"), ([[1], []], r"data set 1 is empty \(sizes \[1, 0\]")],
)
def test_nothing_to_concatenate(parts: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConcatDataset(parts)


def test_a_subclass_must_have_both_methods() -> None:
    class NoLength(Dataset[int]):
        def __getitem__(self, index: int, /) -> int:
            return index

    with pytest.raises(TypeError, match="__len__"):
        NoLength()  # type: ignore[abstract]
