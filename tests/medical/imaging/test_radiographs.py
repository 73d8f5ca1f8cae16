"""Synthetic radiographs: what a pneumonia changes in them, and how they are dealt."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.medical.imaging.radiographs import draw_radiograph, synthesise_radiographs
from tinymed.metrics import roc_auc


def test_splits_are_by_patient_and_a_patient_is_ill_or_not():
    dataset = synthesise_radiographs(40, np.random.default_rng(1))
    seen: set[int] = set()
    for split in dataset.splits.values():
        assert split.images.shape[1:] == (28, 28)
        assert split.images.dtype == np.uint8
        groups = set(split.groups.tolist())
        assert not groups & seen
        seen |= groups
        for group in groups:
            assert len(set(split.labels[split.groups == group].tolist())) == 1
    assert len(seen) == 40


def test_a_patient_depends_on_the_seed_and_its_number_alone():
    few = synthesise_radiographs(10, np.random.default_rng(3))["train"]
    many = synthesise_radiographs(20, np.random.default_rng(3))["train"]
    count = len(few)
    np.testing.assert_array_equal(few.images, many.images[:count])
    other = synthesise_radiographs(10, np.random.default_rng(4))["train"]
    assert other.images.shape != few.images.shape or (other.images != few.images).any()


def test_the_same_chest_is_whiter_in_its_lungs_when_ill():
    differences = np.array(
        [
            draw_radiograph(True, np.random.default_rng(seed)).astype(float)
            - draw_radiograph(False, np.random.default_rng(seed))
            for seed in range(60)
        ]
    ).mean(0)
    lungs = np.r_[5:10, 18:23]
    assert differences[8:18, lungs].mean() > 8  # of 255
    assert abs(differences[:2]).mean() < 3  # the shoulders, up to noise


def test_brightness_alone_does_not_tell():
    dataset = synthesise_radiographs(200, np.random.default_rng(0))["train"]
    assert 0.45 < roc_auc(dataset.labels, dataset.images.mean((1, 2))) < 0.75


def test_too_few_patients():
    with pytest.raises(ValueError, match="synthesise_radiographs: 3 patients, at least 7"):
        synthesise_radiographs(3, np.random.default_rng(0))
