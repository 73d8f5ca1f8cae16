"""The loader: batches in a fixed order, by any number of workers, resumable in mid-epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymed.data.batch import BatchMaker, Job, planned
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
from tinymed.data.transfer import check_device, on_device
from tinymed.data.workers import ThreadWorkers, Workers, in_order
from tinymed.random import generator_state, restore_generator

if TYPE_CHECKING:
    from tinymed.data.processes import ProcessWorkers

__all__ = ["DataLoader"]


class DataLoader:
    """Iterate over a data set in batches; each ``iter(loader)`` is the next epoch.

    The batches of epoch ``e`` depend on the seed of ``generator`` and on ``e`` alone, to the bit:
    not on the number of workers, nor on what was iterated before.

    Parameters
    ----------
    dataset : Dataset
        N >= 1 samples. Thread workers call ``dataset[i]`` from several threads; worker processes
        get a copy each.
    batch_size : int
        Samples in a batch, >= 1; the last batch may be smaller.
    shuffle : bool
        Visit the samples in an order drawn anew for each epoch.
    sampler : Sampler or collection of int, optional
        The indices of an epoch, in order. Excludes ``shuffle``.
    batch_sampler : Sampler or collection of list of int, optional
        The indices of each batch. Excludes ``batch_size``, ``shuffle``, ``sampler``, ``drop_last``.
    num_workers : int
        Workers that load ahead; 0 loads in the thread that iterates.
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
    augment_batch : callable, optional
        ``augment_batch(batch, generator) -> batch``, called after collating, as `Mixup` needs. The
        generator is ``spawn(generator, epoch, len(dataset), number of the batch)``.
    prefetch_factor : int, optional
        Batches loaded ahead per worker, >= 1, by default 2: at most
        ``num_workers * prefetch_factor`` batches wait in memory. Only with workers.
    workers : {"thread", "process"}
        What the workers are. Threads cost nothing to start and copy nothing, but run side by side
        only while NumPy and SciPy work on arrays or files are read: augmenting 41^3 cubes, two are
        1.7 times as fast as none on two cores, 50 x 50 patches gain nothing. Processes are for
        samples that take Python code long to make. They start by spawn (0.5 s per epoch, see
        ``persistent_workers``), so the data set and the functions have to be picklable, and a
        script has to have its ``if __name__ == "__main__":``.
    persistent_workers : bool
        Keep the worker processes from one epoch to the next, with their copies of the data set,
        until `close` or the end of the loader. Only with worker processes, like the next two.
    timeout : float
        Seconds to wait for a batch of a worker process (its start included); 0 waits for ever.
    worker_init_fn : callable, optional
        ``worker_init_fn(number)``, called once in each worker process before it loads anything.
    device : str, optional
        "cpu", "cuda" or "cuda:N": where the tensors of a batch go. To a GPU the next batch is
        copied, through pinned memory, while one is computed on.

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
    RuntimeError, TimeoutError
        While iterating, a worker process that ended (its exit code is named), or took too long.

    Notes
    -----
    An exception raised by the data set, by ``augment`` or by ``collate_fn`` comes through as it is,
    with a note (``error.__notes__``, shown in the traceback) that names the sample. From a worker
    process it has the same type and text, and its traceback as a further note; one that cannot be
    pickled becomes a RuntimeError with its type and text.

    Leaving the loop early stops the workers. An iterator that is kept instead holds them until it
    is closed or collected. Worker processes also end when this process does, however it ends.

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
        augment_batch: Callable[[Any, np.random.Generator], Any] | None = None,
        prefetch_factor: int | None = None,
        workers: str = "thread",
        persistent_workers: bool = False,
        timeout: float = 0.0,
        worker_init_fn: Callable[[int], Any] | None = None,
        device: str | None = None,
    ) -> None:
        self.device = check_device(device)
        self._set_workers(num_workers, prefetch_factor, workers)
        self._set_processes(persistent_workers, timeout, worker_init_fn)
        for name, function in (
            ("collate_fn", collate_fn),
            ("augment", augment),
            ("augment_batch", augment_batch),
        ):
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
        self.augment_batch = augment_batch
        self.generator = own_generator("DataLoader", generator)
        self.batch_sampler = self._batch_sampler(
            batch_size, shuffle, sampler, batch_sampler, drop_last
        )
        if not len(self):
            raise ValueError(
                f"DataLoader: no batch from {len(dataset)} samples with batch_size={batch_size}, "
                f"drop_last={drop_last}"
            )
        self._epoch = 0
        self._served = 0  # batches of the epoch handed out
        self._running: object = None  # the pass that counts them; None where none has begun
        self._kept: ProcessWorkers | None = None  # the persistent workers, once there are some
        if self.num_workers and workers == "process":
            from tinymed.data.processes import packed_maker

            packed_maker(self._maker(), worker_init_fn)  # at once rather than in the first loop

    def _set_workers(self, num_workers: int, prefetch_factor: int | None, workers: str) -> None:
        """Check and set what concerns all workers."""
        self.num_workers = checked_count("DataLoader", "num_workers", num_workers, minimum=0)
        if prefetch_factor is not None and not self.num_workers:
            raise ValueError(
                f"DataLoader: prefetch_factor={prefetch_factor} without workers, which alone load "
                "ahead; set num_workers"
            )
        self.prefetch_factor = checked_count(
            "DataLoader", "prefetch_factor", 2 if prefetch_factor is None else prefetch_factor
        )
        if workers not in ("thread", "process"):
            raise ValueError(f"DataLoader: workers is {workers!r}, 'thread' or 'process' expected")
        self.workers = workers

    def _set_processes(
        self, persistent: bool, timeout: float, worker_init_fn: Callable[[int], Any] | None
    ) -> None:
        """Check and set what concerns worker processes alone."""
        if not (isinstance(timeout, int | float) and 0 <= timeout < math.inf):
            raise ValueError(f"DataLoader: timeout is {timeout!r}, seconds >= 0 expected")
        if worker_init_fn is not None and not callable(worker_init_fn):
            raise TypeError(
                f"DataLoader: worker_init_fn is {worker_init_fn!r}, a callable expected"
            )
        self.persistent_workers = bool(persistent)
        self.timeout = float(timeout)
        self.worker_init_fn = worker_init_fn
        if self.num_workers and self.workers == "process":
            return
        for name, value in (
            ("persistent_workers", persistent),
            ("timeout", timeout),
            ("worker_init_fn", worker_init_fn),
        ):
            if value:
                raise ValueError(
                    f"DataLoader: {name}={value!r} without worker processes; set num_workers and "
                    "workers='process'"
                )

    def _batch_sampler(
        self,
        batch_size: int,
        shuffle: bool,
        sampler: SizedIterable[int] | None,
        batch_sampler: SizedIterable[list[int]] | None,
        drop_last: bool,
    ) -> SizedIterable[list[int]]:
        """Return what the arguments say which samples make a batch."""
        if batch_sampler is None:
            if shuffle and sampler is not None:
                raise ValueError("DataLoader: shuffle=True and a sampler, one of the two expected")
            if shuffle:
                sampler = RandomSampler(self.dataset, generator=self.generator)
            elif sampler is None:
                sampler = SequentialSampler(self.dataset)
            return BatchSampler(sampler, batch_size, drop_last)
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError(
                f"DataLoader: batch_sampler with batch_size={batch_size}, shuffle={shuffle}, "
                f"sampler={sampler}, drop_last={drop_last}; it decides all four itself"
            )
        return batch_sampler

    def _maker(self) -> BatchMaker:
        """Return what makes the batches."""
        return BatchMaker(
            self.dataset, self.augment, self.collate_fn, self.augment_batch, self.generator
        )

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
        jobs = islice(planned(self.batch_sampler, epoch, len(self.dataset)), skip, None)
        made = self._made(jobs)
        to_there = made if self.device is None else on_device(made, self.device)
        with closing(made), closing(to_there) as batches:  # leaving the loop early ends the workers
            for batch in batches:
                if self._running is current:
                    self._served += 1
                yield batch
        if self._running is current:
            self.epoch += 1

    def _made(self, jobs: Iterator[Job]) -> Generator[Any, None, None]:
        """Yield the batches of ``jobs``, made here or by workers."""
        make = self._maker()
        if not self.num_workers:
            yield from map(make, jobs)
            return
        workers = self._started(make)
        try:
            yield from in_order(workers, jobs, self.num_workers * self.prefetch_factor)
        finally:
            if workers is not self._kept:
                workers.close()

    def _started(self, make: BatchMaker) -> Workers:
        """Return workers for one pass, or those that persist."""
        if self.workers == "thread":
            return ThreadWorkers(make, self.num_workers)
        from tinymed.data.processes import ProcessWorkers  # loads multiprocessing

        if self._kept is not None and self._kept.serves(make):
            return self._kept
        self.close()
        started = ProcessWorkers(make, self.num_workers, self.timeout, self.worker_init_fn)
        if self.persistent_workers:
            self._kept = started
        return started

    def close(self) -> None:
        """End the persistent workers; a later loop starts new ones."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
