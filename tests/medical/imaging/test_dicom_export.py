"""DICOM series of synthetic scans, read back by pydicom."""

import sys
import warnings

import numpy as np
import pytest

from tinymed.medical.imaging.dicom_export import write_dicom_series
from tinymed.medical.imaging.synthetic_scan import synthesise_volume

pydicom = pytest.importorskip("pydicom")


@pytest.fixture(scope="module")
def scan():
    return synthesise_volume(np.random.default_rng(0), (4, 40, 48), (2.7, 7.1, 7.1))


@pytest.fixture(scope="module")
def files(scan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("series") / "new"
    return [pydicom.dcmread(path) for path in write_dicom_series(scan, folder)]


def hounsfield(file):
    return file.pixel_array * int(file.RescaleSlope) + int(file.RescaleIntercept)


def test_values_come_back_exactly(scan, files):
    for file, expected in zip(files, scan.volume.hounsfield, strict=True):
        assert np.array_equal(hounsfield(file), expected)


def test_geometry_comes_back(scan, files):
    for index, file in enumerate(files):
        x, y, z = scan.volume.to_patient((index, 0, 0))
        assert np.array(file.ImagePositionPatient, float) == pytest.approx([x, y, z])
        assert list(file.ImageOrientationPatient) == [1, 0, 0, 0, 1, 0]
        assert list(file.PixelSpacing) == [7.1, 7.1]
        assert float(file.SliceThickness) == 2.7
        assert file.InstanceNumber == index + 1


def test_it_is_a_ct_series_of_a_synthetic_patient(scan, files):
    for file in files:
        assert file.SOPClassUID == pydicom.uid.CTImageStorage
        assert file.file_meta.MediaStorageSOPInstanceUID == file.SOPInstanceUID
        assert file.Modality == "CT"
        assert file.PatientID == f"SYNTHETIC-{scan.identifier:X}"
        assert file.PatientName == "Synthetic^Patient"
        assert "PixelPaddingValue" not in file
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({getattr(file, keyword) for file in files}) == 1
    assert len({file.SOPInstanceUID for file in files}) == len(files)


def test_identifiers_are_valid_and_depend_on_the_scan_alone(scan, files, tmp_path):
    again = [pydicom.dcmread(path) for path in write_dicom_series(scan, tmp_path)]
    assert [file.SOPInstanceUID for file in again] == [file.SOPInstanceUID for file in files]
    assert all(file.SOPInstanceUID.is_valid for file in files)
    other = synthesise_volume(np.random.default_rng(1), (1, 16, 16), (200.0, 20.0, 20.0))
    (path,) = write_dicom_series(other, tmp_path / "other")
    assert pydicom.dcmread(path).SeriesInstanceUID != files[0].SeriesInstanceUID


def test_files_are_strictly_valid(scan, tmp_path, monkeypatch):
    """pydicom neither warns nor complains where it checks every value."""
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.RAISE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in write_dicom_series(scan, tmp_path):
            file = pydicom.dcmread(path)
            empty = {element.keyword for element in file if element.value is None}
            assert empty == {"KVP"}  # required, but may be empty
            assert file.pixel_array.shape == (40, 48)


def test_padding_lies_outside_the_circle(scan, tmp_path):
    paths = write_dicom_series(scan, tmp_path, padding=-2000)
    rows, columns = np.mgrid[:40, :48] - np.array([19.5, 23.5])[:, None, None]
    outside = np.hypot(rows, columns) > 20
    for path, expected in zip(paths, scan.volume.hounsfield, strict=True):
        file = pydicom.dcmread(path)
        hu = hounsfield(file)
        assert file.PixelPaddingValue + int(file.RescaleIntercept) == -2000
        assert (hu[outside] == -2000).all()
        assert np.array_equal(hu[~outside], expected[~outside])


@pytest.mark.parametrize("padding", [-1024, 0, -40000])
def test_padding_must_be_below_all_values(scan, tmp_path, padding):
    with pytest.raises(ValueError, match=f"write_dicom_series: padding is {padding}"):
        write_dicom_series(scan, tmp_path / "new", padding=padding)
    assert not (tmp_path / "new").exists()


def test_files_are_never_replaced(scan, tmp_path):
    (tmp_path / "slice_0003.dcm").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"already holds slice_0003\.dcm"):
        write_dicom_series(scan, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["slice_0003.dcm"]


def test_without_pydicom_the_extra_is_named(scan, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImportError, match=r"pip install tinymed\[medical\]"):
        write_dicom_series(scan, tmp_path)
