"""DICOM series: slices in anatomical order on a regular grid, or a reason why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.medical.imaging.ct_files import edited, shipped, write_series
from tinymed.medical.imaging import DicomError, DicomWarning, list_series, patient_key, read_series

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra `medical`")

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data" / "ct_lung1"


# ----------------------------------------------------------------------------------- right volumes


def test_slices_are_in_the_order_of_z_not_of_names_or_numbers(tmp_path):
    volume = read_series(write_series(tmp_path / "a", 5))
    x = -10 + 0.7 * np.arange(32)
    expected = np.rint(-500 + 25 * np.arange(5)[:, None] + x / 10)  # (D, W)
    np.testing.assert_array_equal(
        volume.hounsfield, np.broadcast_to(expected[:, None], (5, 32, 32))
    )
    assert volume.spacing == (2.5, 0.7, 0.7)
    assert volume.origin == (-10, -20, 100)
    assert volume.group == patient_key("P1")
    assert volume.series == patient_key("1.2.3")


def test_pydicoms_good_series():
    folder = shipped("dicomdirtests/98892001/CT5N")  # z falls as InstanceNumber rises
    volume = read_series(folder)
    by_z = sorted(
        map(pydicom.dcmread, folder.iterdir()), key=lambda d: float(d.ImagePositionPatient[2])
    )
    expected = np.stack([d.pixel_array - 1024.0 for d in by_z]).clip(-1024)
    np.testing.assert_array_equal(volume.hounsfield, expected)
    assert volume.spacing == (2.5, 0.488281, 0.488281)
    assert volume.origin[2] == -1.2375


def test_coordinates_go_both_ways_and_agree_with_the_standard(tmp_path):
    """x = position + row cosines * spacing * column + ..., DICOM PS3.3 C.7.6.2.1.1."""

    def coronal(dataset, number):
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        dataset.ImagePositionPatient = [-10, 50 + 3 * number, 70]
        dataset.PixelSpacing = [0.5, 0.7]  # rows, columns

    volume = read_series(write_series(tmp_path / "a", 3, edit=coronal))
    assert volume.spacing == (3, 0.5, 0.7)
    np.testing.assert_allclose(volume.to_patient([2, 4, 10]), [-10 + 7, 56, 70 - 2])
    points = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(volume.to_patient(volume.to_index(points)), points, atol=1e-9)
    homogeneous = volume.affine @ [2, 4, 10, 1]
    np.testing.assert_allclose(homogeneous[:3], volume.to_patient([2, 4, 10]))


def enhanced(dataset, own_rescale: bool = True) -> None:
    """Turn CT_small into a multi-frame file: frames and rescale in functional groups."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    def item(**elements):
        made = Dataset()
        for keyword, value in elements.items():
            setattr(made, keyword, value)
        return Sequence([made])

    frames = []
    for number in range(3):
        frame = Dataset()
        frame.PlanePositionSequence = item(ImagePositionPatient=[0, 0, 10 - 2 * number])
        if own_rescale:
            frame.PixelValueTransformationSequence = item(
                RescaleSlope=number + 1, RescaleIntercept=-1000 - number, RescaleType="HU"
            )
        frames.append(frame)
    shared = Dataset()
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared.PixelMeasuresSequence = item(PixelSpacing=[0.6, 0.6], SliceThickness=2)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.NumberOfFrames = 3
    dataset.PixelData = dataset.PixelData * 3
    for keyword in ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]:
        delattr(dataset, keyword)


def test_multi_frame_with_a_rescale_for_each_frame(tmp_path):
    volume = read_series(edited(tmp_path / "x.dcm", enhanced))
    stored = pydicom.dcmread(shipped("CT_small.dcm")).pixel_array.astype(np.float32)
    expected = np.stack([stored * k - 1000 - (k - 1) for k in (3, 2, 1)])  # z rises
    np.testing.assert_array_equal(volume.hounsfield, expected.clip(-1024))
    assert volume.spacing == (2, 0.6, 0.6)
    assert volume.origin == (0, 0, 6)


def test_multi_frame_without_any_rescale_is_refused(tmp_path):
    def edit(dataset):
        enhanced(dataset, own_rescale=False)
        del dataset.RescaleSlope

    with pytest.raises(DicomError, match="no rescale slope"):
        read_series(edited(tmp_path / "x.dcm", edit))


def test_real_series_with_names_in_no_order():
    if not SHARED.exists():
        pytest.skip("the real series is not here")
    volume = read_series(SHARED)
    assert volume.hounsfield.shape == (48, 512, 512)
    np.testing.assert_allclose(volume.spacing, (5, 0.57, 0.57), atol=1e-3)
    air = (volume.hounsfield < -900).mean()
    assert 0.2 < air < 0.6
    middle = volume.hounsfield[24, 128:384, 128:384]
    assert -1024 <= middle.min() < -800
    assert 200 < middle.max() < 3072
    # neighbours are alike, as they are not when slices are out of order
    change = np.abs(np.diff(volume.hounsfield[:, 128:384:4, 128:384:4], axis=0)).mean()
    shuffled = volume.hounsfield[np.random.default_rng(0).permutation(48), 128:384:4, 128:384:4]
    assert change < 0.6 * np.abs(np.diff(shuffled, axis=0)).mean()


def test_real_series_fits_the_mask_of_its_tumour():
    """Drawn by others on slices of rising z: inside is soft tissue, mirrored anything else."""
    file = SHARED.parent / "ct_lung1_tumour_mask.npz"
    if not file.exists():
        pytest.skip("the real series is not here")
    with np.load(file) as archive:
        shape = tuple(archive["shape"])
        mask = np.unpackbits(archive["mask"])[: np.prod(shape)].reshape(shape).astype(bool)
    hounsfield = read_series(SHARED).hounsfield
    assert -100 < hounsfield[mask].mean() < 100
    for axis in (0, 1, 2):
        assert abs(hounsfield[np.flip(mask, axis)].mean()) > 150


# ------------------------------------------------------------------------------------------- gaps


def test_gap_is_named_in_mm():
    folder = shipped("dicomdirtests/77654033/CT2")
    with pytest.raises(DicomError, match=r"gap of 202\.5 mm between 17106 and 17136"):
        read_series(folder)


def test_gap_is_filled_only_on_request(tmp_path):
    folder = write_series(tmp_path / "a", 6)
    whole = read_series(folder)
    (folder / f"{7 * 2 + 3:03d}.dcm").unlink()
    with pytest.raises(DicomError, match=r"gap of 5 mm .* 2\.5 mm expected \(1 slices are missing"):
        read_series(folder)
    with pytest.warns(DicomWarning, match="1 slices are missing: interpolated to 6 slices"):
        filled = read_series(folder, gaps="interpolate")
    np.testing.assert_allclose(filled.hounsfield, whole.hounsfield, atol=0.01)  # linear in z
    assert filled.spacing == whole.spacing


def test_gap_must_be_a_known_word(tmp_path):
    with pytest.raises(ValueError, match="gaps 'ignore'"):
        read_series(tmp_path, gaps="ignore")


def test_positions_rounded_to_a_tenth_are_regular(tmp_path):
    def rounded(dataset, number):
        dataset.ImagePositionPatient = [-10, -20, round(100 + 0.7 * number + 0.02, 1)]

    def finer(dataset, number):
        rounded(dataset, number * 5)

    volume = read_series(write_series(tmp_path / "a", 8, step=3.5, edit=finer))
    assert volume.spacing[0] == pytest.approx(3.5, abs=0.02)


# -------------------------------------------------------------------------------- what is refused


def second(**elements):
    """Change the second slice only."""

    def edit(dataset, number):
        if number == 1:
            for keyword, value in elements.items():
                setattr(dataset, keyword, value)

    return edit


def sheared(dataset, number):
    dataset.ImagePositionPatient = [-10, -20 + 0.7 * number, 100 + 2.5 * number]


def unpositioned(dataset, number):
    if number == 1:
        del dataset.ImagePositionPatient


REFUSED = {
    "two patients": (second(PatientID="P2"), "one series of 2 patients"),
    "two modalities": (second(Modality="PT"), "one series of 2 modalities"),
    "mixed orientation": (
        second(ImageOrientationPatient=[0, 1, 0, -1, 0, 0]),
        "mixed orientation in one series",
    ),
    "mixed spacing": (second(PixelSpacing=[0.8, 0.8]), "mixed mm a pixel"),
    "mixed size": (second(Rows=16, PixelData=bytes(16 * 32 * 2)), "mixed pixels in one series"),
    "same place": (second(ImagePositionPatient=[-10, -20, 100]), "two slices at one position"),
    "uneven": (second(ImagePositionPatient=[-10, -20, 103.5]), "gap of .* mm expected"),
    "gantry tilt": (sheared, r"sideways by 15\.6 degrees \(a tilted gantry\)"),
    "no position": (unpositioned, "ImagePositionPatient, .* is missing"),
    "slope 0 in one": (second(RescaleSlope=0), "slope 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_series_that_is_no_grid_is_refused(tmp_path, name):
    edit, reason = REFUSED[name]
    with pytest.raises(DicomError, match=reason) as caught:
        read_series(write_series(tmp_path / "a", 4, edit=edit))
    assert "P2" not in caught.value.reason


def test_tilt_that_positions_do_not_show_is_told(tmp_path):
    def tilt(dataset, number):
        dataset.GantryDetectorTilt = 12

    with pytest.warns(DicomWarning, match="tilted by 12 degrees"):
        read_series(write_series(tmp_path / "a", 3, edit=tilt))


def test_thin_slices_far_apart_are_told(tmp_path):
    def thin(dataset, number):
        dataset.SliceThickness = 1

    with pytest.warns(DicomWarning, match=r"slices 1 mm thick are 2\.5 mm apart"):
        read_series(write_series(tmp_path / "a", 3, edit=thin))


def test_single_slice_needs_a_thickness(tmp_path):
    assert read_series(shipped("CT_small.dcm")).spacing[0] == 5

    def without(dataset):
        del dataset.SliceThickness

    with pytest.raises(DicomError, match="single slice of thickness None"):
        read_series(edited(tmp_path / "x.dcm", without))


# --------------------------------------------------------------------------------- several series


def test_all_series_are_listed_by_modality_and_patient():
    found = list_series(shipped("dicomdirtests"))
    assert {(each.modality, len(each.files)) for each in found} >= {("CR", 1), ("CT", 5), ("MR", 7)}
    assert len({each.key for each in found}) == len(found)
    three = [e for e in found if "77654033" in str(e.files[0])]
    assert len({each.group for each in three}) == 1
    other = next(e for e in found if "98892001" in str(e.files[0]))
    assert other.group != three[0].group
    assert "Doe" not in repr(found)


def test_several_series_are_named_and_one_can_be_chosen(tmp_path):
    write_series(tmp_path / "a", 3)
    write_series(tmp_path / "b", 4, series="1.2.4", patient="P2")
    with pytest.raises(DicomError, match="2 series, one expected") as caught:
        read_series(tmp_path)
    assert patient_key("1.2.4") in caught.value.reason
    assert len(read_series(tmp_path, series="1.2.4").hounsfield) == 4
    assert len(read_series(tmp_path, series=patient_key("1.2.3")).hounsfield) == 3
    with pytest.raises(DicomError, match="not hold the series"):
        read_series(tmp_path, series="9.9")


def test_other_files_in_the_folder_are_left_out_but_not_broken_ones(tmp_path):
    folder = write_series(tmp_path / "a", 3)
    (folder / "notes.txt").write_text("text")
    assert len(read_series(folder).hounsfield) == 3
    (folder / "broken.dcm").write_bytes(b"text")
    with pytest.raises(DicomError, match=r"broken\.dcm: no DICOM file"):
        read_series(folder)


def test_empty_folder_and_no_folder(tmp_path):
    with pytest.raises(DicomError, match="no DICOM image"):
        list_series(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_series(tmp_path / "gone")
