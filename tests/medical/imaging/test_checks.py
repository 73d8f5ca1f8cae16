"""The data report: each fault is planted, found, and not found where it is not."""

import json
from pathlib import Path

import numpy as np
import pytest

from tinymed.medical.imaging.checks import check_dataset
from tinymed.medical.imaging.dataset import ImageDataset, Split, read_npz
from tinymed.medical.imaging.phantoms import synthesise

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"


def scenes(n, seed=0, shape=(40, 40)):
    """Return smooth random images with grain, uint8."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(40, 200, (n, shape[0] // 5, shape[1] // 5))
    smooth = coarse.repeat(5, axis=1).repeat(5, axis=2)
    return (smooth + generator.normal(0, 6, smooth.shape)).clip(0, 255).astype(np.uint8)


def report_on(train, test, *, labels=None, groups=None):
    train_labels, test_labels = labels or (np.arange(len(train)) % 2, np.arange(len(test)) % 2)
    train_groups, test_groups = groups or (np.arange(len(train)), 1000 + np.arange(len(test)))
    return check_dataset(
        ImageDataset(
            "x",
            {
                "train": Split(train, train_labels, train_groups),
                "test": Split(test, test_labels, test_groups),
            },
        )
    )


def test_clean_data_have_no_findings():
    report = report_on(scenes(80), scenes(80, seed=1))
    assert (report.problems, report.warnings) == ([], [])
    assert [s.class_counts for s in report.splits] == [{0: 40, 1: 40}] * 2
    assert [s.groups for s in report.splits] == [80, 80]


def test_shared_groups_are_a_problem_that_names_some():
    groups = (np.arange(8), np.array([7, 6, 5, 4, 3, 2, 1, 9]))
    report = report_on(scenes(8), scenes(8, seed=1), groups=groups)
    assert report.shared[0].groups == [1, 2, 3, 4, 5, 6, 7]
    assert report.problems == ["train/test: 7 groups are on both sides: 1, 2, 3, 4, 5 and 2 more"]


def test_shared_groups_may_be_strings():
    report = report_on(scenes(2), scenes(2, 1), groups=(np.array(["p", "q"]), np.array(["q", "r"])))
    assert report.problems == ["train/test: 1 group is on both sides: q"]


def test_equal_images_are_found_with_their_indices():
    train, test = scenes(70), scenes(70, seed=1)
    test[[3, 60]] = train[[50, 0]]
    report = report_on(train, test)
    assert sorted(report.shared[0].exact) == [(0, 60), (50, 3)]
    assert report.shared[0].near == []
    assert report.shared[0].relabelled == 1  # 50 is of class 0, 3 of class 1
    assert any("2 of 70 test images are exactly in train" in w for w in report.warnings)
    assert any("1 of these duplicates carry another label" in w for w in report.warnings)


VIEWS = {
    "turned": lambda x: np.rot90(x, 1, (1, 2)),
    "upside down": lambda x: np.rot90(x, 2, (1, 2)),
    "mirrored": lambda x: x[:, :, ::-1],
    "turned and mirrored": lambda x: np.rot90(x, 3, (1, 2))[:, ::-1],
    "darker": lambda x: x * 0.7,
    "gamma": lambda x: 255 * (x / 255) ** 1.3,
    "noisy": lambda x: x + np.random.default_rng(3).normal(0, 4, x.shape),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_changed_copies_are_near_duplicates(view):
    train, test = scenes(70), scenes(70, seed=1)
    test[10:20] = view(train[30:40].astype(np.float64) + 1).clip(0, 255).astype(np.uint8)
    report = report_on(train, test)
    assert report.shared[0].exact == []
    assert report.shared[0].near == [(30 + k, 10 + k) for k in range(10)]


def test_images_that_are_not_square_are_turned_by_half_only():
    train, test = scenes(40, shape=(40, 60)), scenes(40, seed=1, shape=(40, 60))
    test[5] = np.rot90(train[7], 2) - 1
    assert report_on(train, test).shared[0].near == [(7, 5)]


@pytest.mark.parametrize("shape", [(20, 25, 25), (25, 25, 3)], ids=["volumes", "colour"])
def test_volumes_and_colours(shape):
    generator = np.random.default_rng(0)
    train, test = generator.normal(0, 9, (2, 6, *shape))
    test[4] = train[2, :, ::-1] if shape[-1] == 25 else train[2, ::-1]
    assert report_on(train, test).shared[0].near == [(2, 4)]


def test_constant_images_are_a_warning_and_no_duplicates():
    train, test = scenes(40), scenes(40, seed=1)
    train[[1, 9]] = 0
    test[2] = 0
    report = report_on(train, test)
    assert [s.constant_images for s in report.splits] == [[1, 9], [2]]
    assert report.shared[0].exact == []
    assert "train: 2 of 40 images are constant, index 1, 9" in report.warnings


def test_nothing_but_constant_images():
    train = np.zeros((3, 9, 9), np.uint8)
    assert report_on(train, train).splits[1].constant_images == [0, 1, 2]


def test_classes():
    both, zeros = np.arange(40) % 2, np.zeros(40, int)
    train, test = scenes(40), scenes(40, seed=1)
    one = report_on(train, test, labels=(zeros, zeros)).problems
    assert one == [
        f"{s}: all labels are 0, at least two classes expected" for s in ("train", "test")
    ]
    problems = report_on(train, test, labels=(zeros, both)).problems
    assert problems == ["train: no image of class 1, which other splits have"]
    report = report_on(train, test, labels=(both, zeros))
    assert report.problems == []
    assert "test: 0 images of class 1, too few to measure it well" in report.warnings


def test_clipped_pixels():
    train, test = scenes(40), scenes(40, seed=1)
    train[:, :10] = 0
    report = report_on(train, test)
    assert report.splits[0].at_lowest == pytest.approx(0.25, abs=0.01)
    assert any("train: 25% of the pixels have the lowest value" in w for w in report.warnings)


def test_unknown_groups_are_a_warning():
    labels = np.arange(80) % 2
    splits = {"train": Split(scenes(80), labels), "val": Split(scenes(80, 1), labels)}
    (warning,) = check_dataset(ImageDataset("x", splits)).warnings
    assert warning.startswith("train, val: no groups, so it cannot be checked that each patient")


def test_masks_instead_of_labels():
    images = scenes(4)
    report = check_dataset(ImageDataset("x", {"train": Split(images, masks=images > 99)}))
    assert (report.problems, report.warnings) == ([], [])
    assert report.splits[0].class_counts == {}


def test_report_is_json():
    train = scenes(8)
    facts = report_on(train, train).to_dict()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["shared"][0]["exact"] == [[i, i] for i in range(8)]


def test_phantoms_have_no_findings():
    report = check_dataset(synthesise(60, np.random.default_rng(1)))
    assert report.problems == []
    assert [pair.near for pair in report.shared] == [[], [], []]


needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")


@needs_shared
def test_lung_nodules_are_clean():
    report = check_dataset(read_npz(SHARED / "luna16_nodules.npz"))
    assert (report.problems, report.warnings) == ([], [])


@needs_shared
def test_chest_x_rays_have_copies():
    report = check_dataset(read_npz(SHARED / "pneumoniamnist_train_val.npz"))
    (pair,) = report.shared
    assert len(pair.exact) == 8
    assert pair.relabelled == 0
    assert report.problems == []
