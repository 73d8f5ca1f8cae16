"""NIfTI files: volumes in, volumes and masks out.

NIfTI's patient coordinates run to the right, the front and the head (RAS), DICOM's and tinymed's to
the left, the back and the head (LPS): x and y change their sign on the way.
"""

from __future__ import annotations

import itertools
import math
import os
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.errors import DataError
from tinymed.medical.imaging.dicom import AIR
from tinymed.medical.imaging.grid import Grid
from tinymed.medical.imaging.volume import Volume

__all__ = ["MOST_VOXELS", "NIFTI", "hounsfield", "read_nifti", "write_nifti"]

NIFTI = (".nii", ".nii.gz")
MOST_VOXELS = 2**29  # 2 GiB of float32: 2,000 slices of 512 x 512
_APART = 0.5  # voxels: one form is a rounded copy of the other
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # its own inverse
_MILLIMETRES = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}


def read_nifti(file: str | os.PathLike[str]) -> Volume:
    """Read a CT in a NIfTI file (.nii, .nii.gz) as Hounsfield units.

    The format does not say what its numbers are: they are taken for Hounsfield units if some are
    below 0, as every CT has air. Axes are brought into the order of `Volume.of_affine`.

    Raises
    ------
    FileNotFoundError
    ImportError
        Without nibabel.
    DataError
        What is damaged or too large, has no patient coordinates or two that disagree, shears, or
        cannot be Hounsfield units. Texts in the file are not read.
    """
    try:
        import nibabel
        from nibabel.imageglobals import LoggingOutputSuppressor
    except ImportError as error:
        raise ImportError(f"nifti: {file} needs nibabel; pip install tinymed[medical]") from error
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"nifti: no file {str(path)!r}")
    try:
        with warnings.catch_warnings(), LoggingOutputSuppressor(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # they quote the file
            image = nibabel.load(path)
            _check_header(path, image)
            values = np.asanyarray(image.dataobj, np.float32)
            affine = _affine(path, image)
    except (DataError, MemoryError):
        raise
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"nifti: {path} is truncated or damaged ({type(error).__name__}); copy it again"
        ) from None
    except Exception as error:  # a parser of foreign bytes: any kind is possible
        raise DataError(
            f"nifti: {path} is no NIfTI image ({type(error).__name__} in nibabel)"
        ) from None
    values = hounsfield(f"nifti: {path}", values.reshape(values.shape[:3]))
    try:
        return Volume.of_affine(values, affine)
    except ValueError as error:
        raise DataError(f"nifti: {path}: {error}") from None


def write_nifti(path: str | os.PathLike[str], values: NDArray[Any], grid: Grid) -> None:
    """Write an array on a grid, Hounsfield units or a mask; nothing that tells whose it is.

    Parameters
    ----------
    path : path
        An existing file is replaced.
    values : array, the shape of ``grid``
        bool and uint8 are stored in bytes, int16 and float32 as they are.
    grid : Grid
        Kept to the precision of float32.

    Examples
    --------
    >>> import tempfile
    >>> grid = Grid((2, 4, 4), (2.0, 1.0, 1.0), (0, 0, 0), np.eye(3)[::-1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_nifti(f"{folder}/x.nii.gz", np.full(grid.shape, -700, np.int16), grid)
    ...     read_nifti(f"{folder}/x.nii.gz").spacing
    (2.0, 1.0, 1.0)
    """
    try:
        import nibabel
    except ImportError as error:
        raise ImportError("write_nifti: needs nibabel; pip install tinymed[medical]") from error
    if not str(path).endswith(NIFTI):
        raise ValueError(f"write_nifti: {path}, a name that ends in {' or '.join(NIFTI)} expected")
    if values.shape != grid.shape:
        raise ValueError(f"write_nifti: values {values.shape}, {grid.shape} expected, as the grid")
    stored = values.astype(np.uint8) if values.dtype == np.bool_ else values
    if stored.dtype not in (np.uint8, np.int16, np.float32):
        raise TypeError(f"write_nifti: {values.dtype}, bool, uint8, int16 or float32 expected")
    affine = _LPS @ grid.affine[:, [2, 1, 0, 3]]  # columns are NIfTI's first axis
    image = nibabel.Nifti1Image(stored.transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, "scanner")
    image.set_qform(affine, "scanner")
    nibabel.save(image, path)


def hounsfield(what: str, values: NDArray[Any]) -> NDArray[np.float32]:
    """Return values that a file without units holds, or raise if they are no Hounsfield units."""
    if not np.isfinite(values).all():
        raise DataError(f"{what} holds NaN or infinity")
    low, high = float(values.min()), float(values.max())
    if low >= 0:
        raise DataError(
            f"{what} holds values from {low:g} to {high:g}, no Hounsfield units: air is -1000; "
            "subtract the offset (often 1024) first"
        )
    return np.maximum(values.astype(np.float32, copy=False), np.float32(AIR))


def _check_header(path: Path, image: Any) -> None:
    """Raise unless the header promises a volume that fits into memory."""
    import nibabel

    if not isinstance(image, nibabel.Nifti1Pair):  # Nifti2 is one
        raise DataError(f"nifti: {path} is a {type(image).__name__}, a NIfTI image expected")
    shape = tuple(int(size) for size in image.shape)
    if len(shape) < 3 or min(shape) < 1 or math.prod(shape[3:]) != 1:
        raise DataError(f"nifti: {path} holds {shape}, one volume of three axes expected")
    if math.prod(shape) > MOST_VOXELS:
        raise DataError(f"nifti: {path} claims {shape} voxels, at most {MOST_VOXELS} expected")
    if image.get_data_dtype().kind not in "iuf":
        raise DataError(f"nifti: {path} holds {image.get_data_dtype()}, real numbers expected")


def _affine(path: Path, image: Any) -> NDArray[np.float64]:
    """Return the matrix from (i, j, k, 1) to LPS in mm.

    A file may hold two. A lower code is nearer to the patient: 1 the scanner's own millimetres, 2
    those of another scan, above that an atlas to which the body was stretched.
    """
    header = image.header
    forms = [header.get_sform(coded=True), header.get_qform(coded=True)]
    known = sorted((form for form in forms if form[1]), key=lambda form: form[1])
    if not known:
        raise DataError(f"nifti: {path} has no patient coordinates (sform and qform codes are 0)")
    affine, code = known[0]
    if [each for _, each in known] == [code, code]:
        corners = np.array(list(itertools.product(*((0, n - 1) for n in image.shape[:3]))))
        apart = (known[1][0] - affine) @ np.column_stack([corners, np.ones(8)]).T
        if np.abs(apart).max() > _APART * np.linalg.norm(affine[:3, :3], axis=0).min():
            raise DataError(
                f"nifti: {path} has two sets of coordinates that disagree (sform and qform), so "
                "left and right are not known; write it again from the DICOM files"
            )
    unit = header.get_xyzt_units()[0]
    scale = np.diag([*[_MILLIMETRES[unit]] * 3, 1.0])
    return np.asarray(_LPS @ scale @ affine, np.float64)
