"""Windows of consecutive beats, and what an electrode, a lead or a heart rate may do to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.data import Dataset
from tinymed.medical.signals.heartbeats import PEAK, SAMPLES

__all__ = ["BeatAugment", "BeatWindows", "windows"]

Array = np.ndarray[Any, Any]
Sample = tuple[Array, ...]
IGNORED = -100  # the target that losses leave out
NOWHERE = -1  # in place of a row: the patient has fewer beats than the window


def windows(patient: Array, length: int, step: int) -> NDArray[np.intp]:
    """Return the rows of windows that cover each patient's beats, (windows, length).

    Parameters
    ----------
    patient : array (n,)
        Each patient's beats in one block.
    length, step : int
        Beats of a window, and from one to the next; the last ends with the patient's last beat. A
        patient of fewer beats has one window, filled up with -1.
    """
    if not 1 <= step <= length:
        raise ValueError(f"windows: step is {step}, 1 to the length {length} expected")
    starts = np.flatnonzero(np.r_[True, patient[1:] != patient[:-1]])
    found = []
    for start, end in zip(starts, [*starts[1:], len(patient)], strict=True):
        last = max(end - length, start)
        for first in [*range(start, last, step), last]:
            rows = first + np.arange(length)
            found.append(np.where(rows < end, rows, NOWHERE))
    return np.stack(found)


class BeatWindows(Dataset[Sample]):
    """Samples (inputs (T, F), targets (T,)), or (inputs,) where there are no targets.

    Parameters
    ----------
    inputs : array (n, F) float32
    targets : array (n,) of int, or None
    rows : array (windows, T)
        Of `windows`; where one is -1 the input is 0 and the target is ignored.
    """

    def __init__(self, inputs: Array, targets: Array | None, rows: NDArray[np.intp]) -> None:
        self.inputs, self.targets, self.rows = inputs, targets, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        rows = self.rows[index]
        there = rows != NOWHERE
        inputs = np.where(there[:, None], self.inputs[rows], np.float32(0))
        if self.targets is None:
            return (inputs,)
        return inputs, np.where(there, self.targets[rows], IGNORED)


@dataclass(frozen=True)
class BeatAugment:
    """Crops a window and changes it as another patient, electrode or day would.

    Parameters
    ----------
    length : int
        Beats to keep, from a random place.
    warp : float
        Largest stretch of the time axis about the R peak, as the logarithm of the factor.
    filtering : float
        Deviation of the taps of a random filter: a lead seen from elsewhere.
    gain : float
        Deviation of the logarithm of the amplitude.
    wander, noise : float
        Largest deviation of baseline and of white noise, in units of the preprocessed lead.
    jitter : float
        Deviation of noise on the descriptors.
    forget : float
        Probability that the difference from the median beat, that the descriptors of the shape,
        and that one of the rhythm are left out (0), each independently: none is relied on alone.
    rhythm : int
        Descriptors of the rhythm; those of the shape follow.
    """

    length: int
    warp: float = 0.15
    filtering: float = 0.15
    gain: float = 0.2
    wander: float = 0.3
    noise: float = 0.15
    jitter: float = 0.05
    forget: float = 0.15
    rhythm: int = 9

    def __call__(self, sample: Sample, generator: np.random.Generator) -> Sample:
        """Return the changed sample; targets are cropped alike."""
        g = generator
        inputs, targets = sample
        first = int(g.integers(len(inputs) - self.length + 1))
        inputs, targets = (part[first : first + self.length] for part in (inputs, targets))
        lead = inputs[:, : 2 * SAMPLES].reshape(-1, 2, SAMPLES)
        lead = lead @ self._view(g) * np.float32(np.exp(g.normal(0, self.gain)))
        lead += self._disturbance(g, len(lead))[:, None]  # of both: the median beat stays as it is
        if g.random() < self.forget:
            lead[:, 1] = 0
        described = inputs[:, 2 * SAMPLES :] + g.normal(
            0, self.jitter, (len(inputs), inputs.shape[1] - 2 * SAMPLES)
        ).astype(np.float32)
        if g.random() < self.forget:
            described[:, self.rhythm :] = 0
        if g.random() < self.forget:
            described[:, g.integers(self.rhythm)] = 0
        return np.hstack([lead.reshape(len(lead), -1), described]), targets

    def _view(self, g: np.random.Generator) -> NDArray[np.float32]:
        """Return a matrix (L, L) that stretches and filters a lead: lead @ matrix."""
        places = np.arange(SAMPLES)
        source = (places - PEAK) * np.exp(g.uniform(-self.warp, self.warp)) + PEAK
        source = np.clip(source, 0, SAMPLES - 1.001)
        left = source.astype(np.intp)
        stretch = np.zeros((SAMPLES, SAMPLES))
        stretch[left, places] = 1 - (source - left)
        stretch[left + 1, places] = source - left
        taps = g.normal(0, self.filtering, 9) * np.hanning(11)[1:-1]
        taps[4] += 1
        mixed = sum(np.eye(SAMPLES, k=k - 4) * tap for k, tap in enumerate(taps))
        return (stretch @ mixed).astype(np.float32)

    def _disturbance(self, g: np.random.Generator, beats: int) -> NDArray[np.float32]:
        """Return baseline wander and noise, (beats, L)."""
        phase = np.pi * (np.arange(SAMPLES) - PEAK) / SAMPLES
        slow = np.stack([np.sin(phase), np.cos(phase) - 1])
        wander = g.normal(0, g.uniform(0, self.wander), (beats, 2)) @ slow
        noise = g.normal(0, g.uniform(0, self.noise), (beats, SAMPLES))
        return (wander + noise).astype(np.float32)
