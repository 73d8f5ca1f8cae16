"""Volumes from files: the same scan in every format gives the same Hounsfield units and places."""

from __future__ import annotations

import gzip
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.medical.imaging.ct_files import shipped, write_series
from tinymed.errors import DataError
from tinymed.medical.imaging import (
    DicomError,
    Grid,
    Volume,
    Window,
    list_series,
    picture_volume,
    read_series,
    read_volume,
    write_nifti,
)

nibabel = pytest.importorskip("nibabel", reason="NIfTI needs the extra `medical`")

AXIAL = np.eye(3)[::-1]


@pytest.fixture
def volume():
    rng = np.random.default_rng(0)
    hu = rng.integers(-1000, 400, (5, 6, 7)).astype(np.float32)
    return Volume(hu, (2.5, 0.75, 0.5), (-20.0, 5.0, 40.0), AXIAL)


def assert_same(found, expected):
    np.testing.assert_array_equal(found.hounsfield, expected.hounsfield)
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-4)


# --------------------------------------------------------------------------------------- NIfTI


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_comes_back(volume, tmp_path, ending):
    write_nifti(tmp_path / f"x{ending}", volume.hounsfield, volume.grid)
    assert_same(read_volume(tmp_path / f"x{ending}"), volume)


def test_nifti_means_the_same_to_nibabel(volume, tmp_path):
    """RAS: what tinymed calls (x, y, z) nibabel calls (-x, -y, z)."""
    write_nifti(tmp_path / "x.nii", volume.hounsfield, volume.grid)
    image = nibabel.load(tmp_path / "x.nii")
    x, y, z = volume.to_patient([3, 2, 6])
    np.testing.assert_allclose(image.affine @ [6, 2, 3, 1], [-x, -y, z, 1], atol=1e-5)
    assert image.get_fdata()[6, 2, 3] == volume.hounsfield[3, 2, 6]
    assert image.header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize("axes", ["RAS", "LPI", "SAL", "PIR"])
def test_nifti_in_any_order_of_axes(volume, tmp_path, axes):
    write_nifti(tmp_path / "x.nii", volume.hounsfield, volume.grid)
    image = nibabel.load(tmp_path / "x.nii")
    wanted = nibabel.orientations.axcodes2ornt(axes)
    turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(image.affine), wanted)
    nibabel.save(image.as_reoriented(turn), tmp_path / "y.nii")
    assert nibabel.aff2axcodes(nibabel.load(tmp_path / "y.nii").affine) == tuple(axes)
    assert_same(read_volume(tmp_path / "y.nii"), volume)


def test_nifti_with_slope_metres_and_a_fourth_axis(volume, tmp_path):
    stored = (volume.hounsfield.transpose(2, 1, 0)[..., None] / 2).astype(np.float32)
    affine = np.diag([-1, -1, 1, 1]) @ volume.affine[:, [2, 1, 0, 3]]
    affine[:3] /= 1000
    image = nibabel.Nifti1Image(stored, affine)
    image.header.set_slope_inter(2, 0)
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "x.nii")
    found = read_volume(tmp_path / "x.nii")
    np.testing.assert_allclose(found.affine, volume.affine, atol=1e-4)


def test_of_two_sets_of_coordinates_the_nearer_to_the_patient_is_taken(volume, tmp_path):
    """Programs write the place in an atlas beside that in the scanner; codes say which is which."""
    write_nifti(tmp_path / "x.nii", volume.hounsfield, volume.grid)
    image = nibabel.load(tmp_path / "x.nii")
    scanner, atlas = image.affine.copy(), np.diag([2.0, 2.0, 2.0, 1.0])
    for sform, qform in ((atlas, scanner), (scanner, atlas)):
        image.set_sform(sform, "mni" if sform is atlas else "scanner")
        image.set_qform(qform, "aligned" if qform is atlas else "scanner")
        nibabel.save(image, tmp_path / "y.nii")
        assert_same(read_volume(tmp_path / "y.nii"), volume)


def test_mask_is_written_in_bytes(volume, tmp_path):
    mask = volume.hounsfield > 0
    write_nifti(tmp_path / "m.nii.gz", mask, volume.grid)
    image = nibabel.load(tmp_path / "m.nii.gz")
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), mask)


def nifti(volume, path, changes):
    """Write a file with some fields of its 348 bytes of header changed."""
    write_nifti(path, volume.hounsfield, volume.grid)
    content = bytearray(path.read_bytes())
    header = np.frombuffer(content, nibabel.Nifti1Header.template_dtype, 1)[0].copy()
    for name, value in changes.items():
        header[name] = value
    content[:348] = header.tobytes()
    path.write_bytes(content)


BAD_NIFTI = {
    "huge": ({"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]}, "claims"),
    "negative": ({"dim": [3, -5, 6, 5, 1, 1, 1, 1]}, "one volume|nibabel"),
    "two axes": ({"dim": [2, 7, 6, 1, 1, 1, 1, 1]}, "one volume of three axes"),
    "more than there is": ({"dim": [3, 7, 6, 50, 1, 1, 1, 1]}, "truncated"),
    "complex": ({"datatype": 32, "bitpix": 64}, "complex64"),
    "unknown type": ({"datatype": 77}, "no NIfTI image"),
    "no place": ({"sform_code": 0, "qform_code": 0}, "no patient coordinates"),
    "shear": ({"qform_code": 0, "srow_x": [0.5, 0.4, 0, 0]}, "perpendicular"),
    "flat": (
        {"qform_code": 0, "srow_x": [0] * 4, "srow_y": [0] * 4, "srow_z": [0] * 4},
        "spacing",
    ),
    "two places": ({"srow_x": [0.5, 0, 0, 3.0]}, "two sets of coordinates that disagree"),
    "nan": ({"srow_x": [np.nan] * 4}, "finite"),
    "overflow": ({"scl_slope": 1e38, "scl_inter": 3e38}, "NaN or infinity"),
    "offset": ({"scl_slope": 1, "scl_inter": 2e3}, "no Hounsfield units"),
}


@pytest.mark.parametrize("name", BAD_NIFTI)
def test_bad_nifti_is_refused(volume, tmp_path, name):
    changes, reason = BAD_NIFTI[name]
    nifti(volume, tmp_path / "x.nii", changes)
    with pytest.raises(DataError, match=reason) as caught:
        read_volume(tmp_path / "x.nii")
    assert str(tmp_path / "x.nii") in str(caught.value)


def test_nifti_that_is_cut_or_something_else(volume, tmp_path):
    write_nifti(tmp_path / "x.nii.gz", volume.hounsfield, volume.grid)
    whole = (tmp_path / "x.nii.gz").read_bytes()
    (tmp_path / "x.nii.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "y.nii").write_bytes(b"no image at all" * 100)
    (tmp_path / "empty.nii").touch()
    for name in ("x.nii.gz", "y.nii", "empty.nii"):
        with pytest.raises(DataError, match="nifti: "):
            read_volume(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"gone\.nii"):
        read_volume(tmp_path / "gone.nii")


def test_nifti_bomb_is_not_unpacked(volume, tmp_path):
    """A gigabyte of zeros after a small volume: only what the header promises is read."""
    write_nifti(tmp_path / "x.nii", volume.hounsfield, volume.grid)
    with gzip.open(tmp_path / "x.nii.gz", "wb", 1) as packed:
        packed.write((tmp_path / "x.nii").read_bytes())
        for _ in range(16):
            packed.write(bytes(2**24))
    assert_same(read_volume(tmp_path / "x.nii.gz"), volume)


def test_what_cannot_be_written_is_refused(volume, tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.nii or"):
        write_nifti(tmp_path / "x.img", volume.hounsfield, volume.grid)
    with pytest.raises(ValueError, match=r"write_nifti: values \(2, 2\)"):
        write_nifti(tmp_path / "x.nii", np.zeros((2, 2)), volume.grid)
    with pytest.raises(TypeError, match="float64"):
        write_nifti(tmp_path / "x.nii", volume.hounsfield.astype(float), volume.grid)


# ----------------------------------------------------------------------------------- MetaImage


def metaimage(folder: Path, volume: Volume, **changes: str | None) -> Path:
    """Write a volume as LUNA16 has it, x fastest, with other or without some keys."""
    values = volume.hounsfield.astype("<i2")
    keys: dict[str, str | None] = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": " ".join(map(str, volume.origin)),
        "ElementSpacing": " ".join(map(str, volume.spacing[::-1])),
        "DimSize": " ".join(map(str, values.shape[::-1])),
        "ElementType": "MET_SHORT",
        **changes,
    }
    keys["ElementDataFile"] = keys.pop("ElementDataFile", "x.raw")  # the last one
    (folder / "x.raw").write_bytes(values.tobytes())
    text = "".join(f"{key} = {value}\n" for key, value in keys.items() if value is not None)
    (folder / "x.mhd").write_text(text)
    return folder / "x.mhd"


def test_metaimage_comes_back(volume, tmp_path):
    assert_same(read_volume(metaimage(tmp_path, volume)), volume)


def test_metaimage_big_endian_compressed_and_in_one_file(volume, tmp_path):
    path = metaimage(
        tmp_path, volume, BinaryDataByteOrderMSB="True", CompressedData="True",
        ElementDataFile="LOCAL",
    )  # fmt: skip
    packed = zlib.compress(volume.hounsfield.astype(">i2").tobytes())
    (tmp_path / "x.mha").write_bytes(path.read_bytes() + packed)
    assert_same(read_volume(tmp_path / "x.mha"), volume)


def test_metaimage_that_lies_on_its_face(volume, tmp_path):
    """x and y run the other way in the file: a row of the matrix is the direction of an axis."""
    x, y, z = volume.to_patient([0, 5, 6])
    turned = Volume(volume.hounsfield[:, ::-1, ::-1], volume.spacing, volume.origin, AXIAL)
    path = metaimage(tmp_path, turned, TransformMatrix="-1 0 0 0 -1 0 0 0 1", Offset=f"{x} {y} {z}")
    assert_same(read_volume(path), volume)


def test_metaimage_rows_of_the_matrix_are_axes(volume, tmp_path):
    """The first axis of the file runs along y, the second along z, the third along x."""
    grid = Grid((7, 5, 6), (0.5, 2.5, 0.75), volume.origin, np.eye(3)[:, [0, 2, 1]])
    stored = Volume(volume.hounsfield.transpose(2, 0, 1), grid.spacing, grid.origin, grid.direction)
    path = metaimage(tmp_path, stored, TransformMatrix="0 1 0 0 0 1 1 0 0")
    assert_same(read_volume(path), volume)


BAD_META = {
    "no dims": ({"DimSize": None}, "no MetaImage"),
    "two axes": ({"NDims": "2"}, "NDims is not 3"),
    "channels": ({"ElementNumberOfChannels": "3"}, "ElementNumberOfChannels"),
    "text": ({"BinaryData": "False"}, "BinaryData"),
    "type": ({"ElementType": "MET_LONG_LONG"}, "ElementType"),
    "words": ({"DimSize": "a b c"}, "DimSize is not 3 numbers"),
    "nan": ({"DimSize": "7 nan 5"}, "DimSize is not 3 numbers"),
    "huge": ({"DimSize": "99999 99999 99999"}, "claims"),
    "negative": ({"DimSize": "-7 -6 5"}, "claims"),
    "longer": ({"DimSize": "7 6 50"}, "420 bytes of voxels, 4200 expected"),
    "shorter": ({"DimSize": "7 6 4"}, "more bytes of voxels"),
    "spacing": ({"ElementSpacing": "1 0 1"}, "spacing"),
    "shear": ({"TransformMatrix": "1 0 0 1 1 0 0 0 1"}, "perpendicular"),
    "singular": ({"TransformMatrix": "0 0 0 0 0 0 0 0 0"}, "spacing"),
    "header": ({"HeaderSize": "-1"}, "HeaderSize"),
    "not packed": ({"CompressedData": "True"}, "not compressed by zlib"),
    "outside": ({"ElementDataFile": "../x.raw"}, "same folder"),
    "root": ({"ElementDataFile": "/etc/passwd"}, "same folder"),
    "pattern": ({"ElementDataFile": "x%03d.raw 1 5 1"}, "same folder"),
    "unsigned": ({"ElementType": "MET_USHORT"}, "no Hounsfield units"),
}


@pytest.mark.parametrize("name", BAD_META)
def test_bad_metaimage_is_refused(volume, tmp_path, name):
    changes, reason = BAD_META[name]
    with pytest.raises(DataError, match=reason):
        read_volume(metaimage(tmp_path, volume, **changes))


def test_metaimage_follows_no_link_out_of_its_folder(volume, tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    path = metaimage(inside, volume, ElementDataFile="l.raw")
    (tmp_path / "secret.raw").write_bytes((inside / "x.raw").read_bytes())
    (inside / "l.raw").symlink_to(tmp_path / "secret.raw")
    with pytest.raises(DataError, match="a link out of the folder"):
        read_volume(path)
    (inside / "l.raw").unlink()
    with pytest.raises(FileNotFoundError, match="names a file of voxels"):
        read_volume(path)


def test_metaimage_bomb_is_not_unpacked(volume, tmp_path):
    path = metaimage(tmp_path, volume, CompressedData="True")
    (tmp_path / "x.raw").write_bytes(zlib.compress(bytes(2**27), 1))
    with pytest.raises(DataError, match="more bytes of voxels, 420 expected"):
        read_volume(path)


# ------------------------------------------------------------------------- DICOM and pictures


def test_dicom_folder_is_read_as_a_series(tmp_path):
    folder = write_series(tmp_path / "a", 3)
    assert_same(read_volume(folder), read_series(folder))


def test_dicomdir_lists_its_series():
    found = list_series(shipped("dicomdirtests/DICOMDIR"))
    inside = [file for series in found for file in series.files]
    assert len(inside) == 31 == len(set(inside))
    assert {series.modality for series in found} == {"CR", "CT", "MR"}
    key = next(each.key for each in found if each.modality == "CT" and len(each.files) == 5)
    volume = read_volume(shipped("dicomdirtests/DICOMDIR"), series=key)
    assert_same(volume, read_series(shipped("dicomdirtests/98892001/CT5N")))


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (["..", "SECRET"], "outside of its folder"),
        (["A/../../SECRET"], "outside of its folder"),
        (["GONE"], "not there"),
        (["LINK"], "outside of its folder"),
    ],
)
def test_dicomdir_does_not_lead_out_of_its_folder(tmp_path, parts, reason):
    pydicom = pytest.importorskip("pydicom")
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "SECRET").write_bytes(shipped("CT_small.dcm").read_bytes())
    (inside / "LINK").symlink_to(tmp_path / "SECRET")
    directory = pydicom.dcmread(shipped("dicomdirtests/DICOMDIR"))
    images = [r for r in directory.DirectoryRecordSequence if r.DirectoryRecordType == "IMAGE"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom knows that such names are not allowed
        for record in images:
            record.ReferencedFileID = parts
        directory.save_as(inside / "DICOMDIR")
    with pytest.raises(DicomError, match=reason):
        list_series(inside / "DICOMDIR")


def test_folder_with_a_link_to_another_patient(tmp_path):
    other = write_series(tmp_path / "other", 1)
    folder = write_series(tmp_path / "a", 3)
    (folder / "x.dcm").symlink_to(next(other.iterdir()))
    with pytest.raises(DicomError, match="a link that leads out of the folder"):
        read_volume(folder)


def test_picture_takes_its_units_from_the_caller(tmp_path):
    image = pytest.importorskip("PIL.Image")
    grey = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
    image.fromarray(grey).save(tmp_path / "x.png")
    image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "x.tif")
    for name in ("x.png", "x.tif"):
        with pytest.raises(DataError, match="without Hounsfield units and millimetres"):
            read_volume(tmp_path / name)
        volume = picture_volume(
            tmp_path / name, window=Window(-1000, 400), pixel=0.7, thickness=2.0
        )
        np.testing.assert_allclose(volume.hounsfield[0], -1000 + grey / 255 * 1400, atol=1e-3)
        assert volume.spacing == (2, 0.7, 0.7)
    with pytest.raises(ValueError, match="window"):
        picture_volume(tmp_path / "x.png", window=Window(1, 1), pixel=1, thickness=1)
    with pytest.raises(ValueError, match="spacing"):
        picture_volume(tmp_path / "x.png", window=Window(0, 1), pixel=0, thickness=1)
    with pytest.raises(DataError, match=r"none of \.png"):
        picture_volume(tmp_path / "x.dcm", window=Window(0, 1), pixel=1, thickness=1)


def test_settings_of_dicom_are_not_ignored(volume, tmp_path):
    write_nifti(tmp_path / "x.nii", volume.hounsfield, volume.grid)
    with pytest.raises(ValueError, match="no DICOM"):
        read_volume(tmp_path / "x.nii", series="1.2.3")


def test_without_nibabel_the_extra_is_named(volume, tmp_path, monkeypatch):
    (tmp_path / "x.nii").touch()
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ImportError, match=r"pip install tinymed\[medical\]"):
        read_volume(tmp_path / "x.nii")
    with pytest.raises(ImportError, match=r"pip install tinymed\[medical\]"):
        write_nifti(tmp_path / "y.nii", volume.hounsfield, volume.grid)
