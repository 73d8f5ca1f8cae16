"""Nodules against the numbers they were drawn from, and scars."""

import numpy as np
import pytest

from tinymed.medical.imaging.nodules import (
    MALIGNANCY_SHARE,
    Body,
    draw_nodule,
    draw_scar,
    micronodule,
)
from tinymed.medical.imaging.slabs import Slab

ORIGIN = np.zeros(3)


def nodules(malignancy, count=400, blood=20.0):
    generator = np.random.default_rng(malignancy)
    return [draw_nodule(ORIGIN, malignancy, blood, generator) for _ in range(count)]


def ball(radius, centre=ORIGIN, margin=0.5):
    none = np.empty(0)
    return Body(centre, np.eye(3), np.full(3, radius), np.empty((0, 3)), none, none, margin)


def painted(thing, background=-860.0, side=120):
    slab = Slab.about(ORIGIN, (side, side), 0.5, 1.0, 1)
    hu = np.full(slab.shape, background, np.float32)
    thing.paint(slab, hu, np.zeros(slab.shape, np.float32))
    return hu[0]


@pytest.mark.parametrize(
    ("malignancy", "expected"),
    [
        (1, (5.4, 6.7, 11.0)),
        (2, (5.7, 7.5, 11.2)),
        (3, (6.0, 8.5, 13.9)),
        (4, (9.7, 16.8, 28.3)),
        (5, (16.1, 28.0, 38.2)),
    ],
)
def test_diameters_are_those_of_lidc(malignancy, expected):
    diameters = [nodule.diameter for nodule in nodules(malignancy, 1500)]
    assert np.quantile(diameters, (0.1, 0.5, 0.9)) == pytest.approx(expected, rel=0.08)


def test_the_largest_axis_is_the_diameter():
    for nodule in nodules(3, 50):
        assert 2 * nodule.body.radii.max() == pytest.approx(nodule.diameter)


def test_kinds_are_as_frequent_as_in_lidc():
    kinds = {grade: [nodule.kind for nodule in nodules(grade, 1500)] for grade in (1, 3, 5)}
    assert kinds[1].count("calcified") / 1500 == pytest.approx(0.974, abs=0.02)
    assert kinds[3].count("ground-glass") / 1500 == pytest.approx(0.091, abs=0.02)
    assert kinds[3].count("part-solid") / 1500 == pytest.approx(0.075, abs=0.02)
    assert kinds[5].count("calcified") == kinds[5].count("ground-glass") == 0
    assert sum(MALIGNANCY_SHARE) == pytest.approx(1)


def test_densities_of_the_kinds():
    found = {}
    for grade in (1, 2, 3, 4):
        for nodule in nodules(grade, 600):
            hu = painted(nodule)[50:70, 50:70]
            middle = nodule.kind == "ground-glass"  # its strands are denser
            found.setdefault(nodule.kind, []).append(hu[9:11, 9:11].mean() if middle else hu.max())
            if nodule.kind == "cavitary":
                assert nodule.core_density == -950
    assert set(found) == {"solid", "calcified", "part-solid", "ground-glass", "cavitary"}
    assert np.median(found["solid"]) == pytest.approx(20, abs=12)
    assert np.std(found["solid"]) == pytest.approx(25, abs=8)
    assert min(found["calcified"]) >= 120  # a core may lie beside the slice
    assert np.median(found["calcified"]) > 350
    assert np.median(found["ground-glass"]) == pytest.approx(-560, abs=60)
    assert -200 < np.median(found["part-solid"]) < 80


def test_contrast_medium_brightens_nodules():
    plain, bright = (np.mean([n.density for n in nodules(5, 300, b)]) for b in (20.0, 220.0))
    assert bright - plain == pytest.approx(50, abs=8)


def test_suspicious_nodules_are_spiculated_and_lobulated():
    benign, malignant = nodules(2), nodules(5)
    spikes = [np.mean([len(n.spicules.pieces) for n in set_]) for set_ in (benign, malignant)]
    lobes = [np.mean([n.body.heights[0] for n in set_]) for set_ in (benign, malignant)]
    assert spikes[1] > 5 * spikes[0]
    assert lobes[1] > 2 * lobes[0]


@pytest.mark.parametrize("height", [0.0, 4.0])
def test_a_ball_has_the_area_of_its_cut(height):
    slab = Slab.about(np.array([0, 0, height]), (80, 80), 0.5, 1.0, 1)
    cover, (rows, columns) = ball(6.0).coverage(slab)
    assert float(cover.sum()) * 0.25 == pytest.approx(np.pi * (36 - height**2), rel=0.02)
    assert rows.stop - rows.start < 40  # no more than its surroundings
    assert columns == rows


def test_a_ball_elsewhere_is_not_seen():
    slab = Slab.about(ORIGIN, (80, 80), 0.5, 1.0, 1)
    assert ball(5.0, np.array([0, 0, 12.0])).coverage(slab) is None
    assert ball(5.0, np.array([90.0, 0, 0])).coverage(slab) is None


def test_bumps_stay_within_reach():
    for nodule in nodules(5, 20):
        slab = Slab.about(ORIGIN, (300, 300), 0.4, 1.0, 1)
        cover, where = nodule.body.coverage(slab)
        full = np.zeros(slab.shape)
        full[:, where[0], where[1]] = cover
        beyond = np.hypot(slab.x, slab.y) > nodule.body.reach
        assert not full[beyond].any()


def test_ground_glass_does_not_hide_vessels():
    hazy = next(nodule for nodule in nodules(3) if nodule.kind == "ground-glass")
    assert painted(hazy, background=40.0)[60, 60] == pytest.approx(40)


def test_a_margin_is_soft():
    slab = Slab.about(ORIGIN, (80, 80), 0.5, 1.0, 1)
    sharp, soft = (ball(8.0, margin=margin).coverage(slab)[0] for margin in (0.5, 5.0))
    partly = [int(((cover > 0.05) & (cover < 0.95)).sum()) for cover in (sharp, soft)]
    assert partly[1] > 4 * partly[0]


def test_micronodules_are_below_3_mm():
    generator = np.random.default_rng(0)
    drawn = [micronodule(ORIGIN, generator) for _ in range(100)]
    assert max(nodule.diameter for nodule in drawn) < 3
    assert {nodule.kind for nodule in drawn} == {"micronodule"}
    assert (painted(drawn[0]) > -500).sum() * 0.25 < 9  # mm^2


def test_scars_are_dense_and_not_round():
    generator = np.random.default_rng(0)
    elongation = []
    for _ in range(40):
        scar = draw_scar(ORIGIN, generator)
        dense = np.argwhere(painted(scar) > -700)
        assert painted(scar).max() < 80
        if len(dense) > 20:
            small, large = np.linalg.eigvalsh(np.cov(dense.T))
            elongation.append(np.sqrt(large / small))
    assert np.median(elongation) > 1.5
