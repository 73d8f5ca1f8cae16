"""Synthetic recordings: what was drawn is there, and early beats can be put into any."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinymed.medical.signals.ectopy import with_atrial_beats
from tinymed.medical.signals.rhythm import draw_patient, record, synthesise


@pytest.fixture(scope="module")
def beats():
    return synthesise(12, 150, np.random.default_rng(0))


def test_same_generator_same_bits():
    first, second = (synthesise(2, 20, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first.samples, second.samples)
    np.testing.assert_array_equal(first.rr, second.rr)


def test_all_classes_occur_and_intervals_join(beats):
    assert set(np.unique(beats.label)) == {0, 1, 2}
    same = beats.patient[1:] == beats.patient[:-1]
    np.testing.assert_array_equal(beats.rr[1:, 0][same], beats.rr[:-1, 1][same])


def test_ectopic_beats_are_early_and_ventricular_ones_wide():
    generator = np.random.default_rng(1)
    drawn = replace(
        draw_patient(generator),
        irregular=0.02, atrial=0.1, ventricular_rate=0.1, pauses=0.0, blocked=0.0, run=0.0,
        noise=0.005, wander=0.0,
    )  # fmt: skip
    samples, rr, label = record(drawn, 400, generator)
    usual = np.median(rr[:, 0])
    for ectopic in (1, 2):
        assert np.median(rr[label == ectopic, 0]) < 0.85 * usual
    normal = np.median(samples[label == 0], axis=0)
    away = np.abs(samples - normal)[:, 35:60].mean(axis=1)
    assert np.median(away[label == 2]) > 2 * np.median(away[label == 1])


def test_counts_are_checked():
    with pytest.raises(ValueError, match="0 patients of 5 beats"):
        synthesise(0, 5, np.random.default_rng(0))


def test_early_atrial_beats_are_put_into_regular_recordings_only(beats):
    changed = with_atrial_beats(beats, np.random.default_rng(0), share=0.2, longest=20)
    new = changed.label != beats.label
    assert new.sum() > 0.05 * len(new)
    assert set(changed.label[new]) == {1}
    assert set(beats.label[new]) == {0}
    assert np.median(changed.rr[new, 0] / beats.rr[new, 0]) < 0.9
    np.testing.assert_array_equal(changed.samples[~new], beats.samples[~new])
    np.testing.assert_array_equal(changed.samples[:, 45:], beats.samples[:, 45:])  # the QRS stays
    same = beats.patient[1:] == beats.patient[:-1]
    np.testing.assert_array_equal(changed.rr[1:, 0][same], changed.rr[:-1, 1][same])
    for patient in np.unique(beats.patient):
        before = beats.rr[beats.patient == patient, 0]
        if np.median(np.abs(np.diff(before)) / before[1:]) > 0.12:
            assert not new[beats.patient == patient].any()


def test_a_recording_of_three_beats_stays_as_it_is():
    short = synthesise(1, 3, np.random.default_rng(0))
    changed = with_atrial_beats(short, np.random.default_rng(0), share=1.0)
    np.testing.assert_array_equal(changed.label, short.label)


def test_classes_are_needed(beats):
    with pytest.raises(ValueError, match="beats without classes"):
        with_atrial_beats(replace(beats, label=None), np.random.default_rng(0))
