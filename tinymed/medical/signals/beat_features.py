"""What a beat looks like beside the other beats of its patient: shape and rhythm, without labels.

Hearts differ more between patients than a normal beat from an ectopic one within a patient. So a
beat is measured against its own recording: its intervals as ratios to the patient's, its shape
as the difference from the patient's median beat. Both use the unlabelled recording alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RHYTHM", "SHAPE", "beat_features", "beat_shapes", "rhythm_features", "shape_features"]

Array = np.ndarray[Any, Any]
Floats = NDArray[np.float32]

RR_RATE = 360.0  # intervals are counted in samples at this rate, per second
LOCAL = 21  # beats of "the rhythm around", about 15 seconds
QRS = slice(32, 66)  # 75 ms before to 115 ms after the R peak
P_WAVE = slice(0, 32)  # 250 ms to 75 ms before it
RHYTHM = (
    "log interval before / s",
    "log before / patient's median",
    "log before / patient's mean",
    "log before / local median",
    "log before / local mean",
    "log after / local median",
    "log before / the interval before that",
    "log after / before",
    "local variability of log intervals",
)
SHAPE = (
    "correlation of the QRS with the median beat's",
    "correlation of the P wave with the median beat's",
    "log energy of the difference",
    "log ratio of the widths of the QRS",
)


def beat_features(samples: Array, rr: Array, patient: Array) -> tuple[Floats, Floats]:
    """Return shapes (n, 2, L) and descriptors (n, rhythm and shape features), patient by patient.

    Parameters
    ----------
    samples : array (n, L)
        Beats in the time order of each patient, any unit.
    rr : array (n, 2)
        Intervals to the beat before and after, in samples at 360 Hz.
    patient : array (n,)

    See Also
    --------
    beat_shapes, rhythm_features, shape_features : one patient's
    """
    shapes = np.empty((len(samples), 2, samples.shape[1]), np.float32)
    described = np.empty((len(samples), len(RHYTHM) + len(SHAPE)), np.float32)
    for each in np.unique(patient):
        own = np.flatnonzero(patient == each)
        shapes[own] = beat_shapes(samples[own])
        described[own] = np.hstack([rhythm_features(rr[own]), shape_features(shapes[own])])
    return shapes, described


def beat_shapes(samples: Array) -> Floats:
    """Return a patient's beats, and their differences from the median beat: (n, L) -> (n, 2, L).

    Each beat's own median is taken off (the baseline); all are divided by the height of the
    patient's median beat, whatever the unit. Of beats that cancel out, such as those of a lead put
    on the wrong way round half way through, the median is flat: then by a tenth of theirs.
    """
    beats = samples.astype(np.float32)
    beats -= np.median(beats, axis=1, keepdims=True)
    usual = np.median(beats, axis=0)
    height = max(float(np.ptp(usual)), float(np.median(np.ptp(beats, axis=1))) / 10)
    beats /= height / 4  # heights about 4, deviations about 1
    usual = np.median(beats, axis=0)
    return np.clip(np.stack([beats, beats - usual], axis=1), -8, 8).astype(np.float32)


def rhythm_features(rr: Array) -> Floats:
    """Return the columns `RHYTHM` of a patient's beats: (n, 2) -> (n, 9)."""
    before, after = (np.clip(rr.astype(np.float64), 36, 1800) / RR_RATE).T
    median, mean = around(before)
    earlier = np.concatenate([before[:1], before[:-1]])
    columns = np.log(
        [
            before,
            before / np.median(before),
            before / before.mean(),
            before / median,
            before / mean,
            after / median,
            before / earlier,
            after / before,
        ]
    )
    variability = np.sqrt(around(np.square(np.diff(np.log(before), prepend=np.log(before[0]))))[1])
    return np.clip(4 * np.vstack([columns, variability]).T, -6, 6).astype(np.float32)


def shape_features(shapes: Floats) -> Floats:
    """Return the columns `SHAPE` of a patient's beats: (n, 2, L) -> (n, 4)."""
    beats = shapes[:, 0]
    usual = np.median(beats, axis=0)
    energy = np.log(np.square(shapes[:, 1]).mean(axis=1) + 1e-3)
    ratio = np.log(width(beats) / width(usual[None]))
    alike = [correlation(beats[:, part], usual[part]) for part in (QRS, P_WAVE)]
    return np.stack([*alike, energy / 2, 2 * ratio], axis=1).astype(np.float32)


def around(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return median and mean over the `LOCAL` neighbours of each value, itself in the middle."""
    half = LOCAL // 2
    padded = np.pad(values, half, mode="reflect" if len(values) > half else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, LOCAL)
    return np.median(windows, axis=1), windows.mean(axis=1)


def correlation(beats: Array, usual: Array) -> Array:
    """Return Pearson's correlation of each row with ``usual``; 0 where one of them is flat."""
    beats, usual = beats - beats.mean(axis=1, keepdims=True), usual - usual.mean()
    scale = np.linalg.norm(beats, axis=1) * np.linalg.norm(usual)
    return np.divide(beats @ usual, scale, out=np.zeros(len(beats), np.float32), where=scale > 1e-6)


def width(beats: Array) -> Array:
    """Return how far the slope of each QRS is spread about the R peak, in samples, at least 1."""
    slope = np.abs(np.diff(beats[:, QRS], axis=1)) ** 2 + 1e-6
    share = slope / slope.sum(axis=1, keepdims=True)
    place = np.arange(share.shape[1])
    centre = share @ place
    spread: Array = np.sqrt(np.maximum(share @ place**2 - centre**2, 1.0))
    return spread
