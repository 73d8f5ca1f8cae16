"""What connectionist temporal classification is proved and timed on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.case import Case, Make
from tinymed.kernels.ctc import reference

Lengths = tuple[int, ...]


def _arguments(
    sizes: tuple[int, int, int], steps: Lengths, labels: Lengths, blank: int, ruled_out: float = 0
) -> Make:
    """Make those of a forward: (T, S, C), the lengths of each sequence, the blank."""
    most, width, classes = sizes

    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        logits = 2 * rng.standard_normal((most, len(steps), classes))
        logits[rng.random(logits.shape) < ruled_out] = -np.inf
        logits[:, :, blank] = np.maximum(logits[:, :, blank], 0)  # some class is left
        with np.errstate(divide="ignore"):
            x = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
        real = np.array([c for c in range(classes) if c != blank])
        targets = rng.choice(real, (len(steps), width)) if width else np.empty((len(steps), 0))
        targets[np.arange(width) >= np.array(labels, int)[:, None]] = classes + 7  # not looked at
        lengths = np.array(steps, np.int64), np.array(labels, np.int64)
        return x.astype(dtype), targets.astype(np.int64), *lengths, blank

    return make


def _grad(forward: Make) -> Make:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        given = forward(rng, dtype)
        losses, alpha = reference.forward(*given)
        return rng.standard_normal(len(losses)).astype(dtype), *given, losses, alpha

    return make


def _terms(steps: int, classes: int) -> int:
    """Return how an occupancy's error grows: with T log(C), of which it is the exponential."""
    return max(1, int((steps * math.log(classes)) ** 2))


def _proofs() -> list[Case]:
    layouts: list[tuple[str, tuple[int, int, int], Lengths, Lengths, int, float]] = [
        ("one number", (1, 1, 2), (1,), (1,), 0, 0),
        ("T5 N1 C3 S2, full", (5, 2, 3), (5,), (2,), 0, 0),
        ("T12 N4 C5, lengths", (12, 5, 5), (12, 7, 12, 3), (5, 3, 0, 2), 0, 0),
        ("the last class is the blank", (9, 4, 4), (9, 9, 6), (4, 4, 1), 3, 0),
        ("two classes: equal labels all along", (11, 5, 2), (11, 11, 9), (5, 2, 5), 1, 0),
        ("more labels than steps", (4, 6, 3), (4, 2, 0, 0), (6, 5, 2, 0), 0, 0),
        ("C70, a few labels", (6, 3, 70), (6, 6), (3, 2), 30, 0),
        ("S40, more states than a warp", (90, 40, 6), (90, 70), (40, 33), 0, 0),
        ("S270, two states a thread", (284, 270, 30), (284,), (270,), 0, 0),
        ("classes ruled out", (14, 4, 5), (14, 10, 14), (4, 4, 2), 0, 0.2),
        ("no labels", (3, 0, 4), (3, 2, 0), (0, 0, 0), 2, 0),
        ("no steps", (0, 2, 3), (0, 0), (2, 0), 0, 0),
        ("no sequences", (3, 2, 3), (), (), 0, 0),
    ]
    found = []
    for name, sizes, steps, labels, blank, ruled_out in layouts:
        make = _arguments(sizes, steps, labels, blank, ruled_out)
        found.append(Case("ctc.forward", name, make, sizes[0]))
        found.append(Case("ctc.grad", name, _grad(make), _terms(sizes[0], sizes[2])))
    return found


def _benches() -> list[Case]:
    found = []
    for t, n, c, s in ((1000, 32, 5, 200), (500, 64, 30, 80), (200, 16, 5000, 20)):
        make = _arguments((t, s, c), (t,) * n, (s,) * n, 0)
        name, states = f"T{t} N{n} C{c} S{s}", 2 * s + 1
        kept, read = 4 * t * n * states, 4 * t * n * c
        found += [
            Case("ctc.forward", name, make, t, bytes=kept + min(read, kept)),
            Case("ctc.grad", name, _grad(make), _terms(t, c), bytes=2 * read + kept),
        ]
    return found


PROOFS = _proofs()
BENCHES = _benches()
