"""Map-style data sets: ``len(dataset)`` samples, ``dataset[index]`` gives one."""

from __future__ import annotations

import operator
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.data.collate import as_array

__all__ = ["ConcatDataset", "Dataset", "Subset", "TensorDataset", "checked_indices"]

Sample_co = TypeVar("Sample_co", covariant=True)


class Dataset(Protocol[Sample_co]):
    """What a map-style data set offers: a length, and a sample for each index below it.

    Subclass it or not: any object with the two methods is one, a list included. ``dataset[index]``
    must depend on ``index`` alone (draw randomness in the loader's ``augment``, which is handed a
    generator) and must be safe to call from several threads.

    Examples
    --------
    >>> class Squares(Dataset[int]):
    ...     def __len__(self):
    ...         return 5
    ...     def __getitem__(self, index):
    ...         return index**2
    >>> Squares()[3]
    9
    """

    @abstractmethod
    def __getitem__(self, index: int, /) -> Sample_co:
        """Return sample ``index``, 0 <= index < len(self)."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples."""


class TensorDataset(Dataset[tuple[Any, ...]]):
    """Samples are the rows of arrays of equal length: ``dataset[i] == (a[i], b[i], ...)``.

    Parameters
    ----------
    *arrays : array_like or Tensor (N, ...)
        N >= 1 rows each. Rows are views: nothing is copied.

    Raises
    ------
    ValueError
        No array, no row, or arrays of unequal length.
    IndexError
        On access, an index outside -N..N-1.

    Examples
    --------
    >>> dataset = TensorDataset(np.zeros((3, 50, 50)), np.array([0, 1, 1]))
    >>> image, label = dataset[2]
    >>> image.shape, int(label)
    ((50, 50), 1)
    """

    def __init__(self, *arrays: Any) -> None:
        if not arrays:
            raise ValueError("TensorDataset: no array given, at least one expected")
        self.arrays: tuple[NDArray[Any], ...] = tuple(as_array(array) for array in arrays)
        shapes = [array.shape for array in self.arrays]
        if any(not shape for shape in shapes):
            raise ValueError(f"TensorDataset: shapes {shapes}: a 0-d array has no rows")
        if len({shape[0] for shape in shapes}) > 1:
            raise ValueError(
                f"TensorDataset: arrays of equal length expected, got shapes {shapes}; "
                "the first axis counts samples"
            )
        if not len(self):
            raise ValueError(f"TensorDataset: shapes {shapes}: at least one row expected")

    def __getitem__(self, index: int, /) -> tuple[Any, ...]:
        """Return the tuple of rows ``index``."""
        row = _position("TensorDataset", index, len(self))
        return tuple(array[row] for array in self.arrays)

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.arrays[0].shape[0])


class Subset(Dataset[Sample_co]):
    """The samples of ``dataset`` at ``indices``, in that order.

    Parameters
    ----------
    dataset : Dataset
    indices : sequence of int
        Each in 0..len(dataset)-1, at least one; repeats are allowed.

    Raises
    ------
    ValueError
        No index, or not one-dimensional.
    TypeError
        Indices that are not integers; of a boolean mask, pass ``np.flatnonzero(mask)``.
    IndexError
        An index outside the data set.

    Examples
    --------
    >>> list(Subset(["a", "b", "c"], [2, 0]))
    ['c', 'a']
    """

    def __init__(self, dataset: Dataset[Sample_co], indices: ArrayLike) -> None:
        self.dataset = dataset
        self.indices = checked_indices("Subset", indices, len(dataset))

    def __getitem__(self, index: int, /) -> Sample_co:
        """Return sample ``indices[index]`` of the data set."""
        return self.dataset[int(self.indices[_position("Subset", index, len(self))])]

    def __len__(self) -> int:
        """Return the number of indices."""
        return len(self.indices)


class ConcatDataset(Dataset[Sample_co]):
    """Data sets one after the other.

    Parameters
    ----------
    datasets : sequence of Dataset
        At least one, none empty.

    Raises
    ------
    ValueError
        No data set, or an empty one.
    IndexError
        On access, an index outside.

    Examples
    --------
    >>> both = ConcatDataset([["a", "b"], ["c"]])
    >>> len(both), both[2]
    (3, 'c')
    """

    def __init__(self, datasets: Sequence[Dataset[Sample_co]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: no data set given, at least one expected")
        sizes = [len(dataset) for dataset in self.datasets]
        if 0 in sizes:
            raise ValueError(f"ConcatDataset: data set {sizes.index(0)} is empty (sizes {sizes})")
        self._ends = list(accumulate(sizes))

    def __getitem__(self, index: int, /) -> Sample_co:
        """Return sample ``index``, counted through the data sets."""
        position = _position("ConcatDataset", index, len(self))
        which = bisect_right(self._ends, position)
        start = self._ends[which - 1] if which else 0
        return self.datasets[which][position - start]

    def __len__(self) -> int:
        """Return the sum of the lengths."""
        return self._ends[-1]


def checked_indices(name: str, indices: ArrayLike, size: int | None = None) -> NDArray[np.intp]:
    """Return ``indices`` as integers (K,), K >= 1, each in 0..size-1 where ``size`` is given."""
    array = np.asarray(indices)
    if array.ndim != 1 or not array.size:
        raise ValueError(
            f"{name}: indices have shape {array.shape}, a sequence of at least one index expected"
        )
    if not np.issubdtype(array.dtype, np.integer):
        hint = "; of a mask pass np.flatnonzero(mask)" if array.dtype == bool else ""
        raise TypeError(f"{name}: indices are {array.dtype}, integers expected{hint}")
    low, high = int(array.min()), int(array.max())
    if low < 0 or (size is not None and high >= size):
        wrong = low if low < 0 else high
        limit = "at least 0" if size is None else f"in 0..{size - 1}"
        raise IndexError(f"{name}: index {wrong}, indices {limit} expected")
    return array.astype(np.intp)


def _position(name: str, index: int, size: int) -> int:
    """Return ``index`` counted from the start."""
    position = operator.index(index)
    if not -size <= position < size:
        raise IndexError(f"{name}: index {position} is out of range for {size} samples")
    return position % size
