"""Windows cover every beat, and the augmentation moves targets with the beats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymed.medical.signals.beat_windows import IGNORED, BeatAugment, BeatWindows, windows


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 16), st.data())
def test_every_beat_is_covered_and_no_window_holds_two_patients(counts, length, data):
    step = data.draw(st.integers(1, length))
    patient = np.repeat(np.arange(len(counts)), counts)
    rows = windows(patient, length, step)
    assert set(range(len(patient))) == set(rows[rows >= 0].tolist())
    for row in rows:
        there = row[row >= 0]
        assert len(set(patient[there])) == 1
        assert (np.diff(there) == 1).all()


def test_a_step_longer_than_the_window_would_lose_beats():
    with pytest.raises(ValueError, match="step is 5, 1 to the length 4 expected"):
        windows(np.zeros(10), 4, 5)


def test_padding_is_zero_and_ignored():
    inputs = np.arange(1, 7, dtype=np.float32).reshape(3, 2)
    data = BeatWindows(inputs, np.array([0, 1, 2]), windows(np.zeros(3), 5, 2))
    (x, y) = data[0]
    np.testing.assert_array_equal(x, [[1, 2], [3, 4], [5, 6], [0, 0], [0, 0]])
    np.testing.assert_array_equal(y, [0, 1, 2, IGNORED, IGNORED])


def sample(beats=12):
    x = np.zeros((beats, 2 * 128 + 13), np.float32)
    x[:, :256] = np.random.default_rng(0).normal(size=(beats, 256))
    x[:, 256:] = np.arange(beats)[:, None]
    return x, np.arange(beats)


def test_targets_are_cropped_with_their_beats():
    augment = BeatAugment(8, jitter=0.0, forget=0.0)
    firsts = set()
    for seed in range(60):
        x, y = augment(sample(), np.random.default_rng(seed))
        assert x.shape == (8, 269)
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x[:, 256], y)
        firsts.add(int(y[0]))
    assert firsts == {0, 1, 2, 3, 4}


def test_without_disturbance_a_beat_stays_as_it_is():
    augment = BeatAugment(12, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    x, _ = augment(sample(), np.random.default_rng(0))
    np.testing.assert_allclose(x[:, :255], sample()[0][:, :255], atol=1e-2)


def test_same_generator_same_bits_and_the_sample_is_not_changed():
    given_, augment = sample(), BeatAugment(8)
    first, second = (augment(given_, np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(given_[0], sample()[0])
