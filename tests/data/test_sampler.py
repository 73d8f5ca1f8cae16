"""Samplers: which indices, how often, and the same ones again for the same seed and epoch."""

import itertools
import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed.data import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from tinymed.random import manual_seed

SEEDED: dict[str, Callable[..., Sampler[int]]] = {
    "random": lambda g: RandomSampler(range(50), generator=g),
    "replacement": lambda g: RandomSampler(range(50), replacement=True, generator=g),
    "subset": lambda g: SubsetRandomSampler(range(3, 53), generator=g),
    "weighted": lambda g: WeightedRandomSampler(np.arange(50), 50, generator=g),
    "weighted once": lambda g: WeightedRandomSampler(np.arange(50), 40, False, generator=g),
}


@pytest.mark.parametrize("kind", SEEDED)
def test_an_epoch_depends_on_seed_and_epoch_alone(kind: str) -> None:
    make = SEEDED[kind]
    sampler = make(np.random.default_rng(5))
    first, second, third = (list(sampler) for _ in range(3))
    assert len(first) == len(sampler)
    assert first != second != third != first
    used = np.random.default_rng(5)
    used.random(17)
    again = make(used)
    again.set_epoch(2)
    assert list(again) == third
    again.set_epoch(0)
    assert list(again) == first
    assert list(make(np.random.default_rng(6))) != first


@pytest.mark.parametrize("kind", SEEDED)
def test_state_survives_json(kind: str) -> None:
    sampler = SEEDED[kind](None)
    list(sampler)
    state = json.loads(json.dumps(sampler.state_dict()))
    other = SEEDED[kind](None)
    other.load_state_dict(state)
    assert list(other) == list(sampler)


def test_without_generator_the_default_one_gives_the_seed() -> None:
    manual_seed(3)
    first = list(RandomSampler(range(50)))
    other = list(RandomSampler(range(50)))
    manual_seed(3)
    assert list(RandomSampler(range(50))) == first != other


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 100), st.integers(0, 99))
def test_permutations_one_after_the_other(size: int, count: int, seed: int) -> None:
    sampler = RandomSampler(range(size), num_samples=count, generator=np.random.default_rng(seed))
    order = list(sampler)
    assert len(order) == len(sampler) == count
    for start in range(0, count, size):
        block = order[start : start + size]
        assert len(set(block)) == len(block)
        assert set(block) <= set(range(size))


def test_replacement_repeats_and_reaches_all() -> None:
    sampler = RandomSampler(range(5), replacement=True, num_samples=200)
    assert set(sampler) == set(range(5))


def test_subset_is_a_permutation_of_the_indices() -> None:
    assert sorted(SubsetRandomSampler([9, 2, 2, 4])) == [2, 2, 4, 9]


def test_weights_are_the_frequencies() -> None:
    weights = np.array([0.0, 1.0, 3.0, 0.0, 6.0])
    drawn = WeightedRandomSampler(weights, 20_000, generator=np.random.default_rng(0))
    shares = np.bincount(list(drawn), minlength=5) / 20_000
    # three standard deviations of the largest share: 3 sqrt(.24 / 20000) = 0.0104
    np.testing.assert_allclose(shares, weights / 10, atol=0.0104)
    assert shares[0] == shares[3] == 0


def test_without_replacement_each_index_once() -> None:
    sampler = WeightedRandomSampler([1, 0, 5, 1e-9], 3, replacement=False)
    assert sorted(sampler) == [0, 2, 3]


def test_weights_of_any_size() -> None:
    assert set(WeightedRandomSampler([1e308, 1e308, 0], 50)) == {0, 1}


def test_the_weights_are_a_copy() -> None:
    weights = np.array([1.0, 0.0])
    sampler = WeightedRandomSampler(weights, 20)
    weights[:] = [0.0, 1.0]
    assert set(sampler) == {0}


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 12), st.booleans())
def test_batches_are_consecutive(size: int, batch_size: int, drop_last: bool) -> None:
    sampler = BatchSampler(range(size), batch_size, drop_last)
    batches = list(sampler)
    assert len(sampler) == len(batches)
    assert list(itertools.chain(*batches)) == list(range(size))[: sum(map(len, batches))]
    assert all(len(batch) == batch_size for batch in batches[:-1])
    lost = size - sum(map(len, batches))
    assert lost == (size % batch_size if drop_last else 0)


def test_batches_follow_the_epoch_of_their_sampler() -> None:
    batches = BatchSampler(RandomSampler(range(20), generator=np.random.default_rng(1)), 4, False)
    first, _ = list(batches), list(batches)
    state = json.loads(json.dumps(batches.state_dict()))
    third = list(batches)
    batches.set_epoch(0)
    assert list(batches) == first
    batches.load_state_dict(state)
    assert list(batches) == third


def test_states_of_another_sampler_are_refused() -> None:
    state = RandomSampler(range(3)).state_dict()
    for sampler in (SequentialSampler("abc"), BatchSampler([1, 2], 1, False)):
        with pytest.raises(ValueError, match=r"got \['epoch', 'generator'\], nothing expected"):
            sampler.load_state_dict(state)
    with pytest.raises(ValueError, match=r"got keys \[\], \['epoch', 'generator'\] expected"):
        RandomSampler(range(3)).load_state_dict({})


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: RandomSampler([]), ValueError, r"len\(data_source\) is 0, at least 1"),
        (lambda: RandomSampler("ab", num_samples=0), ValueError, "num_samples is 0"),
        (lambda: RandomSampler("ab", num_samples=1.5), TypeError, "num_samples is 1.5, an integer"),
        (lambda: RandomSampler("ab").set_epoch(-1), ValueError, "epoch is -1, at least 0"),
        (lambda: SubsetRandomSampler([]), ValueError, "at least one index"),
        (lambda: SubsetRandomSampler([1, -2]), IndexError, "index -2, indices at least 0"),
        (lambda: SubsetRandomSampler([True, False]), TypeError, "np.flatnonzero"),
        (lambda: WeightedRandomSampler([1, -1], 2), ValueError, r"weights\[1\] is -1.0"),
        (lambda: WeightedRandomSampler([1, np.nan], 2), ValueError, r"weights\[1\] is nan"),
        (lambda: WeightedRandomSampler([np.inf, 1], 2), ValueError, r"weights\[0\] is inf"),
        (lambda: WeightedRandomSampler([0, 0, 0], 2), ValueError, "all 3 weights are 0"),
        (lambda: WeightedRandomSampler([], 2), ValueError, r"shape \(0,\)"),
        (lambda: WeightedRandomSampler([[1.0]], 2), ValueError, r"shape \(1, 1\)"),
        (lambda: WeightedRandomSampler([1, 1], 0), ValueError, "num_samples is 0"),
        (lambda: WeightedRandomSampler([1, 0], 2, False), ValueError, "at most 1"),
        (lambda: BatchSampler(range(3), 0, False), ValueError, "batch_size is 0, at least 1"),
        (lambda: BatchSampler(range(3), True, False), TypeError, "batch_size is True"),
        (lambda: BatchSampler(iter([1]), 1, False), TypeError, "list_iterator, an iterable"),
    ],
)
def test_bad_arguments(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()
