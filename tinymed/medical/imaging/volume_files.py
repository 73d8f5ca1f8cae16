"""Volumes from a path: the one place that knows which kinds of files hold a scan."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tinymed.errors import DataError
from tinymed.medical.imaging.dicom_header import SALT
from tinymed.medical.imaging.dicom_series import read_series
from tinymed.medical.imaging.metaimage import METAIMAGE, read_metaimage
from tinymed.medical.imaging.nifti import NIFTI, read_nifti
from tinymed.medical.imaging.pictures import PICTURES, read_picture
from tinymed.medical.imaging.volume import Volume
from tinymed.medical.imaging.windowing import Window

__all__ = ["picture_volume", "read_volume"]

_UPRIGHT = np.eye(3)[::-1]  # slices along z, rows along y, columns along x


def read_volume(
    path: str | os.PathLike[str],
    *,
    series: str | None = None,
    gaps: str = "raise",
    salt: str = SALT,
) -> Volume:
    """Read a CT scan as Hounsfield units in patient coordinates, whatever it is kept in.

    Parameters
    ----------
    path : path
        A folder with DICOM, a DICOMDIR, one DICOM file (`read_series`); .nii or .nii.gz
        (`read_nifti`); .mhd or .mha (`read_metaimage`).
    series, gaps, salt
        For DICOM, as in `read_series`.

    Raises
    ------
    FileNotFoundError
    ImportError
        Without the extra ``medical``.
    DataError
        What the readers refuse, each with its reason; `DicomError` for DICOM. A picture, which has
        neither Hounsfield units nor millimetres: `picture_volume` takes them from the caller.
    ValueError
        Settings for DICOM with a file that is none.
    """
    path = Path(path)
    name = path.name.lower()
    readers = {NIFTI: read_nifti, METAIMAGE: read_metaimage}
    for endings, reader in readers.items():
        if name.endswith(endings) and not path.is_dir():
            if series is not None or gaps != "raise":
                raise ValueError(f"read_volume: {path} is no DICOM, so series and gaps say nothing")
            return reader(path)
    if name.endswith((*PICTURES, ".npy")) and path.is_file():
        raise DataError(
            f"read_volume: {path} is a picture, without Hounsfield units and millimetres; "
            "picture_volume takes a window and a pixel size for it"
        )
    return read_series(path, series=series, gaps=gaps, salt=salt)


def picture_volume(
    path: str | os.PathLike[str], *, window: Window, pixel: float, thickness: float
) -> Volume:
    """Read a grey picture (png, jpg, tif, bmp) as one axial slice, with what it does not say.

    Parameters
    ----------
    path : path
        8 or 16 bits of grey.
    window : Window
        The Hounsfield units that its darkest and its brightest value stand for. What they clipped
        is lost.
    pixel, thickness : float
        mm. The centre of the first pixel is the origin of the patient coordinates.

    Raises
    ------
    FileNotFoundError, ImportError, DataError
        As `read_picture`.
    ValueError
        A window or sizes that are not positive.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.fromarray(np.array([[0, 51, 255]], np.uint8)).save(f"{folder}/x.png")
    ...     picture_volume(f"{folder}/x.png", window=Window(-1000, 400), pixel=0.7, thickness=2)
    Volume((1, 1, 3), 2 x 0.7 x 0.7 mm)
    """
    path = Path(path)
    if not window.low < window.high:
        raise ValueError(f"picture_volume: window {tuple(window)} HU, low < high expected")
    if not path.name.lower().endswith(PICTURES):
        raise DataError(f"picture_volume: {path} is none of {', '.join(PICTURES)}")
    image, _ = read_picture(path)
    share = image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)
    hu = window.low + share * np.float32(window.high - window.low)
    return Volume(hu[None], (thickness, pixel, pixel), (0.0, 0.0, 0.0), _UPRIGHT)
