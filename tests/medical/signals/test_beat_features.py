"""Descriptors of beats, on rhythms whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.medical.signals.beat_features import (
    RHYTHM,
    SHAPE,
    beat_features,
    beat_shapes,
    rhythm_features,
    shape_features,
)

PLACE = np.arange(128)


def beat(width=3.0, height=200.0):
    return height * np.exp(-0.5 * ((PLACE - 45) / width) ** 2)


def regular(n=50, rr=300.0):
    return np.full((n, 2), rr)


def column(features, name, names=RHYTHM):
    return features[:, names.index(name)]


def test_a_regular_rhythm_has_ratios_of_one():
    features = rhythm_features(regular())
    expected = np.zeros(len(RHYTHM))
    expected[0] = 4 * np.log(300 / 360)
    np.testing.assert_allclose(features, np.tile(expected, (50, 1)), atol=1e-6)


def test_an_early_beat_is_early_against_all_references():
    rr = regular()
    rr[25, 0] = rr[24, 1] = 180
    features = rhythm_features(rr)
    early = 4 * np.log(180 / 300)
    for name in ("log before / patient's median", "log before / local median"):
        assert column(features, name)[25] == pytest.approx(early, abs=1e-5)
    assert column(features, "log before / the interval before that")[25] == pytest.approx(early)
    assert column(features, "log after / local median")[24] == pytest.approx(early, abs=1e-5)
    assert column(features, "log after / before")[25] == pytest.approx(-early, abs=1e-5)


def test_a_lead_is_measured_in_units_of_its_patient():
    beats = np.stack([beat()] * 9 + [beat(6.0)])
    first, second = beat_shapes(beats), beat_shapes(3 * beats + 70)
    np.testing.assert_allclose(first, second, atol=1e-5)
    np.testing.assert_allclose(first[0, 1], 0, atol=1e-6)  # the usual beat differs in nothing
    assert np.abs(first[9, 1]).max() > 0.5


@pytest.mark.parametrize("unit", [1e-3, 1 / 200, 10.0])
def test_the_unit_of_a_lead_does_not_matter(unit):
    """In millivolts a low lead is less than 1 high."""
    beats = np.stack([beat(height=150)] * 9 + [beat(6.0)])
    np.testing.assert_allclose(beat_shapes(unit * beats), beat_shapes(beats), atol=1e-5)


def test_beats_that_cancel_out_are_measured_by_their_own_height():
    beats = np.stack([beat(), -beat()] * 5)
    assert np.abs(beat_shapes(beats)).max() == 8
    assert np.isfinite(beat_shapes(beats)).all()


def test_a_wide_beat_is_wide_and_unlike_the_others():
    generator = np.random.default_rng(0)
    beats = np.stack([beat()] * 20 + [beat(8.0)]) + generator.normal(0, 1, (21, 128))
    features = shape_features(beat_shapes(beats))
    alike, wide = (column(features, SHAPE[i], SHAPE) for i in (0, 3))
    assert alike[:20].min() > 0.99 > alike[20]
    assert wide[20] > np.abs(wide[:20]).max() + 0.5


def test_a_patient_does_not_change_another():
    generator = np.random.default_rng(1)
    samples, rr = generator.normal(0, 50, (30, 128)), generator.uniform(200, 400, (30, 2))
    patient = np.repeat([7, 3], 15)
    shapes, described = beat_features(samples, rr, patient)
    alone_shapes, alone = beat_features(samples[15:], rr[15:], patient[15:])
    np.testing.assert_array_equal(shapes[15:], alone_shapes)
    np.testing.assert_array_equal(described[15:], alone)


@pytest.mark.parametrize("n", [1, 2, 11])
def test_few_beats_give_finite_features(n):
    shapes, described = beat_features(np.stack([beat()] * n), regular(n), np.zeros(n, int))
    assert np.isfinite(shapes).all()
    assert np.isfinite(described).all()


def test_absurd_intervals_stay_finite():
    rr = regular()
    rr[10] = 32767, 1
    assert np.abs(rhythm_features(rr)).max() <= 6
