"""Coverage against areas that geometry knows."""

import numpy as np
import pytest

from tinymed.medical.imaging.solids import Slice, ball, smooth_noise, tree, tubes

THIN = Slice(side=80, pixel=0.5, thickness=1e-6)  # 40 mm, a plane


def area(coverage, grid=THIN):
    return float(coverage.sum()) * grid.pixel**2


def tube(start, end, radius):
    return np.array([[*start, *end, radius, radius]], float)


@pytest.mark.parametrize("tilt", [0.0, 30.0, 60.0])
def test_tube_across_the_slice_is_an_ellipse(tilt):
    radius, angle = 3.0, np.deg2rad(tilt)
    axis = 40 * np.array([np.sin(angle), 0, np.cos(angle)])
    cut = tubes(THIN, tube(-axis, axis, radius))
    assert area(cut) == pytest.approx(np.pi * radius**2 / np.cos(angle), rel=0.01)


@pytest.mark.parametrize("radius", [0.1, 0.2, 2.0])
def test_tube_within_the_slice_is_as_broad_as_it_is_thick_with_round_ends(radius):
    cut = tubes(THIN, tube((-10, 0.13, 0), (10, 0.13, 0), radius))
    assert area(cut) == pytest.approx(2 * radius * 20 + np.pi * radius**2, rel=0.02)


def test_a_thick_slice_dilutes_a_thin_thing():
    lying = tube((-10, 0, 0), (10, 0, 0), 0.4)
    thick = Slice(side=80, pixel=0.5, thickness=3.0)
    assert area(tubes(thick, lying), thick) == pytest.approx(area(tubes(THIN, lying)) / 3, rel=1e-3)


def test_tubes_out_of_sight_leave_nothing():
    assert not tubes(THIN, tube((-10, 0, 5), (10, 0, 5), 1.0)).any()
    assert not tubes(THIN, tube((30, -9, 0), (30, 9, 0), 1.0)).any()


def test_joined_tubes_are_a_union():
    one = tube((-10, 0, 0), (10, 0, 0), 1.0)
    assert np.array_equal(tubes(THIN, np.concatenate([one, one])), tubes(THIN, one))


@pytest.mark.parametrize("lobulation", [0.0, 0.2])
def test_balls_have_the_area_of_a_disc_on_average(lobulation):
    generator = np.random.default_rng(0)
    areas = [
        area(ball(THIN, np.zeros(3), 6.0, generator, lobulation=lobulation, margin=0.5))
        for _ in range(200)
    ]
    # E[1 / (s1 s2)] = exp(0.15^2) for the log-normal stretches, E[r^2] = R^2 (1 + lobulation^2)
    expected = np.pi * 36 * np.exp(0.15**2) * (1 + lobulation**2)
    assert np.mean(areas) == pytest.approx(expected, rel=0.05)


def test_a_ball_above_the_slice_is_not_seen():
    generator = np.random.default_rng(0)
    above = ball(THIN, np.array([0, 0, 12.0]), 5.0, generator, lobulation=0.0, margin=0.5)
    assert not above.any()


def test_trees_are_connected_and_obey_murray():
    generator = np.random.default_rng(0)
    pieces = tree(np.zeros((1, 3)), np.array([[0, 0, 1.0]]), np.array([2.0]), generator)
    assert pieces.shape == (14, 8)
    assert np.allclose(pieces[0, 3:6], pieces[1, :3])
    parent, first, second = pieces[1], pieces[2], pieces[3]
    assert np.allclose(parent[3:6], first[:3])
    assert np.allclose(parent[3:6], second[:3])
    assert first[6] ** 3 + second[6] ** 3 == pytest.approx(parent[7] ** 3)


@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_smooth_noise_has_the_correlation_of_a_gaussian(sigma):
    generator = np.random.default_rng(0)
    grid = Slice(side=128, pixel=1.0, thickness=1.0)
    fields = np.stack([smooth_noise(grid, sigma, generator) for _ in range(20)])
    assert float(fields.mean()) == pytest.approx(0, abs=1e-5)
    assert float(fields.std()) == pytest.approx(1, abs=1e-4)
    shifted = np.roll(fields, 2, axis=2)
    assert float((fields * shifted).mean()) == pytest.approx(np.exp(-1 / sigma**2), abs=0.04)
