"""Predicted masks, written to files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from tinymed import serialization
from tinymed.medical.imaging.nifti import NIFTI, read_nifti, write_nifti

__all__ = ["written_masks"]

Array = np.ndarray[Any, Any]


def written_masks(folder: Path, source: Path, masks: Array, probabilities: Array) -> Path:
    """Write the masks found in a file; return the file they are in.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    source : Path
        The file that was read.
    masks, probabilities : (n, ...)
        For a NIfTI file one volume (1, rows, columns, slices).

    Returns
    -------
    Path
        ``NAME-mask.nii.gz`` on the grid of a NIfTI file; else ``NAME-masks.npz`` with ``masks``
        (uint8) and ``probabilities`` (float16), in the order of the file.

    Raises
    ------
    FileExistsError
        It is there already: two files of one name, or an earlier prediction.
    """
    folder.mkdir(parents=True, exist_ok=True)
    volumetric = source.name.lower().endswith(NIFTI)
    stem = source.name.split(".nii")[0] if volumetric else source.stem
    target = folder / (f"{stem}-mask.nii.gz" if volumetric else f"{stem}-masks.npz")
    if target.exists():
        raise FileExistsError(f"predict: {target} is there already; choose another folder")
    if volumetric:
        write_nifti(target, np.moveaxis(masks[0], -1, 0), read_nifti(source).grid)
        return target
    file = BytesIO()
    np.savez_compressed(
        file, masks=masks.astype(np.uint8), probabilities=probabilities.astype(np.float16)
    )
    serialization.write_bytes(file.getvalue(), target)
    return target
