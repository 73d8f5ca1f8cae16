"""Heat-maps from derivatives with respect to the input: where a small change would change most."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.interpret.question import Array, Layer, Model, Question, Target
from tinymed.random import or_default

__all__ = [
    "completeness_error",
    "gradient_x_input",
    "integrated_gradients",
    "saliency",
    "smooth_grad",
]


def saliency(
    model: Model,
    x: Any,
    target: Target = None,
    *,
    signed: bool = False,
    layer: Layer = None,
    batch_size: int = 32,
) -> Array:
    """Return |d score / d x|: how much the score would answer to each element.

    Parameters
    ----------
    model : Module, or a function of a Tensor
        Asked in eval mode; its modes, gradients and parameters are left as they were.
    x : Tensor or array (N, ...)
        Floats as the model takes them; ids with ``layer``.
    target : int, array (N,) of int, callable or None
        The score of each sample. Of outputs (N, C) the logit of a class, of a single logit (N,) or
        (N, 1) the logit for class 1 and the logit negated for class 0. None: the class that is
        predicted at ``x``; a single logit itself. A callable turns outputs of any kind into one
        number per sample, e.g. `log_odds`, `probability`.
    signed : bool
        Keep the sign: positive where more of x raises the score.
    layer : Module, str or None
        Of a model of ids (N, T), the layer that embeds them, (N, T, E): the derivative is taken
        there and added up over E.
    batch_size : int
        Samples the model sees at once.

    Returns
    -------
    numpy.ndarray, of the shape of x

    Raises
    ------
    TypeError, ValueError, IndexError
        x that is no batch of floats; a target, layer or output that does not fit.

    References
    ----------
    Simonyan, Vedaldi, Zisserman (2014), "Deep inside convolutional networks", section 3.

    Examples
    --------
    >>> import tinymed as tm
    >>> saliency(lambda x: x[:, :1] - 2 * x[:, 1:], tm.ones(1, 2), signed=True)
    array([[ 1., -2.]], dtype=float32)
    """
    with Question("saliency", model, x, target, layer, batch_size) as ask:
        slope = slopes(ask)
        return ask.as_input(slope if signed else abs(slope))


def gradient_x_input(
    model: Model,
    x: Any,
    target: Target = None,
    *,
    baseline: ArrayLike = 0.0,
    layer: Layer = None,
    batch_size: int = 32,
) -> Array:
    """Return (x - baseline) d score / d x: each element's share, were the model linear.

    Parameters
    ----------
    baseline : number or array that broadcasts to x
        What stands for "nothing there": x as a whole there would leave nothing to explain.
    model, x, target, layer, batch_size
        As for `saliency`; with ``layer`` the baseline is one of the embedding.

    Returns
    -------
    numpy.ndarray, of the shape of x
        Positive where the element speaks for the target.

    References
    ----------
    Shrikumar, Greenside, Kundaje (2017), "Learning important features through propagating
    activation differences", section 2.

    Examples
    --------
    >>> import tinymed as tm
    >>> gradient_x_input(lambda x: x[:, :1] - 2 * x[:, 1:], tm.full((1, 2), 3.0))
    array([[ 3., -6.]], dtype=float32)
    """
    with Question("gradient_x_input", model, x, target, layer, batch_size) as ask:
        return ask.as_input(slopes(ask) * (ask.start - like(ask, baseline)))


def smooth_grad(
    model: Model,
    x: Any,
    target: Target = None,
    *,
    noise: float = 0.15,
    samples: int = 32,
    signed: bool = False,
    layer: Layer = None,
    batch_size: int = 32,
    generator: np.random.Generator | None = None,
) -> Array:
    """Return the gradient averaged over noisy copies of the input, and its absolute value.

    Parameters
    ----------
    noise : float > 0
        Standard deviation of the noise, as a share of the range max - min of each sample.
    samples : int
        Copies of each sample.
    signed : bool
        Keep the sign of the mean.
    generator : numpy.random.Generator, optional
    model, x, target, layer, batch_size
        As for `saliency`.

    Returns
    -------
    numpy.ndarray, of the shape of x

    References
    ----------
    Smilkov et al. (2017), "SmoothGrad: removing noise by adding noise".

    Examples
    --------
    >>> import tinymed as tm
    >>> found = smooth_grad(lambda x: (x * x).sum(1), tm.tensor([[1.0, 3.0]]), samples=500)
    >>> np.allclose(found, [[2, 6]], rtol=0.1)
    True
    """
    if not noise > 0 or samples < 1:
        raise ValueError(f"smooth_grad: noise {noise}, samples {samples}; both above 0 expected")
    generator = or_default(generator)
    with Question("smooth_grad", model, x, target, layer, batch_size) as ask:
        ask.check_floats()
        flat = ask.start.reshape(len(ask.start), -1)
        deviation = noise * per_row(np.ptp(flat, axis=1), ask.start)
        which = np.repeat(np.arange(len(ask.start)), samples)
        total = np.zeros(ask.start.shape)
        for rows in ask.rows(len(which)):
            own = which[rows]
            drawn = generator.standard_normal((len(own), *ask.start.shape[1:]))
            values = ask.start[own] + deviation[own] * drawn
            np.add.at(total, own, ask.gradients(values.astype(ask.start.dtype), own))
        mean = total / samples
        return ask.as_input(mean if signed else abs(mean))


def integrated_gradients(
    model: Model,
    x: Any,
    target: Target = None,
    *,
    baseline: ArrayLike = 0.0,
    steps: int = 128,
    layer: Layer = None,
    batch_size: int = 32,
) -> Array:
    """Return (x - b) times the mean gradient on the straight way from the baseline b to x.

    The elements add up to score(x) - score(b): every bit of the score has its place.
    `completeness_error` measures how nearly.

    Parameters
    ----------
    baseline : number or array that broadcasts to x
        What stands for "nothing there": a mean image, air, blur. The map answers why x is not b;
        where x equals b it is zero, whatever the model does with it.
    steps : int
        Places on the way (Gauss-Legendre): more where `completeness_error` is above 0.01.
    model, x, target, layer, batch_size
        As for `saliency`; with ``layer`` the baseline is one of the embedding.

    Returns
    -------
    numpy.ndarray, of the shape of x
        Positive where the element speaks for the target.

    Notes
    -----
    ``steps`` forward and backward passes a sample.

    References
    ----------
    Sundararajan, Taly, Yan (2017), "Axiomatic attribution for deep networks", equation 1.

    Examples
    --------
    >>> import tinymed as tm
    >>> found = integrated_gradients(lambda x: (x * x).sum(1), tm.tensor([[1.0, 3.0]]))
    >>> found.round(4)  # x^2 each: of 10 in all
    array([[1., 9.]], dtype=float32)
    """
    if steps < 1:
        raise ValueError(f"integrated_gradients: steps is {steps}, at least 1 expected")
    places, weights = np.polynomial.legendre.leggauss(steps)
    with Question("integrated_gradients", model, x, target, layer, batch_size) as ask:
        ask.check_floats()
        base = like(ask, baseline)
        which, step = (axis.ravel() for axis in np.indices((len(ask.start), steps)))
        total = np.zeros(ask.start.shape)
        for rows in ask.rows(len(which)):
            own = which[rows]
            share = per_row((places[step[rows]] + 1) / 2, ask.start)
            values = base[own] + share * (ask.start[own] - base[own])
            slope = ask.gradients(values.astype(ask.start.dtype), own)
            np.add.at(total, own, per_row(weights[step[rows]] / 2, ask.start) * slope)
        return ask.as_input(total * (ask.start - base))


def completeness_error(
    model: Model,
    x: Any,
    attribution: Array,
    target: Target = None,
    *,
    baseline: ArrayLike = 0.0,
    layer: Layer = None,
    batch_size: int = 32,
) -> NDArray[np.float64]:
    """Return |sum of the map - (score(x) - score(b))| / |score(x) - score(b)| of each sample.

    Parameters
    ----------
    attribution : array of the shape of x
        As `integrated_gradients` returns it, with the same target, baseline and layer.
    model, x, target, baseline, layer, batch_size
        As for `integrated_gradients`.

    Returns
    -------
    numpy.ndarray (N,), float64
        0 is complete; infinite where x and b score alike and the map does not add up to 0.

    References
    ----------
    Sundararajan, Taly, Yan (2017), proposition 1.

    Examples
    --------
    >>> x = np.array([[1.0, 3.0]])
    >>> completeness_error(lambda x: (x * x).sum(1), x, np.array([[1.0, 8.0]]))
    array([0.1])
    """
    with Question("completeness_error", model, x, target, layer, batch_size) as ask:
        if np.shape(attribution) != ask.x.shape:
            raise ValueError(
                f"completeness_error: attribution {np.shape(attribution)}, the shape of x "
                f"{ask.x.shape} expected"
            )
        every = np.arange(len(ask.start))
        difference = ask.scores(ask.start, every) - ask.scores(like(ask, baseline), every)
    told = np.asarray(attribution, np.float64).reshape(len(difference), -1).sum(axis=1)
    missing = abs(told - difference)
    with np.errstate(divide="ignore"):
        return np.divide(missing, abs(difference), where=missing > 0, out=np.zeros(len(missing)))


def slopes(ask: Question) -> Array:
    """Return d score / d start, batch by batch."""
    ask.check_floats()
    every = np.arange(len(ask.start))
    return np.concatenate([ask.gradients(ask.start[r], every[r]) for r in ask.rows()])


def like(ask: Question, baseline: ArrayLike) -> Array:
    """Return a baseline in the shape and dtype of ``start``."""
    given = np.asarray(baseline)
    try:
        return np.broadcast_to(given, ask.start.shape).astype(ask.start.dtype)
    except ValueError:
        raise ValueError(
            f"{ask.name}: baseline {given.shape} does not broadcast to {ask.start.shape}"
        ) from None


def per_row(values: Array, start: Array) -> Array:
    """Return one number a row (M,) so that it multiplies rows of ``start``, (M, 1, ...)."""
    return values.reshape(-1, *(1,) * (start.ndim - 1))
