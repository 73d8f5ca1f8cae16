"""The batches of an epoch, and how one is made, whoever makes it: load, augment, collate."""

from __future__ import annotations

import operator
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinymed.data.dataset import Dataset
from tinymed.random import spawn

__all__ = ["BatchMaker", "Job", "Key", "planned"]

# Where a sample comes from: its index in the data set, and how often the epoch has had it before.
Key = tuple[int, int]


class Job(NamedTuple):
    """One batch to be made: its epoch, its number within it, its samples."""

    epoch: int
    number: int
    keys: list[Key]

    @property
    def indices(self) -> list[int]:
        """The samples' indices in the data set, for messages."""
        return [index for index, _ in self.keys]


def planned(batch_sampler: Iterable[list[int]], epoch: int, size: int) -> Iterator[Job]:
    """Yield the jobs of ``epoch`` over a data set of ``size`` samples."""
    set_epoch = getattr(batch_sampler, "set_epoch", None)
    if set_epoch is not None:
        set_epoch(epoch)
    seen: Counter[int] = Counter()
    for number, indices in enumerate(batch_sampler):
        keys = []
        for given in indices:
            index = operator.index(given)
            if not 0 <= index < size:
                raise IndexError(
                    f"DataLoader: the sampler gave index {index}, 0..{size - 1} expected"
                )
            keys.append((index, seen[index]))
            seen[index] += 1
        yield Job(epoch, number, keys)


@dataclass(frozen=True, eq=False)
class BatchMaker:
    """Makes the batch of a `Job`; all that a worker needs, and the same bits in each of them.

    Parameters
    ----------
    dataset, augment, collate_fn, augment_batch, generator
        See `tinymed.data.DataLoader`. Every sample and every batch draws from a generator of its
        own, spawned by its place, so that nobody's draws depend on anybody else's.
    """

    dataset: Dataset[Any]
    augment: Callable[[Any, np.random.Generator], Any] | None
    collate_fn: Callable[[list[Any]], Any]
    augment_batch: Callable[[Any, np.random.Generator], Any] | None
    generator: np.random.Generator

    def __call__(self, job: Job, stop: threading.Event | None = None) -> Any:
        """Return the batch; cut short, to nothing, once ``stop`` is set."""
        samples = []
        for key in job.keys:
            if stop is not None and stop.is_set():
                return None
            samples.append(self._sample(job.epoch, key))
        try:
            batch = self.collate_fn(samples)
        except Exception as error:
            error.add_note(f"DataLoader: raised while collating samples {job.indices}")
            raise
        if self.augment_batch is None:
            return batch
        # no sample has the index len(dataset), so no batch shares a generator with a sample
        generator = spawn(self.generator, job.epoch, len(self.dataset), job.number)
        try:
            return self.augment_batch(batch, generator)
        except Exception as error:
            error.add_note(f"DataLoader: raised by augment_batch for samples {job.indices}")
            raise

    def _sample(self, epoch: int, key: Key) -> Any:
        """Return one sample, augmented."""
        index, repeat = key
        try:
            sample = self.dataset[index]
            if self.augment is None:
                return sample
            path = (epoch, index, repeat) if repeat else (epoch, index)
            return self.augment(sample, spawn(self.generator, *path))
        except Exception as error:
            error.add_note(f"DataLoader: raised for sample {index} of the data set, epoch {epoch}")
            raise
