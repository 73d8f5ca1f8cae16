"""Which random changes of the training images help: a small search, judged on validation.

Policies are drawn at random; short trainings leave the better half of them, which are trained
twice as long, until one is left (successive halving). The policy that the task has by itself is
always among them, so that a search tells whether it was worth it.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tinymed import serialization
from tinymed.data import Augment
from tinymed.errors import AnomalyError, CheckpointError
from tinymed.medical.imaging.dataset import ImageDataset
from tinymed.medical.tasks.image_splits import images_in
from tinymed.medical.tasks.image_transfer import Source
from tinymed.medical.tasks.run_folder import asked
from tinymed.random import spawn

if TYPE_CHECKING:
    from tinymed.medical.tasks.image_diagnosis import ImageDiagnosis

__all__ = ["Trial", "drawn_policy", "searched", "settings_of", "successive_halving"]

Candidate = TypeVar("Candidate")
FOUND = "augmentation_search.json"
NOTHING = Augment(rotate=0, scale=(1, 1), shift=0, flip=False)
SHARE = 3  # a full training is so many times as long as the longest of the search
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


def searched(
    task: ImageDiagnosis,
    dataset: ImageDataset,
    options: argparse.Namespace,
    out: Path,
    source: Source | None,
) -> ImageDiagnosis:
    """Return the task with the policy that served best on "val"; write and print the trials.

    ``options.policies`` are tried, the task's own among them, each in trainings of their own: with
    the same seed, from the same start. A run that is resumed keeps what its search has found.
    """
    file = out / FOUND
    if options.resume and file.exists():
        known = json.loads(file.read_text())
        if known["asked"] != asked(options, images_in(dataset)):
            raise CheckpointError(f"{task.name}: {file} is of a run with other options or data")
        return replace(task, augment=policy_of(known["policy"]))
    generator = spawn(np.random.default_rng(options.seed), options.policies)
    drawn = (drawn_policy(generator, symmetric=task.symmetric) for _ in range(options.policies - 1))
    policies = [task.augment, *drawn]
    judged = dataset["test" if "test" in dataset else "val"]
    member = 0 if source is None else source.member_for(judged)[0]

    def score(policy: Augment, epochs: int) -> float:
        network, preprocessing = task.start(dataset["train"], options, source, member)
        short = argparse.Namespace(**{**vars(options), "epochs": epochs})
        learner = replace(task, augment=policy)
        try:
            history = learner.learn(network, dataset, preprocessing, short, None)
        except AnomalyError as error:  # a policy may ask for what cannot be learned
            print(f"{epochs} epochs: {error}, {settings_of(policy)}", flush=True)
            return math.nan
        value = math.nan if history.best_value is None else history.best_value
        print(f"{epochs} epochs: AUC {value:.4f} on validation, {settings_of(policy)}", flush=True)
        return value

    best, trials = successive_halving(policies, score, epochs=max(1, options.epochs // SHARE))
    policy = settings_of(policies[best])
    print(f"policy {best + 1} of {len(policies)}{' (the usual one)' * (best == 0)}: {policy}")
    found = {
        "asked": asked(options, images_in(dataset)),
        "policy": policy,
        "policies": list(map(settings_of, policies)),
    }
    rows = [{**asdict(trial), "score": finite(trial.score)} for trial in trials]
    text = json.dumps({**found, "trials": rows}, indent=1, allow_nan=False) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    serialization.write_bytes(text.encode(), file)
    return replace(task, augment=policies[best])


def settings_of(policy: Augment) -> dict[str, Any]:
    """Return the settings of a policy that differ from doing nothing, as JSON values."""
    return {
        each.name: getattr(policy, each.name)
        for each in fields(policy)
        if each.init and getattr(policy, each.name) != getattr(NOTHING, each.name)
    }


def policy_of(settings: Mapping[str, Any]) -> Augment:
    """Return the policy that `settings_of` told of."""
    return replace(NOTHING, **settings)


def finite(value: float) -> float | None:
    """Return None for NaN, which JSON does not know."""
    return None if math.isnan(value) else value
