"""Warped signals: the ends stay, order stays, an interpolation by SciPy finds the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinymed as tm
from tinymed.data import DataLoader
from tinymed.medical.signals.augmentation import SignalAugment, time_warp, warped_times


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(2, 300), st.floats(0, 3), st.integers(2, 9), st.integers(0, 99))
def test_times_rise_from_the_first_to_the_last(length, strength, knots, seed):
    times = warped_times(length, strength, knots=knots, generator=seeded(seed))
    assert times.shape == (length,)
    assert (np.diff(times) > 0).all()
    np.testing.assert_allclose(times[[0, -1]], [0, length - 1], atol=1e-9)


def test_without_strength_time_is_as_it_was():
    np.testing.assert_allclose(warped_times(50, 0.0), np.arange(50), atol=1e-12)
    signal = seeded().normal(size=(3, 50))
    np.testing.assert_allclose(time_warp(signal, 0.0), signal, atol=1e-12)


def test_strength_is_the_spread_of_the_logarithm_of_the_speed():
    speeds = [
        np.log(np.diff(warped_times(3, 0.3, knots=2, generator=seeded(s)))) for s in range(4000)
    ]
    apart = np.diff(np.array(speeds))  # the scale to the length falls out
    assert abs(apart.std() - 0.3 * np.sqrt(2)) < 0.02
    assert abs(apart.mean()) < 0.02


def test_all_channels_are_warped_by_the_drawn_times():
    interpolate = pytest.importorskip("scipy.interpolate")
    signal = seeded(1).normal(size=(2, 3, 80))
    times = warped_times(80, 0.4, knots=5, generator=seeded(2))
    expected = interpolate.interp1d(np.arange(80), signal, axis=-1)(times)
    before = signal.copy()
    found = time_warp(signal, 0.4, knots=5, generator=seeded(2))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert abs(found - signal).max() > 0.5
    np.testing.assert_array_equal(signal, before)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_the_dtype_stays_and_integers_are_rounded(dtype):
    ramp = np.array([0, 0, 1000, 1000], dtype)
    found = time_warp(ramp, 0.5, generator=seeded(3))
    exact = time_warp(ramp.astype(np.float64), 0.5, generator=seeded(3))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, exact, atol=0.5 if dtype == np.int16 else 1e-3)


def test_the_default_generator_is_used():
    signal = seeded().normal(size=40)
    tm.manual_seed(5)
    first = time_warp(signal, 0.3)
    tm.manual_seed(5)
    np.testing.assert_array_equal(time_warp(signal, 0.3), first)


@pytest.mark.parametrize(
    "wrong", [{"length": 1}, {"knots": 1}, {"strength": -1}, {"strength": np.nan}]
)
def test_times_that_cannot_be(wrong):
    given = {"length": 10, "knots": 4, "strength": 0.1} | wrong
    with pytest.raises(ValueError, match="warped_times: length"):
        warped_times(given["length"], given["strength"], knots=given["knots"])


def test_signals_that_are_none():
    with pytest.raises(TypeError, match="time_warp: dtype"):
        time_warp(np.array(["a", "b"]), 0.1)
    with pytest.raises(ValueError, match="time_warp: shape"):
        time_warp(np.zeros((2, 0)), 0.1)


def test_augmentation_changes_signals_alone_and_repeats_with_its_seed():
    signals = np.sin(np.linspace(0, 20, 200))[None].repeat(6, 0)
    samples = [(row, n) for n, row in enumerate(signals)]

    def batches() -> list[np.ndarray]:
        loader = DataLoader(samples, 3, augment=SignalAugment(), generator=seeded(4))
        found = [(x.numpy(), y.numpy()) for x, y in loader]
        assert [n for _, y in found for n in y.tolist()] == list(range(6))
        return [x for x, _ in found]

    first = np.concatenate(batches())
    np.testing.assert_array_equal(np.concatenate(batches()), first)
    assert len(np.unique(first[:, 70].round(9))) == 6


def test_noise_is_in_units_of_the_signal():
    signal = 50 * seeded().normal(size=20_000)
    changed, _ = SignalAugment(warp=0, noise=0.1)((signal, None), seeded(1))
    assert abs((changed - signal).std() - 5) < 0.1
    same, _ = SignalAugment(warp=0, noise=0)((signal, None), seeded(1))
    assert same is signal
