"""Noise of a lower dose has its strength; smoothing without learning minimises what it says."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.medical.imaging.low_dose import gaussian, low_dose, total_variation


def test_noise_has_the_level_that_is_asked_for():
    rng = np.random.default_rng(0)
    image = rng.random((50, 61))
    added = np.stack([low_dose(image, 0.07, rng) - image for _ in range(300)])
    assert float(added.std()) == pytest.approx(0.07, rel=0.02)
    assert float(added.mean(0).std()) < 0.01  # another one each time
    assert np.array_equal(low_dose(image, 0.0, rng), image.astype(np.float32))


def test_kernels_are_smooth_and_sharp():
    """Correlation of neighbours differs from image to image as the drawn cutoffs say."""
    rng = np.random.default_rng(0)
    noise = [low_dose(np.zeros((50, 50)), 1.0, rng) for _ in range(60)]
    neighbours = [np.corrcoef(each[:, 1:].ravel(), each[:, :-1].ravel())[0, 1] for each in noise]
    assert min(neighbours) < 0.1 < 0.45 < max(neighbours)


def objective(u, image, weight):
    down = np.diff(u, axis=0, append=u[-1:])
    across = np.diff(u, axis=1, append=u[:, -1:])
    return ((u - image) ** 2).sum() / 2 + weight * np.hypot(down, across).sum()


def test_total_variation_is_the_least():
    """A general minimiser of the same convex function finds nothing lower, and the same image."""
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is the oracle")
    image = np.random.default_rng(0).random((7, 6))
    found = total_variation(image[None], 0.1, iterations=2000)[0]

    def smoothed(flat):  # differentiable: sqrt(|gradient|^2 + 1e-10)
        u = flat.reshape(image.shape)
        down = np.diff(u, axis=0, append=u[-1:])
        across = np.diff(u, axis=1, append=u[:, -1:])
        return ((u - image) ** 2).sum() / 2 + 0.1 * np.sqrt(down**2 + across**2 + 1e-10).sum()

    best = optimize.minimize(smoothed, image.ravel(), options={"maxiter": 2000})
    assert objective(found, image, 0.1) <= objective(best.x.reshape(image.shape), image, 0.1) + 1e-4
    assert found == pytest.approx(best.x.reshape(image.shape), abs=0.01)


def test_each_image_is_smoothed_alone():
    images = np.random.default_rng(0).random((3, 12, 12)).astype(np.float32)
    together = total_variation(images, 0.1)
    assert together.dtype == np.float32
    for image, alone in zip(images, together, strict=True):
        assert np.array_equal(total_variation(image[None], 0.1)[0], alone)


def test_gaussian_leaves_images_apart():
    pytest.importorskip("scipy", reason="smoothing needs the extra `medical`")
    images = np.zeros((2, 21, 21))
    images[0, 10, 10] = 1
    rows = np.arange(21) - 10
    expected = np.exp(-(rows[:, None] ** 2 + rows**2) / 2) / (2 * np.pi)
    assert gaussian(images, 1.0)[0] == pytest.approx(expected, abs=1e-3)
    assert not gaussian(images, 1.0)[1].any()


def test_bad_weight():
    with pytest.raises(ValueError, match="weight=0, iterations=60; both positive"):
        total_variation(np.zeros((1, 4, 4)), 0)
