"""Heartbeats as files hold them: samples about each R peak, the intervals, the patient, the class.

One npz file holds ``X`` (n, 128) samples at 180 Hz with the R peak at sample 45, ``rr`` (n, 2) the
intervals to the beats before and after in samples at 360 Hz, ``rec`` (n,) the patient, and, where
it is known, ``y`` (n,) the class. The beats of a patient are in one block, in the order of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.errors import DataError
from tinymed.medical.archives import array_in, open_archive

__all__ = ["CLASSES", "PEAK", "SAMPLES", "Beats", "read_beats", "write_beats"]

Array = np.ndarray[Any, Any]
CLASSES = ("N", "S", "V", "F", "Q")  # normal, supraventricular, ventricular, fusion, unknown: AAMI
SAMPLES = 128
PEAK = 45
SLOWEST, FASTEST = 900, 72  # median intervals of a patient, at 360 Hz: 24 and 300 beats a minute


@dataclass(frozen=True)
class Beats:
    """The beats of one or more patients.

    Parameters
    ----------
    samples : array (n, 128)
        At 180 Hz, in any unit; the R peak is sample 45.
    rr : array (n, 2)
        Intervals to the beat before and after, in samples at 360 Hz, positive and finite.
    patient : array (n,)
    label : array (n,) of int or None
        Places in `CLASSES`.

    Raises
    ------
    DataError
        Wrong shapes; NaN or infinite samples, a lead without signal, an interval that is not
        positive, a class that is not one, a patient whose beats are in several blocks: with the
        row, counted from 0. Intervals that no heart keeps up: they are in another unit.
    """

    samples: Array
    rr: Array
    patient: Array
    label: Array | None = None

    def __post_init__(self) -> None:
        _check_shapes(self)
        lost = np.any(~np.isfinite(self.samples), axis=1)
        _refuse_rows(lost, "X holds NaN or infinity", "finite samples")
        flat = self.samples.max(axis=1) == self.samples.min(axis=1)
        _refuse_rows(flat, "X is constant", "a lead with a signal; was it off?")
        wrong = np.any(~((self.rr > 0) & np.isfinite(self.rr)), axis=1)
        _refuse_rows(wrong, "rr is not positive and finite", "intervals > 0")
        if self.label is not None:
            strange = ~np.isin(self.label, np.arange(len(CLASSES)))
            named = ", ".join(f"{i} {name}" for i, name in enumerate(CLASSES))
            _refuse_rows(strange, "y is no class", f"one of {named}")
        starts = np.flatnonzero(np.r_[True, self.patient[1:] != self.patient[:-1]])
        first = np.unique(self.patient[starts], return_index=True)[1]
        resumed = np.zeros(len(self), bool)
        resumed[np.delete(starts, first)] = True
        _refuse_rows(resumed, "rec goes back to an earlier patient", "each patient in one block")
        for start, own in zip(starts, np.split(self.rr, starts[1:]), strict=True):
            usual = float(np.median(own))
            if not FASTEST <= usual <= SLOWEST:
                raise DataError(
                    f"rr of patient {self.patient[start]} has the median {usual:g}, {FASTEST} to "
                    f"{SLOWEST} expected, in samples at 360 Hz; multiply milliseconds by 0.36, "
                    "seconds by 360"
                )

    def __len__(self) -> int:
        return len(self.samples)


def read_beats(path: str | Path) -> Beats:
    """Read and check an npz file.

    Raises
    ------
    DataError
        The file is damaged, is no npz, lacks an array, or holds what `Beats` refuses.
    FileNotFoundError
        There is none.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"read_beats: no file {str(path)!r}")
    with open(path, "rb") as file:
        archive = open_archive("read_beats", path, file)
        names = set(archive.files)
        arrays = {
            name: array_in("read_beats", path, archive, name)
            for name in ("X", "rr", "rec", "y")
            if name in names
        }
    missing = [name for name in ("X", "rr", "rec") if name not in arrays]
    if missing:
        raise DataError(
            f"read_beats: {path} has no {', '.join(missing)}; it holds "
            f"{', '.join(sorted(names)) or 'nothing'}, X, rr, rec (and y) expected"
        )
    try:
        return Beats(arrays["X"], arrays["rr"], arrays["rec"], arrays.get("y"))
    except DataError as error:
        raise DataError(f"read_beats: {path}: {error}") from error


def write_beats(path: str | Path, beats: Beats) -> None:
    """Write the npz file that `read_beats` reads."""
    arrays: dict[str, Any] = {"X": beats.samples, "rr": beats.rr, "rec": beats.patient}
    if beats.label is not None:
        arrays["y"] = beats.label
    with open(path, "wb") as file:  # given a name, NumPy would append .npz to it
        np.savez_compressed(file, **arrays)


def _check_shapes(beats: Beats) -> None:
    """Refuse arrays of the wrong shape or kind."""
    n = len(beats.samples)
    expected = {"X": (n, SAMPLES), "rr": (n, 2), "rec": (n,), "y": (n,)}
    arrays = {"X": beats.samples, "rr": beats.rr, "rec": beats.patient, "y": beats.label}
    kinds = {"X": "iuf", "rr": "iuf", "rec": "iuU", "y": "iu"}
    for name, array in arrays.items():
        if array is None:
            continue
        if array.shape != expected[name]:
            raise DataError(f"{name} has shape {array.shape}, {expected[name]} expected")
        if array.dtype.kind not in kinds[name]:
            raise DataError(f"{name} has dtype {array.dtype}, numbers expected")
    if n == 0:
        raise DataError("no beats, at least one expected")


def _refuse_rows(wrong: Any, what: str, expected: str) -> None:
    """Raise `DataError` naming the first of the rows that are wrong."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
        raise DataError(f"row {rows[0]}{more}: {what}, {expected} expected")
