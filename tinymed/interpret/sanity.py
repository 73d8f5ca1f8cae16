"""Checks that a heat-map must pass before anybody believes it; for your own model, too.

A map that stays the same when the model forgets all it has learned shows the picture, not the
model. A map that is faithful names first what the score needs most, and points at the lesion where
one is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.grad_mode import no_grad
from tinymed.interpret.gradients import like
from tinymed.interpret.question import Array, Model, Question, Target
from tinymed.interpret.similarity import rank_correlation
from tinymed.kernels.arrays import to_host, to_place
from tinymed.nn import Module
from tinymed.random import or_default

__all__ = [
    "Curve",
    "Randomization",
    "deletion_curve",
    "insertion_curve",
    "pointing_game",
    "weight_randomization",
]

Method = Callable[..., Array]
Similarity = Callable[[Array, Array], NDArray[np.float64]]


class Randomization(NamedTuple):
    """How alike the maps are to those of the trained model, after each layer that forgets."""

    layers: list[str]  # (L,), in the order in which they were randomised, the output first
    similarity: NDArray[np.float64]  # (L, N)


class Curve(NamedTuple):
    """The score against the share of elements deleted or inserted."""

    share: NDArray[np.float64]  # (S + 1,), 0 .. 1
    score: NDArray[np.float64]  # (N, S + 1)
    area: NDArray[np.float64]  # (N,), under the curve


def weight_randomization(
    method: Method,
    model: Module,
    x: Any,
    target: Target = None,
    *,
    similarity: Similarity = rank_correlation,
    generator: np.random.Generator | None = None,
) -> Randomization:
    """Let a model forget layer by layer, from the output down, and compare its maps with before.

    The weights of a layer become normal numbers of the same mean and deviation; those above it
    stay forgotten (cascading). An honest map changes: the similarity falls towards 0.

    Parameters
    ----------
    method : callable (model, x, target) -> array (N, ...)
        Any of this package; one with settings by `functools.partial`.
    model : Module
        Its weights are restored.
    x, target
        As for the method; without a target that class is explained throughout that the trained
        model predicts.
    similarity : callable (N, ...), (N, ...) -> (N,)
        `rank_correlation`, or `structural_similarity`.
    generator : numpy.random.Generator, optional

    Returns
    -------
    Randomization

    Raises
    ------
    ValueError
        A model without parameters; what the method refuses.

    References
    ----------
    Adebayo et al. (2018), "Sanity checks for saliency maps", section 3.1.
    """
    if not isinstance(model, Module):
        given = type(model).__name__
        raise TypeError(f"weight_randomization: model is {given}, a Module expected")
    generator = or_default(generator)
    own: dict[str, list[Any]] = {}  # of each layer, by its name
    for path, parameter in model.named_parameters():
        own.setdefault(path.rpartition(".")[0], []).append(parameter)
    if not own:
        raise ValueError(f"weight_randomization: {type(model).__name__} has no parameters")
    with Question("weight_randomization", model, x, target) as ask:
        target = ask.target
    before = method(model, x, target)
    kept = [(p, p.data.copy()) for p in model.parameters()]
    found = []
    try:
        for name in reversed(own):
            for parameter in own[name]:
                forget(parameter, generator)
            found.append(similarity(before, method(model, x, target)))
    finally:
        with no_grad():
            for parameter, values in kept:
                parameter.copy_(values)
    return Randomization([*reversed(own)], np.stack(found))


def deletion_curve(
    model: Model,
    x: Any,
    attribution: ArrayLike,
    target: Target = None,
    *,
    baseline: ArrayLike = 0.0,
    steps: int = 20,
    batch_size: int = 32,
) -> Curve:
    """Return the score while elements are set to the baseline, the most important first.

    A faithful map has a small area: what it names first, the score misses most. Compare with the
    area of random maps, on the same scale.

    Parameters
    ----------
    model, x, target, batch_size
        As for `tinymed.interpret.saliency`; ``target=probability(1)`` for a curve of
        probabilities.
    attribution : array of the shape of x
        Higher is more important.
    baseline : number or array that broadcasts to x
        What "nothing there" is.
    steps : int
        Points of the curve beyond the first.

    Returns
    -------
    Curve

    References
    ----------
    Petsiuk, Das, Saenko (2018), "RISE: randomized input sampling for explanation of black-box
    models", section 4.2.
    """
    return curve("deletion_curve", model, x, attribution, target, baseline, steps, batch_size)


def insertion_curve(
    model: Model,
    x: Any,
    attribution: ArrayLike,
    target: Target = None,
    *,
    baseline: ArrayLike = 0.0,
    steps: int = 20,
    batch_size: int = 32,
) -> Curve:
    """Return the score while elements of x appear on the baseline, the most important first.

    A faithful map has a large area. Parameters and result are those of `deletion_curve`.
    """
    return curve("insertion_curve", model, x, attribution, target, baseline, steps, batch_size)


def pointing_game(
    attribution: ArrayLike, mask: ArrayLike, *, tolerance: float = 0.0
) -> NDArray[np.bool_]:
    """Tell for each map whether its maximum lies on the mask; their mean is the score of a method.

    Parameters
    ----------
    attribution : array (N, ...)
    mask : array (N, ...), bool or 0 and 1
        True on what should be found.
    tolerance : float >= 0
        Distance in elements from the mask at which the maximum still counts.

    Returns
    -------
    numpy.ndarray (N,), bool
        Of several maxima the first counts; a constant map points nowhere, False.

    Raises
    ------
    ValueError
        Shapes that differ; a mask without anything to find.

    References
    ----------
    Zhang et al. (2018), "Top-down neural attention by excitation backprop", section 4.2.

    Examples
    --------
    >>> pointing_game([[0, 1, 5], [9, 1, 5]], [[0, 0, 1], [0, 0, 1]])
    array([ True, False])
    """
    maps, found = np.asarray(attribution), np.asarray(mask)
    if maps.ndim < 2 or maps.shape != found.shape:
        raise ValueError(
            f"pointing_game: attribution {maps.shape} and mask {found.shape}, one shape (N, ...) "
            "expected"
        )
    if not ((found == 0) | (found == 1)).all():
        raise ValueError("pointing_game: mask holds other values than 0 and 1")
    if not tolerance >= 0:
        raise ValueError(f"pointing_game: tolerance is {tolerance}, a number >= 0 expected")
    hits = np.zeros(len(maps), bool)
    for row, (one, inside) in enumerate(zip(maps, found, strict=True)):
        places = np.argwhere(inside)
        if not len(places):
            raise ValueError(f"pointing_game: mask {row} is empty, something to find expected")
        top = np.unravel_index(np.argmax(one), one.shape)
        distance = np.sqrt(((places - np.array(top)) ** 2).sum(axis=1).min())
        hits[row] = np.ptp(one) > 0 and distance <= tolerance
    return hits


def forget(parameter: Any, generator: np.random.Generator) -> None:
    """Replace the values of a parameter by normal ones of the same mean and deviation."""
    values = to_host(parameter.data)
    drawn = generator.normal(values.mean(), values.std(), values.shape).astype(values.dtype)
    with no_grad():
        parameter.copy_(to_place(drawn, parameter.device))


def curve(
    name: str,
    model: Model,
    x: Any,
    attribution: ArrayLike,
    target: Target,
    baseline: ArrayLike,
    steps: int,
    batch_size: int,
) -> Curve:
    """Return the score from x to the baseline, or (of insertion) from the baseline to x."""
    if steps < 1:
        raise ValueError(f"{name}: steps is {steps}, at least 1 expected")
    with Question(name, model, x, target, batch_size=batch_size) as ask:
        maps = np.asarray(attribution)
        if maps.shape != ask.x.shape:
            raise ValueError(f"{name}: attribution {maps.shape}, that of x {ask.x.shape} expected")
        start, end = ask.x, like(ask, baseline)
        if name == "insertion_curve":
            start, end = end, start
        size = maps[0].size
        order = np.argsort(-maps.reshape(len(maps), size), axis=1, kind="stable")
        place = np.argsort(order, axis=1).reshape(maps.shape)  # 0 for the most important
        every, score = np.arange(len(maps)), np.empty((len(maps), steps + 1))
        for step in range(steps + 1):
            changed = np.where(place < round(step / steps * size), end, start)
            score[:, step] = ask.scores(changed, every)
    share = np.linspace(0, 1, steps + 1)
    area = (score[:, 1:] + score[:, :-1]).mean(axis=1) / 2  # of trapezoids of one width
    return Curve(share, score, area)
