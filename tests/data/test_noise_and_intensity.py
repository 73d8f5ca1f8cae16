"""Noise, contrast, gamma, blur, erased boxes: plain formulas and their statistics."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinymed.data import (
    add_noise,
    add_shot_noise,
    adjust_contrast,
    adjust_gamma,
    erase,
    gaussian_blur,
)
from tinymed.data.noise import gaussian_field

Array = np.ndarray


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def gaussian(sigma: float) -> Array:
    """Weights at -radius .. radius, with the radius that SciPy takes."""
    radius = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return weights / weights.sum()


def circulant(size: int, sigma: float) -> Array:
    """The matrix (size, size) of a periodic Gaussian smoothing."""
    weights, matrix = gaussian(sigma), np.zeros((size, size))
    for row in range(size):
        for step, weight in enumerate(weights, start=-(len(weights) // 2)):
            matrix[row, (row + step) % size] += weight
    return matrix


@pytest.mark.parametrize("sigmas", [(0.0, 0.0), (1.0, 0.0), (2.0, 3.5), (6.0, 9.0)])
def test_a_gaussian_field_is_smoothed_noise_of_variance_1(sigmas: tuple[float, float]) -> None:
    shape = (2, 16, 10)
    field = gaussian_field(shape, np.array(sigmas), seeded(3), np.dtype(np.float64))
    expected = seeded(3).standard_normal(shape)
    if sigmas[0]:
        rows = circulant(16, sigmas[0])
        expected = np.einsum("ij,cjk->cik", rows / np.linalg.norm(rows[0]), expected)
    if sigmas[1]:
        columns = circulant(10, sigmas[1])
        expected = np.einsum("kj,cij->cik", columns / np.linalg.norm(columns[0]), expected)
    np.testing.assert_allclose(field, expected, atol=1e-10)


@pytest.mark.parametrize("correlation", [0.0, 1.5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_has_its_strength_and_its_grain(correlation: float, dtype: str) -> None:
    image = np.full((300, 300), 5, dtype)
    noise = add_noise(image, 0.3, correlation=correlation, generator=seeded(1)) - image
    assert noise.dtype == dtype
    assert abs(noise.std() - 0.3) < 0.01
    neighbours = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
    expected = np.exp(-1 / (4 * correlation**2)) if correlation else 0.0
    assert abs(neighbours - expected) < 0.02


def test_shot_noise_grows_with_the_root_of_the_signal() -> None:
    levels = np.array([-2.0, 0.0, 1.0, 4.0, 100.0])
    image = np.repeat(levels[:, None], 40_000, axis=1)
    noise = add_shot_noise(image, 0.5, generator=seeded(2)) - image
    np.testing.assert_allclose(noise.std(axis=1), [0, 0, 0.5, 1, 5], rtol=0.02)
    np.testing.assert_allclose(noise.mean(axis=1), 0, atol=0.1)


def test_contrast_and_gamma_of_each_channel() -> None:
    image = seeded(0).random((3, 5, 6)) * np.array([1, 10, 0])[:, None, None] + 2
    sharper, bent = adjust_contrast(image, 1.5), adjust_gamma(image, 2.0)
    for channel in range(2):
        x = image[channel]
        np.testing.assert_allclose(sharper[channel], x.mean() + 1.5 * (x - x.mean()))
        low, high = x.min(), x.max()
        np.testing.assert_allclose(bent[channel], low + (x - low) ** 2 / (high - low))
    np.testing.assert_array_equal(sharper[2], image[2])  # a constant channel stays
    np.testing.assert_array_equal(bent[2], image[2])
    assert adjust_contrast(np.array([[0, 200]], np.uint8), 2).tolist() == [[0, 255]]


def test_blur_is_the_convolution_with_a_gaussian() -> None:
    image = np.zeros((2, 41, 31))
    image[1, 20, 15] = 1
    blurred = gaussian_blur(image, (2.0, 1.0))
    rows, columns = gaussian(2.0), gaussian(1.0)
    np.testing.assert_array_equal(blurred[0], 0)
    np.testing.assert_allclose(blurred[1, 12:29, 11:20], np.outer(rows, columns), atol=1e-12)
    np.testing.assert_array_equal(gaussian_blur(image, 0), image)


def test_erase_fills_a_box_of_all_channels() -> None:
    image = seeded(0).random((2, 4, 5))
    erased = erase(image, (1, 2), (3, 2), -7)
    expected = image.copy()
    expected[:, 1:4, 2:4] = -7
    np.testing.assert_array_equal(erased, expected)
    assert not np.shares_memory(erase(image, (0, 0), (0, 0)), image)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: add_noise(x, 1.0, generator=seeded()),
        lambda x: add_noise(x, 1.0, correlation=2.0, generator=seeded()),
        lambda x: add_shot_noise(x, 0.1, generator=seeded()),
        lambda x: adjust_contrast(x, 0.5),
        lambda x: adjust_gamma(x, 0.5),
        lambda x: gaussian_blur(x, 1.0),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float16", "float32", "float64"])
def test_dtype_kept_and_input_left_alone(change: Callable[[Array], Array], dtype: str) -> None:
    image = (seeded(5).random((8, 9)) * 100).astype(dtype)
    before = image.copy()
    image.flags.writeable = False
    changed = change(image)
    assert changed.dtype == dtype
    assert changed.shape == image.shape
    assert not np.shares_memory(changed, image)
    assert not np.array_equal(changed, before)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda x: add_noise(x, -1), ValueError, "standard_deviation is -1, a number >= 0"),
        (lambda x: add_noise(x, 1, correlation=(1, 2, 3)), ValueError, "one number or 2"),
        (lambda x: add_noise(x > 0, 1), TypeError, "dtype bool, numbers expected"),
        (lambda x: add_noise(x[0], 1), ValueError, "at least 2 spatial axes"),
        (lambda x: add_noise(x, 1, spatial_dims=4), ValueError, "spatial_dims is 4"),
        (lambda x: add_shot_noise(x, np.nan), ValueError, "scale is nan"),
        (lambda x: adjust_contrast(x, -1), ValueError, "factor is -1"),
        (lambda x: adjust_gamma(x, 0), ValueError, "gamma is 0, a number above 0"),
        (lambda x: gaussian_blur(x, 2**40), ValueError, "at most the size of its axis"),
        (lambda x: gaussian_blur(x, "1"), TypeError, "sigma is '1', a number"),
        (lambda x: erase(x, (0, 3), (2, 2)), ValueError, r"box at \(0, 3\) of size \(2, 2\)"),
        (lambda x: erase(x, (-1, 0), (2, 2)), ValueError, "not within"),
        (lambda x: erase(x, (0, 0, 0), (1, 1, 1)), ValueError, "not within"),
        (lambda x: erase(x, (0, 0), (1,)), ValueError, "not within"),
        (lambda x: erase(x, (0, 0), (1, 1), np.inf), ValueError, "value is inf"),
    ],
)
def test_what_cannot_be(call: Callable[[Any], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(np.ones((4, 4)))
