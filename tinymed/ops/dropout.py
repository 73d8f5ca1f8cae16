"""Dropout: products with random masks, of elements or of whole channels.

On a CPU the generator itself draws the mask: ten times as fast as computing it from a counter in
NumPy. On a GPU it draws a seed alone, and the kernel finds each element's fate by a counter: one
seed gives one mask whatever the grid, and none is stored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymed.autograd import Function
from tinymed.kernels import dropout as kernels
from tinymed.kernels.arrays import CPU, Array, array_module, place
from tinymed.kernels.buffers import empty
from tinymed.kernels.recording import act, repeats
from tinymed.ops.arithmetic import add, multiply
from tinymed.ops.broadcasting import Shape
from tinymed.ops.comparison import array_of
from tinymed.ops.reduction import check_floating
from tinymed.precision import of_sums
from tinymed.random import or_default

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
]

if TYPE_CHECKING:
    from tinymed.random import Generator

SELU_FLOOR = -1.7580993408473766  # -scale * alpha: where selu goes for x -> -infinity


class Dropout(Function):
    """y = scale x + shift where kept, else 0 x + floor;  dL/dx = scale dL/dy where kept, else 0.

    What is kept follows from the seed and the numbers of elements, ``inner`` of which share theirs:
    nothing is saved for backward, which draws the same mask anew.
    """

    as_given = True

    def __init__(
        self,
        inner: int,
        p: float,
        seed: int,
        scale: float,
        shift: float = 0.0,
        floor: float = 0.0,
    ) -> None:
        self.inner, self.p, self.seed = inner, p, seed
        self.scale, self.shift, self.floor = scale, shift, floor

    def output_shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        drawn = self.inner, self.p, self.seed
        return kernels.forward(x, *drawn, self.scale, self.shift, self.floor)

    def backward(self, grad_output: Array) -> tuple[Any, ...]:
        return (Dropout(self.inner, self.p, self.seed, self.scale)(grad_output),)


def dropout(x: Any, p: float = 0.5, training: bool = True, generator: Generator = None) -> Any:
    """Return ``x`` with each element set to 0 with probability ``p``, the others / (1 - p).

    The mean stays what it was, so nothing is done when not ``training``.

    Parameters
    ----------
    p : float in [0, 1]
    generator : numpy.random.Generator or None
        None takes `tinymed.random.default_generator`.
    """
    check("dropout", x, p)
    return scaled(x, x.shape, p, generator) if training and p else x


def dropout1d(x: Any, p: float = 0.5, training: bool = True, generator: Generator = None) -> Any:
    """Return (N, C, L) or (C, L) with each channel set to 0 with probability ``p``; see `dropout`.

    Neighbours in a channel are alike, so that dropping single elements would hide little.
    """
    check("dropout1d", x, p)
    shape = per_channel("dropout1d", x, {2: 1, 3: 2})
    return scaled(x, shape, p, generator) if training and p else x


def dropout2d(x: Any, p: float = 0.5, training: bool = True, generator: Generator = None) -> Any:
    """Return (N, C, H, W) with each channel set to 0 with probability ``p``; see `dropout1d`.

    Three axes are (N, C, L), as in PyTorch, not (C, H, W).
    """
    check("dropout2d", x, p)
    shape = per_channel("dropout2d", x, {3: 2, 4: 2})
    return scaled(x, shape, p, generator) if training and p else x


def dropout3d(x: Any, p: float = 0.5, training: bool = True, generator: Generator = None) -> Any:
    """Return (N, C, D, H, W) or (C, D, H, W) with each channel set to 0 with probability ``p``."""
    check("dropout3d", x, p)
    shape = per_channel("dropout3d", x, {4: 1, 5: 2})
    return scaled(x, shape, p, generator) if training and p else x


def alpha_dropout(
    x: Any, p: float = 0.5, training: bool = False, generator: Generator = None
) -> Any:
    """Return ``x`` with each element set to selu's lower limit with probability ``p``.

    All are then shifted and scaled so that mean 0 and variance 1 stay, as networks of selu keep
    them: y = a (x or -1.758) + b.

    References
    ----------
    Klambauer, Unterthiner, Mayr, Hochreiter (2017), "Self-normalizing neural networks".
    """
    check("alpha_dropout", x, p)
    return shifted(x, x.shape, p, generator) if training and p else x


def feature_alpha_dropout(
    x: Any, p: float = 0.5, training: bool = False, generator: Generator = None
) -> Any:
    """Return (N, C, ...) with whole channels set to selu's lower limit; see `alpha_dropout`."""
    check("feature_alpha_dropout", x, p)
    if x.ndim < 2:
        raise ValueError(f"feature_alpha_dropout: x {x.shape} must have 2 axes or more: (N, C)")
    shape = (*x.shape[:2], *[1] * (x.ndim - 2))
    return shifted(x, shape, p, generator) if training and p else x


def scaled(x: Any, shape: Shape, p: float, generator: Generator) -> Any:
    """Return x times a mask of this shape, 0 or 1 / (1 - p)."""
    scale = float(of_sums(x.dtype).type(1 - p)) if p < 1 else 1.0
    if repeats() is not None:
        return multiply(x, *redrawn(array_of(x), shape, p, [(1 / scale, 0.0)], generator))
    if place(array_of(x)) != CPU:
        return Dropout(*drawn(x, shape, p, generator), 1 / scale)(x)
    return multiply(x, kept(x, shape, p, generator) / x.dtype.type(scale))


def redrawn(
    like: Array, shape: Shape, p: float, pairs: Sequence[tuple[Any, Any]], generator: Generator
) -> list[Array]:
    """Return an array for each pair: its first number where the mask is 1, else its second.

    Each repetition of the step draws the mask anew: the same as without `compile` or `capture`.
    """
    if place(like) == CPU:
        found = [empty(shape, like.dtype) for _ in pairs]

        def draw() -> None:
            mask = keeps(shape, p, generator)
            for y, (one, zero) in zip(found, pairs, strict=True):
                np.multiply(mask, y.dtype.type(one - zero), out=y)
                if zero:
                    y += zero
    else:
        xp = array_module(like)
        found, ones = [xp.empty(shape, like.dtype) for _ in pairs], xp.ones(shape, like.dtype)

        def draw() -> None:  # outside of the graph, which would keep the seed
            given = drawn(ones, shape, p, generator)
            for y, (one, zero) in zip(found, pairs, strict=True):
                y[...] = kernels.forward(ones, *given, one, 0.0, zero)

    act(draw)
    return found


def shifted(x: Any, shape: Shape, p: float, generator: Generator) -> Any:
    """Return a (x where the mask is 1, selu's limit where it is 0) + b; 0 for p = 1."""
    if p == 1:
        return scaled(x, shape, p, generator)
    a = 1 / math.sqrt((1 - p) * (1 + p * SELU_FLOOR**2))
    b = -a * p * SELU_FLOOR
    floor = a * SELU_FLOOR + b
    if repeats() is not None:
        factor, term = redrawn(array_of(x), shape, p, [(a, 0.0), (b, floor)], generator)
        return add(multiply(x, factor), term)
    if place(array_of(x)) != CPU:
        return Dropout(*drawn(x, shape, p, generator), a, b, floor)(x)
    mask = kept(x, shape, p, generator)
    return add(multiply(x, mask * a), (1 - mask) * (a * SELU_FLOOR) + b)


def drawn(x: Any, shape: Shape, p: float, generator: Generator) -> tuple[int, float, int]:
    """Return how many neighbours share a number of a mask of this shape, p, and a seed."""
    inner = math.prod(x.shape) // max(1, math.prod(shape))
    return max(1, inner), p, seed_of(generator)


def seed_of(generator: Generator) -> int:
    """Draw what numbers on a GPU follow from, by a counter."""
    generator = or_default(generator)
    return int(generator.integers(0, 1 << 64, dtype=np.uint64))


def kept(x: Any, shape: Shape, p: float, generator: Generator) -> Array:
    """Return ones with probability 1 - p, else zeros, where and as what ``x`` is."""
    return array_module(array_of(x)).asarray(keeps(shape, p, generator), x.dtype)


def keeps(shape: Shape, p: float, generator: Generator) -> np.ndarray[Any, Any]:
    """Return which elements of a mask are kept, each with probability 1 - p, on the host."""
    generator = or_default(generator)
    return np.asarray(generator.random(shape, dtype=np.float32) >= p)


def per_channel(name: str, x: Any, axes: dict[int, int]) -> Shape:
    """Return the shape of a mask that is one number per channel; {axes of x: those before it}."""
    if x.ndim not in axes:
        raise ValueError(f"{name}: x {x.shape} must have {' or '.join(map(str, axes))} axes")
    return (*x.shape[: axes[x.ndim]], *[1] * (x.ndim - axes[x.ndim]))


def check(name: str, x: Any, p: float) -> None:
    """Raise unless ``p`` is a probability and x holds floats."""
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: p={p} is not a probability")
    check_floating(name, x)
