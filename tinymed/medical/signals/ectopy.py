"""Early atrial beats put into real recordings: examples of what few patients have.

An atrial ectopic beat is a normal beat that comes early after another P wave. So it can be made
from a patient's own normal beats, singly and in runs: the interval before is shortened and what
stands before the QRS is changed. Most patients of a study have next to none; with these a network
sees the same event in every heart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.medical.signals.heartbeats import CLASSES, Beats

__all__ = ["with_atrial_beats"]

Array = np.ndarray[Any, Any]
NORMAL, ATRIAL = CLASSES.index("N"), CLASSES.index("S")
BEFORE_QRS = 36  # samples of the P wave and the PR segment
FEWEST = 10  # beats: with fewer the usual P wave is not known
SHORTEST, LONGEST = 72, 32767  # at 360 Hz: nothing follows sooner; what int16 holds
IRREGULAR = 0.12  # median relative change of interval: in atrial fibrillation nothing is early


def with_atrial_beats(
    beats: Beats, generator: np.random.Generator, share: float = 0.08, longest: int = 80
) -> Beats:
    """Return recordings in which some normal beats have become early atrial ones.

    Parameters
    ----------
    beats : Beats
        With classes. A patient whose rhythm is irregular from beat to beat stays as he is.
    generator : numpy.random.Generator
    share : float
        Of all beats, about, that change; half of them in runs.
    longest : int
        Beats of a run.

    Returns
    -------
    Beats
        Copies; ``rr`` follows: what is before a beat is after the one before it.
    """
    if beats.label is None:
        raise ValueError("with_atrial_beats: beats without classes, classes expected")
    samples, rr, label = beats.samples.copy(), beats.rr.copy(), beats.label.copy()
    for patient in np.unique(beats.patient):
        rows = np.flatnonzero(beats.patient == patient)
        before = beats.rr[rows, 0].astype(np.float64)
        if len(rows) < FEWEST or np.median(np.abs(np.diff(before)) / before[1:]) > IRREGULAR:
            continue
        chosen = _early(label[rows], before, share, longest, generator)
        label[rows[chosen]] = ATRIAL
        samples[rows[chosen]] = _other_p_waves(samples[rows], chosen, generator)
        shortest = np.minimum(beats.rr[rows, 0], SHORTEST)
        rr[rows, 0] = np.clip(before, shortest, LONGEST).astype(rr.dtype)
        rr[rows[:-1], 1] = rr[rows[1:], 0]
    return Beats(samples, rr, beats.patient, label)


def _early(
    label: Array, before: Array, share: float, longest: int, g: np.random.Generator
) -> Array:
    """Return which beats become early, after shortening ``before`` in place."""
    chosen = np.zeros(len(label), bool)
    mean_run = (longest + 2) / 4  # of lengths spread evenly in their logarithm, about
    events = g.poisson(share / 2 * len(label) * (1 + 1 / mean_run))
    for _ in range(events):
        single = g.random() < mean_run / (1 + mean_run)
        length = 1 if single else int(np.exp(g.uniform(np.log(2), np.log(longest))))
        first = int(g.integers(1, max(len(label) - length, 2)))
        run = np.arange(first, min(first + length, len(label)))
        run = run[(label[run] == NORMAL) & ~chosen[run]]
        if not len(run):
            continue
        factor = g.uniform(0.5, 0.88)
        before[run] *= factor * g.normal(1, 0.03, len(run)).clip(0.9, 1.1)
        chosen[run] = True
        if run[-1] + 1 < len(before):
            before[run[-1] + 1] *= g.uniform(1.0, 1.35)
    return chosen


def _other_p_waves(samples: Array, chosen: Array, g: np.random.Generator) -> Array:
    """Return the chosen beats with what comes before the QRS shifted, scaled or turned over."""
    changed = samples[chosen].astype(np.float64)
    scale = g.choice([g.uniform(-1, 0), g.uniform(0.2, 0.8), 1.0])
    shift = int(g.integers(-14, 15))
    usual = np.median(samples, axis=0)[:BEFORE_QRS].astype(np.float64)
    wave = usual - usual[-1]  # joined where the QRS begins
    moved = scale * np.roll(wave, shift)
    fade = np.linspace(1, 0, BEFORE_QRS) ** 0.25
    changed[:, :BEFORE_QRS] += fade * (moved - wave)
    return np.round(changed).astype(samples.dtype)
