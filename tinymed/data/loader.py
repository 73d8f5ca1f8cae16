"""The loader: batches in a fixed order, by any number of threads, resumable in mid-epoch."""

from __future__ import annotations

import operator
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymed.data.collate import default_collate
from tinymed.data.dataset import Dataset
from tinymed.data.sampler import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    SizedIterable,
    checked_count,
    own_generator,
)
from tinymed.random import generator_state, restore_generator, spawn

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["DataLoader"]

# Where a sample comes from: its index in the data set, and how often the epoch has had it before.
Key = tuple[int, int]


class DataLoader:
    """Iterate over a data set in batches; each ``iter(loader)`` is the next epoch.

    The batches of epoch ``e`` depend on the seed of ``generator`` and on ``e`` alone, to the bit:
    not on the number of workers, nor on what was iterated before.

    Parameters
    ----------
    dataset : Dataset
        N >= 1 samples. With workers, ``dataset[i]`` is called from several threads.
    batch_size : int
        Samples in a batch, >= 1; the last batch may be smaller.
    shuffle : bool
        Visit the samples in an order drawn anew for each epoch.
    sampler : Sampler or collection of int, optional
        The indices of an epoch, in order. Excludes ``shuffle``.
    batch_sampler : Sampler or collection of list of int, optional
        The indices of each batch. Excludes ``batch_size``, ``shuffle``, ``sampler``, ``drop_last``.
    num_workers : int
        Threads that load ahead; 0 loads in the thread that iterates. They run side by side while
        NumPy and SciPy work on arrays or files are read, not in Python code: augmenting 41^3 cubes
        two are 1.7 times as fast as none on two cores, 50 x 50 patches gain nothing.
    collate_fn : callable, optional
        list of samples -> batch; `default_collate` if not given. Workers call it too.
    drop_last : bool
        Leave out a last batch that is smaller.
    generator : numpy.random.Generator, optional
        Only its seed counts, not what was drawn from it. Without it a seed is drawn, when the
        loader is made, from the default generator (see `tinymed.manual_seed`).
    augment : callable, optional
        ``augment(sample, generator) -> sample``, called before collating. The generator is
        ``spawn(generator, epoch, index)`` (for the k-th repeat of an index within one epoch
        ``spawn(generator, epoch, index, k)``): draw from it and from nothing else.
    prefetch_factor : int, optional
        Batches loaded ahead per worker, >= 1, by default 2: at most
        ``num_workers * prefetch_factor`` batches wait in memory. Only with workers.

    Attributes
    ----------
    epoch : int
        The epoch that is running or, between two, the next one. Assign it to start elsewhere.

    Raises
    ------
    ValueError
        Arguments that are out of range or exclude each other; an empty data set; no batch at all.
    TypeError
        Arguments of a wrong type; a sampler without length.
    IndexError
        While iterating, an index of the sampler that the data set does not have.

    Notes
    -----
    An exception raised by the data set, by ``augment`` or by ``collate_fn`` comes through as it is,
    with a note (``error.__notes__``, shown in the traceback) that names the sample.

    Leaving the loop early stops the threads. An iterator that is kept instead holds them until it
    is closed or collected.

    Resume: save ``loader.state_dict()`` at any time, give it to ``load_state_dict`` of a loader
    made alike, and the next loop goes on with the very next batch (a loop that was left after the
    last batch of its epoch goes on with none, and what follows the loop comes next). For that a
    custom sampler that draws has to follow ``set_epoch``, see `Sampler`.

    Examples
    --------
    Augmentation joins as a function of a whole sample; `Augment` has the two common ones, ready:

    >>> from tinymed.data import Augment, TensorDataset
    >>> images, labels = np.zeros((6, 8, 8), np.float32), np.arange(6)
    >>> loader = DataLoader(
    ...     TensorDataset(images, labels),
    ...     batch_size=4,
    ...     shuffle=True,
    ...     augment=Augment(shift=1).on_image,
    ...     generator=np.random.default_rng(0),
    ... )
    >>> [image.shape for image, label in loader]
    [(4, 8, 8), (2, 8, 8)]

    or your own:

    >>> def jitter(sample, generator):
    ...     image, label = sample
    ...     return image + np.float32(generator.normal()), label
    >>> loader = DataLoader(TensorDataset(images, labels), batch_size=4, augment=jitter)

    Interrupted after the first batch, and resumed:

    >>> for image, label in loader:
    ...     state = loader.state_dict()
    ...     break
    >>> loader.load_state_dict(state)
    >>> [label.data.tolist() for image, label in loader]
    [[4, 5]]
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        batch_size: int = 1,
        shuffle: bool = False,
        sampler: SizedIterable[int] | None = None,
        batch_sampler: SizedIterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        *,
        drop_last: bool = False,
        generator: np.random.Generator | None = None,
        augment: Callable[[Any, np.random.Generator], Any] | None = None,
        prefetch_factor: int | None = None,
    ) -> None:
        self.num_workers = checked_count("DataLoader", "num_workers", num_workers, minimum=0)
        if prefetch_factor is not None and not self.num_workers:
            raise ValueError(
                f"DataLoader: prefetch_factor={prefetch_factor} without workers, which alone load "
                "ahead; set num_workers"
            )
        self.prefetch_factor = checked_count(
            "DataLoader", "prefetch_factor", 2 if prefetch_factor is None else prefetch_factor
        )
        for name, function in (("collate_fn", collate_fn), ("augment", augment)):
            if function is not None and not callable(function):
                raise TypeError(f"DataLoader: {name} is {function!r}, a callable expected")
        if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            raise TypeError(
                f"DataLoader: dataset is {type(dataset).__name__}, an object with a length and "
                "samples by index expected"
            )
        if not len(dataset):
            raise ValueError("DataLoader: the data set is empty, at least one sample expected")
        self.dataset = dataset
        self.collate_fn = default_collate if collate_fn is None else collate_fn
        self.augment = augment
        self.generator = own_generator("DataLoader", generator)
        if batch_sampler is None:
            if shuffle and sampler is not None:
                raise ValueError("DataLoader: shuffle=True and a sampler, one of the two expected")
            if shuffle:
                sampler = RandomSampler(dataset, generator=self.generator)
            elif sampler is None:
                sampler = SequentialSampler(dataset)
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        elif batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError(
                f"DataLoader: batch_sampler with batch_size={batch_size}, shuffle={shuffle}, "
                f"sampler={sampler}, drop_last={drop_last}; it decides all four itself"
            )
        self.batch_sampler = batch_sampler
        if not len(self):
            raise ValueError(
                f"DataLoader: no batch from {len(dataset)} samples with batch_size={batch_size}, "
                f"drop_last={drop_last}"
            )
        self._epoch = 0
        self._served = 0  # batches of the epoch handed out
        self._running: object = None  # the pass that counts them; None where none has begun

    def __len__(self) -> int:
        """Return the number of batches in one epoch."""
        return len(self.batch_sampler)

    @property
    def epoch(self) -> int:
        """The epoch that is running or, between two, the next one."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = checked_count("DataLoader", "epoch", epoch, minimum=0)
        self._served, self._running = 0, None

    def __iter__(self) -> Iterator[Any]:
        """Return the batches of the next epoch, or those left of a resumed one."""
        if self._running is not None:  # an earlier loop was left before its end
            self.epoch += 1
        self._running = current = object()
        return self._batches(self._epoch, self._served, current)

    def state_dict(self) -> dict[str, Any]:
        """Return all that `load_state_dict` needs to go on with the next batch, in JSON types."""
        sampler_state = getattr(self.batch_sampler, "state_dict", dict)
        return {
            "epoch": self._epoch,
            "batches_served": self._served,
            "batches": len(self),
            "samples": len(self.dataset),
            "generator": generator_state(self.generator),
            "sampler": sampler_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was called: the next loop gives the batches that were left.

        Parameters
        ----------
        state : dict
            From a loader of the same data set, batch size and kind of sampler.

        Raises
        ------
        ValueError
            Entries are missing, or it is of a loader with other numbers of batches or samples.
        """
        if set(state) != set(self.state_dict()):
            raise ValueError(
                f"DataLoader.load_state_dict: got keys {sorted(state)}, "
                f"{sorted(self.state_dict())} expected"
            )
        for what, here in (("batches", len(self)), ("samples", len(self.dataset))):
            if state[what] != here:
                raise ValueError(
                    f"DataLoader.load_state_dict: the state is of a loader with {state[what]} "
                    f"{what}, this one has {here}; make it with the same data set and arguments"
                )
        if not 0 <= state["batches_served"] <= len(self):
            raise ValueError(
                f"DataLoader.load_state_dict: batches_served is {state['batches_served']}, "
                f"0 to {len(self)} expected"
            )
        self.epoch = state["epoch"]
        self._served = state["batches_served"]
        self.generator = restore_generator(state["generator"])
        load_sampler = getattr(self.batch_sampler, "load_state_dict", None)
        if load_sampler is not None:
            load_sampler(state["sampler"])

    def _batches(self, epoch: int, skip: int, current: object) -> Iterator[Any]:
        """Yield the batches of ``epoch`` from number ``skip`` on and keep count of them."""
        plan = islice(self._plan(epoch), skip, None)
        batches = (
            self._threaded(epoch, plan)
            if self.num_workers
            else (self._load(epoch, keys) for keys in plan)
        )
        with closing(batches):  # leaving the loop early ends the threads at once
            for batch in batches:
                if self._running is current:
                    self._served += 1
                yield batch
        if self._running is current:
            self.epoch += 1

    def _plan(self, epoch: int) -> Iterator[list[Key]]:
        """Yield the keys of each batch of ``epoch``."""
        set_epoch = getattr(self.batch_sampler, "set_epoch", None)
        if set_epoch is not None:
            set_epoch(epoch)
        size = len(self.dataset)
        seen: Counter[int] = Counter()
        for indices in self.batch_sampler:
            keys = []
            for given in indices:
                index = operator.index(given)
                if not 0 <= index < size:
                    raise IndexError(
                        f"DataLoader: the sampler gave index {index}, 0..{size - 1} expected"
                    )
                keys.append((index, seen[index]))
                seen[index] += 1
            yield keys

    def _threaded(self, epoch: int, plan: Iterator[list[Key]]) -> Generator[Any, None, None]:
        """Yield batches in order while threads load the ones to come."""
        from concurrent.futures import ThreadPoolExecutor  # 10 ms of import, for workers alone

        ahead = self.num_workers * self.prefetch_factor
        waiting: deque[Future[Any]] = deque()
        stop = threading.Event()
        pool = ThreadPoolExecutor(self.num_workers, thread_name_prefix="DataLoader")
        try:
            for keys in plan:
                waiting.append(pool.submit(self._load, epoch, keys, stop))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _load(self, epoch: int, keys: list[Key], stop: threading.Event | None = None) -> Any:
        """Load, augment and collate one batch; cut short, to nothing, once ``stop`` is set."""
        samples = []
        for key in keys:
            if stop is not None and stop.is_set():
                return None
            samples.append(self._sample(epoch, key))
        try:
            return self.collate_fn(samples)
        except Exception as error:
            error.add_note(f"DataLoader: raised while collating samples {[i for i, _ in keys]}")
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
