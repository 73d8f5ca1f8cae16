"""DICOM series: which there are in a folder, and one of them as a volume.

Slices are put in order by their position along their common normal; file names and instance numbers
are not trusted. What does not make a regular grid is refused, naming what is in the way.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.imaging.dicom import CT, MOST_VALUES, read_pixels
from tinymed.medical.imaging.dicom_directory import listed_files
from tinymed.medical.imaging.dicom_header import (
    SALT,
    DicomError,
    DicomHeader,
    dicom_file,
    patient_key,
    read_header,
    tell,
)
from tinymed.medical.imaging.volume import Volume

__all__ = ["GAPS", "Series", "list_series", "read_series"]

GAPS = ("raise", "interpolate")

_SAME_DIRECTION = 1e-3
_SAME_PLACE = 0.01  # mm
_UNEVEN = 0.05  # of the distance between slices: positions are often rounded to 0.1 mm
_SHEARED = 0.02  # the same, for how far slices move sideways: the tangent of 1 degree
_TILTED = 0.1  # degrees
_SPARSE = 1.5  # slices this many thicknesses apart leave tissue out

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """The files of one series.

    Parameters
    ----------
    key : str
        16 digits that stand for the SeriesInstanceUID, made like `patient_key`.
    modality : str
    group : str or None
        `patient_key` of the patient; None if the files do not say.
    files : tuple of Path
        In the order of their names.
    """

    key: str
    modality: str
    group: str | None
    files: tuple[Path, ...]

    def __str__(self) -> str:
        count = f"{len(self.files)} file" + "s" * (len(self.files) > 1)
        return f"{self.key} ({self.modality}, {count} in {self.files[0].parent})"


@dataclass(frozen=True, eq=False)
class _Stack:
    """Slices of one size, pixel spacing and orientation; entry i of a list is of slice i."""

    pixels: list[NDArray[np.float32]]
    positions: Floats  # (n, 3), mm
    files: list[Path]
    thickness: float | None
    spacing: tuple[float, float]
    axes: Floats  # (3, 3): unit vectors along normal, rows, columns

    @property
    def along(self) -> Floats:
        """Position along the normal in mm."""
        return self.positions @ self.axes[0]

    def in_order(self) -> _Stack:
        order = np.argsort(self.along, kind="stable")
        pixels, files = ([own[i] for i in order] for own in (self.pixels, self.files))
        return replace(self, pixels=pixels, files=files, positions=self.positions[order])


def list_series(folder: Paths, *, salt: str = SALT) -> list[Series]:
    """Return the series in a folder and the folders in it, in a DICOMDIR, or among some files.

    Files of a folder that are not DICOM (and are not called so) and DICOMDIRs are left out.

    Raises
    ------
    FileNotFoundError
    ImportError
        Without pydicom.
    DicomError
        A DICOM file that cannot be read, a link that leads out of the folder, a DICOMDIR that lists
        what is not there, or no DICOM file at all.
    """
    return [series for series, _ in _found(folder, salt)]


def read_series(
    source: Paths, *, series: str | None = None, gaps: str = "raise", salt: str = SALT
) -> Volume:
    """Read one CT series as a volume in Hounsfield units.

    Parameters
    ----------
    source : path, or sequence of paths
        A folder, searched with the folders in it; a DICOMDIR, for the files it lists; one
        multi-frame file; or files.
    series : str, optional
        Which, if there are several: a `Series.key` or a SeriesInstanceUID.
    gaps : {"raise", "interpolate"}
        Whether slices that are missing are an error or made up linearly from their neighbours.
    salt : str
        Of `patient_key`.

    Returns
    -------
    Volume

    Raises
    ------
    FileNotFoundError
    ImportError
        Without pydicom.
    DicomError
        What `read_slice` refuses; several series or patients; different sizes, pixel spacings or
        orientations; a position twice; missing slices; uneven spacing; slices sheared by a tilted
        gantry; a single slice without thickness.

    Warns
    -----
    DicomWarning
        Oddities of files; a gantry said to be tilted while positions say it is not; slices much
        thinner than the distance between them; slices that were made up.

    References
    ----------
    DICOM PS3.3, C.7.6.2 (image plane), C.7.6.16 (multi-frame functional groups).
    """
    if gaps not in GAPS:
        raise ValueError(f"read_series: gaps {gaps!r}, one of {GAPS} expected")
    chosen = _chosen(source, series, salt)
    read = [read_pixels(file, modality=CT, salt=salt) for file in chosen.files]
    headers = [header for header, _ in read]
    stack = _stacked(read).in_order()
    where = chosen.files[0] if len(chosen.files) == 1 else chosen.files[0].parent
    notes: list[str] = []
    tilts = [header.tilt for header in headers if abs(header.tilt) > _TILTED]
    if tilts:
        notes.append(f"the gantry is said to be tilted by {tilts[0]:g} degrees, positions are not")
    step, count = _regular(where, stack, gaps, notes)
    tell([*headers, *(replace(headers[0], notes=(note,)) for note in notes)])
    x, y, z = stack.positions[0].tolist()
    return Volume(
        _on_grid(stack, count),
        (step, *stack.spacing),
        (x, y, z),
        stack.axes.T,
        chosen.group,
        chosen.key,
        CT,
    )


# --------------------------------------------------------------------------------- which series


def _found(source: Paths, salt: str) -> list[tuple[Series, str]]:
    """Return the series with their SeriesInstanceUIDs."""
    files = _files(source)
    headers = _headers(files, salt)
    if not headers and len(files) == 1:  # all but a DICOMDIR have one
        headers = _headers(listed_files(files[0]), salt)
    if not headers:
        raise DicomError(str(source), "no DICOM image in it")
    uids = dict.fromkeys(header.series for header in headers)
    found = []
    for uid in uids:
        own = [header for header in headers if header.series == uid]
        for attribute in ("group", "modality"):
            values = {getattr(header, attribute) for header in own}
            if len(values) > 1:
                what = "patients" if attribute == "group" else "modalities"
                raise DicomError(
                    own[0].file.parent, f"one series of {len(values)} {what}; separate its files"
                )
        key, own_files = patient_key(uid, salt), tuple(header.file for header in own)
        found.append((Series(key, own[0].modality, own[0].group, own_files), uid))
    return found


def _headers(files: Sequence[Path], salt: str) -> list[DicomHeader]:
    return [header for file in files if (header := read_header(file, salt)) is not None]


def _files(source: Paths) -> list[Path]:
    paths = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file())
            own = [file for file in inside if file.stat().st_size and dicom_file(file)]
            for file in own:
                if not file.resolve().is_relative_to(path.resolve()):
                    raise DicomError(file, "a link that leads out of the folder")
            files += own
        elif path.is_file():
            files.append(path)
        else:
            raise FileNotFoundError(f"dicom: no file or folder {str(path)!r}")
    return files


def _chosen(source: Paths, wanted: str | None, salt: str) -> Series:
    found = _found(source, salt)
    chosen = [each for each, uid in found if wanted is None or wanted in (each.key, uid)]
    names = "; ".join(map(str, (each for each, _ in found)))
    where = source if isinstance(source, (str, os.PathLike)) else f"{len(source)} files"
    if not chosen:
        raise DicomError(str(where), f"it does not hold the series asked for, but {names}")
    if len(chosen) > 1:
        raise DicomError(
            str(where), f"{len(chosen)} series, one expected: {names}; choose one with series="
        )
    return chosen[0]


# ------------------------------------------------------------------------------------- geometry


def _stacked(read: list[tuple[DicomHeader, NDArray[np.float32]]]) -> _Stack:
    """Return all slices, after checking that they have one size, spacing and orientation."""
    pixels = [plane for _, frames in read for plane in frames]
    planes = [plane for header, _ in read for plane in header.planes]
    files = [header.file for header, _ in read for _ in header.planes]
    for plane, file in zip(planes, files, strict=True):
        if plane.position is None or plane.rightwards is None or plane.spacing is None:
            raise DicomError(
                file,
                "ImagePositionPatient, ImageOrientationPatient or PixelSpacing is missing, so its "
                "place is not known",
            )
    axes = np.array([(plane.rightwards, plane.downwards) for plane in planes])
    spacing = np.array([plane.spacing for plane in planes])
    for i, file in enumerate(files):
        if pixels[i].shape != pixels[0].shape:
            given, expected = pixels[i].shape, pixels[0].shape
        elif not np.allclose(spacing[i], spacing[0], rtol=1e-3, atol=0):
            given, expected = planes[i].spacing, planes[0].spacing
        elif not np.allclose(axes[i], axes[0], rtol=0, atol=_SAME_DIRECTION):
            given, expected = axes[i].tolist(), axes[0].tolist()
        else:
            continue
        what = "pixels" if pixels[i].shape != pixels[0].shape else "mm a pixel"
        what = "orientation" if isinstance(given, list) else what
        raise DicomError(
            file, f"mixed {what} in one series: {given}, but {expected} in {files[0].name}"
        )
    normal = np.cross(*axes[0])
    return _Stack(
        pixels,
        np.array([plane.position for plane in planes]),
        files,
        planes[0].thickness,
        tuple(spacing[0].tolist()),
        np.stack([normal / np.linalg.norm(normal), axes[0, 1], axes[0, 0]]),
    )


def _regular(where: Path, stack: _Stack, gaps: str, notes: list[str]) -> tuple[float, int]:
    """Return distance and number of slices on a regular grid, or raise where they are on none."""
    thickness, along = stack.thickness, stack.along
    if len(along) == 1:
        if thickness is None or not 0 < thickness < np.inf:
            raise DicomError(stack.files[0], f"a single slice of thickness {thickness} mm")
        return thickness, 1
    distances = np.diff(along)
    _check_distinct(where, stack, distances)
    _check_shear(where, stack, distances)
    usual = float(np.sort(distances)[(len(distances) - 1) // 2])  # a gap is never below the median
    uneven = np.flatnonzero(np.abs(distances - usual) > _UNEVEN * usual)
    count = len(along)
    if uneven.size:
        missing = int((np.rint(distances[uneven] / usual) - 1).clip(0).sum())
        what = f"{missing} slices are missing" if missing else "spacing is uneven"
        worst = int(uneven[np.argmax(np.abs(distances[uneven] - usual))])
        if gaps == "raise":
            raise DicomError(
                where,
                f"a gap of {distances[worst]:g} mm between {stack.files[worst].name} and "
                f"{stack.files[worst + 1].name}, {usual:g} mm expected ({what}); "
                "gaps='interpolate' makes up what is between slices",
            )
        count = round((along[-1] - along[0]) / usual) + 1
        notes.append(f"{what}: interpolated to {count} slices")
    step = float((along[-1] - along[0]) / (count - 1))
    if thickness is not None and step > _SPARSE * thickness > 0:
        notes.append(f"slices {thickness:g} mm thick are {step:g} mm apart")
    return step, count


def _check_distinct(where: Path, stack: _Stack, distances: Floats) -> None:
    same = int(np.argmin(distances))
    if distances[same] < _SAME_PLACE:
        raise DicomError(
            where,
            f"two slices at one position, {stack.files[same].name} and "
            f"{stack.files[same + 1].name}; is a reconstruction in it twice?",
        )


def _check_shear(where: Path, stack: _Stack, distances: Floats) -> None:
    sideways = np.linalg.norm(
        np.diff(stack.positions, axis=0) - distances[:, None] * stack.axes[0], axis=1
    )
    tangent = float((sideways / distances).max())
    if tangent > _SHEARED:
        raise DicomError(
            where,
            f"slices move sideways by {np.degrees(np.arctan(tangent)):.1f} degrees (a tilted "
            "gantry): resample the series to a right-angled grid first",
        )


def _on_grid(stack: _Stack, count: int) -> NDArray[np.float32]:
    """Return ``count`` slices at even distances, linear between those that are there."""
    if count == len(stack.pixels):
        return np.stack(stack.pixels)
    if count * stack.pixels[0].size > MOST_VALUES:
        raise DicomError(stack.files[0].parent, f"{count} slices would have to be made up")
    along = stack.along
    volume = np.empty((count, *stack.pixels[0].shape), np.float32)
    for number, place in enumerate(np.linspace(along[0], along[-1], count)):
        after = min(max(int(np.searchsorted(along, place)), 1), len(along) - 1)
        share = np.float32((place - along[after - 1]) / (along[after] - along[after - 1]))
        volume[number] = (1 - share) * stack.pixels[after - 1] + share * stack.pixels[after]
    return volume
