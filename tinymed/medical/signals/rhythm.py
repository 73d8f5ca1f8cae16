"""Synthetic electrocardiograms: patients with a heart of their own, ectopic beats, pauses, noise.

A lead is drawn as one signal, every beat as five waves about its R peak, and then cut at the
R peaks, so that an early beat carries the T wave of the one before. The form of the waves is
published; their spread, the intervals and the shares of ectopic beats are choices of ours, fitted
to no recording, and no sample comes from a patient. Results on these beats say that a program
works, not how well it reads a heart.

References
----------
McSharry, Clifford, Tarassenko, Smith (2003), IEEE Trans Biomed Eng 50, 289: a beat as Gaussian
waves P, Q, R, S, T. Bazett (1920), Heart 7, 353: the QT interval goes with the square root of RR.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.medical.signals.heartbeats import PEAK, SAMPLES, Beats

__all__ = ["Patient", "draw_patient", "record", "synthesise"]

Array = np.ndarray[Any, Any]
Floats = NDArray[np.float64]

RATE = 180  # samples per second of the lead
UNIT = 200  # numbers per millivolt
N, S, V = 0, 1, 2
REACH = np.arange(-int(0.45 * RATE), int(0.75 * RATE))  # samples in which a beat is drawn
#              amplitude / mV, centre / s, width / s: P, Q, R, S, T of a usual lead II
USUAL = np.array(
    [
        [0.13, -0.165, 0.024],
        [-0.08, -0.034, 0.010],
        [1.10, 0.000, 0.013],
        [-0.20, 0.034, 0.012],
        [0.28, 0.270, 0.055],
    ]
)


@dataclass(frozen=True)
class Patient:
    """A heart and how it is recorded.

    Parameters
    ----------
    waves, ventricular : array (5, 3)
        Amplitude / mV, centre / s and width / s of P, Q, R, S, T: of its own beats, and of those
        of its ventricular focus.
    ectopic_p : (float, float)
        What an atrial focus makes of the P wave: factor of the amplitude, shift / s.
    rr : float
        The usual interval / s.
    irregular : float
        Relative spread of the interval from beat to beat; large in atrial fibrillation.
    atrial, ventricular_rate, pauses, blocked : float
        Shares of the beats; blocked ones come in time but with a wide QRS, and are normal (N).
    run : float
        Probability that an atrial ectopic beat is followed by another.
    noise, wander : float
        Of the lead / mV.
    """

    waves: Floats
    ventricular: Floats
    ectopic_p: tuple[float, float]
    rr: float
    irregular: float
    atrial: float
    ventricular_rate: float
    pauses: float
    blocked: float
    run: float
    noise: float
    wander: float


def draw_patient(generator: np.random.Generator) -> Patient:
    """Draw a patient; one in seven fibrillates, one in six conducts slowly (a wide QRS)."""
    g = generator
    waves = USUAL.copy()
    waves[:, 0] *= g.lognormal(0, 0.35, 5)
    waves[:, 1:] *= g.lognormal(0, 0.10, (5, 2))
    if g.random() < 0.15:
        waves[4, 0] *= -0.7  # an inverted T wave
    if g.random() < 1 / 6:
        waves[1:4, 1:] *= g.uniform(1.3, 1.8)
    fibrillates = g.random() < 1 / 7
    if fibrillates:
        waves[0, 0] = 0.0
    focus = waves.copy()
    focus[0, 0] = 0.0  # the atria do not lead
    focus[1:4, 1:] *= g.uniform(1.15, 2.2)
    focus[1:4, 0] *= g.lognormal(0, 0.4, 3) * g.choice([1, -1], p=[0.65, 0.35])
    focus[4] *= [-g.uniform(0.5, 1.8), 1.15, 1.2]  # repolarisation goes against the QRS
    return Patient(
        waves=waves,
        ventricular=focus,
        ectopic_p=(g.choice([g.uniform(0.4, 1.2), g.uniform(-0.8, -0.2)]), g.normal(0.02, 0.02)),
        rr=g.uniform(0.6, 1.1),
        irregular=g.uniform(0.14, 0.24) if fibrillates else g.uniform(0.015, 0.07),
        atrial=0.0 if fibrillates else g.choice([0.002, 0.02, 0.09]),
        ventricular_rate=g.choice([0.0, 0.02, 0.08, 0.2]),
        pauses=g.choice([0.0, 0.01]),
        blocked=g.choice([0.0, 0.05, 0.3], p=[0.7, 0.15, 0.15]),
        run=g.choice([0.0, 0.1, 0.6]),
        noise=g.lognormal(np.log(0.03), 0.6),
        wander=g.lognormal(np.log(0.08), 0.6),
    )


def synthesise(patients: int, beats: int, generator: np.random.Generator) -> Beats:
    """Draw the beats of several patients.

    Parameters
    ----------
    patients, beats : int
        Patients, numbered from 0, and beats of each.
    generator : numpy.random.Generator

    Returns
    -------
    Beats
        With classes N, S and V.
    """
    if patients < 1 or beats < 1:
        raise ValueError(f"synthesise: {patients} patients of {beats} beats, at least 1 expected")
    parts = [record(draw_patient(generator), beats, generator) for _ in range(patients)]
    samples, rr, label = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Beats(samples, rr, np.repeat(np.arange(patients, dtype=np.int16), beats), label)


def record(
    patient: Patient, beats: int, generator: np.random.Generator
) -> tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.uint8]]:
    """Return samples (beats, 128), intervals (beats, 2) and classes (beats,) of one recording."""
    label, interval = rhythm(patient, beats + 2, generator)  # the first and last are not cut
    peak = np.round((1 + np.cumsum(interval)) * RATE).astype(np.int64)
    signal = lead(patient, label, peak, interval, generator)
    inner = slice(1, -1)
    cut = peak[inner, None] + np.arange(-PEAK, SAMPLES - PEAK)
    samples = np.clip(np.round(UNIT * signal[cut]), -2047, 2047).astype(np.int16)
    gaps = 2 * np.diff(peak)  # counted at 360 Hz
    rr = np.stack([gaps[:-1], gaps[1:]], axis=1).astype(np.int16)
    return samples, rr, label[inner].astype(np.uint8)


def rhythm(
    patient: Patient, beats: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    """Draw the class of each beat and the interval / s before it."""
    g = generator
    breathing = 1 + 0.5 * patient.irregular * np.sin(
        np.cumsum(np.full(beats, 2 * np.pi * patient.rr / g.uniform(3, 6)))
    )
    trend = 1 + 0.1 * np.sin(np.linspace(0, g.uniform(2, 9), beats) + g.uniform(0, 6))
    usual = patient.rr * breathing * trend * g.lognormal(0, patient.irregular, beats)
    label, interval = np.zeros(beats, np.int64), usual.copy()
    before = N
    for i in range(beats):
        atrial = patient.run if before == S else patient.atrial
        chance = g.random()
        if chance < atrial:
            label[i] = S
            interval[i] *= g.uniform(0.55, 0.92)
        elif chance < atrial + patient.ventricular_rate:
            label[i] = V
            interval[i] *= g.uniform(0.5, 0.95)
        elif before == S:  # the sinus node starts anew: no full compensation
            interval[i] *= g.uniform(1.0, 1.2)
        elif before == V and g.random() < 0.85:  # the sinus node kept its time
            interval[i] = max(2 * usual[i] - interval[i - 1], 0.8 * usual[i])
        elif g.random() < patient.pauses:
            interval[i] *= g.uniform(1.4, 2.2)
        before = int(label[i])
    return label, np.maximum(interval, 0.28)


def lead(
    patient: Patient,
    label: NDArray[np.int64],
    peak: NDArray[np.int64],
    interval: Floats,
    generator: np.random.Generator,
) -> Floats:
    """Draw the lead / mV from the first beat to the last."""
    g, n = generator, len(label)
    waves = np.where((label == V)[:, None, None], patient.ventricular, patient.waves)
    waves[label == S, 0, 0] *= patient.ectopic_p[0]
    waves[label == S, 0, 1] += patient.ectopic_p[1]
    blocked = np.where(label == S, 0.1, patient.blocked * (label == N))
    aberrant = g.random(n) < blocked
    waves[aberrant, 1:4, 1:] *= 1.4  # conducted before the bundle has recovered
    waves[:, :, 0] *= g.lognormal(0, 0.06, (n, 5))
    waves[:, :, 2] *= g.lognormal(0, 0.04, (n, 5))
    waves[:, 4, 1:] *= np.sqrt(np.clip(interval, 0.4, 1.4) / 0.85)[:, None]
    seconds = REACH / RATE
    drawn = np.zeros((n, len(REACH)))
    for amplitude, centre, width in waves.transpose(1, 2, 0)[..., None]:
        drawn += amplitude * np.exp(-0.5 * np.square((seconds - centre) / width))
    places = (peak[:, None] + REACH).ravel()
    signal = np.zeros(int(peak[-1]) + 2 * RATE)
    signal += np.bincount(places, drawn.ravel(), minlength=len(signal))
    time = np.arange(len(signal)) / RATE
    for frequency in (0.08, 0.17, 0.33):
        signal += patient.wander * g.normal() * np.sin(2 * np.pi * (frequency * time + g.random()))
    loud = 1 + 2 * (np.sin(2 * np.pi * (time / g.uniform(20, 60) + g.random())) > 0.9)  # movement
    return signal + patient.noise * loud * g.normal(size=len(signal))
