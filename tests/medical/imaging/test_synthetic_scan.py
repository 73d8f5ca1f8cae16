"""Volumes and slices: geometry, masks and nodules that agree with one another."""

import numpy as np
import pytest

from tinymed import manual_seed
from tinymed.medical.imaging.synthetic_scan import synthesise_slice, synthesise_volume

SHAPE, SPACING = (40, 96, 112), (4.0, 3.5, 3.5)


@pytest.fixture(scope="module")
def scan():
    return synthesise_volume(np.random.default_rng(4), SHAPE, SPACING)


@pytest.fixture(scope="module")
def close():
    """Part of a left lung in fine voxels."""
    return synthesise_volume(
        np.random.default_rng(8), (30, 160, 160), (1.5, 0.8, 0.8), centre=(75.0, 10.0, 0.0)
    )


def test_geometry(scan):
    volume = scan.volume
    assert volume.hounsfield.shape == SHAPE
    assert volume.hounsfield.dtype == np.float32
    assert volume.spacing == SPACING
    middle = volume.to_patient((np.array(SHAPE) - 1) / 2)
    assert middle == pytest.approx([0, 0, 5])
    assert volume.direction[:, 0] == pytest.approx([0, 0, 1])  # slices rise to the head
    assert scan.mask.shape == scan.lungs.shape == SHAPE


def test_values_are_whole_and_fit_into_12_bits(scan):
    hu = scan.volume.hounsfield
    assert np.array_equal(hu, np.rint(hu))
    assert hu.min() >= -1024
    assert hu.max() <= 3071


def test_nodules_lie_where_they_say(scan):
    assert scan.nodules
    for nodule in scan.nodules:
        assert scan.volume.to_patient(nodule.voxel) == pytest.approx(nodule.position)
        index = tuple(np.rint(nodule.voxel).astype(int))
        assert scan.lungs[index]


def test_masks_are_about_their_nodules(close):
    assert set(np.unique(close.mask)) <= set(range(len(close.nodules) + 1))
    for number, nodule in enumerate(close.nodules, 1):
        inside = np.argwhere(close.mask == number)
        assert len(inside)
        centre = close.volume.to_patient(inside.mean(0))
        assert np.linalg.norm(centre - nodule.position) < 0.3 * nodule.diameter + 1
        reach = np.linalg.norm(close.volume.to_patient(inside) - nodule.position, axis=1).max()
        assert reach < 0.9 * nodule.diameter + 1.5
        volume = len(inside) * np.prod(close.volume.spacing)
        assert 0.05 < volume / (np.pi / 6 * nodule.diameter**3) < 1.5
        if nodule.kind == "solid" and nodule.diameter > 6:
            assert np.median(close.volume.hounsfield[close.mask == number]) > -300


def test_lungs_are_dark_and_the_rest_is_not(scan):
    hu = scan.volume.hounsfield
    assert np.median(hu[scan.lungs]) == pytest.approx(-860, abs=60)
    body = hu[:, 40:56, 50:62]  # the middle of the chest
    assert np.median(body[~scan.lungs[:, 40:56, 50:62]]) == pytest.approx(50, abs=90)
    assert np.median(hu[:, :3, :3]) == pytest.approx(-1000, abs=15)
    litres = scan.lungs.sum() * np.prod(SPACING) / 1e6
    assert 2 < litres < 7


def test_both_lungs_are_there(scan):
    left, right = scan.lungs[20, :, 60:].sum(), scan.lungs[20, :, :52].sum()
    assert min(left, right) > 300


def test_slices_continue_one_another(scan):
    """Neighbours are far more alike than slices further apart."""
    hu = np.clip(scan.volume.hounsfield, -1000, 200).reshape(SHAPE[0], -1)
    near = np.mean([np.corrcoef(hu[i], hu[i + 1])[0, 1] for i in range(10, 30)])
    far = np.mean([np.corrcoef(hu[i], hu[i + 8])[0, 1] for i in range(10, 30)])
    assert near > 0.95
    assert near > far + 0.01


def test_the_seed_decides_everything(scan):
    again = synthesise_volume(np.random.default_rng(4), SHAPE, SPACING)
    assert np.array_equal(again.volume.hounsfield, scan.volume.hounsfield)
    assert again.nodules == scan.nodules
    assert again.identifier == scan.identifier
    other = synthesise_volume(np.random.default_rng(5), (4, 32, 32), (20.0, 10.0, 10.0))
    assert other.identifier != scan.identifier


def test_the_default_generator_is_used():
    manual_seed(3)
    first = synthesise_volume(shape=(2, 32, 32), spacing=(20.0, 10.0, 10.0))
    manual_seed(3)
    second = synthesise_volume(shape=(2, 32, 32), spacing=(20.0, 10.0, 10.0))
    assert np.array_equal(first.volume.hounsfield, second.volume.hounsfield)


def test_volumes_are_cuts_of_one_anatomy():
    """The same seed, half as many rows and columns of twice the size: the same chest."""
    fine = synthesise_volume(np.random.default_rng(4), (10, 160, 160), (5.0, 2.0, 2.0))
    coarse = synthesise_volume(np.random.default_rng(4), (10, 80, 80), (5.0, 4.0, 4.0))
    assert [n.position for n in fine.nodules] == [n.position for n in coarse.nodules]
    pooled = fine.volume.hounsfield.reshape(10, 80, 2, 80, 2).mean((2, 4))
    alike = np.corrcoef(pooled.ravel(), coarse.volume.hounsfield.ravel())[0, 1]
    assert alike > 0.97


def test_a_slice_shows_a_nodule():
    for seed in range(5):
        scan = synthesise_slice(np.random.default_rng(seed), 256, 2.5)
        assert scan.volume.hounsfield.shape == (1, 256, 256)
        assert scan.volume.spacing == (2.5, 360 / 256, 360 / 256)
        assert scan.mask.any()
        shown = [scan.nodules[number - 1] for number in np.unique(scan.mask)[1:]]
        assert min(abs(nodule.voxel[0]) for nodule in shown) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shape": (0, 8, 8)}, r"shape is \(0, 8, 8\), slices, rows and columns"),
        ({"shape": (8, 8)}, r"shape is \(8, 8\)"),
        ({"shape": (2**40, 8, 8)}, r"at most 2\^29 expected"),
        ({"spacing": (0.0, 1.0, 1.0)}, "three positive numbers of mm"),
        ({"spacing": (1.0, np.nan, 1.0)}, "three positive numbers of mm"),
        ({"spacing": (1.0, 1.0)}, "three positive numbers of mm"),
        ({"spacing": (1.0, 1.0, 2.0)}, "rows are 1.0 mm apart and columns 2.0 mm"),
        ({"centre": (0.0, np.inf, 0.0)}, "centre is .* three finite numbers"),
        ({"centre": (0.0, 0.0, 900.0)}, "no nodule falls into"),
    ],
)
def test_bad_volumes(settings, message):
    settings = {"shape": (2, 8, 8), "spacing": (2.0, 8.0, 8.0), **settings}
    with pytest.raises(ValueError, match=f"synthesise_volume: .*{message}"):
        synthesise_volume(np.random.default_rng(0), **settings)


def test_shapes_are_whole_numbers():
    with pytest.raises(TypeError):
        synthesise_volume(np.random.default_rng(0), (2.5, 8, 8))


@pytest.mark.parametrize("size", [0, -3, 2**16])
def test_bad_slices(size):
    with pytest.raises(ValueError, match="synthesise_slice: shape"):
        synthesise_slice(np.random.default_rng(0), size)


@pytest.mark.parametrize("thickness", [0.0, -1.0, np.nan])
def test_bad_thickness(thickness):
    with pytest.raises(ValueError, match="synthesise_slice: spacing is"):
        synthesise_slice(np.random.default_rng(0), 16, thickness)
