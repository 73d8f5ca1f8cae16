"""The loader: order, same seed same bits, resume, bad arguments."""

import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from tinymed.random import manual_seed, spawn
from tinymed.tensor import Tensor

Sample = tuple[Any, ...]


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def jitter(sample: Sample, generator: np.random.Generator) -> Sample:
    image, label = sample
    return image + generator.normal(size=image.shape), label


def loader_of(size: int = 10, **settings: Any) -> DataLoader:
    """A loader of ``size`` small images labelled 0, 1, 2 ..."""
    images = np.arange(size * 4.0).reshape(size, 2, 2)
    return DataLoader(TensorDataset(images, np.arange(size)), **settings)


def bits(batches: Any) -> list[tuple[bytes, ...]]:
    """All bytes of all batches."""
    return [tuple(part.data.tobytes() for part in batch) for batch in batches]


def labels(batches: Any) -> list[list[int]]:
    return [batch[1].data.tolist() for batch in batches]


def test_batches_are_tensors_in_order() -> None:
    loader = loader_of(batch_size=4)
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    assert labels(batches) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    image, label = batches[0]
    assert isinstance(image, Tensor)
    assert isinstance(label, Tensor)
    np.testing.assert_array_equal(image.data, np.arange(16.0).reshape(4, 2, 2))


def test_drop_last() -> None:
    loader = loader_of(batch_size=4, drop_last=True)
    assert len(loader) == 2
    assert labels(loader) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_collate_fn_gets_the_list_of_samples() -> None:
    assert list(DataLoader("abcde", 2, collate_fn="".join)) == ["ab", "cd", "e"]


def test_each_epoch_is_another_permutation() -> None:
    loader = loader_of(50, batch_size=7, shuffle=True, generator=seeded())
    first, second = (list(chain.from_iterable(labels(loader))) for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert first != list(range(50))


@pytest.mark.parametrize("num_workers", [1, 2, 5])
def test_the_number_of_workers_changes_no_bit(num_workers: int) -> None:
    settings = {"batch_size": 3, "shuffle": True, "augment": jitter}
    alone = loader_of(23, **settings, generator=seeded(4))
    threaded = loader_of(23, **settings, generator=seeded(4), num_workers=num_workers)
    for _ in range(3):
        assert bits(alone) == bits(threaded)


def test_an_epoch_depends_on_seed_and_number_alone() -> None:
    settings = {"batch_size": 3, "shuffle": True, "augment": jitter}
    loader = loader_of(**settings, generator=seeded(1))
    epochs = [bits(loader) for _ in range(4)]
    used = seeded(1)
    used.random(100)
    again = loader_of(**settings, generator=used)
    again.epoch = 3
    assert bits(again) == epochs[3]
    assert again.epoch == 4
    assert bits(loader_of(**settings, generator=seeded(2))) != epochs[0]


def test_the_default_generator_gives_the_seed_when_the_loader_is_made() -> None:
    manual_seed(9)
    first, second = (loader_of(50, shuffle=True, augment=jitter) for _ in range(2))
    manual_seed(9)
    again = loader_of(50, shuffle=True, augment=jitter)
    manual_seed(10)
    assert bits(first) == bits(again)
    assert bits(second) != bits(again)


def test_augment_is_given_the_generator_of_epoch_and_index() -> None:
    def draw(sample: int, generator: np.random.Generator) -> tuple[int, float]:
        return sample, generator.random()

    loader = DataLoader(
        range(6), sampler=[3, 1, 3, 3], augment=draw, generator=seeded(2), collate_fn=list
    )
    for epoch in range(2):
        keys = [(epoch, 3), (epoch, 1), (epoch, 3, 1), (epoch, 3, 2)]
        expected = [(key[1], spawn(seeded(2), *key).random()) for key in keys]
        assert [batch[0] for batch in loader] == expected


def interrupted(make: Callable[[], DataLoader], stop: int) -> tuple[list, list]:
    """Bits of three epochs, whole and with a new loader going on after ``stop`` batches."""
    whole = make()
    expected = [bits(whole) for _ in range(3)]
    first, got, state, count = make(), [], {}, 0
    for _ in range(3):
        got.append([])
        for batch in first:
            got[-1] += bits([batch])
            count += 1
            if count == stop:
                state = json.loads(json.dumps(first.state_dict()))
                break
        if count == stop:
            break
    second = make()
    second.generator = seeded(12345)  # all that counts is to come from the state
    second.load_state_dict(state)
    got[-1] += bits(second)
    while len(got) < 3:
        got.append(bits(second))
    return expected, got


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_resumed_run_has_the_same_bits(data: st.DataObject) -> None:
    size, batch_size = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 5))
    workers = data.draw(st.sampled_from([0, 2]))
    drop_last = data.draw(st.booleans()) and batch_size <= size
    kind = data.draw(st.sampled_from(["plain", "shuffle", "weighted", "own batches"]))

    def make() -> DataLoader:
        more: dict[str, Any] = {"batch_size": batch_size, "drop_last": drop_last}
        if kind == "shuffle":
            more["shuffle"] = True
        elif kind == "weighted":
            more["sampler"] = WeightedRandomSampler(np.ones(size), size, generator=seeded(1))
        elif kind == "own batches":
            order = RandomSampler(range(size), generator=seeded(2))
            more = {"batch_sampler": BatchSampler(order, batch_size, drop_last)}
        return loader_of(size, **more, augment=jitter, num_workers=workers, generator=seeded(3))

    stop = data.draw(st.integers(1, 3 * len(make())))
    expected, got = interrupted(make, stop)
    assert got == expected


def test_a_state_holds_the_seeds_even_of_loaders_that_drew_their_own() -> None:
    first, second = (loader_of(50, shuffle=True, augment=jitter) for _ in range(2))
    list(first)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.epoch == 1
    assert bits(first) == bits(second)


def test_epochs_are_counted_and_a_loop_left_early_is_over() -> None:
    loader = loader_of(10, batch_size=2, shuffle=True, generator=seeded())
    epochs = [labels(loader) for _ in range(3)]
    assert loader.epoch == 3
    loader.epoch = 0
    assert labels([next(iter(loader))]) == epochs[0][:1]
    assert loader.epoch == 0
    assert loader.state_dict()["batches_served"] == 1
    assert labels(loader) == epochs[1]
    assert loader.epoch == 2
    older: Iterator[Any] = iter(loader)
    next(older)
    newer = iter(loader)
    next(newer)
    assert len(list(older)) == 4
    assert (loader.epoch, loader.state_dict()["batches_served"]) == (3, 1)


def test_a_loop_left_after_its_last_batch_goes_on_with_none() -> None:
    loader, other = (loader_of(4, batch_size=2) for _ in range(2))
    for _ in loader:
        state = loader.state_dict()
    assert state["batches_served"] == 2
    other.load_state_dict(state)
    assert list(other) == []
    assert other.epoch == 1
    assert len(list(other)) == 2


def test_samplers_of_any_kind() -> None:
    assert labels(loader_of(5, sampler=[4, 0], batch_size=3)) == [[4, 0]]
    assert labels(loader_of(5, sampler=np.array([4, 0]))) == [[4], [0]]
    assert labels(loader_of(5, sampler=SequentialSampler("ab"))) == [[0], [1]]
    assert labels(loader_of(5, batch_sampler=[[1, 2], [0]])) == [[1, 2], [0]]
    loader = loader_of(5, batch_sampler=[[1, 2], [0]])
    next(iter(loader))
    again = loader_of(5, batch_sampler=[[1, 2], [0]])
    again.load_state_dict(loader.state_dict())
    assert labels(again) == [[0]]


@pytest.mark.parametrize("index", [5, -1])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_sampler_that_leaves_the_data_set(index: int, num_workers: int) -> None:
    with pytest.raises(IndexError, match=rf"the sampler gave index {index}, 0\.\.4 expected"):
        list(loader_of(5, sampler=[0, index], num_workers=num_workers))


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size is 0, at least 1"),
        ({"batch_size": None}, TypeError, "batch_size is None, an integer"),
        ({"num_workers": -1}, ValueError, "num_workers is -1, at least 0"),
        ({"num_workers": 1.0}, TypeError, "num_workers is 1.0"),
        ({"num_workers": 1, "prefetch_factor": 0}, ValueError, "prefetch_factor is 0"),
        ({"prefetch_factor": 2}, ValueError, "prefetch_factor=2 without workers"),
        ({"shuffle": True, "sampler": [1]}, ValueError, "shuffle=True and a sampler"),
        ({"batch_sampler": [[1]], "batch_size": 2}, ValueError, "batch_sampler with batch_size=2"),
        ({"batch_sampler": [[1]], "shuffle": True}, ValueError, "shuffle=True"),
        ({"batch_sampler": [[1]], "sampler": [1]}, ValueError, r"sampler=\[1\]"),
        ({"batch_sampler": [[1]], "drop_last": True}, ValueError, "drop_last=True"),
        ({"batch_sampler": []}, ValueError, "no batch from 10 samples"),
        ({"sampler": iter([1])}, TypeError, "list_iterator"),
        ({"batch_size": 11, "drop_last": True}, ValueError, "no batch from 10 samples"),
        ({"augment": "flip"}, TypeError, "augment is 'flip', a callable"),
        ({"collate_fn": 3}, TypeError, "collate_fn is 3, a callable"),
        ({"generator": 3}, TypeError, "generator is 3, a numpy.random.Generator"),
    ],
)
def test_bad_arguments(settings: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        loader_of(10, **settings)


def test_what_is_no_data_set() -> None:
    with pytest.raises(ValueError, match="the data set is empty"):
        DataLoader([])
    with pytest.raises(TypeError, match="dataset is generator, an object with a length"):
        DataLoader(x for x in [1])  # type: ignore[arg-type]


def test_states_that_do_not_fit() -> None:
    state = loader_of(10, batch_size=2).state_dict()
    with pytest.raises(ValueError, match="with 5 batches, this one has 10"):
        loader_of(10).load_state_dict(state)
    with pytest.raises(ValueError, match="with 10 samples, this one has 9"):
        loader_of(9, batch_size=2).load_state_dict(state)
    with pytest.raises(ValueError, match="got keys"):
        loader_of(10, batch_size=2).load_state_dict({"epoch": 1})
    with pytest.raises(ValueError, match="batches_served is 6, 0 to 5 expected"):
        loader_of(10, batch_size=2).load_state_dict({**state, "batches_served": 6})
    with pytest.raises(ValueError, match="epoch is -1, at least 0"):
        loader_of().epoch = -1
