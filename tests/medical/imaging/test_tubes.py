"""Coverage against areas that geometry knows and against plain loops; trees against Murray."""

import numpy as np
import pytest

from tinymed.medical.imaging.slabs import Slab
from tinymed.medical.imaging.tubes import Tubes, bent, grow

THIN = Slab.about(np.zeros(3), (80, 80), 0.5, 1.0, 1)  # 40 mm, a plane


def area(coverage, slab=THIN):
    return float(coverage.mean(0).sum()) * slab.pixel**2


def tube(start, end, radius, last=None):
    return Tubes(np.array([[*start, *end, radius, radius if last is None else last]], float))


@pytest.mark.parametrize("tilt", [0.0, 30.0, 60.0])
def test_a_tube_across_the_slice_is_an_ellipse(tilt):
    radius, angle = 3.0, np.deg2rad(tilt)
    axis = 40 * np.array([np.sin(angle), 0, np.cos(angle)])
    cut = tube(-axis, axis, radius).coverage(THIN)
    assert area(cut) == pytest.approx(np.pi * radius**2 / np.cos(angle), rel=0.01)


@pytest.mark.parametrize("radius", [0.1, 0.2, 2.0])
def test_a_tube_within_the_slice_has_round_ends(radius):
    cut = tube((-10, 0.13, 0), (10, 0.13, 0), radius).coverage(THIN)
    assert area(cut) == pytest.approx(2 * radius * 20 + np.pi * radius**2, rel=0.02)


def test_a_thick_slice_dilutes_a_thin_thing():
    lying = tube((-10, 0, 0), (10, 0, 0), 0.4)
    thick = Slab.about(np.zeros(3), (80, 80), 0.5, 3.0)  # of three planes the middle one meets it
    assert area(lying.coverage(thick), thick) == pytest.approx(area(lying.coverage(THIN)) / 3)


@pytest.mark.parametrize(
    ("start", "end"),
    [((-10, 0, 5), (10, 0, 5)), ((30, -9, 0), (30, 9, 0)), ((-9, -30, 0), (9, -30, 0))],
)
def test_tubes_out_of_sight_leave_nothing(start, end):
    far = tube(start, end, 1.0)
    assert not far.coverage(THIN).any()
    assert not len(far.near(THIN))


def test_no_tubes_leave_nothing():
    assert not Tubes(np.empty((0, 8))).coverage(THIN).any()


def test_joined_tubes_are_a_union():
    one = tube((-10, 0, 0), (10, 0, 0), 1.0)
    twice = Tubes(np.concatenate([one.pieces, one.pieces]))
    assert np.array_equal(twice.coverage(THIN), one.coverage(THIN))


def test_coverage_equals_plain_loops():
    rng = np.random.default_rng(0)
    pieces = np.column_stack(
        [rng.uniform(-6, 6, (12, 3)), rng.uniform(-6, 6, (12, 3)), rng.uniform(0.2, 1.5, (12, 2))]
    )
    slab = Slab.about(np.array([0.5, -1.0, 0.3]), (14, 11), 0.7, 2.0)
    expected = np.zeros(slab.shape)
    for p, z in enumerate(slab.z.ravel()):
        for i, y in enumerate(slab.y.ravel()):
            for j, x in enumerate(slab.x.ravel()):
                for piece in pieces:
                    start, axis = piece[:3], piece[3:6] - piece[:3]
                    t = np.clip((np.array([x, y, z]) - start) @ axis / (axis @ axis), 0, 1)
                    radius = piece[6] + t * (piece[7] - piece[6])
                    inside = radius - np.linalg.norm(np.array([x, y, z]) - start - t * axis)
                    filled = np.clip(inside / 0.7 + 0.5, 0, min(1, 2 * radius / 0.7))
                    expected[p, i, j] = max(expected[p, i, j], filled)
    assert Tubes(pieces).coverage(slab) == pytest.approx(expected, abs=1e-4)


@pytest.fixture(scope="module")
def grown():
    rng = np.random.default_rng(0)
    points = rng.uniform(-30, 30, (500, 3)) + np.repeat([[-50, 0, 0], [50, 0, 0]], 250, 0)
    tree = np.repeat([0, 1], 250)
    roots = np.array([[-5.0, 0, 0], [5, 0, 0]])
    return points, tree, roots, *grow(points, tree, roots, np.array([0.3, 0.4]), rng)


def test_trees_reach_every_point(grown):
    points, tree, _, pieces, facts = grown
    twigs = facts[:, 1] == 1
    assert twigs.sum() == 500
    found = pieces[twigs, 3:6]
    order, expected = np.lexsort(found.T), np.lexsort(points.T)
    assert found[order] == pytest.approx(points[expected])
    assert np.array_equal(facts[twigs, 0][order], tree[expected])


def test_branches_begin_where_their_parents_end(grown):
    _, _, roots, pieces, facts = grown
    trunk = facts[:, 2] == np.arange(len(facts))
    assert np.array_equal(np.flatnonzero(trunk), [0, 1])
    assert pieces[:2, :3] == pytest.approx(roots)
    parents = facts[~trunk, 2]
    assert pieces[~trunk, :3] == pytest.approx(pieces[parents, 3:6])
    assert np.array_equal(facts[~trunk, 0], facts[parents, 0])


def test_forks_obey_murray(grown):
    *_, pieces, facts = grown
    trunk = facts[:, 2] == np.arange(len(facts))
    flow = np.zeros(len(pieces))
    np.add.at(flow, facts[~trunk, 2], pieces[~trunk, 6] ** 3)
    parents = facts[:, 1] > 1
    assert flow[parents] == pytest.approx(pieces[parents, 6] ** 3)
    assert pieces[:2, 6] == pytest.approx(np.array([0.3, 0.4]) * np.cbrt(250))


def test_bent_tubes_keep_their_ends_and_meet_in_the_middle():
    straight = tube((0, 0, 0), (10, 0, 0), 2.0, 1.0).pieces
    first, second = bent(straight, np.random.default_rng(0))
    assert first[:3] == pytest.approx([0, 0, 0])
    assert second[3:6] == pytest.approx([10, 0, 0])
    assert first[3:6] == pytest.approx(second[:3])
    assert first[3:6] != pytest.approx([5, 0, 0])
    assert (first[6], first[7], second[6], second[7]) == (2.0, 1.5, 1.5, 1.0)
    assert bent(straight, np.random.default_rng(0), 0.0)[0, 3:6] == pytest.approx([5, 0, 0])
