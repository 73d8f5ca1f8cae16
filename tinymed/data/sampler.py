"""Samplers: which indices an epoch visits, in which order.

The order of epoch ``e`` depends on the sampler's seed and on ``e`` alone, so it can be had again
after an interruption: ``sampler.set_epoch(e)`` and iterate. Without it each pass is the next epoch.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sized
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.data.dataset import checked_indices
from tinymed.random import default_generator, generator_state, restore_generator, spawn

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SizedIterable",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
    "checked_count",
    "own_generator",
]

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


class SizedIterable(Protocol[Item_co]):
    """What the loader asks of a sampler: a `Sampler`, a list, a range."""

    def __iter__(self) -> Iterator[Item_co]: ...

    def __len__(self) -> int: ...


class Sampler(ABC, Generic[Item]):
    """An iterable of indices (or of lists of them) with a length; one pass is one epoch.

    A sampler of your own needs ``__iter__`` and ``__len__``. If its order changes from epoch to
    epoch, let it follow `set_epoch`, or a resumed run will not see the same batches.
    """

    @abstractmethod
    def __iter__(self) -> Iterator[Item]:
        """Return the indices of one epoch."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of items in one epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass that of ``epoch``; nothing to do where all epochs are alike."""
        return

    def state_dict(self) -> dict[str, Any]:
        """Return the seed and the next epoch in JSON types; empty where all epochs are alike."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        if state:
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: got {sorted(state)}, nothing expected; "
                "the state is another sampler's"
            )


class SequentialSampler(Sampler[int]):
    """The indices 0..len(data_source)-1 in order.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        """Return 0, 1, ..."""
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.data_source)


class SeededSampler(Sampler[int]):
    """A sampler whose order of epoch ``e`` is drawn from ``spawn(generator, e)``.

    Parameters
    ----------
    generator : numpy.random.Generator, optional
        Only its seed counts, not what was drawn from it. Without it a seed is drawn, now, from the
        default generator.
    """

    def __init__(self, generator: np.random.Generator | None) -> None:
        self.generator = own_generator(type(self).__name__, generator)
        self.epoch = 0

    @abstractmethod
    def order(self, generator: np.random.Generator) -> NDArray[np.integer[Any]]:
        """Draw the indices (len(self),) of one epoch."""

    def __iter__(self) -> Iterator[int]:
        """Return the indices of the next epoch."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        return iter(self.order(spawn(self.generator, epoch)).tolist())

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass that of ``epoch`` (>= 0)."""
        self.epoch = checked_count(f"{type(self).__name__}.set_epoch", "epoch", epoch, minimum=0)

    def state_dict(self) -> dict[str, Any]:
        """Return the seed and the next epoch in JSON types."""
        return {"epoch": self.epoch, "generator": generator_state(self.generator)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over seed and epoch from `state_dict`."""
        if set(state) != {"epoch", "generator"}:
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: got keys {sorted(state)}, "
                "['epoch', 'generator'] expected"
            )
        self.generator = restore_generator(state["generator"])
        self.set_epoch(state["epoch"])


class RandomSampler(SeededSampler):
    """All indices in random order, or ``num_samples`` of them.

    Parameters
    ----------
    data_source : sized
    replacement : bool
        Draw each index independently. Otherwise the order is a permutation (one after the other
        where ``num_samples`` is larger than the data set).
    num_samples : int, optional
        Length of an epoch, >= 1; by default that of the data set.
    generator : numpy.random.Generator, optional

    Raises
    ------
    ValueError
        An empty data set or ``num_samples`` < 1.

    Examples
    --------
    >>> sampler = RandomSampler("abcde", generator=np.random.default_rng(0))
    >>> first, second = list(sampler), list(sampler)
    >>> sorted(first) == [0, 1, 2, 3, 4], first == second
    (True, False)
    >>> sampler.set_epoch(0)
    >>> list(sampler) == first
    True
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(generator)
        self.data_source = data_source
        self.replacement = replacement
        size = checked_count("RandomSampler", "len(data_source)", len(data_source))
        self.num_samples = (
            size
            if num_samples is None
            else checked_count("RandomSampler", "num_samples", num_samples)
        )

    def order(self, generator: np.random.Generator) -> NDArray[np.integer[Any]]:
        """Draw the indices (num_samples,) of one epoch."""
        size = len(self.data_source)
        if self.replacement:
            return generator.integers(size, size=self.num_samples)
        rounds = -(-self.num_samples // size)
        orders = [generator.permutation(size) for _ in range(rounds)]
        return np.concatenate(orders)[: self.num_samples]

    def __len__(self) -> int:
        """Return the number of indices in one epoch."""
        return self.num_samples


class SubsetRandomSampler(SeededSampler):
    """The given indices in random order.

    Parameters
    ----------
    indices : sequence of int
        At least one, each >= 0.
    generator : numpy.random.Generator, optional

    Raises
    ------
    ValueError, TypeError, IndexError
        No index, one that is no integer, a negative one.

    Examples
    --------
    >>> sorted(SubsetRandomSampler([7, 3, 5]))
    [3, 5, 7]
    """

    def __init__(self, indices: ArrayLike, generator: np.random.Generator | None = None) -> None:
        super().__init__(generator)
        self.indices = checked_indices("SubsetRandomSampler", indices)

    def order(self, generator: np.random.Generator) -> NDArray[np.integer[Any]]:
        """Draw a permutation of the indices."""
        return generator.permutation(self.indices)

    def __len__(self) -> int:
        """Return the number of indices."""
        return len(self.indices)


class WeightedRandomSampler(SeededSampler):
    """Index i with probability ``weights[i] / sum(weights)``: the cure for rare classes.

    Parameters
    ----------
    weights : array_like (N,)
        One per sample, finite and >= 0, at least one > 0.
    num_samples : int
        Length of an epoch, >= 1.
    replacement : bool
        Otherwise an index is drawn at most once, so at most as many as there are weights > 0.
    generator : numpy.random.Generator, optional

    Raises
    ------
    ValueError
        Weights that are no such numbers; ``num_samples`` < 1, or too many without replacement.

    Examples
    --------
    Each class as often as the others:

    >>> labels = np.array([0] * 90 + [1] * 10)
    >>> sampler = WeightedRandomSampler(
    ...     (1 / np.bincount(labels))[labels], 1000, generator=np.random.default_rng(0)
    ... )
    >>> bool(0.45 < labels[list(sampler)].mean() < 0.55)
    True
    """

    def __init__(
        self,
        weights: ArrayLike,
        num_samples: int,
        replacement: bool = True,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(generator)
        name = "WeightedRandomSampler"
        self.weights = np.array(weights, dtype=np.float64)
        if self.weights.ndim != 1 or not self.weights.size:
            raise ValueError(f"{name}: weights have shape {self.weights.shape}, (N,) expected")
        wrong = np.flatnonzero(~np.isfinite(self.weights) | (self.weights < 0))
        if wrong.size:
            raise ValueError(
                f"{name}: weights[{wrong[0]}] is {self.weights[wrong[0]]}, "
                f"finite weights >= 0 expected ({wrong.size} are not)"
            )
        positive = int(np.count_nonzero(self.weights))
        if not positive:
            raise ValueError(f"{name}: all {self.weights.size} weights are 0, one > 0 expected")
        self.num_samples = checked_count(name, "num_samples", num_samples)
        self.replacement = replacement
        if not replacement and self.num_samples > positive:
            raise ValueError(
                f"{name}: num_samples {self.num_samples} without replacement, "
                f"at most {positive} (the weights > 0) expected"
            )

    def order(self, generator: np.random.Generator) -> NDArray[np.integer[Any]]:
        """Draw the indices (num_samples,) of one epoch."""
        shares = self.weights / self.weights.max()  # so that the sum cannot overflow
        return generator.choice(
            len(shares), self.num_samples, replace=self.replacement, p=shares / shares.sum()
        )

    def __len__(self) -> int:
        """Return the number of indices in one epoch."""
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of ``batch_size`` consecutive indices of ``sampler``; the last may be shorter.

    Parameters
    ----------
    sampler : Sampler or any collection of indices
    batch_size : int
        At least 1.
    drop_last : bool
        Leave out a last batch that is shorter.

    Raises
    ------
    ValueError, TypeError
        ``batch_size`` < 1 or no integer; a sampler without length.

    Examples
    --------
    >>> list(BatchSampler(SequentialSampler("abcde"), 2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: SizedIterable[int], batch_size: int, drop_last: bool) -> None:
        if not (hasattr(sampler, "__iter__") and hasattr(sampler, "__len__")):
            raise TypeError(
                f"BatchSampler: sampler is {type(sampler).__name__}, an iterable of indices with "
                "a length expected"
            )
        self.sampler = sampler
        self.batch_size = checked_count("BatchSampler", "batch_size", batch_size)
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        """Return the lists of indices of one epoch."""
        batch: list[int] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        """Return the number of batches in one epoch."""
        full, rest = divmod(len(self.sampler), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on to the sampler."""
        set_epoch = getattr(self.sampler, "set_epoch", None)
        if set_epoch is not None:
            set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the sampler."""
        return self.sampler.state_dict() if isinstance(self.sampler, Sampler) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Hand the state to the sampler."""
        if isinstance(self.sampler, Sampler):
            self.sampler.load_state_dict(state)
        else:
            super().load_state_dict(state)


def checked_count(name: str, argument: str, value: int, minimum: int = 1) -> int:
    """Return ``value`` as an int >= ``minimum``, or raise an error naming the argument."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}: {argument} is {value!r}, an integer expected")
    count = operator.index(value)
    if count < minimum:
        raise ValueError(f"{name}: {argument} is {count}, at least {minimum} expected")
    return count


def own_generator(name: str, generator: np.random.Generator | None) -> np.random.Generator:
    """Return a generator of the same seed that nobody draws from, so that only seeds count."""
    if generator is None:
        return np.random.default_rng(int(default_generator().integers(2**63)))
    if not isinstance(generator, np.random.Generator):
        raise TypeError(
            f"{name}: generator is {generator!r}, a numpy.random.Generator expected; "
            "make it with numpy.random.default_rng(seed)"
        )
    return spawn(generator)
