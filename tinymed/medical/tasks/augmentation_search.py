"""Which random changes of the training images help: a small search, judged on validation.

Policies are drawn at random; short trainings leave the better half of them, which are trained
twice as long, until one is left (successive halving). The policy that the task has by itself is
always among them, so that a search tells whether it was worth it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from tinymed.data import Augment

__all__ = ["Trial", "drawn_policy", "settings_of", "successive_halving"]

Candidate = TypeVar("Candidate")
UPRIGHT = (0.0, 5.0, 12.0, 25.0)  # degrees, of images that have an upright; else any angle, or none


@dataclass(frozen=True)
class Trial:
    """One short training.

    Parameters
    ----------
    candidate : int
        Its number.
    epochs : int
    score : float
        More is better; NaN where the training failed.
    """

    candidate: int
    epochs: int
    score: float


def drawn_policy(generator: np.random.Generator, *, symmetric: bool) -> Augment:
    """Return a random policy for planes of mean 0 and standard deviation 1.

    Parameters
    ----------
    generator : numpy.random.Generator
    symmetric : bool
        Whether an image means the same turned and mirrored.

    Examples
    --------
    >>> drawn_policy(np.random.default_rng(0), symmetric=False).flip
    False
    """

    def one_of(*choices: Any) -> Any:
        return choices[generator.integers(len(choices))]

    scale, gain, offset = (one_of(0.0, 0.1, 0.2, 0.3) for _ in range(3))
    return Augment(
        rotate=one_of(0.0, 45.0, 180.0, 180.0) if symmetric else one_of(*UPRIGHT),
        scale=(1 / (1 + scale), 1 + scale),
        shift=one_of(0.0, 2.0, 4.0, 6.0),
        flip=symmetric and one_of(False, True),
        intensity=((1 - gain, 1 + gain), (-offset, offset)),
        noise=one_of(0.0, 0.0, (0.0, 0.15), (0.0, 0.3)),
        blur=one_of(0.0, 0.0, (0.0, 0.6), (0.0, 1.2)),
        elastic=one_of(None, None, (2.0, 5.0), (4.0, 6.0)),
        erased=one_of(None, None, (0.02, 0.1), (0.05, 0.25)),
    )


def successive_halving(
    candidates: Sequence[Candidate],
    score: Callable[[Candidate, int], float],
    *,
    epochs: int,
) -> tuple[int, list[Trial]]:
    """Return the number of the best candidate, and all trials in their order.

    Parameters
    ----------
    candidates : sequence
    score : callable
        ``score(candidate, epochs)`` of a training from its beginning; more is better. NaN loses to
        everything.
    epochs : int
        Of the last round, in which two (or one) are left; each round before it has half as many,
        at least 1, and twice the candidates. Ties go to the earlier candidate.

    Raises
    ------
    ValueError
        No candidate, epochs below 1, or only NaN in a round.

    References
    ----------
    Jamieson, Talwalkar (2016), "Non-stochastic Best Arm Identification and Hyperparameter
    Optimization".

    Examples
    --------
    >>> best, trials = successive_halving([3, 1, 4, 1], lambda x, epochs: x, epochs=8)
    >>> best, [(trial.candidate, trial.epochs) for trial in trials]
    (2, [(0, 4), (1, 4), (2, 4), (3, 4), (2, 8), (0, 8)])
    """
    if not candidates or epochs < 1:
        raise ValueError(
            f"successive_halving: {len(candidates)} candidates, {epochs} epochs; at least one of "
            "each expected"
        )
    left, trials = list(range(len(candidates))), list[Trial]()
    rounds = max(1, math.ceil(math.log2(len(candidates))))
    for remaining in reversed(range(rounds)):
        length = max(1, epochs >> remaining)
        if not trials or trials[-1].epochs < length:
            found = {number: score(candidates[number], length) for number in left}
            trials += [Trial(number, length, value) for number, value in found.items()]
        if all(math.isnan(found[number]) for number in left):
            raise ValueError(f"successive_halving: no score of {len(left)} candidates is a number")
        value_of = {n: -math.inf if math.isnan(v) else v for n, v in found.items()}
        order = sorted(left, key=lambda n: (-value_of[n], n))
        left = order[: math.ceil(len(left) / 2)]
    return left[0], trials


def settings_of(policy: Augment) -> dict[str, Any]:
    """Return the settings of a policy that differ from doing nothing, as JSON values."""
    nothing = Augment(rotate=0, scale=(1, 1), shift=0, flip=False)
    return {
        each.name: getattr(policy, each.name)
        for each in fields(policy)
        if each.init and getattr(policy, each.name) != getattr(nothing, each.name)
    }
