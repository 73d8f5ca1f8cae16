"""Heat-maps by covering: how much the score loses where the input is hidden."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinymed.interpret.question import Array, Model, Question, Target

__all__ = ["occlusion"]


def occlusion(
    model: Model,
    x: Any,
    target: Target = None,
    *,
    window: int | Sequence[int] = 8,
    stride: int | Sequence[int] | None = None,
    baseline: float = 0.0,
    batch_size: int = 32,
) -> Array:
    """Return score(x) - score(x with a window covered), the mean over the windows of an element.

    Nothing is asked of the model but its scores: it may be anything, and x may hold ids.

    Parameters
    ----------
    window : int or sequence of int
        Size of the window along each axis of places; or along every axis of a sample, channels
        included. An axis 1 of channels, of x with three axes or more, is covered as a whole unless
        the sequence names it. A window is cut to the size of x.
    stride : int or sequence of int, optional
        Steps between windows, at most the window; half a window unless given. The last window
        ends with x.
    baseline : number
        What a window is covered with: 0, air, the mean; the id that says "unknown".
    model, x, target, batch_size
        As for `tinymed.interpret.saliency`.

    Returns
    -------
    numpy.ndarray, of the shape of x
        Positive where the element speaks for the target.

    Raises
    ------
    ValueError
        Windows or strides that do not fit the axes of x, or leave gaps.

    References
    ----------
    Zeiler, Fergus (2014), "Visualizing and understanding convolutional networks", section 4.2.

    Examples
    --------
    >>> x = np.arange(6.0).reshape(1, 6)
    >>> occlusion(lambda x: x.sum(1), x, window=2, stride=2)
    array([[1., 1., 5., 5., 9., 9.]])
    """
    with Question("occlusion", model, x, target, batch_size=batch_size) as ask:
        windows = placed(ask.x.shape[1:], window, stride)
        every = np.arange(len(ask.x))
        before = ask.scores(ask.x, every)
        total, times = np.zeros(ask.x.shape), np.zeros(ask.x.shape[1:])
        for place in windows:
            times[place] += 1
        which, number = (axis.ravel() for axis in np.indices((len(ask.x), len(windows))))
        for rows in ask.rows(len(which)):
            values = ask.x[which[rows]]
            for covered, index in zip(values, number[rows], strict=True):
                covered[windows[index]] = baseline
            lost = before[which[rows]] - ask.scores(values, which[rows])
            for sample, index, loss in zip(which[rows], number[rows], lost, strict=True):
                total[sample][windows[index]] += loss
        return ask.as_input(total / times)


def placed(shape: tuple[int, ...], window: Any, stride: Any) -> list[tuple[slice, ...]]:
    """Return every window over a sample, as slices of all its axes."""
    places = shape if len(shape) == 1 else shape[1:]
    sizes = along("window", window, shape, len(places))
    steps = [max(1, s // 2) for s in sizes]
    if stride is not None:
        steps = along("stride", stride, shape, len(places))
    whole = len(shape) - len(sizes)  # 1 where the channels are covered as a whole
    if len(steps) != len(sizes):
        raise ValueError(f"occlusion: stride {stride} and window {window} differ in their axes")
    axes = [[slice(None)]] * whole
    for length, size, step in zip(shape[whole:], sizes, steps, strict=True):
        if step > size:
            raise ValueError(f"occlusion: stride {step} leaves gaps between windows of {size}")
        size = min(size, length)
        begins = [*range(0, length - size, step), length - size]
        axes.append([slice(begin, begin + size) for begin in begins])
    return list(itertools.product(*axes))


def along(argument: str, given: Any, shape: tuple[int, ...], places: int) -> list[int]:
    """Return one number per axis: of places, or of the whole sample."""
    sizes = [given] * places if np.ndim(given) == 0 else list(given)
    if len(sizes) not in (places, len(shape)) or not all(
        isinstance(s, (int, np.integer)) and s >= 1 for s in sizes
    ):
        raise ValueError(
            f"occlusion: {argument} is {given}, integers >= 1 for {places} axes of places or for "
            f"all of {shape} expected"
        )
    return [int(s) for s in sizes]
