"""Lungs and candidates of a chest that is known by formulas."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.medical.detection.chest import BALLS, SHAPE, SPACING, chest, empty
from tinymed.errors import DataError
from tinymed.medical.detection import lung_mask, propose
from tinymed.medical.imaging import Volume, read_series

pytest.importorskip("scipy", reason="detection needs the extra `medical`")


@pytest.fixture(scope="module")
def found():
    volume, lungs = chest()
    mask = lung_mask(volume)
    return volume, lungs, mask, propose(volume, mask)


def nearest(candidates, ball):
    """Return rank, distance and candidate of the one next to a ball."""
    apart = [np.linalg.norm(np.array(each.position) - ball[:3]) for each in candidates]
    rank = int(np.argmin(apart))
    return rank, apart[rank], candidates[rank]


def test_lungs_are_found_with_what_is_in_them(found):
    _, lungs, mask, _ = found
    assert 2 * (mask & lungs).sum() / (mask.sum() + lungs.sum()) > 0.97
    assert mask[lungs].mean() > 0.98


def test_nodule_at_the_pleura_is_part_of_the_lung(found):
    volume, lungs, mask, _ = found
    x, y, z, diameter = BALLS[3]
    xyz = volume.to_patient(np.moveaxis(np.indices(SHAPE), 0, -1))
    inner = np.linalg.norm(xyz - (x, y, z), axis=-1) < diameter / 2
    inner &= lungs
    assert inner.sum() > 30
    assert mask[inner].mean() > 0.6  # all but the outermost voxels, which are wall in part


@pytest.mark.parametrize("ball", BALLS, ids=["free", "small", "large", "at the pleura"])
def test_every_nodule_is_among_the_first_candidates_at_its_place(found, ball):
    rank, apart, candidate = nearest(found[3], ball)
    assert rank < 8
    sunk = ball is BALLS[3]  # only the half in the lung is seen
    assert apart < (0.35 * ball[3] if sunk else 2.0)
    assert candidate.diameter == pytest.approx(ball[3], rel=0.45 if sunk else 0.25)


def test_positions_and_voxels_agree(found):
    volume, *_, candidates = found
    for candidate in candidates:
        np.testing.assert_allclose(volume.to_patient(candidate.voxel), candidate.position)
        apart = np.linalg.norm((candidate.region - candidate.voxel) * SPACING, axis=1)
        assert apart.min() < 12
        assert (candidate.region >= 0).all()
        assert (candidate.region < SHAPE).all()
    proposals = [candidate.proposal for candidate in candidates]
    assert proposals == sorted(proposals, reverse=True)


def test_vessels_alone_rank_below_any_nodule(found):
    volume, _ = chest(())
    best = propose(volume, lung_mask(volume))[0].proposal
    for ball in BALLS[:1] + BALLS[2:3]:
        assert nearest(found[3], ball)[2].proposal > 1.2 * best


def test_a_mirrored_scan_has_the_same_candidates(found):
    """However the scan is stored: places are the patient's."""
    volume, *_, candidates = found
    mirrored = volume.flip(2).flip(1)
    again = propose(mirrored, lung_mask(mirrored))
    for one, other in zip(candidates[:6], again[:6], strict=True):
        np.testing.assert_allclose(one.position, other.position, atol=0.5)


def test_most_limits_the_list(found):
    volume, _, mask, candidates = found
    few = propose(volume, mask, most=3)
    assert [each.position for each in few] == [each.position for each in candidates[:3]]


def test_a_single_slice_is_searched_in_its_plane():
    volume, _ = chest()
    number = round(float(volume.to_index(BALLS[0][:3])[0]))
    plane = volume.crop((number, 0, 0), (number + 1, *SHAPE[1:]))
    thick = Volume(plane.hounsfield, (8.0, *SPACING[1:]), plane.origin, plane.direction)
    rank, apart, _ = nearest(propose(thick, lung_mask(thick)), BALLS[0])
    assert rank < 12
    assert apart < 3.0


@pytest.mark.parametrize(
    ("fill", "name"), [(-1000, "air"), (40, "tissue"), (np.nan, "nothing")], ids=str
)
def test_no_lung_is_said(fill, name):
    volume = empty()
    volume.hounsfield[:] = fill
    with pytest.raises(DataError, match="lung_mask: no lung in Volume"):
        lung_mask(volume)


def test_gas_is_no_lung():
    drawn, lungs = chest(())
    gas = np.where(lungs & (drawn.hounsfield < -500), np.float32(-1000), drawn.hounsfield)
    volume = Volume(gas, SPACING, drawn.origin, drawn.direction)
    with pytest.raises(DataError, match="no lung"):
        lung_mask(volume)


def test_wrong_masks_are_refused(found):
    volume, *_ = found
    with pytest.raises(ValueError, match=r"propose: lungs \(2, 2, 2\)"):
        propose(volume, np.ones((2, 2, 2), bool))
    with pytest.raises(ValueError, match="no voxel"):
        propose(volume, np.zeros(SHAPE, bool))


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"pip install tinymed\[medical\]"):
        lung_mask(empty())


def test_the_tumour_of_a_real_scan_is_among_the_candidates():
    """Its outline was drawn by radiologists; nothing here was fitted to it."""
    folder = Path(__file__).parents[3] / ".." / "shared" / "data" / "ct_lung1"
    pytest.importorskip("pydicom", reason="DICOM needs the extra `medical`")
    if not folder.exists():
        pytest.skip("the real scan is not here")
    with np.load(folder.parent / "ct_lung1_tumour_mask.npz") as archive:
        shape = tuple(archive["shape"])
        tumour = np.unpackbits(archive["mask"])[: np.prod(shape)].reshape(shape).astype(bool)
    volume = read_series(folder)
    lungs = lung_mask(volume)
    assert 2e6 < lungs.sum() * volume.grid.voxel < 7e6  # mm^3 of lung
    assert lungs[tumour].mean() > 0.95
    candidates = propose(volume, lungs, most=10)
    overlaps = [
        2 * tumour[tuple(each.region.T)].sum() / (len(each.region) + tumour.sum())
        for each in candidates
    ]
    best = int(np.argmax(overlaps))
    assert overlaps[best] > 0.7
    assert tumour[tuple(np.rint(candidates[best].voxel).astype(int))]
