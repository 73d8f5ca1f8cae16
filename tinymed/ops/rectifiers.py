"""Activations with kinks: relu's relatives. At a kink the derivative is PyTorch's choice."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels import dropout as drawn
from tinymed.kernels.arrays import CPU, Array, array_module, place
from tinymed.kernels.recording import act, repeats
from tinymed.ops.activation import Activation, OfInput
from tinymed.ops.arithmetic import multiply, subtract
from tinymed.ops.broadcasting import Broadcasting
from tinymed.ops.comparison import array_of
from tinymed.ops.division import divide
from tinymed.ops.dropout import seed_of
from tinymed.ops.elementwise import clamp, exp, select, where
from tinymed.ops.promotion import number_in, same_dtype
from tinymed.ops.reduction import check_floating
from tinymed.ops.shaping import reshape
from tinymed.random import or_default

__all__ = [
    "celu",
    "elu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "prelu",
    "relu6",
    "rrelu",
    "selu",
    "softshrink",
    "threshold",
]

# The two numbers with which mean 0 and variance 1 pass from layer to layer (Klambauer, 2017).
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


class PReLU(Broadcasting):
    """y = x where x > 0, else w x;  dL/dx = dL/dy or w dL/dy, dL/dw = x dL/dy where x <= 0."""

    def forward(self, x: Array, weight: Array) -> Array:
        return select(x > 0, x, x * weight)

    def backward(self, grad_output: Array, x: Array, weight: Array) -> tuple[Any, ...]:
        to_x, to_weight = self.edges
        positive = x > 0
        return (
            where(positive, grad_output, grad_output * weight) if to_x else None,
            grad_output * where(positive, 0.0, x) if to_weight else None,
        )


class LeakyReLU(OfInput, Activation):
    """y = x where x > 0, else slope x;  dL/dx = dL/dy or slope dL/dy."""

    name = "leaky_relu"

    def __init__(self, slope: float) -> None:
        self.parameters = (float(slope),)

    def derivative(self, grad_output: Any, x: Any) -> Any:
        return where(x > 0, grad_output, multiply(grad_output, *self.parameters))


class ELU(OfInput, Activation):
    """y = scale x where x > 0, else scale alpha (exp(rate x) - 1);  dL/dx = y' dL/dy."""

    name = "elu"

    def __init__(self, alpha: float = 1.0, scale: float = 1.0, rate: float = 1.0) -> None:
        self.parameters = float(alpha), float(scale), float(rate)

    def derivative(self, grad_output: Any, x: Any) -> Any:
        alpha, scale, rate = self.parameters
        slope = exp(clamp(x, max=0) * rate) * (alpha * rate)
        return where(x <= 0, grad_output * slope, grad_output) * scale


class HardTanh(OfInput, Activation):
    """y = min(max(x, low), high);  dL/dx = dL/dy where low < x < high, else 0."""

    name = "hardtanh"

    def __init__(self, low: float, high: float) -> None:
        self.parameters = low, high

    def derivative(self, grad_output: Any, x: Any) -> Any:
        low, high = self.parameters
        return where((x <= low) | (x >= high), 0.0, grad_output)


class HardSigmoid(OfInput, Activation):
    """y = min(max(x + 3, 0), 6) / 6;  dL/dx = dL/dy / 6 where -3 < x < 3, else 0."""

    name = "hardsigmoid"

    def derivative(self, grad_output: Any, x: Any) -> Any:
        return where((x > -3) & (x < 3), divide(grad_output, 6), 0.0)


class HardSwish(OfInput, Activation):
    """y = x min(max(x + 3, 0), 6) / 6;  dL/dx = dL/dy times 0, (2 x + 3) / 6 or 1."""

    name = "hardswish"

    def derivative(self, grad_output: Any, x: Any) -> Any:
        middle = grad_output * (x / 3 + 0.5)
        return where(x <= -3, 0.0, where(x < 3, middle, grad_output))


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """Return x where x > 0, else ``negative_slope`` x."""
    check_floating("leaky_relu", x)
    return LeakyReLU(negative_slope)(x)


def prelu(x: Any, weight: Any) -> Any:
    """Return x where x > 0, else ``weight`` x; the weight is learnt.

    Parameters
    ----------
    x : (N, C, ...)
    weight : (C,), (1,) or ()
        One for each channel, or one for all.

    References
    ----------
    He et al. (2015), "Delving deep into rectifiers".
    """
    check_floating("prelu", x)
    same_dtype("prelu", x=x, weight=weight)
    if weight.ndim > 1:
        raise ValueError(f"prelu: weight {weight.shape} has more than one axis")
    count = weight.shape[0] if weight.ndim else 1
    channels = x.shape[1] if x.ndim > 1 else 1
    if count not in (1, channels):
        raise ValueError(
            f"prelu: weight {weight.shape} is neither one nor one for each of the {channels} "
            f"channels of x {x.shape}"
        )
    return PReLU()(x, reshape(weight, (count,) + (1,) * (x.ndim - 2) if x.ndim else ()))


def rrelu(
    x: Any,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: np.random.Generator | None = None,
) -> Any:
    """Return x where x > 0, else s x, with s drawn from U(lower, upper) when ``training``.

    Otherwise s is the mean, (lower + upper) / 2.

    Parameters
    ----------
    generator : numpy.random.Generator or None
        None takes `tinymed.random.default_generator`.

    References
    ----------
    Xu et al. (2015), "Empirical evaluation of rectified activations in convolutional network".
    """
    check_floating("rrelu", x)
    if not lower <= upper:
        raise ValueError(f"rrelu: lower={lower} is above upper={upper}")
    if not training:
        return LeakyReLU((lower + upper) / 2)(x)
    return PReLU()(x, uniform_like(array_of(x), lower, upper, generator))


def uniform_like(
    like: Array, low: float, high: float, generator: np.random.Generator | None
) -> Array:
    """Return numbers from U(low, high) like an array; a step that is captured draws them anew.

    On a GPU they follow from a seed by a counter, as dropout's do.
    """
    if place(like) == CPU:
        generator = or_default(generator)
        numbers = generator.random(like.shape, dtype=np.float32) * (high - low) + low
        return np.asarray(numbers, like.dtype)
    if repeats() is None:
        return drawn.uniform(like, seed_of(generator), low, high)
    numbers = array_module(like).empty(like.shape, like.dtype)

    def draw() -> None:  # outside of the graph, which would keep the seed
        numbers[...] = drawn.uniform(numbers, seed_of(generator), low, high)

    act(draw)
    return numbers


def elu(x: Any, alpha: float = 1.0) -> Any:
    """Return x where x > 0, else ``alpha`` (exp(x) - 1) (Clevert et al., 2015)."""
    check_floating("elu", x)
    return ELU(alpha)(x)


def selu(x: Any) -> Any:
    """Return `elu` scaled so that layers keep mean 0 and variance 1.

    References
    ----------
    Klambauer et al. (2017), "Self-normalizing neural networks".
    """
    check_floating("selu", x)
    return ELU(SELU_ALPHA, SELU_SCALE)(x)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """Return max(0, x) + min(0, ``alpha`` (exp(x / ``alpha``) - 1)), smooth for every alpha."""
    check_floating("celu", x)
    if alpha == 0:
        raise ZeroDivisionError("celu: alpha is 0, by which it divides")
    return ELU(alpha, rate=1 / alpha)(x)


def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """Return x limited to [``min_val``, ``max_val``]."""
    if not min_val <= max_val:
        raise ValueError(f"hardtanh: min_val={min_val} is above max_val={max_val}")
    if x.dtype.kind == "b" or (x.dtype.kind == "u" and min_val < 0):
        raise TypeError(f"hardtanh: x is {x.dtype}, which has nothing from {min_val} on")
    if x.dtype.kind in "iu":  # PyTorch's result has the dtype of x
        min_val, max_val = int(min_val), int(max_val)
    return HardTanh(min_val, max_val)(x)


def relu6(x: Any) -> Any:
    """Return min(max(x, 0), 6), which holds up in few bits."""
    return hardtanh(x, 0.0, 6.0)


def hardsigmoid(x: Any) -> Any:
    """Return 0 below -3, 1 above 3 and x / 6 + 1 / 2 between."""
    check_floating("hardsigmoid", x)
    return HardSigmoid()(x)


def hardswish(x: Any) -> Any:
    """Return x hardsigmoid(x) (Howard et al., 2019, "Searching for MobileNetV3")."""
    check_floating("hardswish", x)
    return HardSwish()(x)


def threshold(x: Any, threshold: float, value: float) -> Any:
    """Return x where x > ``threshold``, else ``value``."""
    if x.dtype.kind == "b":
        raise TypeError("threshold: x is bool, expected numbers")
    return where(x <= threshold, number_in("threshold", value, x.dtype), x)


def softshrink(x: Any, lambd: float = 0.5) -> Any:
    """Return x brought nearer to 0 by ``lambd``, 0 where abs(x) <= ``lambd``."""
    check_floating("softshrink", x)
    if not lambd >= 0:
        raise ValueError(f"softshrink: lambd={lambd} must not be negative")
    return subtract(x, clamp(x, -lambd, lambd))


def hardshrink(x: Any, lambd: float = 0.5) -> Any:
    """Return x, but 0 where abs(x) <= ``lambd``."""
    check_floating("hardshrink", x)
    return where((x >= -lambd) & (x <= lambd), 0.0, x)
