"""What the benchmark of synthetic patches measures of an image, on images where it is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.patch_features import (
    FEATURES,
    all_features,
    edges_and_grain,
    histogram,
    radial_profile,
    spectrum,
)

ROWS, COLUMNS = np.mgrid[:50, :50]


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, 50, 50)).astype(np.uint8)


def test_rings_of_a_disc():
    disc = np.where(np.hypot(ROWS - 24.5, COLUMNS - 24.5) < 6, 255, 51).astype(np.uint8)[None]
    features = radial_profile(disc)[0]
    mean, deviation, largest, least = features[:52].reshape(13, 4).T
    np.testing.assert_allclose(mean, [1, 1, 1, *[0.2] * 10], rtol=1e-6)
    np.testing.assert_allclose(deviation, 0, atol=1e-6)
    np.testing.assert_allclose(largest, least)
    assert np.ptp(features[52:]) < 0.05  # sectors, all of a ring within which the disc ends


def test_turning_by_a_right_angle_changes_no_ring():
    images = noise()
    turned = np.rot90(images, axes=(1, 2))
    np.testing.assert_allclose(
        radial_profile(images)[:, :52], radial_profile(turned)[:, :52], rtol=1e-5
    )


def test_shares_of_grey():
    images = np.zeros((1, 50, 50), np.uint8)
    images[0, :10] = 255
    shares = histogram(images)[0]
    assert (shares[0], shares[-1], shares.sum()) == (0.8, 0.2, 1.0)


def test_the_spectrum_finds_a_wave_and_its_direction():
    wave = np.rint(127 + 100 * np.sin(2 * np.pi * 0.3 * ROWS)).astype(np.uint8)
    down, across = spectrum(np.stack([wave, wave.T]))
    edges = np.linspace(0.02, 0.7, 15)
    assert np.searchsorted(edges, 0.3) - 1 == down[:14].argmax() == across[:14].argmax()
    assert down[14] > 5
    assert across[14] < -5


def test_slope_and_bend_of_a_ramp():
    ramp = (3 * ROWS + 2 * COLUMNS).astype(np.uint8)[None]
    features = edges_and_grain(ramp)[0]
    np.testing.assert_allclose(features[:7], np.hypot(3, 2))
    np.testing.assert_allclose(features[7:], 0)
    ramp[0, 25, 25] += 5  # four neighbours of it bend by 5, among the 49 of a small part
    assert edges_and_grain(ramp[:, 21:30, 21:30])[0, 11] == 5


def test_all_features_are_those_of_the_families():
    images = noise()
    np.testing.assert_array_equal(
        all_features(images), np.hstack([family(images) for family in FEATURES.values()])
    )


def test_what_is_alike_is_not_told_apart_and_what_is_not_is():
    pytest.importorskip("sklearn", reason="the benchmark needs scikit-learn")
    from benchmarks.synthetic_ct import told_apart

    def patches(seed: int, brighter: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        images = np.random.default_rng(seed).integers(0, 200, (100, 50, 50)).astype(np.uint8)
        return images + np.uint8(brighter), np.ones(100), np.arange(100) // 2

    assert told_apart(patches(0), patches(1, 20), histogram, "logistic regression").auc > 0.99
    assert 0.3 < told_apart(patches(0), patches(1), histogram, "logistic regression").auc < 0.7
