"""Elements of a DICOM data set as checked numbers; of a multi-frame file, those of each frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tinymed.errors import DataError

__all__ = ["Plane", "numbers", "plane_of_each_frame", "text"]

_UNIT = 1e-3  # orientations are written with six digits; more than this off is a mistake


@dataclass(frozen=True)
class Plane:
    """Where one frame lies, and what its values mean; None for what is not said."""

    position: tuple[float, float, float] | None  # centre of the first pixel, mm
    rightwards: tuple[float, float, float] | None  # unit vector from column to column
    downwards: tuple[float, float, float] | None  # unit vector from row to row
    spacing: tuple[float, float] | None  # between rows, between columns, mm
    thickness: float | None  # mm
    slope: float | None
    intercept: float | None
    unit: str  # of the rescaled values, "" if not said


def numbers(dataset: Any, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return ``count`` numbers of an element, or None if it is missing or empty.

    Raises
    ------
    DataError
        If there are more or fewer, or they are no numbers. The text is not quoted.
    """
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    values = [value] if isinstance(value, (str, bytes, int, float)) else list(value)
    if not values:
        return None
    try:
        found = tuple(float(each) for each in values)
    except (TypeError, ValueError):
        raise DataError(f"{keyword} is not a number") from None
    if len(found) != count:
        raise DataError(f"{keyword} has {len(found)} values, {count} expected")
    return found


def text(dataset: Any, keyword: str) -> str:
    """Return an element as text, "" if it is missing or not of the kind that codes are made of."""
    value = str(dataset.get(keyword) or "").strip()
    plain = len(value) <= 64 and all(letter.isalnum() or letter in " ._" for letter in value)
    return value if plain else ""


def plane_of_each_frame(dataset: Any, frames: int) -> tuple[Plane, ...]:
    """Return position, spacing and rescale of each frame.

    An enhanced file says them in functional groups: of the frame, else shared by all frames
    (DICOM PS3.3, C.7.6.16); others in the data set itself.
    """
    own = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or ())[:1]
    if own and len(own) != frames:
        raise DataError(f"{frames} frames but positions for {len(own)}")
    if not own:
        return (_plane(dataset, shared),) * frames
    return tuple(_plane(dataset, [group, *shared]) for group in own)


def _plane(dataset: Any, groups: list[Any]) -> Plane:
    def owner(macro: str, keyword: str) -> Any:
        """Return the first of the groups' items that has the element, else the data set."""
        items = [item for group in groups for item in list(group.get(macro) or ())[:1]]
        return next((item for item in items if keyword in item), dataset)

    def of(macro: str, keyword: str, count: int) -> tuple[float, ...] | None:
        return numbers(owner(macro, keyword), keyword, count)

    def one(macro: str, keyword: str) -> float | None:
        found = of(macro, keyword, 1)
        return None if found is None else found[0]

    position = of("PlanePositionSequence", "ImagePositionPatient", 3)
    if position is not None and not all(map(math.isfinite, position)):
        raise DataError(f"ImagePositionPatient is {position}, numbers expected")
    cosines = of("PlaneOrientationSequence", "ImageOrientationPatient", 6)
    spacing = of("PixelMeasuresSequence", "PixelSpacing", 2)
    if spacing is not None and not all(0 < each < math.inf for each in spacing):
        raise DataError(f"PixelSpacing is {spacing} mm, positive numbers expected")
    macro = "PixelValueTransformationSequence"
    return Plane(
        position,  # type: ignore[arg-type]  # three, as asked for
        None if cosines is None else _unit(cosines)[0],
        None if cosines is None else _unit(cosines)[1],
        spacing,  # type: ignore[arg-type]
        one("PixelMeasuresSequence", "SliceThickness"),
        one(macro, "RescaleSlope"),
        one(macro, "RescaleIntercept"),
        text(owner(macro, "RescaleType"), "RescaleType").upper(),
    )


def _unit(cosines: tuple[float, ...]) -> tuple[Any, Any]:
    """Return the two directions of ImageOrientationPatient, perpendicular unit vectors."""
    right, down = cosines[:3], cosines[3:]
    off = [
        abs(math.hypot(*right) - 1),
        abs(math.hypot(*down) - 1),
        abs(sum(a * b for a, b in zip(right, down, strict=True))),
    ]
    if not all(each <= _UNIT for each in off):  # NaN too
        raise DataError(
            f"ImageOrientationPatient is {cosines}, two perpendicular unit vectors expected"
        )
    return right, down
