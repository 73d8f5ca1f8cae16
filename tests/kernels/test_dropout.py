"""Dropout by a counter: Philox's published words, and which of them decides of which element."""

from typing import Any

import numpy as np
import pytest

from tinymed.kernels.dropout import reference

# Of the authors' implementation: Random123 1.14, kat_vectors, philox4x32 with 10 rounds.
PUBLISHED = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), PUBLISHED)
def test_published_words(counter: Any, key: Any, words: Any) -> None:
    given = tuple(np.array([word], np.uint64) for word in counter)
    assert tuple(int(word[0]) for word in reference.philox(given, key)) == words


def test_the_first_four_elements_have_the_words_of_counter_0() -> None:
    """Seed 0 is the first of the published keys: a limit between its words says who is dropped."""
    words = PUBLISHED[0][2]
    for limit in words:
        y = reference.forward(np.ones(4), 1, limit / 2**32, 0, 1.0, 0.0, 0.0)
        np.testing.assert_array_equal(y, [word >= limit for word in words])


def test_both_halves_of_the_seed_are_the_key() -> None:
    x = np.ones(1000, np.float32)
    seeds = [0, 1, 1 << 32, (1 << 32) + 1]
    masks = {reference.forward(x, 1, 0.5, seed, 1.0, 0.0, 0.0).tobytes() for seed in seeds}
    assert len(masks) == 4


def test_groups_have_the_fates_of_elements() -> None:
    each = reference.forward(np.ones((5, 7)), 1, 0.5, 3, 2.0, 0.5, -1.0)
    groups = reference.forward(np.ones((5, 7, 2, 3)), 6, 0.5, 3, 2.0, 0.5, -1.0)
    np.testing.assert_array_equal(groups, np.broadcast_to(each[..., None, None], groups.shape))
    assert set(each.ravel()) == {2.5, -1.0}


@pytest.mark.parametrize(("p", "count"), [(0.0, 0), (1.0, 2**32), (0.5, 2**31), (2.0**-33, 0)])
def test_threshold(p: float, count: int) -> None:
    assert reference.threshold(p) == count


def test_uniform_numbers_are_the_same_words() -> None:
    y = reference.uniform(np.empty(4), 0, 2.0, 6.0)
    np.testing.assert_array_equal(y, [2 + 4 * (word >> 8) / 2**24 for word in PUBLISHED[0][2]])
    y = reference.uniform(np.empty((200, 300), np.float32), 7, -1.0, 3.0)
    assert (y.dtype, y.min() >= -1, y.max() <= 3) == (np.float32, True, True)
    assert abs(y.mean() - 1) < 5 * 4 / np.sqrt(12 * y.size)
    assert abs(y.std() - 4 / np.sqrt(12)) < 0.01
