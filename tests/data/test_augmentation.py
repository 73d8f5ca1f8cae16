"""Augment: the map it applies is read off images of the coordinates, and judged as a map."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed.data import Augment, DataLoader, TensorDataset
from tinymed.random import manual_seed

Array = np.ndarray
STILL: dict[str, Any] = {"rotate": 0, "scale": (1, 1), "shift": 0, "flip": False}


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sources(augment: Augment, seed: int, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return the matrix (d, d) and offset (d,) that lead from each result pixel to its source.

    The image is that of its own coordinates, which linear interpolation reproduces; an affine map
    is fitted to those that were not clipped at the border.
    """
    grid = np.indices(shape).astype(float)
    found = augment(grid, generator=seeded(seed))
    limits = np.array(shape).reshape(-1, *[1] * len(shape)) - 1
    inside = np.all((found > 1e-9) & (found < limits - 1e-9), axis=0)
    centre = (np.array(shape) - 1) / 2
    p = grid[:, inside].T - centre
    q = found[:, inside].T - centre
    p1 = np.column_stack([p, np.ones(len(p))])
    fitted, *_ = np.linalg.lstsq(p1, q)
    np.testing.assert_allclose(p1 @ fitted, q, atol=1e-9)  # it is one affine map
    return fitted[:-1].T, fitted[-1]


def content(augment: Augment, seed: int, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return matrix and shift of where the content goes, about the centre."""
    matrix, offset = sources(augment, seed, shape)
    forward = np.linalg.inv(matrix)
    return forward, -forward @ offset


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_the_map_is_within_its_limits(seed: int) -> None:
    augment = Augment(rotate=15, scale=(0.9, 1.1), shift=(3, 1), flip=True)
    matrix, move = content(augment, seed, (50, 40))
    factor = np.sqrt(abs(np.linalg.det(matrix)))
    assert 0.9 - 1e-9 <= factor <= 1.1 + 1e-9
    assert np.all(np.abs(move) <= np.array([3, 1]) + 1e-9)
    np.testing.assert_allclose(matrix @ matrix.T, factor**2 * np.eye(2), atol=1e-9)
    turn = matrix / factor @ np.diag(np.sign(np.diag(matrix)))  # flips undone
    assert abs(np.rad2deg(np.arctan2(turn[1, 0], turn[0, 0]))) <= 15 + 1e-9
    assert np.linalg.det(turn) > 0


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6))
def test_a_volume_moves_rigidly_but_for_one_factor(seed: int) -> None:
    matrix, move = content(Augment(spatial_dims=3, rotate=30), seed, (12, 13, 14))
    factor = abs(np.linalg.det(matrix)) ** (1 / 3)
    assert 0.9 - 1e-9 <= factor <= 1.1 + 1e-9
    assert np.all(np.abs(move) <= 3 + 1e-9)
    np.testing.assert_allclose(matrix @ matrix.T, factor**2 * np.eye(3), atol=1e-9)


def test_a_limit_for_each_axis_of_rotation() -> None:
    shape = (9, 12, 12)
    for axis in range(3):
        limits = [0.0, 0.0, 0.0]
        limits[axis] = 40
        augment = Augment(**STILL | {"rotate": limits}, spatial_dims=3)
        matrix, move = content(augment, 3, shape)
        np.testing.assert_allclose(matrix[axis], np.eye(3)[axis], atol=1e-9)
        np.testing.assert_allclose(matrix[:, axis], np.eye(3)[axis], atol=1e-9)
        assert np.abs(matrix - np.eye(3)).max() > 0.01
        np.testing.assert_allclose(move, 0, atol=1e-9)


def test_all_flips_occur_as_often() -> None:
    augment = Augment(**STILL | {"flip": True})
    signs = [tuple(np.sign(np.diag(content(augment, seed, (5, 6))[0]))) for seed in range(400)]
    for both in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        assert 70 <= signs.count(both) <= 130  # 100 +- 3.5 sqrt(400 * 3/16)
    one_axis = Augment(**STILL | {"flip": (False, True)})
    image = np.arange(6.0).reshape(2, 3)
    results = [one_axis(image, generator=seeded(seed)).tolist() for seed in range(20)]
    assert {str(r) for r in results} == {str(image.tolist()), str(image[:, ::-1].tolist())}


def test_amounts_are_spread_over_their_range() -> None:
    augment = Augment(rotate=10, scale=(0.8, 1.0), shift=2, flip=False)
    angles, factors, moves = [], [], []
    for seed in range(200):
        matrix, move = content(augment, seed, (20, 20))
        angles.append(np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0])) / 10)
        factors.append((np.sqrt(np.linalg.det(matrix)) - 0.9) / 0.1)
        moves.append(move / 2)
    for uniform in (np.array(angles), np.array(factors), *np.array(moves).T):
        assert abs(uniform.mean()) < 3.5 / np.sqrt(3 * 200)
        assert abs(uniform.var() - 1 / 3) < 0.08  # 3.5 standard errors
        assert uniform.min() < -0.9
        assert uniform.max() > 0.9


@pytest.mark.parametrize("seed", range(5))
def test_one_interpolation_alone(seed: int) -> None:
    augment = Augment(rotate=180, shift=4)
    image = seeded(9).random((20, 24))
    matrix, offset = sources(augment, seed, image.shape)
    centre = (np.array(image.shape) - 1) / 2
    grid = np.indices(image.shape).reshape(2, -1).T
    r, c = (np.clip((grid - centre) @ matrix.T + offset + centre, 0, [19, 23])).T
    r0, c0 = np.minimum(r.astype(int), 18), np.minimum(c.astype(int), 22)
    top = image[r0, c0] * (c0 + 1 - c) + image[r0, c0 + 1] * (c - c0)
    low = image[r0 + 1, c0] * (c0 + 1 - c) + image[r0 + 1, c0 + 1] * (c - c0)
    expected = top * (r0 + 1 - r) + low * (r - r0)
    moved = augment(image, generator=seeded(seed))
    np.testing.assert_allclose(moved.ravel(), expected, atol=1e-8)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 3]))
def test_the_mask_moves_with_the_image(seed: int, dims: int) -> None:
    shape = (17, 15, 11)[:dims]
    augment = Augment(spatial_dims=dims, rotate=40, shift=2, intensity=((2, 3), (5, 6)), noise=9.0)
    still = Augment(spatial_dims=dims, rotate=40, shift=2)
    mask = np.arange(np.prod(shape)).reshape(shape)  # each pixel another label
    _, moved = augment(np.zeros(shape), mask, generator=seeded(seed))
    where = still(np.indices(shape).astype(float), generator=seeded(seed))
    labels = np.array(np.unravel_index(moved, shape))
    assert moved.dtype == mask.dtype
    assert np.abs(labels - where).max() <= 0.5 + 1e-6


def test_masks_with_channels_and_booleans() -> None:
    image, mask = seeded(0).random((3, 16, 16)), seeded(1).random((16, 16)) > 0.5
    one_hot = np.stack([mask, ~mask]).astype(np.uint8)
    _, moved = Augment()(image, mask, generator=seeded(5))
    _, channels = Augment()(image, one_hot, generator=seeded(5))
    assert moved.dtype == bool
    np.testing.assert_array_equal(channels, np.stack([moved, ~moved]))


def test_outside_the_image_is_fill_and_outside_the_mask_0() -> None:
    augment = Augment(**STILL | {"shift": (0, 4)}, mode="constant", fill=-1000)
    image, mask = augment(np.ones((8, 8)), np.ones((8, 8), np.uint8), generator=seeded(3))
    assert set(np.unique(image[:, [0, -1]])) == {-1000, 1}
    assert set(np.unique(mask[:, [0, -1]])) == {0, 1}


def test_channels_move_alike() -> None:
    image = seeded(0).random((2, 3, 20, 20), dtype=np.float32)
    moved = Augment()(image, generator=seeded(1))
    for at in np.ndindex(2, 3):
        np.testing.assert_array_equal(moved[at], Augment()(image[at], generator=seeded(1)))


def test_turning_one_off_leaves_the_others() -> None:
    full, move = content(Augment(), 7, (30, 30))
    unturned, same = content(Augment(rotate=0), 7, (30, 30))
    np.testing.assert_allclose(move, same, atol=1e-8)
    np.testing.assert_allclose(np.sign(np.diag(full)), np.sign(np.diag(unturned)))
    np.testing.assert_allclose(abs(np.linalg.det(full)), abs(np.linalg.det(unturned)))


def test_gain_and_offset() -> None:
    image = seeded(0).random((30, 30))
    augment = Augment(**STILL, intensity=((0.5, 2.0), (-1.0, 1.0)))
    found = []
    for seed in range(100):
        changed = augment(image, generator=seeded(seed))
        gain, offset = np.polyfit(image.ravel(), changed.ravel(), 1)
        np.testing.assert_allclose(changed, gain * image + offset, atol=1e-9)
        found.append((gain, offset))
    low, high = np.min(found, axis=0), np.max(found, axis=0)
    assert np.all(low >= [0.5, -1.0])
    assert np.all(high <= [2.0, 1.0])
    assert np.all(high - low > [1.3, 1.8])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_has_its_standard_deviation(dtype: str) -> None:
    image = np.zeros((200, 200), dtype)
    noise = Augment(**STILL, noise=0.3)(image, generator=seeded(0))
    assert noise.dtype == dtype
    assert abs(noise.std() - 0.3) < 0.3 * 3.5 / np.sqrt(2 * noise.size)
    assert abs(noise.mean()) < 3.5 * 0.3 / 200


def test_uint8_is_rounded_and_clipped() -> None:
    image = np.array([[0, 100, 200, 255]], np.uint8)
    brighter = Augment(**STILL, intensity=((1.5, 1.5), (0.4, 0.4)))(image, generator=seeded(0))
    assert brighter.dtype == np.uint8
    assert brighter.tolist() == [[0, 150, 255, 255]]
    darker = Augment(**STILL, intensity=((1, 1), (-150.6, -150.6)))(image, generator=seeded(0))
    assert darker.tolist() == [[0, 0, 49, 104]]


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_probability(probability: float) -> None:
    augment, image = Augment(probability=probability), seeded(0).random((8, 8))
    changed = sum(
        not np.array_equal(augment(image, generator=seeded(seed)), image) for seed in range(300)
    )
    assert abs(changed / 300 - probability) <= 3.5 * np.sqrt(probability * (1 - probability) / 300)


@pytest.mark.parametrize("probability", [0.0, 1.0])
@pytest.mark.parametrize("still", [False, True])
def test_inputs_are_left_alone(probability: float, still: bool) -> None:
    image, mask = seeded(0).random((12, 12)), seeded(0).random((12, 12)) > 0.5
    before = image.copy(), mask.copy()
    image.flags.writeable = mask.flags.writeable = False
    augment = Augment(
        **(STILL if still else {}),
        probability=probability,
        intensity=((1, 2), (0, 1)),
        noise=0.1,
    )
    assert not np.shares_memory(augment(image, generator=seeded(1)), image)
    moved = augment(image, mask, generator=seeded(1))
    for given_array, kept, result in zip((image, mask), before, moved, strict=True):
        np.testing.assert_array_equal(given_array, kept)
        assert not np.shares_memory(result, given_array)
        assert result.flags.writeable


def test_the_generator_decides() -> None:
    image = seeded(0).random((12, 12))
    first = Augment(noise=0.1)(image, generator=seeded(1))
    np.testing.assert_array_equal(first, Augment(noise=0.1)(image, generator=seeded(1)))
    assert not np.array_equal(first, Augment(noise=0.1)(image, generator=seeded(2)))
    manual_seed(5)
    default = Augment()(image)
    manual_seed(5)
    np.testing.assert_array_equal(default, Augment()(image))


def test_it_joins_a_loader() -> None:
    images, masks = seeded(0).random((6, 12, 12)), seeded(1).random((6, 12, 12)) > 0.5
    labels = np.arange(6)
    augment = Augment()
    loader = DataLoader(
        TensorDataset(images, labels), 6, augment=augment.on_image, generator=seeded(3)
    )
    pairs = DataLoader(
        TensorDataset(images, masks, labels),
        6,
        augment=augment.on_image_and_mask,
        generator=seeded(3),
        num_workers=2,
    )
    (x, y), (x2, m, y2) = next(iter(loader)), next(iter(pairs))
    np.testing.assert_array_equal(x.data, x2.data)
    np.testing.assert_array_equal(y.data, y2.data)
    assert m.data.dtype == bool
    assert not np.array_equal(x.data, images)
    assert not np.array_equal(m.data, masks)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"rotate": -1}, ValueError, "rotate is -1, a largest amount >= 0"),
        ({"rotate": np.nan}, ValueError, "rotate is nan, a finite number"),
        ({"rotate": (1, 2, 3)}, ValueError, r"rotate is \(1, 2, 3\), one number or 1 expected"),
        ({"rotate": (1, 2), "spatial_dims": 3}, ValueError, "one number or 3"),
        ({"scale": (0, 1)}, ValueError, r"scale is \(0, 1\), factors above 0"),
        ({"scale": (1.1, 0.9)}, ValueError, "low <= high"),
        ({"scale": 1.1}, ValueError, r"scale is 1.1, a range \(low, high\)"),
        ({"scale": (0.9, np.inf)}, ValueError, "scale is inf"),
        ({"shift": -2}, ValueError, "shift is -2"),
        ({"shift": (1, 2, 3)}, ValueError, "one number or 2"),
        ({"shift": "3"}, TypeError, "shift is '3', a number"),
        ({"flip": 0.5}, ValueError, "flip is 0.5, True or False"),
        ({"flip": (True,)}, ValueError, "one number or 2"),
        ({"intensity": (0.9, 1.1)}, ValueError, r"gain is 0.9, a range \(low, high\)"),
        ({"intensity": ((0.9, 1.1),)}, ValueError, "two ranges"),
        ({"intensity": ((1, 1), (1, 0))}, ValueError, r"offset is \(1, 0\), low <= high"),
        ({"noise": -0.1}, ValueError, "noise is -0.1"),
        ({"probability": 1.1}, ValueError, "probability is 1.1, 0 to 1"),
        ({"probability": np.nan}, ValueError, "probability is nan"),
        ({"spatial_dims": 4}, ValueError, r"spatial_dims is 4, one of \(2, 3\)"),
        ({"order": 6}, ValueError, "order is 6"),
        ({"mode": "zeros"}, ValueError, "mode is 'zeros'"),
        ({"fill": -1000}, ValueError, "fill=-1000 with mode 'nearest'"),
    ],
)
def test_settings_that_cannot_be(arguments: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=f"^Augment: .*{message}"):
        Augment(**arguments)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: Augment()(np.ones(5)), ValueError, r"shape \(5,\)"),
        (lambda: Augment(spatial_dims=3)(np.ones((5, 5))), ValueError, "at least 3 spatial axes"),
        (lambda: Augment()(np.ones((0, 5))), ValueError, r"shape \(0, 5\)"),
        (lambda: Augment()(np.ones((5, 5), bool)), TypeError, "boolean image"),
        (lambda: Augment()(np.ones((5, 5), complex)), TypeError, "complex128"),
        (
            lambda: Augment()(np.ones((5, 5)), np.ones((5, 6))),
            ValueError,
            r"image \(5, 5\) and mask \(5, 6\) differ in their last 2 axes",
        ),
        (
            lambda: Augment()(np.ones((3, 5, 5)), np.ones((5, 5, 3))),
            ValueError,
            r"image \(3, 5, 5\) and mask \(5, 5, 3\)",
        ),
        (lambda: Augment()(np.ones((5, 5)), np.ones((5, 5), object)), TypeError, "object"),
    ],
)
def test_images_that_cannot_be(
    call: Callable[[], Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        call()
