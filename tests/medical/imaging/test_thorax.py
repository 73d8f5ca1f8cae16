"""The chest and its lungs: what lies where, in Hounsfield units."""

import numpy as np
import pytest

from tinymed.medical.imaging.lungs import draw_lungs, places_in_lung
from tinymed.medical.imaging.slabs import Slab, random_field
from tinymed.medical.imaging.thorax import draw_thorax

BLOOD = 150.0


@pytest.fixture(scope="module")
def field():
    return random_field(np.random.default_rng(0))


@pytest.fixture(scope="module")
def thorax(field):
    return draw_thorax(np.random.default_rng(1), BLOOD, field)


@pytest.fixture(scope="module")
def lungs(thorax, field):
    return draw_lungs(thorax, field, np.random.default_rng(2))


def at(x, y, z, side=5):
    """A small thin slab about a place."""
    return Slab.about(np.array([x, y, z], float), (side, side), 0.5, 1.0, 1)


def hu_at(thorax, *place):
    return float(np.median(thorax.hu(at(*place))))


def test_densities_of_the_chest(thorax):
    wide, deep, _ = thorax.oval
    assert hu_at(thorax, 0, 15, 80) == pytest.approx(-990)  # trachea
    assert hu_at(thorax, 20, 49, -40) == pytest.approx(BLOOD)  # descending aorta
    assert hu_at(thorax, *thorax.heart) == pytest.approx(BLOOD, abs=25)
    spine = deep - 18
    assert 60 < hu_at(thorax, 0, spine, 0) < 400  # marrow
    cortex = thorax.hu(at(15.4, spine, 0, side=1))
    assert float(cortex[0, 0, 0]) == pytest.approx(thorax.cortex)
    assert hu_at(thorax, 0, spine + 23, 0) == pytest.approx(25)  # canal
    edge = thorax.apart + wide + thorax.muscle + thorax.fat
    assert hu_at(thorax, edge - 6, 5, 0) == pytest.approx(-100, abs=40)  # fat under the skin
    assert hu_at(thorax, edge - 1, 5, 0) == pytest.approx(30, abs=30)  # skin
    assert hu_at(thorax, edge + 5, 5, 0) == -1000  # air
    assert 40 < hu_at(thorax, -60, 5, -75) < 150  # liver


def test_ribs_are_bone_and_repeat(thorax):
    """Along a vertical line beside the lung, bone comes back every rib spacing."""
    heights = np.arange(-60, 60, 1.0)
    beside = thorax.apart + thorax.oval[0] + 5.5
    bone = np.array([hu_at(thorax, beside, 5, z) > 120 for z in heights])
    assert 0.3 < bone.mean() < 0.95
    starts = heights[1:][bone[1:] & ~bone[:-1]]
    assert np.diff(starts) == pytest.approx(thorax.rib_spacing, abs=2)


def test_lungs_lie_on_either_side(thorax):
    inside = thorax.lung(*np.array([[-70, 5, 0], [70, 5, 0]]).T)
    assert (inside > 20).all()
    outside = [(0, 5, 0), (0, 60, 0), (200, 5, 0), (70, 5, 200), (-60, 5, -150), thorax.heart]
    assert (thorax.lung(*np.array(outside).T) < 0).all()


def test_depth_is_a_distance_near_the_border(thorax):
    rng = np.random.default_rng(0)
    places = places_in_lung(thorax, 400, 0.5, rng)
    depth = thorax.lung(*places.T)
    step = 0.01
    slope = np.stack(
        [(thorax.lung(*(places + step * axis).T) - depth) / step for axis in np.eye(3)], axis=1
    )
    steepness = np.sqrt((slope**2).sum(1))[depth < 8]
    assert np.median(steepness) == pytest.approx(1, abs=0.1)
    assert (np.abs(steepness - 1) < 0.35).mean() > 0.9


def test_the_border_is_that_of_the_lung_but_uneven(thorax):
    slab = Slab.about(np.array([0, 5.0, 0]), (100, 160), 2.0, 2.0)
    even, uneven = thorax.lung(slab.x, slab.y, slab.z) > 0, thorax.border(slab) > 0
    overlap = 2 * (even & uneven).sum() / (even.sum() + uneven.sum())
    assert 0.95 < overlap < 0.999


def test_places_are_deep_enough(thorax):
    places = places_in_lung(thorax, 3000, 3.0, np.random.default_rng(0))
    assert places.shape == (3000, 3)
    assert (thorax.lung(*places.T) > 3).all()
    assert 0.35 < (places[:, 0] > 0).mean() < 0.6  # the heart takes room on the left


def test_parenchyma(thorax, field):
    means = []
    for seed in range(40):
        lungs = draw_lungs(thorax, field, np.random.default_rng(seed))
        hu = lungs.hu(Slab.about(np.array([-70.0, 10, 10]), (50, 50), 0.7, 1.0))
        means.append(np.median(hu))
    assert np.mean(means) == pytest.approx(-860, abs=25)
    assert 15 < np.std(means) < 60


def test_vessels_hold_blood_and_bronchi_air(lungs):
    vessels, bronchi = lungs.vessels.pieces, lungs.lumen.pieces
    widest = vessels[np.argsort(-vessels[:, 6])[40:60]]
    outside = lungs.lumen.coverage
    for piece in widest:
        slab = at(*(piece[:3] + piece[3:6]) / 2, side=1)
        if not outside(slab).any():
            assert float(lungs.hu(slab)[0, 0, 0]) == pytest.approx(BLOOD)
    for piece in bronchi[np.argsort(-bronchi[:, 6])[:20]]:
        slab = at(*(piece[:3] + piece[3:6]) / 2, side=1)
        assert float(lungs.hu(slab)[0, 0, 0]) == pytest.approx(-985)


def test_bronchi_have_walls(lungs):
    outer, inner = lungs.bronchi.pieces, lungs.lumen.pieces
    assert np.array_equal(outer[:, :6], inner[:, :6])
    walls = outer[:, 6:] - inner[:, 6:]
    assert walls.min() > 0.1
    assert walls.max() < 2.5


def test_vessels_end_in_the_lung_and_thin_out(thorax, lungs):
    pieces = lungs.vessels.pieces
    twigs = lungs.served == 1
    assert (thorax.lung(*pieces[twigs, 3:6].T) > 0).all()
    assert pieces[twigs, 6].max() < 0.7
    assert 3 < pieces[:, 6].max() < 9
    assert len(lungs.forks) == twigs.sum() - 4  # each of four binary trees


def test_emphysema_and_haze_change_the_density(thorax, field):
    drawn = [draw_lungs(thorax, field, np.random.default_rng(seed)) for seed in range(60)]
    assert 0 < sum(lungs.emphysema > 0 for lungs in drawn) < 20
    assert 10 < sum(lungs.haze > 0 for lungs in drawn) < 50
