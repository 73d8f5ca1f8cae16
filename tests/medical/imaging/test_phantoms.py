"""Synthetic CT: reproducible, plausible in Hounsfield units, and neither easy nor impossible."""

import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from tinymed import manual_seed
from tinymed.medical.imaging.findings import MIMIC_SHARE
from tinymed.medical.imaging.phantoms import (
    READER_SPREAD,
    draw_patient,
    synthesise,
    synthesise_malignancy,
    synthesise_noise_free,
)
from tinymed.medical.imaging.windowing import to_hounsfield

ROWS, COLUMNS = np.mgrid[:50, :50] - 24.5
RADIUS = np.hypot(ROWS, COLUMNS)


@pytest.fixture(scope="module")
def dataset():
    return synthesise(100, np.random.default_rng(0))


@pytest.fixture(scope="module")
def everything(dataset):
    """Images in HU, labels, groups of all splits."""
    splits = dataset.splits.values()
    images = np.concatenate([split.images for split in splits])
    columns = [np.concatenate([getattr(s, name) for s in splits]) for name in ("labels", "groups")]
    return to_hounsfield(images), *columns


@pytest.fixture(scope="module")
def patients():
    return [draw_patient(np.random.default_rng(seed)) for seed in range(25)]


def test_splits_are_by_patient(dataset):
    groups = [set(split.groups.tolist()) for split in dataset.splits.values()]
    assert [len(g) for g in groups] == [70, 15, 15]
    assert set.union(*groups) == set(range(100))
    for split in dataset.splits.values():
        sizes = np.unique(split.groups, return_counts=True)[1]
        assert sizes.min() >= 4
        assert 9 < sizes.mean() < 16
        assert split.images.shape[1:] == (50, 50)
        assert split.images.dtype == np.uint8
        assert 0.25 < split.labels.mean() < 0.5


def test_every_patient_has_both_kinds(everything):
    _, labels, groups = everything
    for group in np.unique(groups):
        assert set(labels[groups == group]) == {0, 1}


def test_the_seed_decides_everything(dataset):
    again = synthesise(12, np.random.default_rng(0))["train"]
    start = dataset["train"].images[: len(again)]
    assert np.array_equal(again.images, start)  # patients do not depend on how many there are
    drawn_from = np.random.default_rng(0)
    drawn_from.random(1000)
    later = synthesise(12, drawn_from)["train"]
    assert np.array_equal(again.images, later.images)
    other = synthesise(12, np.random.default_rng(1))["train"]
    assert not np.array_equal(other.images[:4], again.images[:4])


@pytest.mark.parametrize("function", [synthesise, synthesise_malignancy])
def test_the_default_generator_is_used(function):
    manual_seed(5)
    first = function(8)["test"].images
    manual_seed(5)
    assert np.array_equal(first, function(8)["test"].images)


@pytest.mark.parametrize("patients", [-1, 0, 1, 3])
@pytest.mark.parametrize("function", [synthesise, synthesise_malignancy])
def test_too_few_patients(function, patients):
    with pytest.raises(ValueError, match=f"{function.__name__}: {patients} patients, at least 7"):
        function(patients, np.random.default_rng(0))


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
    lung = np.array([np.median(image[image < -600]) for image in hu if (image < -600).any()])
    assert np.quantile(lung, (0.05, 0.5, 0.95)) == pytest.approx((-920, -855, -775), abs=25)
    assert 0.1 < (hu > -300).mean() < 0.4  # vessels, nodules, chest wall
    centre = hu[:, 23:27, 23:27].mean((1, 2))
    assert np.median(centre[labels == 1]) > -300


def test_patients_share_a_scanner(everything):
    hu, _, groups = everything
    grain = (hu[:, :, 1:] - hu[:, :, :-1])[:, 1:-1].reshape(len(hu), -1)
    grain = np.log(np.median(np.abs(grain), axis=1) + 1)
    means = np.array([grain[groups == g].mean() for g in np.unique(groups)])
    within = np.mean([grain[groups == g].std() for g in np.unique(groups)])
    assert means.std() > 2 * within


def test_noise_and_nothing_else_is_added(patients):
    patient = patients[0]
    quiet, loud = (
        np.stack(
            [
                replace(patient, scanner=replace(patient.scanner, noise=noise)).patch(
                    finding, np.random.default_rng(index)
                )
                for index, finding in enumerate(patient.findings)
            ]
        )
        for noise in (0.0, 50.0)
    )
    assert float((loud - quiet).std()) == pytest.approx(50, rel=0.03)


def test_findings_are_where_they_say(patients):
    """Nodules in the lung; vessels and forks on the tree; the pleura where lung ends."""
    kinds = []
    for patient in patients:
        for finding in patient.findings:
            kinds.append(finding.kind)
            depth = float(patient.thorax.lung(*finding.place[:, None])[0])
            if finding.kind == "nodule":
                assert np.array_equal(patient.nodules[finding.nodule].centre, finding.place)
                assert depth > 1
            else:
                assert finding.nodule is None
            if finding.kind == "pleura":
                assert abs(depth) < 2
            if finding.kind == "bifurcation":
                gaps = np.abs(patient.lungs.forks[:, :3] - finding.place).sum(1)
                assert gaps.min() == 0
    mimics = [kind for kind in kinds if kind != "nodule"]
    assert set(mimics) == set(MIMIC_SHARE)
    assert mimics.count("vessel") / len(mimics) == pytest.approx(0.45, abs=0.12)
    assert mimics.count("bifurcation") / len(mimics) == pytest.approx(0.25, abs=0.1)


def test_a_patch_is_a_part_of_the_slice(patients):
    """What is drawn depends on the place, not on how much around it is drawn."""
    patient = patients[1]
    scanner = patient.scanner
    for finding in patient.findings[:6]:
        large, small = (scanner.slab(finding.place, (side, side)) for side in (112, 50))
        whole, part = (patient.scene(slab, patient.lung_share(slab)) for slab in (large, small))
        assert part == pytest.approx(whole[31:-31, 31:-31], abs=0.5)


def test_one_finding_may_be_seen_in_several_slices(patients):
    """What makes a split at random leak: slices of one nodule."""
    seen = [
        len(indices) - len(set(indices))
        for patient in patients
        for indices in [[f.nodule for f in patient.findings if f.nodule is not None]]
    ]
    assert sum(seen) > 10


def test_a_nodule_is_bright_in_the_lung(patients):
    for patient in patients:
        solid = [n for n in patient.nodules if n.kind in ("solid", "calcified") and n.diameter > 6]
        for nodule in solid:
            slab = patient.scanner.slab(nodule.centre, (5, 5))
            share = patient.lung_share(slab)
            assert patient.scene(slab, share)[6, 6] > -300


def test_malignancy_labels_are_ratings_with_disagreement():
    dataset = synthesise_malignancy(60, np.random.default_rng(0))
    labels = np.concatenate([split.labels for split in dataset.splits.values()])
    assert set(labels) == {0, 1}
    assert 0.25 < labels.mean() < 0.65
    groups = [set(split.groups.tolist()) for split in dataset.splits.values()]
    assert [len(g) for g in groups] == [42, 9, 9]
    assert READER_SPREAD == 0.75


def test_large_nodules_are_called_malignant():
    dataset = synthesise_malignancy(60, np.random.default_rng(1))
    hu = to_hounsfield(np.concatenate([split.images for split in dataset.splits.values()]))
    labels = np.concatenate([split.labels for split in dataset.splits.values()])
    bright = (hu[:, RADIUS < 12] > -300).mean(1)
    assert 0.6 < roc_auc_score(labels, bright) < 0.95


def radial_features(hu):
    rings = [hu[:, (r <= RADIUS) & (r + 2 > RADIUS)] for r in range(0, 24, 2)]
    return np.concatenate([[ring.mean(1), ring.std(1), ring.max(1)] for ring in rings]).T


def either_way(labels, score):
    auc = roc_auc_score(labels, score)
    return max(auc, 1 - auc)


def test_no_single_number_tells_nodules(everything):
    hu, labels, _ = everything
    assert either_way(labels, hu.mean((1, 2))) < 0.7
    assert either_way(labels, hu.std((1, 2))) < 0.75
    assert either_way(labels, (hu > -300).mean((1, 2))) < 0.75
    assert either_way(labels, hu[:, 23:27, 23:27].mean((1, 2))) < 0.85  # real patches: 0.81


def test_shape_tells_nodules_but_not_all(everything):
    hu, labels, groups = everything
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    score = cross_val_predict(
        model, radial_features(hu), labels, groups=groups, cv=GroupKFold(3), method="predict_proba"
    )[:, 1]
    assert 0.75 < roc_auc_score(labels, score) < 0.95


def test_speed():
    start = time.process_time()
    count = sum(len(s) for s in synthesise(10, np.random.default_rng(3)).splits.values())
    assert (time.process_time() - start) / count < 0.03  # 0.005 on a laptop core


def test_without_noise_the_same_patients_are_seen():
    clean = synthesise_noise_free(8, np.random.default_rng(0))
    noisy = synthesise(8, np.random.default_rng(0))
    for name, split in clean.splits.items():
        assert np.array_equal(split.labels, noisy[name].labels)
        assert np.array_equal(split.groups, noisy[name].groups)
        assert split.images.dtype == np.uint8
    rough, smooth = (
        np.abs(np.diff(data["train"].images.astype(float), 2)).mean() for data in (noisy, clean)
    )
    assert smooth < 0.7 * rough
