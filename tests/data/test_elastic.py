"""Elastic deformation, alone and within Augment, and maps in millimetres."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.data.test_augmentation import content
from tinymed.data import Augment, deform, displacement_field

STILL: dict[str, Any] = {"rotate": 0, "scale": (1, 1), "shift": 0, "flip": False}


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_alpha_and_sigma_are_pixels() -> None:
    field = displacement_field((400, 300), 1.5, 4.0, generator=seeded(1))
    assert field.shape == (2, 400, 300)
    assert abs(field.std() - 1.5) < 0.1
    for axis, size in ((1, 400), (2, 300)):  # the correlation of smoothed noise is Gaussian too
        ahead = np.take(field, range(4, size), axis).ravel()
        behind = np.take(field, range(size - 4), axis).ravel()
        assert abs(np.corrcoef(ahead, behind)[0, 1] - np.exp(-0.25)) < 0.03


def test_lengths_are_those_of_the_finest_axis() -> None:
    spacing = (2.0, 0.5, 1.0)
    field = displacement_field((30, 60, 60), 2.0, 4.0, spacing=spacing, generator=seeded(2))
    np.testing.assert_allclose(field.std(axis=(1, 2, 3)), [0.5, 2.0, 1.0], rtol=0.25)
    steps = [np.diff(field[1], axis=axis).std() for axis in range(3)]
    assert steps[0] > 1.8 * steps[2] > 3 * steps[1]  # per pixel: the coarser the axis, the steeper


@pytest.mark.parametrize("shape", [(9, 8), (6, 7, 5)])
def test_deform_samples_at_the_displaced_places(shape: tuple[int, ...]) -> None:
    grid = np.indices(shape).astype(float)  # linear interpolation reproduces it
    field = displacement_field(shape, 1.0, 2.0, generator=seeded(0))
    limits = np.array(shape).reshape(-1, *[1] * len(shape)) - 1
    np.testing.assert_allclose(deform(grid, field), np.clip(grid + field, 0, limits), atol=1e-12)
    labels = deform(np.arange(grid[0].size).reshape(shape), field, order=0)
    found = np.array(np.unravel_index(labels, shape))
    assert np.abs(found - np.clip(grid + field, 0, limits)).max() <= 0.5


@pytest.mark.parametrize("dims", [2, 3])
def test_augment_composes_it_with_the_affine_map(dims: int) -> None:
    shape = (24, 22, 20)[:dims]
    grid = np.indices(shape).astype(float)
    affine, both = (
        Augment(spatial_dims=dims, rotate=20, flip=True, elastic=elastic)
        for elastic in (None, (1.5, 4.0))
    )
    moved = affine(grid, generator=seeded(7))
    bent, mask = both(grid, np.arange(grid[0].size).reshape(shape), generator=seeded(7))
    used = seeded(7)
    used.random(4 + (1 if dims == 2 else 3) + 2 * dims)  # what the affine map takes
    field = displacement_field(shape, 1.5, 4.0, generator=used)
    limits = np.array(shape).reshape(-1, *[1] * dims) - 1
    inside = np.all((moved > 1e-9) & (moved < limits - 1e-9), axis=0)
    expected = np.clip(moved + field, 0, limits)
    np.testing.assert_allclose(bent[:, inside], expected[:, inside], atol=1e-9)
    assert inside.mean() > 0.5
    found = np.array(np.unravel_index(mask, shape))
    assert np.abs(found - bent).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_rotation_is_rigid_in_millimetres(seed: int) -> None:
    sizes = np.array([2.5, 0.7, 0.9])
    augment = Augment(spatial_dims=3, rotate=40, spacing=sizes.tolist(), scale=(0.8, 1.2))
    matrix, move = content(augment, seed, (12, 30, 26))
    in_millimetres = sizes[:, None] * matrix / sizes
    factor = abs(np.linalg.det(matrix)) ** (1 / 3)
    np.testing.assert_allclose(in_millimetres @ in_millimetres.T, factor**2 * np.eye(3), atol=1e-8)
    assert np.abs(matrix @ matrix.T - factor**2 * np.eye(3)).max() > 0.01  # and not in pixels
    assert np.abs(move).max() <= 3


def test_blur_and_grain_follow_the_spacing() -> None:
    image = np.zeros((21, 41))
    image[10, 20] = 1
    augment = Augment(**STILL, spacing=(2.0, 1.0), blur=3.0)
    profile = augment(image, generator=seeded())
    places = np.indices(image.shape) - np.array([10, 20]).reshape(2, 1, 1)
    deviations = np.sqrt((profile * places**2).sum(axis=(1, 2)) / profile.sum())
    np.testing.assert_allclose(deviations, [1.5, 3.0], rtol=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: displacement_field((), 1, 1), "1 to 3 axes"),
        (lambda: displacement_field((4, 0), 1, 1), "at least 1 pixel"),
        (lambda: displacement_field((4, 4), -1, 1), "alpha is -1, pixels >= 0"),
        (lambda: displacement_field((4, 4), 1, 0), "sigma is 0, pixels above 0"),
        (lambda: displacement_field((4, 4), 1, 1, spacing=(1,)), "2 numbers expected"),
        (lambda: displacement_field((4, 4), 1, 1, spacing=(1, 0)), "numbers above 0"),
        (lambda: deform(np.ones((4, 4)), np.ones((2, 4, 5))), r"\(2, 4, 5\) does not fit"),
        (lambda: deform(np.ones((4, 4)), np.ones((3, 4, 4))), r"\(3, 4, 4\) does not fit"),
        (lambda: deform(np.ones((4, 4)), np.full((2, 4, 4), np.nan)), "NaN or infinity"),
        (lambda: deform(np.ones((4, 4)), np.ones((2, 4, 4)), order=7), "order is 7"),
        (lambda: Augment(elastic=3), r"elastic is 3, \(alpha, sigma\)"),
        (lambda: Augment(elastic=(1, -1)), "sigma is -1"),
        (lambda: Augment(spacing=(1, 1, 1)), "2 numbers expected"),
    ],
)
def test_what_cannot_be(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
