"""Grids in patient coordinates: every way there has a way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed.medical.imaging import Grid, Volume, carry

pytest.importorskip("scipy", reason="resampling needs the extra `medical`")

AXIAL = np.eye(3)[::-1]
sizes = st.tuples(*[st.integers(2, 9)] * 3)
steps = st.tuples(*[st.floats(0.4, 5.0)] * 3)


@st.composite
def grids(draw):
    """Any size, any spacing, any direction, mirrored ones too."""
    seed = draw(st.integers(0, 2**32 - 1))
    axes, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    origin = draw(st.tuples(*[st.floats(-300, 300)] * 3))
    return Grid(draw(sizes), draw(steps), origin, axes)


@given(grids(), st.data())
@settings(max_examples=60, deadline=None)
def test_any_chain_of_changes_keeps_the_place_of_a_voxel(grid, data):
    """The point of a voxel, followed through the indices of each grid, stays where it is."""
    index = np.array([data.draw(st.integers(0, size - 1)) for size in grid.shape], float)
    point = grid.to_patient(index)
    now = grid
    for _ in range(4):
        change = data.draw(st.sampled_from(["flip", "turn", "resample", "reshape", "crop"]))
        axis = data.draw(st.integers(0, 2))
        before = now
        if change == "flip":
            now = now.flipped(axis)
        elif change == "turn":
            now = now.turned(data.draw(st.floats(-180, 180)), axis)
        elif change == "resample":
            now = now.resampled(data.draw(steps))
        elif change == "reshape":
            now = now.reshaped(data.draw(sizes))
        else:
            now = now.cropped((0, 0, 0), tuple(max(1, size - 1) for size in now.shape))
        homogeneous = before.to(now) @ [*before.to_index(point), 1]
        np.testing.assert_allclose(homogeneous[:3], now.to_index(point), atol=1e-6)
        np.testing.assert_allclose(now.to_patient(now.to_index(point)), point, atol=1e-6)
    np.testing.assert_allclose(grid.to_index(now.to_patient(now.to_index(point))), index, atol=1e-6)


@given(grids(), st.integers(0, 2), st.floats(-90, 90))
@settings(max_examples=30, deadline=None)
def test_turning_and_resampling_keep_the_middle_and_turn_by_the_angle(grid, axis, degrees):
    middle = grid.to_patient(grid.last / 2)
    turned = grid.turned(degrees, axis)
    for other in (turned, grid.resampled((1.1, 0.9, 2.0)), grid.reshaped((3, 1, 4))):
        np.testing.assert_allclose(other.to_patient(other.last / 2), middle, atol=1e-6)
    cosine = (turned.direction * grid.direction).sum(0)
    expected = np.full(3, np.cos(np.radians(degrees)))
    expected[axis] = 1
    np.testing.assert_allclose(cosine, expected, atol=1e-9)


def test_turning_around_slices_goes_from_rows_to_columns():
    grid = Grid((1, 3, 3), (1, 1, 1), (0, 0, 0), AXIAL)
    np.testing.assert_allclose(grid.turned(90).direction[:, 1], grid.direction[:, 2], atol=1e-12)


@given(
    st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7), st.floats(0.3, 0.7)),
    st.tuples(st.floats(1.0, 3.0), st.floats(0.7, 1.6), st.floats(0.7, 1.6)),
    st.floats(-45, 45),
    st.integers(0, 2),
)
@settings(max_examples=25, deadline=None)
def test_what_lies_in_a_changed_volume_maps_back_within_half_a_voxel(place, steps, degrees, axis):
    """A bright ball, found by its centre of mass on the changed grid, lies where it was drawn."""
    shape, spacing = (20, 32, 32), (2.0, 1.0, 1.0)
    index = np.array(place) * (np.array(shape) - 1)
    offset = (np.moveaxis(np.indices(shape), 0, -1) - index) * spacing
    ball = np.exp(-(offset**2).sum(-1) / (2 * 3.0**2)).astype(np.float32)
    volume = Volume(1000 * ball - 1000, spacing, (-12.0, 30.0, 7.0), AXIAL)
    low, high = (1, 2, 3), (19, 31, 30)
    changed = volume.flip(axis).rotate(degrees, axis).resample(steps)
    cropped = volume.crop(low, high).flip(2)
    for other in (changed, cropped):
        weight = np.clip(other.hounsfield + 900, 0, None)  # the hot part of a heat-map
        total = weight.sum()
        found = [(weight * axis).sum() / total for axis in np.indices(weight.shape)]
        back = volume.to_index(other.to_patient(found))
        assert np.abs(back - index).max() <= 0.5


def test_resampling_is_exact_where_values_are_linear():
    grid = Grid((8, 20, 24), (2.0, 0.8, 0.5), (-20.0, 5.0, 40.0), AXIAL)
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    volume = Volume((grid.to_patient(index) @ (3, 2, 5)).astype(np.float32), *facts(grid))
    other = volume.resample((1.0, 0.6, 0.6)).crop((2, 4, 4), (13, 22, 15))
    index = np.moveaxis(np.indices(other.hounsfield.shape), 0, -1)
    np.testing.assert_allclose(other.hounsfield, other.to_patient(index) @ (3, 2, 5), atol=1e-3)
    beyond = volume.on(Grid((1, 1, 26), (1, 1, 0.5), grid.origin, AXIAL)).hounsfield[0, 0]
    np.testing.assert_allclose(beyond[:24], volume.hounsfield[0, 0], atol=1e-3)
    assert (beyond[24:] == -1024).all()


def test_crop_and_flip_move_no_value():
    volume = Volume(np.arange(60, dtype=np.float32).reshape(3, 4, 5), (3, 2, 1), (0, 0, 0), AXIAL)
    part = volume.crop((1, 0, 2), (3, 3, 5)).flip(0)
    for index in np.ndindex(part.hounsfield.shape):
        source = volume.to_index(part.to_patient(index)).round().astype(int)
        assert part.hounsfield[index] == volume.hounsfield[tuple(source)]


def test_heat_map_of_a_patch_maps_to_slice_and_millimetres():
    """A coarse heat-map of a patch: its voxels lie where the patch was cut."""
    volume = Volume(np.zeros((9, 80, 90), np.float32), (2.5, 0.8, 0.7), (-30, -20, 100), AXIAL)
    volume.hounsfield[4, 41, 52] = 1000
    point = volume.to_patient([4.3, 39, 50])
    patch = volume.patch(point, size=50, pixel=0.7)
    grid = volume.grid.patch(point.tolist(), 50, 0.7)
    hottest = np.unravel_index(patch.argmax(), patch.shape)
    assert np.abs(volume.to_index(grid.to_patient([0, *hottest])) - (4, 41, 52)).max() <= 0.5
    coarse = patch.reshape(10, 5, 10, 5).max((1, 3))
    hottest = np.unravel_index(coarse.argmax(), coarse.shape)
    found = volume.to_index(grid.reshaped((1, 10, 10)).to_patient([0, *hottest]))
    assert found[0] == pytest.approx(4)
    assert np.abs(found[1:] - (41, 52)).max() <= 0.5 * 5 * 0.7 / 0.7 + 0.5  # half of its voxels


def test_masks_are_carried_by_the_nearest_voxel():
    grid = Grid((2, 4, 4), (2, 1, 1), (0, 0, 0), AXIAL)
    mask = np.zeros(grid.shape, bool)
    mask[1, 1:3, 2] = True
    finer = grid.reshaped((4, 8, 8))
    found = carry(mask, grid, finer, order=0)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, mask.repeat(2, 0).repeat(2, 1).repeat(2, 2))


def test_coarse_samples_are_means_not_noise():
    noise = np.random.default_rng(0).normal(size=(4, 64, 64)).astype(np.float32)
    volume = Volume(noise, (1, 1, 1), (0, 0, 0), AXIAL)
    assert volume.resample((1, 4, 4)).hounsfield.std() < 0.4


BAD = {
    "shape": (lambda g: Grid((0, 1, 1), (1, 1, 1), (0, 0, 0), AXIAL), r"shape \(0, 1, 1\)"),
    "spacing": (lambda g: Grid((1, 1, 1), (1, 0, 1), (0, 0, 0), AXIAL), "spacing"),
    "crop": (lambda g: g.cropped((0, 0, 0), (3, 1, 1)), r"crop: .* a part of \(2, 4, 4\)"),
    "empty crop": (lambda g: g.cropped((1, 1, 1), (1, 2, 2)), "crop"),
    "axis": (lambda g: g.flipped(3), "flip: axis 3"),
    "turn axis": (lambda g: g.turned(3.0, -1), "rotate: axis -1"),
    "angle": (lambda g: g.turned(float("inf")), "rotate: inf degrees"),
    "step": (lambda g: g.resampled((0, 1, 1)), "resample: spacing"),
    "reshape": (lambda g: g.reshaped((1, 1)), "reshape: shape"),
    "too fine": (lambda g: g.resampled((1e-6, 1e-6, 1e-6)), "too large"),
    "carry": (lambda g: carry(np.zeros(3), g, g), r"carry: values \(3,\), \(2, 4, 4\)"),
    "order": (lambda g: carry(np.zeros(g.shape), g, g, order=3), "carry: order 3"),
}


@pytest.mark.parametrize("name", BAD)
def test_impossible_grids_are_refused(name):
    make, text = BAD[name]
    with pytest.raises(ValueError, match=text):
        make(Grid((2, 4, 4), (2, 1, 1), (0, 0, 0), AXIAL))


def facts(grid):
    return grid.spacing, grid.origin, grid.direction
