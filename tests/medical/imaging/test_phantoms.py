"""Synthetic CT: reproducible, plausible in Hounsfield units, and neither easy nor impossible."""

import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from tinymed import manual_seed
from tinymed.medical.imaging.phantoms import draw_patches, draw_patient, synthesise
from tinymed.medical.imaging.windowing import to_hounsfield

ROWS, COLUMNS = np.mgrid[:50, :50] - 24.5
RADIUS = np.hypot(ROWS, COLUMNS)


@pytest.fixture(scope="module")
def dataset():
    return synthesise(110, np.random.default_rng(0))


@pytest.fixture(scope="module")
def everything(dataset):
    """Images in HU, labels, groups of all splits."""
    splits = dataset.splits.values()
    images = np.concatenate([split.images for split in splits])
    columns = [np.concatenate([getattr(s, name) for s in splits]) for name in ("labels", "groups")]
    return to_hounsfield(images), *columns


def test_splits_are_by_patient(dataset):
    groups = [set(split.groups.tolist()) for split in dataset.splits.values()]
    assert [len(g) for g in groups] == [77, 17, 16]
    assert len(set.union(*groups)) == 110
    for split in dataset.splits.values():
        sizes = np.unique(split.groups, return_counts=True)[1]
        assert sizes.min() >= 8
        assert sizes.max() <= 16
        assert split.images.shape[1:] == (50, 50)
        assert split.images.dtype == np.uint8


def test_the_seed_decides_everything(dataset):
    again = synthesise(12, np.random.default_rng(0))["train"]
    start = dataset["train"].images[: len(again)]
    assert np.array_equal(again.images, start)  # patients do not depend on how many there are
    other = synthesise(12, np.random.default_rng(1))["train"]
    assert not np.array_equal(other.images[:8], again.images[:8])


def test_the_default_generator_is_used():
    manual_seed(5)
    first = synthesise(8)["test"].images
    manual_seed(5)
    assert np.array_equal(first, synthesise(8)["test"].images)


@pytest.mark.parametrize("patients", [-1, 0, 1, 3])
def test_too_few_patients(patients):
    with pytest.raises(ValueError, match=f"synthesise: {patients} patients, at least"):
        synthesise(patients, np.random.default_rng(0))


def test_seven_patients_are_enough():
    assert [
        len(set(s.groups)) for s in synthesise(7, np.random.default_rng(0)).splits.values()
    ] == [
        5,
        1,
        1,
    ]


def test_densities_are_those_of_a_chest(everything):
    hu, labels, _ = everything
    lung = np.array([np.median(image[image < -700]) for image in hu if (image < -700).any()])
    assert -900 < np.median(lung) < -820
    assert 0.05 < (hu > -300).mean() < 0.45  # vessels, nodules, chest wall
    centre = hu[:, 23:27, 23:27].mean((1, 2))
    assert np.median(centre[labels == 1]) > -300


def test_patients_share_a_scanner(everything):
    hu, _, groups = everything
    grain = (hu[:, :, 1:] - hu[:, :, :-1])[:, 1:-1].reshape(len(hu), -1)
    grain = np.log(np.median(np.abs(grain), axis=1) + 1)
    means = np.array([grain[groups == g].mean() for g in np.unique(groups)])
    within = np.mean([grain[groups == g].std() for g in np.unique(groups)])
    assert means.std() > 2 * within


def test_noise_and_nothing_else_is_added():
    patient = replace(draw_patient(np.random.default_rng(0)), noise=0.0)
    nodules = np.arange(12) % 2 == 0
    quiet = draw_patches(patient, nodules, np.random.default_rng(1))
    loud = draw_patches(replace(patient, noise=50.0), nodules, np.random.default_rng(1))
    assert float((loud - quiet).std()) == pytest.approx(50, rel=0.03)


def radial_features(hu):
    rings = [hu[:, (r <= RADIUS) & (r + 2 > RADIUS)] for r in range(0, 24, 2)]
    return np.concatenate([[ring.mean(1), ring.std(1), ring.max(1)] for ring in rings]).T


def either_way(labels, score):
    auc = roc_auc_score(labels, score)
    return max(auc, 1 - auc)


def test_no_single_number_tells_nodules(everything):
    hu, labels, _ = everything
    assert either_way(labels, hu.mean((1, 2))) < 0.65
    assert either_way(labels, hu.std((1, 2))) < 0.65
    assert either_way(labels, (hu > -300).mean((1, 2))) < 0.65
    assert either_way(labels, hu[:, 23:27, 23:27].mean((1, 2))) < 0.85  # real patches: 0.81


def test_shape_tells_nodules_but_not_all(everything):
    hu, labels, groups = everything
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    score = cross_val_predict(
        model, radial_features(hu), labels, groups=groups, cv=GroupKFold(3), method="predict_proba"
    )[:, 1]
    assert 0.85 < roc_auc_score(labels, score) < 0.97


def test_speed():
    start = time.process_time()
    count = sum(len(s) for s in synthesise(10, np.random.default_rng(3)).splits.values())
    assert (time.process_time() - start) / count < 0.02  # 0.003 on a laptop core
