"""Images come back in the form they were read in, with what was to be taken off them gone."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.errors import DataError
from tinymed.medical.imaging.dataset import ImageDataset, Split, read_npz, write_npz
from tinymed.medical.imaging.grid import Grid
from tinymed.medical.imaging.nifti import write_nifti
from tinymed.medical.imaging.rewriting import open_images, without
from tinymed.medical.imaging.volume_files import read_volume
from tinymed.medical.imaging.windowing import NODULE


def rewritten(path, folder, taken):
    """Return the file that is written with the same part of the window taken off everywhere."""
    images = open_images(path)
    file = folder / f"{images.name}-new{images.ending}"
    images.save(file, without(images.pixels, np.full(images.pixels.shape, taken), NODULE))
    return file


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_values_end_at_black_and_white(dtype):
    full = np.iinfo(dtype).max
    pixels = np.array([[[0, full // 2, full]]], dtype)
    assert without(pixels, np.full(pixels.shape, 0.1), NODULE).dtype == dtype
    darker = without(pixels, np.full(pixels.shape, 0.1), NODULE).ravel() / full
    assert darker == pytest.approx([0, 0.4, 0.9], abs=0.005)
    assert without(pixels, np.full(pixels.shape, -0.1), NODULE)[0, 0, 2] == full


def test_npz_keeps_splits_labels_and_groups(tmp_path):
    rng = np.random.default_rng(0)
    splits = {
        name: Split(
            rng.integers(60, 200, (n, 12, 12), np.uint8), rng.integers(0, 2, n), np.arange(n)
        )
        for name, n in (("train", 3), ("test", 2))
    }
    write_npz(tmp_path / "x.npz", ImageDataset("x", splits))
    file = rewritten(tmp_path / "x.npz", tmp_path, 0.1)
    assert file.name == "x-new.npz"
    again = read_npz(file)
    for name, split in splits.items():
        assert np.array_equal(again[name].labels, split.labels)
        assert np.array_equal(again[name].groups, split.groups)
        assert again[name].images == pytest.approx(split.images - 25.5, abs=0.51)


@pytest.mark.parametrize("shape", [(12, 13), (2, 12, 13)])
def test_arrays_keep_shape_and_unit(tmp_path, shape):
    hu = np.random.default_rng(0).integers(-900, 300, shape).astype(np.int16)
    np.save(tmp_path / "x.npy", hu)
    again = np.load(rewritten(tmp_path / "x.npy", tmp_path, 0.05))
    assert again.dtype == np.int16
    assert np.array_equal(again, hu - 70)


def test_pictures_of_8_and_16_bits(tmp_path):
    image_module = pytest.importorskip("PIL.Image", reason="pictures need the extra `medical`")
    for dtype in (np.uint8, np.uint16):
        full = np.iinfo(dtype).max
        pixels = np.random.default_rng(0).integers(full // 2, full, (9, 8)).astype(dtype)
        image_module.fromarray(pixels).save(tmp_path / "x.tif")
        file = rewritten(tmp_path / "x.tif", tmp_path, 0.2)
        assert file.name == "x-new.png"
        again = np.asarray(image_module.open(file))
        assert again.astype(float) == pytest.approx(pixels - 0.2 * full, abs=0.51)


def test_scans_keep_their_place_and_what_lies_above_the_window(tmp_path):
    pytest.importorskip("nibabel", reason="NIfTI needs the extra `medical`")
    grid = Grid((2, 4, 5), (2.5, 0.7, 0.8), (-10, 3, 5), np.eye(3)[::-1])
    hu = np.full(grid.shape, -500, np.int16)
    hu[0, 0] = 1200
    write_nifti(tmp_path / "x.nii.gz", hu, grid)
    file = rewritten(tmp_path / "x.nii.gz", tmp_path, 0.1)
    assert file.name == "x-new.nii.gz"
    volume = read_volume(file)
    assert volume.grid.affine == pytest.approx(grid.affine, abs=1e-5)
    assert volume.hounsfield == pytest.approx(np.where(hu == 1200, 1200, -640), abs=1e-3)


def test_what_cannot_be_opened(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file or folder '.*gone.npy'"):
        open_images(tmp_path / "gone.npy")
    (tmp_path / "labels.csv").write_text("image,label\n")
    with pytest.raises(DataError, match="is a table; give the images themselves"):
        open_images(tmp_path / "labels.csv")
    volumes = Split(np.zeros((1, 9, 9, 9), np.uint8), masks=np.zeros((1, 9, 9, 9), np.uint8))
    write_npz(tmp_path / "cubes.npz", ImageDataset("cubes", {"test": volumes}))
    with pytest.raises(DataError, match=r"holds images \(1, 9, 9, 9\), \(n, H, W\) expected"):
        open_images(tmp_path / "cubes.npz")
