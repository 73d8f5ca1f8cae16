"""What strangers send: refused in one line, in time, without a word of whose it is."""

from __future__ import annotations

import io
import signal
import struct
import sys
import tracemalloc
import warnings
import zipfile
import zlib
from contextlib import contextmanager

import numpy as np
import pytest

from tests.medical.imaging.ct_files import write_series
from tests.medical.imaging.hostile_files import SECRET, hostile_files, whole_file
from tinymed.cli import main
from tinymed.errors import DataError
from tinymed.medical.imaging import (
    DicomError,
    DicomWarning,
    list_series,
    read_dataset,
    read_npz,
    read_samples,
    read_slice,
    read_volume,
)

pytest.importorskip("pydicom", reason="DICOM needs the extra `medical`")

WORK, WAIT = 4.0, 60.0  # seconds of a processor, and by the clock: other work may be going on
FILES = dict(hostile_files(seed=0))
# what is odd in these does not touch the picture: read, and read right
READ = {"sound", "deflated"}


class TooLong(BaseException):
    """No Exception, so that no handler for foreign exceptions catches it."""


@contextmanager
def in_time():
    def stop(*_):
        raise TooLong

    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return
    limits = (signal.ITIMER_PROF, signal.SIGPROF, WORK), (signal.ITIMER_REAL, signal.SIGALRM, WAIT)
    before = [signal.signal(number, stop) for _, number, _ in limits]
    for timer, _, seconds in limits:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for (timer, number, _), handler in zip(limits, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)


def test_there_are_enough_of_them_and_they_differ():
    assert len(FILES) >= 216
    assert len(set(FILES.values())) > 0.97 * len(FILES)
    assert dict(hostile_files(seed=0)) == FILES


@pytest.mark.parametrize("name", FILES)
def test_hostile_dicom_is_read_or_refused_in_a_line(tmp_path, name):
    path = tmp_path / "x.dcm"
    path.write_bytes(FILES[name])
    told = ""
    with warnings.catch_warnings(record=True) as caught, in_time():
        warnings.simplefilter("always", DicomWarning)
        try:
            pixels = read_slice(path).pixels
        except DicomError as error:
            told = str(error)
        else:
            assert pixels.dtype == np.float32
            assert pixels.size <= 2**20
            assert np.isfinite(pixels).all()
            assert pixels.min() >= -1024
        for read in (list_series, read_volume):
            try:
                read(path)
            except DicomError as error:
                told += str(error)
    said = told + "".join(str(each.message) for each in caught)
    assert SECRET.decode() not in said
    assert "Traceback" not in said
    assert "\n" not in told
    assert not told or str(path) in told
    if name in READ:
        expected = np.arange(256, dtype=np.float32).reshape(16, 16) - 1024
        np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("name", ["deflate bomb", "rle bomb", "jpeg 2000 bomb", "jpeg ls bomb"])
def test_bombs_are_not_unpacked(tmp_path, name):
    path = tmp_path / "x.dcm"
    path.write_bytes(FILES[name])
    tracemalloc.start()
    try:
        with in_time(), pytest.raises(DicomError, match=r"inflates|it claims|needs a codec"):
            read_slice(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**26


def test_a_folder_with_a_hostile_file_names_it(tmp_path):
    folder = write_series(tmp_path / "a", 3)
    (folder / "zz.dcm").write_bytes(FILES["nested 5000"])
    (folder / "zy.dcm").write_bytes(FILES["preamble"])
    with in_time(), pytest.raises(DicomError, match=r"zy\.dcm"):
        read_volume(folder)


def test_the_command_says_one_line(tmp_path, capsys):
    for name in ("nested 5000", "rle bomb", "bytes 3", "mark"):
        folder = tmp_path / name.replace(" ", "_")
        folder.mkdir()
        (folder / "x.dcm").write_bytes(FILES[name])
        assert main(["scan", str(folder), "--out", str(tmp_path / "out")]) == 1
        said = capsys.readouterr().err.strip()
        assert said.startswith("tinymed: error: ")
        assert "\n" not in said
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", range(12))
def test_series_with_several_faults_at_once(tmp_path, seed):
    """Gaps, doubles, slices of another size, spacing, orientation or series, drawn at random."""
    rng = np.random.default_rng(seed)
    faults = [
        lambda d: setattr(d, "PixelSpacing", [0.5, 0.5]),
        lambda d: setattr(d, "ImageOrientationPatient", [0, 1, 0, -1, 0, 0]),
        lambda d: setattr(d, "SeriesInstanceUID", "1.2.9"),
        lambda d: setattr(d, "PatientID", "P2"),
        lambda d: setattr(d, "ImagePositionPatient", [-10, -20, 100]),
        lambda d: setattr(d, "ImagePositionPatient", [-10, -20, 400]),
        lambda d: (setattr(d, "Rows", 16), setattr(d, "PixelData", d.PixelData[: 2 * 16 * 32])),
    ]
    chosen = rng.permutation(len(faults))[: 1 + seed % 3]
    slices = rng.permutation(np.arange(1, 7))[: len(chosen)]

    def edit(dataset, number):
        for fault, place in zip(chosen, slices, strict=True):
            if place == number:
                faults[fault](dataset)

    folder = write_series(tmp_path / "a", 7, edit=edit)
    with in_time(), pytest.raises(DicomError, match=r"mixed|series|patients|position|gap"):
        read_volume(folder)


# --------------------------------------------------------------------------- pictures and arrays


def chunk(kind, content):
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def png(width, height, depth=8):
    """A picture of zeros that is small in its file."""
    rows = zlib.compressobj()
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    data = rows.compress(bytes(2**20)) + rows.flush()
    mark = b"\x89PNG\r\n\x1a\n"
    return mark + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_001), (2**31 - 1, 2**31 - 1), (0, 5)])
def test_pictures_of_a_hundred_megapixels_are_refused(tmp_path, width, height):
    pytest.importorskip("PIL", reason="pictures need the extra `medical`")
    (tmp_path / "x.png").write_bytes(png(width, height))
    with in_time(), pytest.raises(DataError, match=r"x\.png"):
        read_samples(tmp_path / "x.png")


def test_array_that_claims_terabytes(tmp_path):
    with open(tmp_path / "x.npy", "wb") as file:
        claim = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**4, 10**4)}
        np.lib.format.write_array_header_1_0(file, claim)
        file.write(b"little")
    with in_time(), pytest.raises(DataError, match="not a whole npy file"):
        read_samples(tmp_path / "x.npy")


def npy(shape):
    file = io.BytesIO()
    claim = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, claim)
    return file.getvalue()


def test_zip_bomb_in_an_npz_is_not_unpacked(tmp_path, monkeypatch):
    """A quarter of a gigabyte is unpacked without a question; here, a megabyte."""
    monkeypatch.setattr("tinymed.medical.archives._SMALL", 2**20)
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train_images.npy", npy((2**22 // 2500, 50, 50)) + bytes(2**22))
        archive.writestr("../../train_labels.npy", npy((1,)) + b"\0")
    with in_time(), pytest.raises(ValueError, match="would unpack"):
        read_npz(path)


def test_npz_with_paths_that_climb_writes_nothing(tmp_path):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    with zipfile.ZipFile(inside / "x.npz", "w") as archive:
        archive.writestr("../../train_images.npy", npy((1, 2, 2)) + bytes(4))
        archive.writestr("/etc/train_labels.npy", npy((1,)) + b"\0")
    with pytest.raises(ValueError, match="train_images and train_labels"):
        read_npz(inside / "x.npz")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "x.npz"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_in_circles_and_to_devices_do_not_hang(tmp_path):
    folder = write_series(tmp_path / "a", 3)
    (folder / "loop").symlink_to(folder)
    (folder / "round.dcm").symlink_to(folder / "round.dcm")
    (folder / "zero.dcm").symlink_to("/dev/zero")
    with in_time():
        assert read_volume(folder).hounsfield.shape == (3, 32, 32)


def test_tables_hold_formulas_as_text(tmp_path):
    """A formula in a cell is a name like any other; it is never a label, and never run."""
    for n in range(8):
        np.save(tmp_path / f"{n}.npy", np.full((4, 4), n, np.uint8))
    lines = [f"{n}.npy,=HYPERLINK(1)+{n % 4}" for n in range(8)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,group", *lines]))
    samples = read_samples(tmp_path)
    assert samples.groups[0] == "=HYPERLINK(1)+0"
    (tmp_path / "labels.csv").write_text("image,label\n0.npy,=1\n")
    with pytest.raises(DataError, match="line 2: label '=1'"):
        read_dataset(tmp_path)


def test_a_sound_file_of_this_writer_is_sound(tmp_path):
    """Else all of the others would be refused for the same reason."""
    (tmp_path / "x.dcm").write_bytes(FILES["sound"])
    found = read_slice(tmp_path / "x.dcm")
    assert found.spacing == (0.7, 0.7)
    assert found.position == (-10, -20, 30)
    assert len(whole_file(b"")) < 300
