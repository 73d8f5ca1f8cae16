"""Folders of images and of series with a CSV: right splits, and one clear error with its line."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.medical.imaging.ct_files import edited, write_series
from tinymed.errors import DataError
from tinymed.medical.imaging import patient_key, read_dataset, read_samples, read_series

SIZE = 12


def image(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (SIZE, SIZE)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Twenty images of ten patients, as npy, with a table."""
    (tmp_path / "data" / "images").mkdir(parents=True)
    lines = ["image,label,group"]
    for number in range(20):
        np.save(tmp_path / "data" / "images" / f"{number}.npy", image(number))
        lines.append(f"images/{number}.npy,{number // 2 % 2},p{number // 2}")
    (tmp_path / "data" / "labels.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "data"


def rows(folder):
    return (folder / "labels.csv").read_text().splitlines()


# ------------------------------------------------------------------------------------ right data


def test_patients_stay_together_and_the_seed_decides(folder):
    dataset = read_dataset(folder, seed=3)
    assert list(dataset.splits) == ["train", "val", "test"]
    groups = [set(split.groups.tolist()) for split in dataset.splits.values()]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert sum(map(len, dataset.splits.values())) == 20
    for split in dataset.splits.values():
        for pixels, label, group in zip(split.images, split.labels, split.groups, strict=True):
            patient = int(group[1:])
            assert label == patient % 2
            assert any((pixels == image(2 * patient + k)).all() for k in (0, 1))
    header, *body = rows(folder)
    (folder / "labels.csv").write_text("\n".join([header, *reversed(body)]))
    again = read_dataset(folder, seed=3)
    assert set(again["test"].groups.tolist()) == groups[2]
    others = [set(read_dataset(folder, seed=s)["test"].groups.tolist()) for s in range(4, 9)]
    assert any(other != groups[2] for other in others)


def test_split_column_is_followed_to_the_row(folder):
    header, *body = rows(folder)
    names = ["test", "train", "val", "train", "train"] * 4
    lines = [f"{row},{name}" for row, name in zip(body, names, strict=True)]
    table = folder / "labels.csv"
    table.write_text("\n".join([f"{header},split", *lines]))
    dataset = read_dataset(table)  # the table itself is a path too
    expected = np.stack([image(number) for number in range(0, 20, 5)])
    np.testing.assert_array_equal(dataset["test"].images, expected)
    assert len(dataset["train"]) == 12


def test_any_single_csv_a_bom_blank_lines_and_spaces_are_read(folder):
    text = "\n\n".join(rows(folder)).replace(",", " , ")
    (folder / "labels.csv").unlink()
    (folder / "mine.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert len(read_dataset(folder)["train"]) > 10


def test_samples_need_no_label(folder):
    (folder / "labels.csv").write_text("image\nimages/3.npy\nimages/1.npy\n")
    samples = read_samples(folder)
    assert samples.sources == [("images/3.npy", 0), ("images/1.npy", 0)]
    np.testing.assert_array_equal(samples.images, [image(3), image(1)])
    with pytest.raises(DataError, match=r"line 1: columns image, no column 'label'"):
        read_dataset(folder)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_pictures_of_8_bits(tmp_path, suffix):
    pil = pytest.importorskip("PIL.Image", reason="pictures need the extra `medical`")
    pil.fromarray(image(0)).save(tmp_path / f"a.{suffix}")
    (tmp_path / "t.csv").write_text(f"image\na.{suffix}\n")
    np.testing.assert_array_equal(read_samples(tmp_path).images[0], image(0))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_pictures_of_16_bits(tmp_path, suffix):
    pil = pytest.importorskip("PIL.Image", reason="pictures need the extra `medical`")
    values = image(0).astype(np.uint16) * 257
    pil.fromarray(values).save(tmp_path / f"a.{suffix}")
    read = read_samples(tmp_path / f"a.{suffix}").images[0]
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, values)


def test_jpeg_is_read_nearly_right(tmp_path):
    pil = pytest.importorskip("PIL.Image", reason="pictures need the extra `medical`")
    values = np.add.outer(np.arange(0, 96, 8), np.arange(0, 96, 8)).astype(np.uint8)
    pil.fromarray(values).save(tmp_path / "a.jpg", quality=95)
    read = read_samples(tmp_path / "a.jpg").images[0].astype(float)
    np.testing.assert_allclose(read, values, atol=8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_read_as_a_viewer_shows_them(tmp_path, orientation):
    """What a file says of how the camera was held: a radiograph must not lie on its side."""
    pil = pytest.importorskip("PIL.Image")
    shown = image(0)[:7]
    stored = {
        1: shown, 2: shown[:, ::-1], 3: shown[::-1, ::-1], 4: shown[::-1],
        5: shown.T, 6: shown.T[::-1], 7: shown.T[::-1, ::-1], 8: shown.T[:, ::-1],
    }  # fmt: skip
    said = pil.Exif()
    said[0x0112] = orientation
    pil.fromarray(np.ascontiguousarray(stored[orientation])).save(tmp_path / "a.png", exif=said)
    assert np.array_equal(read_samples(tmp_path / "a.png").images[0], shown)


def test_dicom_slices_with_patients_from_the_files(tmp_path):
    pytest.importorskip("pydicom", reason="DICOM needs the extra `medical`")
    write_series(tmp_path / "ct", 3, edit=lambda d, n: setattr(d, "PatientID", f"P{n}"))
    names = sorted(p.name for p in (tmp_path / "ct").iterdir())
    lines = [f"ct/{name},{i % 2},train" for i, name in enumerate(names)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,label,split", *lines]))
    train = read_dataset(tmp_path)["train"]
    assert train.images.dtype == np.float32
    assert set(train.groups.tolist()) == {patient_key(f"P{n}") for n in range(3)}


# --------------------------------------------------------------------------------------- bad CSVs

HEADER = "image,label,group"
BAD = {
    "empty file": ("", "line 1: no header"),
    "header only": (f"{HEADER}\n", "line 2: no row"),
    "no label": ("image,group\nimages/1.npy,p\n", "line 1: columns image, group, no column"),
    "no image": ("label\n1\n", "line 1: columns label; expected image,label"),
    "both": ("image,series,label\na,b,1\n", "line 1: columns image, series, label; expected"),
    "patient": ("image,label,patient\nimages/1.npy,1,p\n", "'patient' is not known; call it"),
    "twice": ("image,label,label\nimages/1.npy,1,1\n", "column 'label' is there twice"),
    "nameless": ("image,label,\nimages/1.npy,1,\n", "a column without a name"),
    "semicolons": ("image;label\nimages/1.npy;1\n", "line 1: semicolons between the columns"),
    "tabs": ("image\tlabel\nimages/1.npy\t1\n", "line 1: tabs between the columns"),
    "short line": (f"{HEADER}\nimages/1.npy,1\n", "line 2: 2 cells, 3 expected"),
    "empty cell": (f"{HEADER}\nimages/1.npy,,p\n", "line 2: label is empty"),
    "empty group": (f"{HEADER}\nimages/1.npy,1,\n", "line 2: group is empty"),
    "nan": (f"{HEADER}\nimages/0.npy,1,p\nimages/1.npy,nan,p\n", "line 3: label 'nan', one of 0"),
    "float": (f"{HEADER}\nimages/1.npy,1.0,p\n", "line 2: label '1.0', one of 0, 1"),
    "label 2": (f"{HEADER}\nimages/1.npy,2,p\n", "line 2: label '2'"),
    "negative": (f"{HEADER}\nimages/1.npy,-1,p\n", "line 2: label '-1'"),
    "split": ("image,label,split\nimages/1.npy,1,dev\n", "line 2: split 'dev', one of train"),
    "same": (f"{HEADER}\nimages/1.npy,1,p\nimages/./1.npy,0,q\n", "line 3: the same image as on"),
    "missing": (f"{HEADER}\nimages/99.npy,1,p\n", r"line 2: image 'images/99.npy' does not exist"),
    "folder": (f"{HEADER}\nimages,1,p\n", "line 2: read_picture: no file"),
    "outside": (f"{HEADER}\n../secret.npy,1,p\n", "line 2: '../secret.npy' leads out"),
    "deep outside": (f"{HEADER}\nimages/../../secret.npy,1,p\n", "line 2: .* leads out"),
    "absolute": (f"{HEADER}\n/etc/passwd,1,p\n", "line 2: '/etc/passwd' leads out"),
    "windows": (f"{HEADER}\nC:\\secret.npy,1,p\n", "line 2: .* leads out"),
    "windows up": (f"{HEADER}\nimages\\..\\..\\x.npy,1,p\n", "line 2: .* leads out"),
    "long name": (f"{HEADER}\n{'x' * 5000}.npy,1,p\n", "line 2: .* does not exist"),
    "quote": (f'{HEADER}\n"images/1.npy,1,p\n', "line [23]: unexpected end"),
    "zero byte": (f"{HEADER}\nimages/1\0.npy,1,p\n", "line 2: a zero byte"),
    "link": (f"{HEADER}\nlink.npy,1,p\n", "line 2: 'link.npy' is a link that leads out"),
    "text": (f"{HEADER}\ntext.npy,1,p\n", "line 2: .*text.npy is not a whole npy file"),
    "shape": (f"{HEADER}\nimages/1.npy,1,p\nwide.npy,1,p\n", r"line 3: wide.npy is \(3, 4\)"),
    "depth": (f"{HEADER}\nimages/1.npy,1,p\ndeep.npy,1,p\n", "line 3: deep.npy is .* int16, but 1"),
    "several": (f"{HEADER}\nmany.npy,1,p\n", r"line 2: .*many.npy holds \(2, 3, 4\)"),
    "nan pixels": (f"{HEADER}\nholes.npy,1,p\n", "line 2: .*holds NaN"),
    "colour": (f"{HEADER}\nred.png,1,p\n", "line 2: .*mode RGB"),
    "cut picture": (f"{HEADER}\ncut.png,1,p\n", "line 2: .*not a picture"),
    "unknown kind": (f"{HEADER}\nlabels.csv,1,p\n", "line 2: .*no DICOM file, npy or picture"),
    "one group": (f"{HEADER}\nimages/1.npy,1,p\nimages/2.npy,0,p\n", "cannot be split .*1 groups"),
    "one class": (f"{HEADER}\nimages/1.npy,1,p\nimages/2.npy,1,q\n", "cannot be split .*one class"),
}


@pytest.fixture
def bad(folder):
    """The folder with files that cannot be used, and one outside of it."""
    np.save(folder.parent / "secret.npy", image(0))
    os.symlink(folder.parent / "secret.npy", folder / "link.npy")
    (folder / "text.npy").write_text("text")
    np.save(folder / "wide.npy", np.zeros((3, 4), np.uint8))
    np.save(folder / "many.npy", np.zeros((2, 3, 4), np.uint8))
    np.save(folder / "deep.npy", np.zeros((SIZE, SIZE), np.int16))
    np.save(folder / "holes.npy", np.full((SIZE, SIZE), np.nan))
    return folder


@pytest.mark.parametrize("name", BAD)
def test_bad_table_names_file_and_line(bad, name):
    text, reason = BAD[name]
    if ".png" in text:
        pil = pytest.importorskip("PIL.Image", reason="pictures need the extra `medical`")
        pil.new("RGB", (SIZE, SIZE)).save(bad / "red.png")
        pil.fromarray(image(0)).save(bad / "whole.png")
        (bad / "cut.png").write_bytes((bad / "whole.png").read_bytes()[:120])
    (bad / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=reason) as caught:
        read_dataset(bad)
    if "cannot be split" not in reason:
        assert "labels.csv, line " in str(caught.value)


def test_other_encodings(folder):
    text = "\n".join(rows(folder)).replace("p9", "Grün")
    (folder / "labels.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"labels.csv, line 20: not UTF-8"):
        read_dataset(folder)
    (folder / "labels.csv").write_bytes(text.encode("utf-16"))
    with pytest.raises(DataError, match=r"labels.csv, line 1: not UTF-8"):
        read_dataset(folder)


def test_no_table_and_two_tables(folder):
    (folder / "labels.csv").rename(folder / "a.csv")
    (folder / "b.csv").write_text("image\n")
    with pytest.raises(DataError, match=r"needs a table labels.csv, .* there: a.csv, b.csv"):
        read_dataset(folder)
    with pytest.raises(DataError, match="there: none"):
        read_dataset(folder / "images")


def test_paths_that_are_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        read_dataset(tmp_path / "gone")
    (tmp_path / "x.dat").write_text("text")
    with pytest.raises(DataError, match=r"x.dat is none of: npz file"):
        read_dataset(tmp_path / "x.dat")


# ---------------------------------------------------------------------------------- DICOM series


@pytest.fixture
def scans(tmp_path):
    """Three series of two patients with a table of points."""
    pytest.importorskip("pydicom", reason="DICOM needs the extra `medical`")
    pytest.importorskip("scipy", reason="patches need the extra `medical`")
    for name, patient in (("a", "P1"), ("b", "P1"), ("c", "P2")):
        write_series(tmp_path / name, 4, patient=patient, series=f"1.2.{ord(name)}")
    (tmp_path / "labels.csv").write_text(
        "series,x,y,z,label,split\na,0,-10,104,1,train\n1.2.98,1,-9,101,0,train\nc,0,-10,100,1,test\n"
    )
    return tmp_path


def test_points_give_patches_in_hounsfield_units(scans):
    dataset = read_dataset(scans)
    train = dataset["train"]
    assert train.images.shape == (2, 50, 50)
    volume = read_series(scans / "b")
    np.testing.assert_array_equal(train.images[1], volume.patch((1, -9, 101)))
    # written as -500 + 10 (z - 100) + x / 10, the slice nearest to z = 104 is at 105
    assert train.images[0, 25, 25] == pytest.approx(-450, abs=1)
    assert train.groups.tolist() == [patient_key("P1")] * 2
    assert dataset["test"].groups.tolist() == [patient_key("P2")]


def test_series_alone_gives_the_middle_slice(scans):
    (scans / "labels.csv").write_text("series,label,split\na,0,train\nc,1,train\n")
    images = read_dataset(scans)["train"].images
    assert images.shape == (2, 256, 256)
    assert images[0, 128, 128] == pytest.approx(-450, abs=2)


def test_point_without_label_and_the_folder_itself(scans):
    (scans / "c" / "where.csv").write_text("series,x,y,z\n.,0,-10,100\n")
    samples = read_samples(scans / "c")
    assert samples.sources == [(".", 0)]
    assert samples.images.shape == (1, 50, 50)


BAD_SERIES = {
    "outside the scan": ("a,0,0,900,1", r"line 2: patch: point \(0.0, 0.0, 900.0\) mm is outside"),
    "no number": ("a,0,left,100,1", "line 2: y 'left', a number expected"),
    "infinite": ("a,0,inf,100,1", "line 2: y 'inf'"),
    "no folder": ("z,0,0,100,1", "line 2: series 'z' does not exist"),
    "no series": ("1.2.3.4,0,0,100,1", "line 2: no series '1.2.3.4'"),
    "outside": ("../a,0,0,100,1", "line 2: .* leads out"),
    "several": (".,0,-10,100,1", "line 2: .* 3 series, one expected"),
    "twice": ("a,0,-10,100,1\na,0.0,-10,100,0", "line 3: the same image as on line 2"),
    "by two names": ("a,0,-10,100,1\n1.2.97,0,-10,100,0", "line 3: the same image as on line 2"),
}


@pytest.mark.parametrize("name", BAD_SERIES)
def test_bad_series_names_file_and_line(scans, name):
    text, reason = BAD_SERIES[name]
    (scans / "labels.csv").write_text(f"series,x,y,z,label\n{text}\n")
    with pytest.raises(DataError, match=reason) as caught:
        read_dataset(scans)
    assert "labels.csv, line " in str(caught.value)


def test_x_without_y(scans):
    (scans / "labels.csv").write_text("series,x,z,label\na,0,100,1\n")
    with pytest.raises(DataError, match=r"line 1: .* no column 'y'"):
        read_dataset(scans)


def test_series_without_patient_needs_a_group(scans):
    for file in (scans / "a").iterdir():
        edited(file, lambda d: setattr(d, "PatientID", ""), source=str(file))
    with pytest.raises(DataError, match="line 2: series 'a' has no PatientID; add a column group"):
        read_dataset(scans)
