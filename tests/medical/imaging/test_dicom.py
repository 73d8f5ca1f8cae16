"""One DICOM file: right Hounsfield units, no patient in the result, one clean error otherwise."""

from __future__ import annotations

import hashlib
import hmac
import pickle
import subprocess
import sys
import warnings
from importlib.util import find_spec

import numpy as np
import pytest

from tests.medical.imaging.ct_files import edited, shipped
from tinymed.errors import DataError
from tinymed.medical.imaging import (
    DicomError,
    DicomWarning,
    patient_key,
    read_samples,
    read_slice,
)

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra `medical`")


def stored(path):
    """The stored values of an uncompressed 16-bit file, without pydicom's decoder."""
    dataset = pydicom.dcmread(path)
    kind = "<i2" if dataset.PixelRepresentation else "<u2"
    return np.frombuffer(dataset.PixelData, kind).reshape(dataset.Rows, dataset.Columns)


# ------------------------------------------------------------------------------------ right values


def test_ct_is_in_hounsfield_units_without_the_patient():
    path = shipped("CT_small.dcm")
    read = read_slice(path)
    np.testing.assert_array_equal(read.pixels, stored(path).astype(np.float32) - 1024)
    assert read.pixels.dtype == np.float32
    assert read.spacing == (0.661468, 0.661468)
    assert read.modality == "CT"
    dataset = pydicom.dcmread(path)
    for keyword in ("PatientName", "PatientID", "InstitutionName", "StudyDate", "StudyInstanceUID"):
        assert str(dataset[keyword].value)  # it is in the file
        assert str(dataset[keyword].value) not in repr(read)


def test_padding_becomes_air(tmp_path):
    def pad(dataset):
        values = dataset.pixel_array.copy()
        values[:5] = -2000
        dataset.PixelData = values.tobytes()

    read = read_slice(edited(tmp_path / "x.dcm", pad))
    assert (read.pixels[:5] == -1024).all()
    assert read.pixels[5:].min() == stored(shipped("CT_small.dcm"))[5:].min() - 1024


def test_padding_within_the_range_of_tissue_becomes_air(tmp_path):
    """Padding is told by its value, not by being low: unsigned files often use 0 or the highest."""

    def pad(dataset):
        values = dataset.pixel_array.copy()
        values[0], values[1] = 3000, 3003
        dataset.PixelData = values.tobytes()
        dataset.PixelPaddingValue = 3000
        dataset.add_new("PixelPaddingRangeLimit", "SS", 3005)

    read = read_slice(edited(tmp_path / "x.dcm", pad))
    assert (read.pixels[:2] == -1024).all()
    assert read.pixels[2:].max() == stored(shipped("CT_small.dcm"))[2:].max() - 1024


def test_values_below_air_are_clipped():
    read = read_slice(shipped("693_J2KI.dcm"))  # stored values go down to -2971
    assert read.pixels.min() == -1024
    assert read.pixels.max() == 2836 - 1024


def test_monochrome1_is_inverted():
    path = shipped("dicomdirtests/77654033/CR1/6154")
    read = read_slice(path, modality="CR")
    np.testing.assert_allclose(read.pixels, 0.684 * (4095 - stored(path)) + 200, rtol=1e-6)


def test_hounsfield_units_do_not_depend_on_how_they_are_shown(tmp_path):
    def show(dataset):
        dataset.PhotometricInterpretation = "MONOCHROME1"

    read = read_slice(edited(tmp_path / "x.dcm", show))
    np.testing.assert_array_equal(read.pixels, read_slice(shipped("CT_small.dcm")).pixels)


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm"])
def test_what_can_be_decompressed_is_right(name):
    if "jp2k" in name:
        pytest.importorskip("PIL", reason="JPEG 2000 needs pillow")
    np.testing.assert_array_equal(
        read_slice(shipped(name), modality="MR").pixels, stored(shipped("MR_small.dcm"))
    )


def test_jpeg_ls_is_right_or_names_the_extra():
    path = shipped("MR_small_jpeg_ls_lossless.dcm")
    if find_spec("jpeg_ls") or find_spec("gdcm"):
        expected = stored(shipped("MR_small.dcm"))
        np.testing.assert_array_equal(read_slice(path, modality="MR").pixels, expected)
    else:
        with pytest.raises(DicomError, match=r"JPEG-LS.*pip install tinymed\[dicom-codecs\]"):
            read_slice(path, modality="MR")


# ------------------------------------------------------------------------------- the group's key


def test_patient_key_is_a_salted_hash():
    expected = hmac.new(b"salt", b"1CT1", hashlib.sha256).hexdigest()[:16]
    assert patient_key("1CT1", "salt") == expected
    assert read_slice(shipped("CT_small.dcm"), salt="salt").group == expected
    assert read_slice(shipped("CT_small.dcm")).group != expected


@pytest.mark.parametrize("value", [None, "", "  "])
def test_no_patient_no_key(tmp_path, value):
    def forget(dataset):
        if value is None:
            del dataset.PatientID
        else:
            dataset.PatientID = value

    assert read_slice(edited(tmp_path / "x.dcm", forget)).group is None


# ---------------------------------------------------------------------------------------- refused

REFUSED = [
    ("MR_truncated.dcm", None, "truncated: 8130 bytes of pixels, 8192 expected"),
    ("no_meta.dcm", "CT", "DICM is missing"),
    ("meta_missing_tsyntax.dcm", "CT", "no transfer syntax"),
    ("badVR.dcm", None, "NumberOfFrames is not a number"),
    ("rtplan_truncated.dcm", None, r"no pixels in it \(RTPLAN\)"),
    ("waveform_ecg.dcm", "CT", r"modality ECG, CT expected; no pixels in it"),
    ("SC_rgb_small_odd.dcm", "CT", r"modality OT, CT expected; colour \(3 values a pixel\)"),
    ("SC_rgb_rle.dcm", None, "colour"),
    ("examples_palette.dcm", None, "colours from a palette"),
    ("examples_ybr_color.dcm", None, "colour"),
    ("liver_1frame.dcm", None, "frames"),
    ("rtdose.dcm", None, "15 frames, one expected"),
    ("JPEG-lossy.dcm", None, r"JPEG Extended .*12 bits\) cannot be decoded"),
    ("MR_small.dcm", "CT", "modality MR, CT expected"),
    ("dicomdirtests/DICOMDIR", "CT", "DICOMDIR"),
    ("dicomdirtests/TINY_ALPHA/PT000000/ST000000/SE000000/IM000000", "CT", "no pixels in it"),
]


@pytest.mark.parametrize(("name", "modality", "reason"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused_with_file_and_reason(name, modality, reason):
    path = shipped(name)
    with pytest.raises(DicomError, match=reason) as caught:
        read_slice(path, modality=modality)
    assert caught.value.file == path
    assert str(caught.value) == f"dicom: {path}: {caught.value.reason}"
    assert isinstance(caught.value, DataError)
    assert pickle.loads(pickle.dumps(caught.value)).reason == caught.value.reason  # from a worker


def test_jpeg_lossless_colour_names_both_reasons():
    with pytest.raises(DicomError, match="colour") as caught:
        read_slice(shipped("SC_rgb_jpeg_gdcm.dcm"), modality=None)
    if not find_spec("gdcm") and not find_spec("libjpeg"):
        assert "pip install tinymed[dicom-codecs]" in str(caught.value)


EDITS = {
    "no slope": (lambda d: delattr(d, "RescaleSlope"), "no rescale slope"),
    "no intercept": (lambda d: delattr(d, "RescaleIntercept"), "no rescale slope"),
    "slope 0": (lambda d: setattr(d, "RescaleSlope", 0), "rescale slope 0 .*impossible"),
    "slope nan": (lambda d: setattr(d, "RescaleSlope", float("nan")), "rescale slope nan"),
    "intercept inf": (lambda d: setattr(d, "RescaleIntercept", float("inf")), "intercept inf"),
    "other unit": (lambda d: setattr(d, "RescaleType", "US"), "rescale type is not HU"),
    "spacing 0": (lambda d: setattr(d, "PixelSpacing", [0, 0.5]), r"PixelSpacing is \(0.0, 0.5\)"),
    "spacing nan": (lambda d: setattr(d, "PixelSpacing", [float("nan"), 1]), "PixelSpacing is"),
    "one spacing": (lambda d: setattr(d, "PixelSpacing", 0.5), "PixelSpacing has 1 values"),
    "skew": (
        lambda d: setattr(d, "ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
        "perpendicular unit vectors",
    ),
    "no rows": (lambda d: setattr(d, "Rows", 0), "no pixels"),
    "rows": (lambda d: setattr(d, "Rows", 60000), "truncated"),
    "12 of 8 bits": (lambda d: setattr(d, "BitsStored", 24), "24 of 16 bits"),
    "frames": (lambda d: setattr(d, "NumberOfFrames", 2**31 - 1), "it claims 2147483647 frames"),
    "negative frames": (lambda d: setattr(d, "NumberOfFrames", -3), "NumberOfFrames is -3"),
    "empty pixels": (lambda d: setattr(d, "PixelData", b""), "no pixels"),
    "colour": (lambda d: setattr(d, "SamplesPerPixel", 3), "colour"),
}


@pytest.mark.parametrize("name", EDITS)
def test_edited_ct_is_refused(tmp_path, name):
    edit, reason = EDITS[name]
    with pytest.raises(DicomError, match=reason):
        read_slice(edited(tmp_path / "x.dcm", edit))


@pytest.mark.parametrize("defined", [True, False], ids=["explicit length", "undefined length"])
def test_two_hundred_nested_sequences(tmp_path, defined):
    """pydicom recurses into them; whatever becomes of that, it is no RecursionError."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    def nest(dataset):
        inner = Dataset()
        inner.CodeValue = "x"
        for _ in range(200):
            outer = Dataset()
            outer.ConceptCodeSequence = Sequence([inner])
            if not defined:
                outer["ConceptCodeSequence"].is_undefined_length = True
                inner.is_undefined_length_sequence_item = True
            inner = outer
        dataset.SharedFunctionalGroupsSequence = Sequence([inner])

    try:
        path = edited(tmp_path / "x.dcm", nest)
    except RecursionError:
        pytest.skip("this pydicom cannot write 200 nested sequences")
    reason = ""
    try:
        assert read_slice(path).pixels.shape == (128, 128)
    except DicomError as error:
        reason = error.reason
    assert not reason or "sequences are nested too deeply" in reason


@pytest.mark.parametrize("cut", [0, 100, 131, 132, 200, 400, 1000, 5000, 20000, 39000])
def test_cut_anywhere(tmp_path, cut):
    path = tmp_path / "x.dcm"
    path.write_bytes(shipped("CT_small.dcm").read_bytes()[:cut])
    with pytest.raises(DicomError):
        read_slice(path)


@pytest.mark.parametrize("seed", range(30))
def test_damaged_bytes_are_read_or_refused(tmp_path, seed):
    """Bytes of the header are altered at random: only DicomError may come of it."""
    rng = np.random.default_rng(seed)
    content = bytearray(shipped("CT_small.dcm").read_bytes())
    for place in rng.integers(132, 6400, 6):
        content[place] = rng.integers(256)
    path = tmp_path / "x.dcm"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DicomWarning)
        try:
            found = read_slice(path).pixels
        except DicomError as error:
            found = str(error)
    assert "CompressedSamples" not in found if isinstance(found, str) else np.isfinite(found).all()


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.dcm"):
        read_slice(tmp_path / "gone.dcm")


# --------------------------------------------------------------------------------------- warnings


def test_oddities_are_told_without_quoting_the_file(tmp_path):
    content = shipped("CT_small.dcm").read_bytes()
    series = str(pydicom.dcmread(shipped("CT_small.dcm")).SeriesInstanceUID).encode()
    path = tmp_path / "x.dcm"
    path.write_bytes(content.replace(series, series[:-4] + b"Anna"))
    with pytest.warns(DicomWarning, match="pydicom warns: Invalid value for VR UI") as caught:
        read_slice(path)
    assert "Anna" not in str(caught[0].message)


def test_nothing_is_logged(tmp_path, caplog):
    test_oddities_are_told_without_quoting_the_file(tmp_path)
    assert not caplog.records


def test_values_beyond_the_stated_bits_are_told(tmp_path):
    def narrow(dataset):
        dataset.BitsStored, dataset.HighBit = 11, 10

    with pytest.warns(DicomWarning, match="values lost bits above the 11 it states"):
        read_slice(edited(tmp_path / "x.dcm", narrow))


def test_excess_bytes_are_told():
    with pytest.warns(DicomWarning, match="excess padding"):
        read_slice(shipped("MR_small_padded.dcm"), modality="MR")


# ------------------------------------------------------------------------------ optional packages


@pytest.mark.parametrize("module", ["pydicom", "PIL"])
def test_missing_package_names_the_extra(monkeypatch, tmp_path, module):
    path = shipped("CT_small.dcm") if module == "pydicom" else tmp_path / "x.png"
    path.touch() if module == "PIL" else None
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install tinymed\[medical\]"):
        read_samples(path)


def test_reading_is_imported_without_its_optional_packages():
    code = (
        "import sys, tinymed.medical.imaging.reading; "
        "print({'pydicom', 'PIL', 'scipy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
