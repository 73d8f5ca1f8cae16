"""Batches of samples of about the same length, so that little of them is padding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.data.sampler import Sampler, checked_count, own_generator
from tinymed.random import generator_state, restore_generator, spawn

__all__ = ["BucketSampler"]


class BucketSampler(Sampler[list[int]]):
    """Lists of ``batch_size`` indices of samples that are about as long, for ``batch_sampler=``.

    Each epoch brings the samples into a random order, cuts it into pools of ``pool`` batches, and
    sorts each pool by length; its batches come in a random order. The larger a pool the less
    padding, and the less chance in who meets whom in a batch.

    Parameters
    ----------
    lengths : array_like (N,)
        Of the samples, whole numbers >= 0.
    batch_size : int
        At least 1.
    pool : int
        Batches that are sorted together, at least 1.
    shuffle : bool
        Otherwise all samples are sorted by length once, and each epoch is alike.
    drop_last : bool
        Leave out the batch that is shorter.
    generator : numpy.random.Generator, optional
        Only its seed counts. Without it a seed is drawn, now, from the default generator.

    Raises
    ------
    ValueError, TypeError
        No lengths, or one that is no whole number >= 0; a number below 1.

    Examples
    --------
    >>> sampler = BucketSampler([3, 90, 4, 80, 5], batch_size=2, shuffle=False)
    >>> list(sampler)
    [[0, 2], [4, 3], [1]]
    """

    def __init__(
        self,
        lengths: ArrayLike,
        batch_size: int,
        *,
        pool: int = 100,
        shuffle: bool = True,
        drop_last: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        self.lengths = np.array(lengths)
        if self.lengths.ndim != 1 or not self.lengths.size or self.lengths.dtype.kind not in "iu":
            raise ValueError(
                f"BucketSampler: lengths are {self.lengths.dtype} {self.lengths.shape}, whole "
                "numbers (N,) with N > 0 expected"
            )
        if self.lengths.min() < 0:
            raise ValueError(f"BucketSampler: a length is {self.lengths.min()}, 0 or more expected")
        self.batch_size = checked_count("BucketSampler", "batch_size", batch_size)
        self.pool = checked_count("BucketSampler", "pool", pool)
        self.shuffle, self.drop_last = shuffle, drop_last
        self.generator = own_generator("BucketSampler", generator)
        self.epoch = 0

    def __iter__(self) -> Iterator[list[int]]:
        """Return the lists of indices of the next epoch."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        batches = self._batches(spawn(self.generator, epoch) if self.shuffle else None)
        if self.drop_last:
            batches = [batch for batch in batches if len(batch) == self.batch_size]
        return iter([batch.tolist() for batch in batches])

    def _batches(self, draws: np.random.Generator | None) -> list[NDArray[np.integer[Any]]]:
        """Return the batches of an epoch; without ``draws`` all samples are one pool."""
        count = len(self.lengths)
        order = np.arange(count) if draws is None else draws.permutation(count)
        size = count if draws is None else self.pool * self.batch_size
        batches = []
        for first in range(0, count, size):
            part = order[first : first + size]
            part = part[np.argsort(self.lengths[part], kind="stable")]
            batches += [
                part[at : at + self.batch_size] for at in range(0, len(part), self.batch_size)
            ]
        turns = range(len(batches)) if draws is None else draws.permutation(len(batches))
        return [batches[turn] for turn in turns]

    def __len__(self) -> int:
        """Return the number of batches in one epoch."""
        full, rest = divmod(len(self.lengths), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass that of ``epoch`` (>= 0)."""
        self.epoch = checked_count("BucketSampler.set_epoch", "epoch", epoch, minimum=0)

    def state_dict(self) -> dict[str, Any]:
        """Return the seed and the next epoch in JSON types."""
        return {"epoch": self.epoch, "generator": generator_state(self.generator)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over seed and epoch from `state_dict`."""
        if set(state) != {"epoch", "generator"}:
            raise ValueError(
                f"BucketSampler.load_state_dict: got keys {sorted(state)}, "
                "['epoch', 'generator'] expected"
            )
        self.generator = restore_generator(state["generator"])
        self.set_epoch(state["epoch"])
