"""Files in the layout of MedMNIST: what is read back, and how bad files are refused."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed.medical.imaging.dataset import ImageDataset, Split, read_npz, write_npz
from tinymed.medical.imaging.pictures import read_array

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"
IMAGES = np.arange(3 * 8 * 8, dtype=np.uint8).reshape(3, 8, 8)
LABELS = np.array([0, 1, 1])


def saved(folder, **arrays):
    path = folder / "set.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((3, 8, 9), np.uint8), ((3, 8, 9, 3), np.float32), ((3, 4, 8, 9), np.int16)],
)
def test_each_layout_comes_back(tmp_path, shape, dtype):
    images = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    path = saved(tmp_path, val_images=images, val_labels=LABELS[:, None].astype(np.uint8))
    dataset = read_npz(path)
    assert dataset.name == "set"
    assert list(dataset.splits) == ["val"]
    split = dataset["val"]
    assert np.array_equal(split.images, images)
    assert split.images.dtype == dtype
    assert split.labels.tolist() == [0, 1, 1]
    assert split.labels.dtype == np.int64
    assert split.groups is None
    assert len(split) == 3


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_images_come_in_the_byte_order_of_this_machine(tmp_path, dtype):
    """The kind of numbers says what they mean: '>u2' must not be taken for something else."""
    swapped = (IMAGES.astype(dtype) * 257).astype(np.dtype(dtype).newbyteorder("S"))
    images = read_npz(saved(tmp_path, train_images=swapped, train_labels=LABELS))["train"].images
    assert images.dtype == dtype
    assert np.array_equal(images, swapped)
    np.save(tmp_path / "x.npy", swapped)
    array = read_array(tmp_path / "x.npy")
    assert array.dtype == dtype
    assert np.array_equal(array, swapped)


def test_masks_may_replace_labels(tmp_path):
    masks = IMAGES > 50
    split = read_npz(saved(tmp_path, train_images=IMAGES, train_masks=masks))["train"]
    assert split.labels is None
    assert np.array_equal(split.masks, masks)


def test_write_read_round_trip(tmp_path):
    groups = np.array(["a", "b", "b"])
    dataset = ImageDataset("s", {"train": Split(IMAGES, LABELS, groups, IMAGES > 3)})
    write_npz(tmp_path / "any.name", dataset)
    back = read_npz(tmp_path / "any.name")["train"]
    for field in ("images", "labels", "groups", "masks"):
        assert np.array_equal(getattr(back, field), getattr(dataset["train"], field))


def test_other_arrays_are_left_alone(tmp_path):
    read_npz(saved(tmp_path, train_images=IMAGES, train_labels=LABELS, class_names=np.array("ab")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_labels": LABELS[:2]}, r"train_labels \(2,\) for 3 images"),
        ({"train_labels": np.eye(3, dtype=int)}, r"train_labels \(3, 3\) for 3 images"),
        ({"train_labels": np.array([0, 1, np.nan])}, "train_labels hold NaN in 1 of 3"),
        ({"train_labels": np.array([0, -1, 1])}, "train_labels go down to -1"),
        ({"train_groups": np.arange(4)}, r"train_groups \(4,\) for 3 images"),
        ({"train_masks": IMAGES[:, :4]}, r"train_masks \(3, 4, 8\) do not fit images"),
        ({"train_images": IMAGES[:0], "train_labels": LABELS[:0]}, "are empty"),
        ({"train_images": IMAGES[0]}, r"train_images \(8, 8\) have 2 axes, expected \(n, H, W\)"),
        ({"train_images": IMAGES / np.float64([[[np.nan]]])}, "NaN or infinity in 3 of 3, .* at 0"),
        ({"train_images": IMAGES * 1e300}, "NaN or infinity in 3 of 3"),  # as float32
        ({"train_patient_ids": LABELS}, "train_patient_ids is not known; call it train_groups"),
        ({"val_images": IMAGES}, "val_images and val_labels"),
        ({"val_labels": LABELS}, "val_images and val_labels"),
        ({"val_images": IMAGES[:, 1:], "val_labels": LABELS}, "one shape and dtype"),
    ],
)
def test_wrong_arrays_are_value_errors(tmp_path, change, message):
    path = saved(tmp_path, **{"train_images": IMAGES, "train_labels": LABELS, **change})
    with pytest.raises(ValueError, match=message):
        read_npz(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_labels": np.array([0.0, 1, 1])}, "train_labels are float64, integers expected"),
        ({"train_labels": np.array(["a", "b", "c"])}, "train_labels are <U1"),
        ({"train_groups": np.array([0.5, 1, 2])}, "train_groups are float64, integers or strings"),
        ({"train_images": IMAGES.astype(complex)}, "train_images are complex128"),
        ({"train_masks": IMAGES / 2}, "train_masks are float64"),
    ],
)
def test_wrong_kinds_are_type_errors(tmp_path, change, message):
    path = saved(tmp_path, **{"train_images": IMAGES, "train_labels": LABELS, **change})
    with pytest.raises(TypeError, match=message):
        read_npz(path)


def test_missing_file():
    with pytest.raises(FileNotFoundError, match=r"read_npz: no file 'nowhere\.npz'"):
        read_npz("nowhere.npz")


def test_folder_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_foreign_files(tmp_path, content):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a whole npz file"):
        read_npz(path)


def test_single_array_is_named_as_such(tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    with pytest.raises(ValueError, match="a single array"):
        read_npz(tmp_path / "x.npy")


def test_other_keys_are_listed(tmp_path):
    with pytest.raises(ValueError, match=r"holds \['x', 'y'\], but train_images and train_labels"):
        read_npz(saved(tmp_path, x=IMAGES, y=LABELS))


def test_object_arrays_are_refused(tmp_path):
    images = np.array([IMAGES[0], "x"], dtype=object)
    with pytest.raises(ValueError, match="train_images is unreadable: it is an object array"):
        read_npz(saved(tmp_path, train_images=images, train_labels=LABELS[:2]))


def test_member_that_is_no_array(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_images", b"plain bytes")
    with pytest.raises(ValueError, match="train_images is not an array"):
        read_npz(path)


def whole_file():
    stream = io.BytesIO()
    np.savez_compressed(stream, train_images=IMAGES, train_labels=LABELS)
    return stream.getvalue()


WHOLE = whole_file()


@settings(max_examples=200, deadline=None)
@given(
    end=st.integers(0, len(WHOLE)),
    position=st.integers(0, len(WHOLE) - 1),
    byte=st.integers(0, 255),
    cut=st.booleans(),
)
def test_damaged_files_are_refused_or_read_right(tmp_path_factory, end, position, byte, cut):
    damaged = bytearray(WHOLE)
    damaged[position] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(damaged[:end] if cut else damaged)
    try:
        split = read_npz(path)["train"]
    except ValueError as error:
        assert str(error).startswith("read_npz: ")  # noqa: PT017 (success is an outcome too)
    else:
        assert np.array_equal(split.images, IMAGES)
        assert np.array_equal(split.labels, LABELS)


def test_unknown_split_names():
    split = Split(IMAGES, LABELS)
    with pytest.raises(ValueError, match=r"\['training'\], some of \['train', 'val', 'test'\]"):
        ImageDataset("x", {"training": split})
    with pytest.raises(KeyError, match="no split 'test' in x"):
        ImageDataset("x", {"val": split})["test"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")
def test_real_sets():
    nodules = read_npz(SHARED / "luna16_nodules.npz")
    assert [len(s) for s in nodules.splits.values()] == [4361, 789, 993]
    cubes = read_npz(SHARED / "lidc_nodule_cubes.npz")["test"]
    assert cubes.images.shape == cubes.masks.shape == (12, 41, 41, 41)
