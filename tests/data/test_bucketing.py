"""Batches by length: each sample once, little padding, the same again."""

import numpy as np
import pytest

from tinymed.data import BucketSampler, DataLoader, TensorDataset

LENGTHS = np.random.default_rng(0).integers(1, 200, 1003)


def sampler(**settings) -> BucketSampler:
    return BucketSampler(LENGTHS, 16, generator=np.random.default_rng(1), **settings)


def padding(batches: list[list[int]]) -> float:
    padded = sum(len(batch) * LENGTHS[batch].max() for batch in batches)
    return 1 - LENGTHS[np.concatenate(batches)].sum() / padded


@pytest.mark.parametrize("shuffle", [True, False])
def test_each_sample_once_in_batches_of_the_size(shuffle):
    batches = list(sampler(shuffle=shuffle, pool=10))
    assert sorted(np.concatenate(batches)) == list(range(1003))
    sizes = sorted(len(batch) for batch in batches)
    assert sizes[1:] == [16] * 62
    assert sizes[0] == 11
    assert len(sampler(shuffle=shuffle)) == len(batches) == 63
    whole = sampler(shuffle=shuffle, drop_last=True)
    assert [len(batch) for batch in whole] == [16] * 62
    assert len(whole) == 62


def test_there_is_little_padding_and_a_large_pool_has_less():
    random = np.array_split(np.random.default_rng(0).permutation(1003), 63)
    wastes = [padding(list(sampler(pool=pool))) for pool in (1, 10, 100)]
    assert padding([batch.tolist() for batch in random]) > 0.4
    assert wastes[0] > 0.4
    assert wastes[1] < 0.12
    assert wastes[2] < 0.05
    assert padding(list(sampler(shuffle=False))) < 0.05


def test_epochs_differ_and_can_be_had_again():
    one = sampler()
    first, state, second = list(one), one.state_dict(), list(one)
    assert first != second
    again = BucketSampler(LENGTHS, 16)
    again.load_state_dict(state)
    assert list(again) == second
    again.set_epoch(0)
    assert list(again) == first
    with pytest.raises(ValueError, match="got keys"):
        again.load_state_dict({"epoch": 1})


def test_it_feeds_a_loader():
    data = TensorDataset(np.arange(1003))
    loader = DataLoader(data, batch_sampler=sampler())
    seen = np.concatenate([batch[0].numpy() for batch in loader])
    assert sorted(seen) == list(range(1003))


@pytest.mark.parametrize(
    ("lengths", "settings", "message"),
    [
        ([], {}, "lengths are"),
        ([1.5], {}, "float64"),
        ([[1]], {}, r"\(1, 1\)"),
        ([-1], {}, "a length is -1"),
        ([1], {"batch_size": 0}, "batch_size is 0"),
        ([1], {"pool": 0}, "pool is 0"),
    ],
)
def test_what_is_refused(lengths, settings, message):
    with pytest.raises(ValueError, match=message):
        BucketSampler(lengths, **({"batch_size": 2} | settings))
