"""Measures of images on which they are known."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.medical.imaging.image_measures import (
    brightness,
    central_radius,
    central_size,
    noise,
)


def test_size_is_that_of_what_lies_in_the_middle():
    pytest.importorskip("scipy", reason="labels of components need the extra `medical`")
    images = np.zeros((2, 50, 50), np.uint8)
    images[0, 23:27, 20:30] = 200
    images[0, :5] = 200  # dense, and elsewhere
    assert central_size(images, 127).tolist() == [40, 0]
    assert central_size(images / 255).tolist() == [40, 0]


def test_radius_is_that_of_the_disc_though_a_wall_touches_it():
    pytest.importorskip("scipy", reason="distances need the extra `medical`")
    y, x = np.mgrid[:51, :51] - 25
    disc = np.hypot(y - 1, x) <= 6
    with_wall = disc | (x > 5)
    radii = central_radius(np.stack([disc, with_wall, x > 20, np.full((51, 51), True)]) * 1.0)
    assert radii[0] == pytest.approx(6.5, abs=0.6)
    assert radii[1] == pytest.approx(radii[0], abs=1)
    assert radii[2] == 0
    assert 22 <= radii[3] <= 26  # it ends where the image does


def test_noise_is_that_which_was_added_whatever_the_picture():
    generator = np.random.default_rng(0)
    slope = np.linspace(0, 1, 120)[:, None] + np.linspace(0, 2, 120)
    disc = np.hypot(*np.mgrid[-60:60, -60:60]) < 30
    for spread in (0.01, 0.1):
        images = slope + disc + generator.normal(0, spread, (3, 120, 120))
        np.testing.assert_allclose(noise(images), spread, rtol=0.1)


def test_brightness_is_the_mean():
    assert brightness(np.stack([np.zeros((3, 3)), np.eye(3)])).tolist() == [0, 1 / 3]
