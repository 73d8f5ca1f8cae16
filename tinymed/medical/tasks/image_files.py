"""Images for `predict`: pictures, single arrays, or every image of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tinymed.errors import DataError
from tinymed.medical.imaging.dataset import read_npz

__all__ = ["read_images"]

Array = np.ndarray[Any, Any]
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def read_images(path: Path) -> Array:
    """Return the images of a file, (n, H, W).

    ``.npz`` in the MedMNIST layout (all splits in order), ``.npy`` (H, W) or (n, H, W), or an
    8-bit grey picture (needs the extra ``medical``).

    Raises
    ------
    FileNotFoundError
    DataError
        If the file cannot be read, or holds colours or more than 8 bits.
    """
    if not path.is_file():
        raise FileNotFoundError(f"predict: no file {path}")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return np.concatenate([split.images for split in read_npz(path).splits.values()])
    if suffix == ".npy":
        return _array(path)
    if suffix in PICTURES:
        return _picture(path)
    raise DataError(f"predict: {path} is not npz, npy or a picture ({', '.join(PICTURES)})")


def _array(path: Path) -> Array:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"predict: {path} is not a whole npy file ({error})") from error
    if array.dtype.kind not in "uif" or array.ndim not in (2, 3) or array.size == 0:
        raise DataError(f"predict: {path} holds {array.shape} {array.dtype}, expected (n, H, W)")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"predict: {path} holds NaN or infinity")
    return array if array.ndim == 3 else array[None]


def _picture(path: Path) -> Array:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise ImportError(f"predict: {path} needs pillow; pip install tinymed[medical]") from error
    try:
        with Image.open(path) as picture:
            if picture.mode not in ("L", "1"):
                raise DataError(
                    f"predict: {path} has mode {picture.mode}, 8-bit grey (L) expected; grey "
                    "values must run over the window of the model"
                )
            pixels = np.asarray(picture.convert("L"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError(f"predict: {path} is not a picture that can be read ({error})") from error
    return pixels[None]
