"""Where slices are sampled, and fields that do not depend on who samples them."""

import numpy as np
import pytest

from tinymed.medical.imaging.slabs import Field, Slab, blend, directions, random_field

CENTRE = np.array([10.0, -20.0, 5.0])


@pytest.fixture(scope="module")
def field():
    return random_field(np.random.default_rng(0))


def test_a_slab_is_centred():
    slab = Slab.about(CENTRE, (4, 7), 0.5, 2.0)
    assert slab.shape == (3, 4, 7)
    assert slab.y.ravel() == pytest.approx([-20.75, -20.25, -19.75, -19.25])
    assert slab.x.ravel()[[0, 3, 6]] == pytest.approx([8.5, 10, 11.5])
    assert slab.z.ravel() == pytest.approx([4, 5, 6])
    assert slab.middle.z.ravel() == pytest.approx([5])
    low, high = slab.box
    assert low == pytest.approx([8.5, -20.75, 4])
    assert high == pytest.approx([11.5, -19.25, 6])


@pytest.mark.parametrize("planes", [2, 3, 5, 9])
def test_planes_are_as_spread_as_a_triangle(planes):
    """The variance of a triangle that is t wide at half its height is t^2 / 6."""
    slab = Slab.about(CENTRE, (1, 1), 1.0, 3.0, planes)
    assert float(slab.z.var()) == pytest.approx(9 / 6, rel=1e-5)


def test_one_plane_lies_in_the_middle():
    assert Slab.about(CENTRE, (1, 1), 1.0, 3.0, 1).z.ravel() == pytest.approx([5])


def test_a_part_is_what_lies_in_the_box():
    slab = Slab.about(CENTRE, (20, 30), 1.0, 1.0)
    low, high = np.array([8.2, -22.9, 0]), np.array([11.7, -18.1, 9])
    part, (rows, columns) = slab.part(low, high)
    inside_x = (slab.x.ravel() >= low[0]) & (slab.x.ravel() < high[0])
    inside_y = (slab.y.ravel() >= low[1]) & (slab.y.ravel() < high[1])
    assert np.array_equal(np.flatnonzero(inside_x), np.arange(30)[columns])
    assert np.array_equal(np.flatnonzero(inside_y), np.arange(20)[rows])
    assert part.shape == (3, inside_y.sum(), inside_x.sum())
    assert np.array_equal(part.x.ravel(), slab.x.ravel()[inside_x])


@pytest.mark.parametrize("shift", [(0, 0, 9), (0, 0, -9), (40, 0, 0), (0, -40, 0)])
def test_nothing_lies_in_a_box_elsewhere(shift):
    slab = Slab.about(CENTRE, (20, 30), 1.0, 1.0)
    middle = CENTRE + shift
    assert slab.part(middle - 2, middle + 2) is None


def test_a_field_is_a_function_of_place(field):
    whole = Slab.about(CENTRE, (20, 30), 1.0, 2.0)
    part, (rows, columns) = whole.part(CENTRE - 4, CENTRE + 4)
    values = field(whole, 3.0, 1.5)
    assert values.shape == (3, 20, 30)
    assert field(part, 3.0, 1.5) == pytest.approx(values[:, rows, columns], abs=1e-5)


def test_a_field_interpolates_by_cubic_splines(field):
    """Against the definition: at a place, coefficients weighed by products of B-splines."""
    place = np.array([3.3, -7.1, 12.9])

    def spline(t):
        t = abs(t)
        return (t < 1) * (2 / 3 - t**2 + t**3 / 2) + ((t >= 1) & (t < 2)) * (2 - t) ** 3 / 6

    at = place / 2.5 + 0.5
    nodes = [range(int(np.floor(c)) - 1, int(np.floor(c)) + 3) for c in at]
    expected = sum(
        field.values[k % 32, j % 32, i % 32]
        * spline(at[0] - i)
        * spline(at[1] - j)
        * spline(at[2] - k)
        for i in nodes[0]
        for j in nodes[1]
        for k in nodes[2]
    )
    found = field(Slab.about(place, (1, 1), 1.0, 1.0, 1), 2.5, 0.5)
    assert float(found[0, 0, 0]) == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.parametrize("spacing", [0.7, 4.0])
def test_fields_have_mean_0_and_deviation_1(field, spacing):
    slab = Slab.about(np.zeros(3), (257, 257), spacing / 8, 32 * spacing, 41)
    values = field(slab, spacing)
    assert float(values.mean()) == pytest.approx(0, abs=0.08)
    assert float(values.std()) == pytest.approx(1, abs=0.04)


def test_other_shifts_and_spacings_are_unrelated(field):
    slab = Slab.about(np.zeros(3), (60, 60), 1.0, 30.0, 9)
    first = field(slab, 2.0).ravel()
    for other in (field(slab, 2.0, 9.0), field(slab, 3.1)):
        assert abs(np.corrcoef(first, other.ravel())[0, 1]) < 0.1


def test_a_constant_field_is_constant():
    constant = Field(np.ones((32, 32, 32), np.float32))
    assert constant(Slab.about(CENTRE, (9, 9), 0.3, 1.0), 2.0) == pytest.approx(1, abs=1e-5)


def test_directions_are_even():
    vectors = directions(np.random.default_rng(0), 20000)
    assert (vectors**2).sum(1) == pytest.approx(1)
    assert vectors.mean(0) == pytest.approx(0, abs=0.02)
    assert (vectors**2).mean(0) == pytest.approx(1 / 3, abs=0.01)


def test_blending():
    hu = np.array([0.0, 100.0])
    assert blend(hu, -50.0, np.array([0.0, 0.5])) == pytest.approx([0, 25])
