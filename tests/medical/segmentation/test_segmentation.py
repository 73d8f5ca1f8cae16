"""The parts of outlining: losses, views, what is shown in training, the simple method, files."""

from __future__ import annotations

import numpy as np
import pytest

import tinymed as tm
from tinymed.data import Augment
from tinymed.errors import DataError
from tinymed.medical.segmentation.ball import Ball, fitted_ball
from tinymed.medical.segmentation.examples import Cut, Moved, image_and_place, read_outlined
from tinymed.medical.segmentation.judgement import best_threshold, judged_outlines
from tinymed.medical.segmentation.losses import OutlineLoss, signed_distance
from tinymed.medical.segmentation.views import from_centre, views

pytest.importorskip("scipy")


def ball_of(radius, shape=(15, 15, 15)):
    middle = [(size - 1) / 2 for size in shape]
    return np.linalg.norm(np.moveaxis(np.indices(shape), 0, -1) - middle, axis=-1) <= radius


# ------------------------------------------------------------------------------------- losses


def test_signed_distance_is_that_to_the_nearest_voxel_of_the_other_side():
    mask = np.random.default_rng(0).random((6, 7, 5)) < 0.3
    places = np.moveaxis(np.indices(mask.shape), 0, -1).reshape(-1, 3)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    apart[mask.ravel()[:, None] == mask.ravel()[None]] = np.inf
    nearest = apart.min(1).reshape(mask.shape)
    np.testing.assert_allclose(
        signed_distance(mask), np.where(mask, 0.5 - nearest, nearest - 0.5), rtol=1e-5
    )
    assert not signed_distance(np.zeros((3, 3))).any()
    assert not signed_distance(np.ones((3, 3))).any()


def test_the_loss_is_the_sum_of_its_formulas():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((2, 1, 5, 6))
    mask = generator.random((2, 1, 5, 6)) < 0.3
    far = np.stack([signed_distance(each) for each in mask[:, 0]])[:, None].astype(np.float64)
    p = 1 / (1 + np.exp(-x))
    entropy = -np.where(mask, np.log(p), np.log(1 - p)).mean()
    overlap = (p * mask).sum((1, 2, 3))
    dice = 1 - (2 * overlap + 1) / (p.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)
    region = entropy + dice.mean()
    both = tm.tensor(np.concatenate([mask, far], axis=1).astype(np.float64))
    assert OutlineLoss()(tm.tensor(x), both[:, :1]).item() == pytest.approx(region)
    expected = region + 0.3 * (p * far).mean()
    assert OutlineLoss(0.3)(tm.tensor(x), both).item() == pytest.approx(expected)


def test_targets_that_do_not_fit_the_loss_are_refused():
    x, target = tm.zeros(1, 1, 4, 4), tm.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match="2 channels expected with boundary"):
        OutlineLoss(0.1)(x, target)
    with pytest.raises(ValueError, match="boundary=-1"):
        OutlineLoss(-1)


# -------------------------------------------------------------------------------- what is shown


@pytest.mark.parametrize(("dimensions", "count"), [(2, 8), (3, 16)])
def test_views_are_different_and_come_back(dimensions, count):
    x = np.random.default_rng(0).random((2, 2, *(5, 4, 3)[:dimensions]))
    ways = list(views(dimensions))
    assert len({turn(x).tobytes() + bytes(turn(x).shape) for turn, _ in ways}) == count
    for turn, back in ways:
        np.testing.assert_array_equal(back(turn(x)), x)


def test_the_centre_is_where_the_distance_is_least_in_every_view():
    shown = image_and_place(np.zeros((1, 1, 9, 9, 5), np.float32))
    assert np.unravel_index(shown[0, 1].argmin(), (9, 9, 5)) == (4, 4, 2)
    for turn, _ in views(3):
        np.testing.assert_array_equal(turn(shown), shown)
    assert from_centre((41, 41))[20, 0] == 0


def test_image_mask_and_distance_move_together_and_the_place_does_not():
    mask = ball_of(4)[None].astype(np.float32)
    moved = Moved(Augment(spatial_dims=3, rotate=(15, 15, 180), shift=3), distances=True)
    image, target = moved((mask, mask), np.random.default_rng(1))
    assert (image[0] > 0.5).sum() == pytest.approx(target[0].sum(), rel=0.1)
    assert ((image[0] > 0.5) == target[0]).mean() > 0.98
    assert not np.array_equal(target[0], mask[0])
    np.testing.assert_array_equal(target[1], signed_distance(target[0]))
    np.testing.assert_array_equal(image[1], from_centre((15, 15, 15)))


def test_parts_are_cut_at_one_place_and_of_all_sizes():
    x = tm.tensor(np.arange(2 * 9 * 12, dtype=np.float32).reshape(1, 2, 9, 12))
    cut, sizes = Cut((4, 10)), set()
    for seed in range(40):
        a, b = cut((x, x[:, :1]), np.random.default_rng(seed))
        np.testing.assert_array_equal(a[:, :1].numpy(), b.numpy())
        sizes.add(a.shape[2:])
    assert sizes == {(min(side, 9), side) for side in range(4, 11)}


# -------------------------------------------------------------------------------- simple method


def test_the_ball_keeps_the_piece_at_the_centre():
    volume = np.zeros((9, 9))
    volume[3:6, 3:6] = volume[0, 0] = volume[3, 8] = 1
    found = Ball(0.5, np.inf)(volume)
    assert found.sum() == 9
    assert found[3:6, 3:6].all()
    assert Ball(0.5, 1.1)(volume).sum() == 5
    assert not Ball(2.0, 5.0)(volume).any()


def test_the_fit_finds_threshold_and_radius():
    masks = np.stack([ball_of(3), ball_of(4)])
    volumes = np.where(masks, 0.8, 0.1)
    volumes[:, 7, 7, 7:] = 0.8  # a vessel to the edge
    ball = fitted_ball(volumes, masks)
    assert 0.1 < ball.threshold <= 0.8
    assert judged_outlines(masks, np.stack([ball(v) for v in volumes]), None, None)["dice"] > 0.9


# -------------------------------------------------------------------------------------- measures


def test_metrics_are_means_over_cases_and_what_is_missed_is_counted():
    masks = np.stack([ball_of(3), ball_of(5), ball_of(4)])
    found = np.stack([ball_of(3), np.zeros_like(masks[0]), ball_of(5)])
    metrics = judged_outlines(masks, found, None, 0.5)
    each = [case["dice"] for case in metrics["cases"]]
    assert each[:2] == [1, 0]
    assert metrics["dice"] == pytest.approx(np.mean(each))
    assert metrics["dice_ci"][0] <= metrics["dice"] <= metrics["dice_ci"][1]
    assert metrics["missed"] == 1
    assert metrics["warnings"] == ["nothing is outlined in 1 of 3 cases"]
    distances = [case["surface_distance"] for case in metrics["cases"]]
    assert distances[:2] == [0, None]
    assert metrics["surface_distance"] == pytest.approx(distances[2] / 2)
    assert judged_outlines(masks[:1], found[1:2], None, 0.5)["surface_distance"] is None
    assert "dice_ci" not in judged_outlines(masks[:1], found[:1], None, 0.5)


def test_the_threshold_is_the_best_on_the_cases():
    mask = ball_of(4)[None]
    probability = np.where(mask, 0.9, np.where(ball_of(5)[None], 0.62, 0.1))
    assert best_threshold(probability, mask) == 0.65
    assert best_threshold(np.where(mask, 0.9, 0.1), mask) == 0.5


# ----------------------------------------------------------------------------------------- files


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_a_file_with_masks_is_read_in_its_splits(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (3, 9, 9, 9)).astype(np.uint8)
    masks = images > 100
    path = npz(tmp_path / "x.npz", train_images=images[:2], train_masks=masks[:2],
               test_images=images[2:], test_masks=masks[2:].astype(np.uint8))  # fmt: skip
    read = read_outlined(path)
    np.testing.assert_array_equal(read.targets, masks)
    assert read.splits.tolist() == ["train", "train", "test"]
    np.save(tmp_path / "x.npy", images)
    assert read_outlined(tmp_path / "x.npy", 3).inputs.shape == (3, 9, 9, 9)
    np.save(tmp_path / "one.npy", images[0])
    assert read_outlined(tmp_path / "one.npy", 3).inputs.shape == (1, 9, 9, 9)
    assert read_outlined(tmp_path / "one.npy", 2).inputs.shape == (9, 9, 9)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.full((2, 9, 9), 2, np.uint8), "train_masks hold"),
        (np.zeros((2, 9, 9), np.uint8), "2 of 2 train_masks are empty"),
        (np.ones((2, 9, 8), np.uint8), "do not fit images"),
    ],
)
def test_masks_that_are_none_are_refused(masks, message, tmp_path):
    images = np.ones((2, 9, 9), np.uint8)
    with pytest.raises((DataError, ValueError), match=message):
        read_outlined(npz(tmp_path / "x.npz", train_images=images, train_masks=masks))


def test_images_of_other_dimensions_or_sizes_are_refused(tmp_path):
    for shape, wanted, message in (
        ((2, 9, 9), 3, "3 axes"),
        ((2, 300, 300), None, "8 to 128"),
        ((2, 4, 9), None, "8 to 128"),
    ):
        mask = np.ones(shape, np.uint8)
        path = npz(tmp_path / "x.npz", train_images=mask, train_masks=mask)
        with pytest.raises(DataError, match=message):
            read_outlined(path, wanted)
