"""Tensors of numbers drawn at random.

Every function takes ``generator=``, a NumPy Generator; None stands for the default one, which
`manual_seed` sets. Numbers are drawn on the host and then moved, so that a seed gives the same
ones on every device. What is drawn is a constant: no gradient leads back to a probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymed.creation import Like, as_tensor, floating_or, new, shape_of
from tinymed.kernels.arrays import to_host
from tinymed.precision import NARROW, finfo, kind_of
from tinymed.random import or_default
from tinymed.tensor import Tensor, array_of, dtype_of

__all__ = [
    "bernoulli",
    "multinomial",
    "normal",
    "poisson",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
]

if TYPE_CHECKING:
    from tinymed.random import Generator

Shape = tuple[int, ...]

# ---------------------------------------------------------------------------------- of a shape


def rand(
    *size: Any,
    generator: Generator = None,
    dtype: Any = None,
    device: str = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers drawn evenly from [0, 1)."""
    shape, kind = shape_of("rand", size), floating_only("rand", dtype)
    return new(uniform(shape, kind, generator), device, requires_grad)


def rand_like(
    x: Any,
    *,
    generator: Generator = None,
    dtype: Any = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers drawn evenly from [0, 1) in the shape, dtype and device of ``x``."""
    like = Like(x, dtype, device)
    kind = floating_only("rand_like", like.dtype)
    return new(uniform(like.shape, kind, generator), like.device, requires_grad)


def randn(
    *size: Any,
    generator: Generator = None,
    dtype: Any = None,
    device: str = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers drawn from the normal distribution N(0, 1)."""
    shape, kind = shape_of("randn", size), floating_only("randn", dtype)
    return new(or_default(generator).standard_normal(shape).astype(kind), device, requires_grad)


def randn_like(
    x: Any,
    *,
    generator: Generator = None,
    dtype: Any = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers drawn from N(0, 1) in the shape, dtype and device of ``x``."""
    like = Like(x, dtype, device)
    kind = floating_only("randn_like", like.dtype)
    array = or_default(generator).standard_normal(like.shape).astype(kind)
    return new(array, like.device, requires_grad)


def randint(
    low: int = 0,
    high: Any = None,
    size: Sequence[int] | None = None,
    *,
    generator: Generator = None,
    dtype: Any = np.int64,
    device: str = "cpu",
) -> Tensor:
    """Return whole numbers drawn evenly from low ... high - 1: ``randint(low, high, size)``.

    ``randint(high, size)`` draws from 0 ... high - 1.
    """
    if isinstance(high, (tuple, list)) and size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if size is None:
        raise TypeError("randint: no size given; call randint(low, high, size)")
    array = whole("randint", low, high, shape_of("randint", (size,)), dtype, generator)
    return new(array, device)


def randint_like(
    x: Any,
    low: int,
    high: int | None = None,
    *,
    generator: Generator = None,
    dtype: Any = None,
    device: str | None = None,
) -> Tensor:
    """Return whole numbers from low ... high - 1 in the shape, dtype and device of ``x``.

    ``randint_like(x, high)`` draws from 0 ... high - 1.
    """
    like = Like(x, dtype, device)
    first, behind = (0, low) if high is None else (low, high)
    array = whole("randint_like", first, behind, like.shape, like.dtype, generator)
    return new(array, like.device)


def randperm(
    n: int, *, generator: Generator = None, dtype: Any = np.int64, device: str = "cpu"
) -> Tensor:
    """Return 0 ... n - 1 in a random order."""
    (count,) = shape_of("randperm", (n,))
    kind = dtype_of(dtype)
    check_holds("randperm", kind, 0, count)
    return new(or_default(generator).permutation(count).astype(kind), device)


# --------------------------------------------------------------------------- of a distribution


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Sequence[int] | None = None,
    *,
    generator: Generator = None,
    dtype: Any = None,
    device: str | None = None,
) -> Tensor:
    """Return numbers drawn from N(mean, std^2): tensors that broadcast, or numbers and a ``size``.

    The dtype is that of the first tensor unless given.

    Raises
    ------
    ValueError
        A ``std`` is negative, or a size is given for tensors or missing for numbers.
    """
    given = [x for x in (mean, std) if hasattr(x, "dtype")]
    if bool(given) == (size is not None):
        raise ValueError("normal: give tensors, whose shape it has, or two numbers and a size")
    kind = floating_only("normal", dtype or (given[0].dtype if given else None))
    place = device or (as_tensor(given[0]).device if given else "cpu")
    center, spread = host(mean), host(std)
    if not (spread >= 0).all():
        raise ValueError(f"normal: std holds {spread.min()}, expected 0 or more")
    shape = shape_of("normal", (size,)) if size is not None else np.broadcast(center, spread).shape
    drawn = or_default(generator).standard_normal(shape) * spread + center
    return new(np.asarray(drawn, kind), place)


def bernoulli(x: Any, *, generator: Generator = None) -> Tensor:
    """Return 1 with the probability that ``x`` holds, else 0, in its shape and dtype."""
    p, like = weights_of("bernoulli", x), Like(x, None, None)
    if (p > 1).any():
        raise ValueError(f"bernoulli: a probability is {p.max()}, expected 0 to 1")
    return new((or_default(generator).random(p.shape) < p).astype(like.dtype), like.device)


def poisson(x: Any, generator: Generator = None) -> Tensor:
    """Return counts with the mean that ``x`` holds, in its shape and (floating) dtype."""
    rate, like = weights_of("poisson", x), Like(x, None, None)
    return new(np.asarray(or_default(generator).poisson(rate)).astype(like.dtype), like.device)


def multinomial(
    x: Any, num_samples: int, replacement: bool = False, *, generator: Generator = None
) -> Tensor:
    """Return the indices of classes drawn in proportion to their weights.

    Parameters
    ----------
    x : Tensor (K,) or (N, K), floating
        Weights >= 0 of K classes; they need not add up to 1.
    num_samples : int
        Draws from each row, S.
    replacement : bool
        Whether a class can be drawn again; without, S of a row's weights must be positive.

    Returns
    -------
    Tensor (S,) or (N, S), int64

    Notes
    -----
    With replacement, the inverse of the cumulated weights is taken at a uniform number. Without,
    each class waits for an exponential time of the rate w, and the first S to arrive are taken:
    equal to drawing one after the other from what is left.

    References
    ----------
    Efraimidis, Spirakis (2006), Weighted random sampling with a reservoir.
    """
    weights = weights_of("multinomial", x)
    if weights.ndim not in (1, 2) or 0 in weights.shape[-1:]:
        raise ValueError(f"multinomial: weights {weights.shape}, expected (K,) or (N, K), K > 0")
    if num_samples < 1:
        raise ValueError(f"multinomial: num_samples {num_samples} is not positive")
    rows = np.atleast_2d(weights)
    needed = 1 if replacement else num_samples
    if rows.size and (fewest := int((rows > 0).sum(axis=1).min())) < needed:
        raise ValueError(
            f"multinomial: a row has {fewest} classes of positive weight, {needed} are needed"
            + ("" if replacement else "; replacement=True draws a class again")
        )
    shape_of("multinomial", (len(rows), num_samples))
    random = or_default(generator)
    if replacement:
        levels = np.cumsum(rows / rows.max(axis=1, keepdims=True, initial=0), axis=1)
        levels /= levels[:, -1:]  # the last is exactly 1, above every number of [0, 1)
        uniforms = random.random((len(rows), num_samples))
        drawn = [np.searchsorted(c, u, side="right") for c, u in zip(levels, uniforms, strict=True)]
        indices = np.array(drawn, np.int64).reshape(len(rows), num_samples)
    else:
        with np.errstate(divide="ignore"):  # what has no weight never arrives
            arrival = random.standard_exponential(rows.shape) / rows
        indices = np.argsort(arrival, axis=1, kind="stable")[:, :num_samples].astype(np.int64)
    return new(indices if weights.ndim == 2 else indices[0], as_tensor(x).device)


# ------------------------------------------------------------------------- what they all need


def uniform(shape: Shape, dtype: np.dtype[Any], generator: Generator) -> np.ndarray[Any, Any]:
    """Return numbers of [0, 1); they are cut off, not rounded, which could give 1."""
    if dtype.char in NARROW:
        steps = 2 ** (finfo(dtype).nmant + 1)
        return (np.floor(or_default(generator).random(shape) * steps) / steps).astype(dtype)
    return or_default(generator).random(shape, dtype=dtype.type)


def whole(
    name: str, low: int, high: int, shape: Shape, dtype: Any, generator: Generator
) -> np.ndarray[Any, Any]:
    """Return whole numbers from low ... high - 1."""
    kind = dtype_of(dtype)
    if low >= high:
        raise ValueError(f"{name}: low {low} is not below high {high}")
    check_holds(name, kind, low, high)
    return np.asarray(or_default(generator).integers(low, high, shape)).astype(kind)


def check_holds(name: str, dtype: np.dtype[Any], low: int, high: int) -> None:
    """Raise unless every whole number from low ... high - 1 is exact in ``dtype``."""
    if kind_of(dtype) == "f":
        least, most = -(2 ** (finfo(dtype).nmant + 1)), 2 ** (finfo(dtype).nmant + 1)
    elif dtype.kind == "b":
        least, most = 0, 1
    else:
        least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    if low < least or high - 1 > most:
        raise ValueError(f"{name}: {low} to {high - 1} do not fit {dtype}, {least} to {most}")


def floating_only(name: str, dtype: Any) -> np.dtype[Any]:
    """Return a floating dtype, the default one for None, or raise `TypeError`."""
    kind = floating_or(dtype)
    if kind_of(kind) != "f":
        raise TypeError(f"{name}: dtype {kind} has no fractions; a floating dtype is expected")
    return kind


def host(x: Any) -> np.ndarray[Any, Any]:
    """Return a tensor, array or number as an array in host memory."""
    return to_host(array_of(x))


def weights_of(name: str, x: Any) -> np.ndarray[Any, Any]:
    """Return probabilities, rates or weights in float64 after checking them."""
    values = host(x)
    if kind_of(values.dtype) != "f":
        raise TypeError(f"{name}: x is {values.dtype}, a floating dtype is expected")
    if not ((values >= 0) & (values < np.inf)).all():
        raise ValueError(f"{name}: x holds negative, infinite or NaN values, expected 0 or more")
    return values.astype(np.float64)
