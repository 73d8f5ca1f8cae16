"""One image from one file: a picture, an array, or a CT slice in DICOM."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.errors import DataError
from tinymed.medical.imaging.dataset import finite_in_float32, native
from tinymed.medical.imaging.dicom import read_slice
from tinymed.medical.imaging.dicom_header import dicom_file

__all__ = ["PICTURES", "read_array", "read_picture"]

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_GREY = {"L": np.uint8, "I;16": np.uint16, "I;16B": np.uint16, "I;16L": np.uint16}

Array = NDArray[Any]


def read_picture(path: Path) -> tuple[Array, str | None]:
    """Return the image (H, W) in a file, and a key of its patient where the file says whose it is.

    Parameters
    ----------
    path : Path
        png, jpg, tif or bmp with 8 or 16 bits of grey (uint8, uint16; needs pillow); npy with one
        array (H, W); a DICOM file with one CT slice (Hounsfield units, float32; needs pydicom).

    Raises
    ------
    FileNotFoundError
    ImportError
        Without pillow or pydicom.
    DataError
        What is damaged, coloured, or holds several images.
    """
    if not path.is_file():
        raise FileNotFoundError(f"read_picture: no file {str(path)!r}")
    suffix = path.suffix.lower()
    if suffix == ".npy":
        array = read_array(path)
        if array.ndim != 2:
            raise DataError(f"read_picture: {path} holds {array.shape}, one image (H, W) expected")
        return array, None
    if suffix in PICTURES:
        return _grey_picture(path), None
    if dicom_file(path):
        read = read_slice(path)
        return read.pixels, read.group
    raise DataError(
        f"read_picture: {path} is no DICOM file, npy or picture ({', '.join(PICTURES)})"
    )


def read_array(path: Path, axes: tuple[int, ...] = (2, 3)) -> Array:
    """Return the array in an npy file, finite numbers; by default (H, W) or (n, H, W)."""
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError) as error:
        raise DataError(f"read_array: {path} is not a whole npy file ({error})") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"read_array: {path} is an npz file, npy expected; call it .npz")
    if array.dtype.kind not in "uif" or array.ndim not in axes or array.size == 0:
        raise DataError(
            f"read_array: {path} holds {array.shape} {array.dtype}, real numbers along "
            f"{' or '.join(map(str, axes))} axes expected"
        )
    if not finite_in_float32(array).all():
        raise DataError(f"read_array: {path} holds NaN or infinity")
    return native(array)


def _grey_picture(path: Path) -> Array:
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise ImportError(
            f"read_picture: {path} needs pillow; pip install tinymed[medical]"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                frames = getattr(picture, "n_frames", 1)
                mode = "L" if picture.mode == "1" else picture.mode
                if mode not in _GREY or frames != 1:
                    raise DataError(
                        f"read_picture: {path} has mode {picture.mode} and {frames} pages, one of "
                        "8 or 16 bits of grey expected (modes L, I;16)"
                    )
                upright = ImageOps.exif_transpose(picture)  # as viewers show it
                pixels = np.asarray(upright.convert("L") if picture.mode == "1" else upright)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"read_picture: {path} is too large ({error})") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"read_picture: {path} is not a picture that can be read ({error})"
        ) from error
    return pixels.astype(_GREY[mode])
