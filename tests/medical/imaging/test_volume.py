"""Patches from volumes, against formulas: volumes linear in x and y are sampled exactly."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.medical.imaging import Volume

pytest.importorskip("scipy", reason="patches need the extra `medical`")

AXIAL = np.eye(3)[::-1].T  # slices along z, rows along y, columns along x


def linear(direction=AXIAL, spacing=(2.0, 0.8, 0.5), shape=(6, 90, 120)):
    """A volume whose value is 3 x + 2 y + 100 z mm."""
    volume = Volume(np.zeros(shape, np.float32), spacing, (-20.0, 5.0, 40.0), direction)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    values = volume.to_patient(index) @ (3, 2, 100)
    return Volume(values.astype(np.float32), spacing, volume.origin, direction)


@pytest.mark.parametrize("signs", [(1, 1), (-1, -1), (1, -1)], ids=["supine", "prone", "mirrored"])
def test_patch_is_in_patient_axes_however_the_scan_was_stored(signs):
    direction = AXIAL * (1, *signs)
    volume = linear(direction)
    x, y, z = volume.to_patient([3.3, 45, 60])
    patch = volume.patch((x, y, z), size=10, pixel=0.7)
    steps = (np.arange(10) - 4.5) * 0.7
    plane = volume.to_patient([3, 45, 60])[2]  # the nearest slice
    expected = 3 * (x + steps[None]) + 2 * (y + steps[:, None]) + 100 * plane
    np.testing.assert_allclose(patch, expected, atol=2e-3)


def test_rows_and_columns_stored_the_other_way():
    direction = AXIAL[:, [0, 2, 1]]
    volume = linear(direction)
    patch = volume.patch(volume.to_patient([2, 45, 60]), size=4, pixel=0.7)
    np.testing.assert_allclose(patch[0, 1] - patch[0, 0], 3 * 0.7, atol=1e-2)
    np.testing.assert_allclose(patch[1, 0] - patch[0, 0], 2 * 0.7, atol=1e-2)


def test_beyond_the_border_is_air():
    volume = linear()
    patch = volume.patch(volume.to_patient([0, 0, 0]), size=6, pixel=0.5)
    assert (patch[:3, :3] == -1024).all()
    assert patch[3, 3] > -1024


def test_point_outside_is_refused():
    with pytest.raises(ValueError, match=r"point \(999, 0, 0\) mm is outside"):
        linear().patch((999, 0, 0))
    with pytest.raises(ValueError, match="outside"):
        linear().patch((float("nan"), 0, 0))


def test_slices_that_are_not_axial_are_refused():
    coronal = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], float)
    volume = linear(coronal)
    with pytest.raises(ValueError, match="not axial"):
        volume.patch(volume.to_patient([3, 10, 10]))


def test_middle_slice_is_centred_and_keeps_the_mean():
    volume = linear(shape=(5, 400, 400), spacing=(2.0, 0.7, 0.7))
    middle = volume.middle_slice(size=64, pixel=1.4)
    x, y, z = volume.to_patient([2, 199.5, 199.5])
    assert middle.mean() == pytest.approx(3 * x + 2 * y + 100 * z, abs=0.1)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"hounsfield": np.zeros((2, 2), np.float32)}, r"hounsfield \(2, 2\)"),
        ({"spacing": (1, 0, 1)}, "spacing"),
        ({"origin": (0, 0, float("nan"))}, "origin"),
        ({"direction": np.ones((3, 3))}, "perpendicular"),
    ],
)
def test_impossible_volumes_are_refused(change, text):
    given = {
        "hounsfield": np.zeros((1, 2, 2), np.float32),
        "spacing": (1, 1, 1),
        "origin": (0, 0, 0),
        "direction": np.eye(3),
    }
    with pytest.raises(ValueError, match=text):
        Volume(**{**given, **change})
