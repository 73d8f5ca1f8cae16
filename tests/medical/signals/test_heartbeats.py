"""Reading heartbeats: what is written is read, and damage is named with its row."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.errors import DataError
from tinymed.medical import archives
from tinymed.medical.signals.heartbeats import Beats, read_beats, write_beats


def arrays(n=6):
    generator = np.random.default_rng(0)
    return {
        "X": generator.integers(-200, 200, (n, 128)).astype(np.int16),
        "rr": np.full((n, 2), 300, np.int16),
        "rec": np.repeat([101, 102], n // 2).astype(np.int16),
        "y": np.array([0, 1, 2, 3, 4, 0], np.uint8)[:n],
    }


def saved(path, **changed):
    content = {**arrays(), **changed}
    np.savez(path, **{name: array for name, array in content.items() if array is not None})
    return path


def test_what_is_written_is_read(tmp_path):
    content = arrays()
    beats = Beats(content["X"], content["rr"], content["rec"], content["y"])
    write_beats(tmp_path / "beats.npz", beats)
    again = read_beats(tmp_path / "beats.npz")
    for name in ("samples", "rr", "patient", "label"):
        np.testing.assert_array_equal(getattr(again, name), getattr(beats, name))


def test_classes_may_be_missing(tmp_path):
    assert read_beats(saved(tmp_path / "x.npz", y=None)).label is None


def with_value(name, row, value, dtype=None):
    array = arrays()[name].astype(dtype) if dtype else arrays()[name]
    array[row] = value
    return {name: array}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (with_value("X", (4, 7), np.nan, np.float32), "row 4: X holds NaN or infinity"),
        (with_value("X", 2, 0), "row 2: X is constant"),
        (with_value("rr", (3, 1), 0), "row 3: rr is not positive"),
        (with_value("rr", (2, 0), np.inf, float), "row 2: rr is not positive and finite"),
        ({"rr": np.full((6, 2), 0.83)}, "patient 101 has the median 0.83, 72 to 900 expected"),
        (with_value("rr", slice(3, 6), 1100), "patient 102 has the median 1100"),
        (with_value("y", 5, 9), "row 5: y is no class"),
        ({"rec": np.array([1, 1, 2, 1, 1, 2])}, r"row 3 \(and 1 more\): rec goes back"),
        ({"X": np.ones((6, 100), np.int16)}, r"X has shape \(6, 100\), \(6, 128\) expected"),
        ({"rr": np.ones(6)}, r"rr has shape \(6,\)"),
        ({"y": np.zeros(5, int)}, r"y has shape \(5,\)"),
        ({"rr": None, "rec": None}, "has no rr, rec; it holds X, y"),
        ({"X": np.full((6, 128), "a")}, "X has dtype"),
        ({"rec": np.array([None] * 6)}, "rec is unreadable: it is an object array"),
    ],
)
def test_bad_input_is_named_with_its_file_and_row(changed, expected, tmp_path):
    with pytest.raises(DataError, match=expected) as raised:
        read_beats(saved(tmp_path / "bad.npz", **changed))
    assert "bad.npz" in str(raised.value)


def test_an_empty_file_is_refused():
    with pytest.raises(DataError, match="no beats"):
        Beats(np.zeros((0, 128)), np.zeros((0, 2)), np.zeros(0, int))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"text"])
def test_a_damaged_file_is_refused(content, tmp_path):
    path = tmp_path / "torn.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"torn\.npz' is not a whole npz file"):
        read_beats(path)


def test_damaged_bytes_are_refused_or_read_wherever_they_are(tmp_path):
    path = tmp_path / "beats.npz"
    write_beats(path, Beats(*arrays().values()))
    whole, refused = path.read_bytes(), []
    for place in range(0, len(whole), 23):
        path.write_bytes(whole[:place] + b"\xff\xfe\xfd\xfc" + whole[place + 4 :])
        try:
            read_beats(path)
        except DataError as error:
            refused.append(str(error))
    assert any("Error -3" in told for told in refused)  # of zlib


def test_a_single_array_is_refused(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(DataError, match="is a single array"):
        read_beats(tmp_path / "one.npy")


def test_a_file_that_unpacks_to_far_more_than_it_is_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_SMALL", 2**16)
    np.savez_compressed(tmp_path / "bomb.npz", **{**arrays(), "X": np.zeros((2**14, 128))})
    with pytest.raises(DataError, match="would unpack"):
        read_beats(tmp_path / "bomb.npz")


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"no file 'nowhere\.npz'"):
        read_beats("nowhere.npz")
