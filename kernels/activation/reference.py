"""Activations and what goes back through them, as NumPy says it.

Each ``<name>_grad`` takes dL/dy and x, or y where that is enough, and returns dL/dx.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.error_function import erf_of
from tinymed.kernels.matmul.reference import activate

GELU_LINEAR, GELU_CUBIC = math.sqrt(8 / math.pi), math.sqrt(8 / math.pi) * 0.044715
GELU_FAR = 25.0  # beyond, the tanh form's sigmoid is 0 or 1, and a cube would overflow


def forward(x: Array, name: str, *parameters: float) -> Array:
    """Return f(x)."""
    return FORMULAS[name][0](x, *parameters)


def grad(grad_output: Array, known: Array, name: str, *parameters: float) -> Array:
    """Return dL/dx from dL/dy and x, or y for relu, sigmoid and tanh."""
    return FORMULAS[name][1](grad_output, known, *parameters)


def relu(x: Array) -> Array:
    """Return max(x, 0)."""
    return array_module(x).maximum(x, 0)


def relu_grad(grad_output: Array, y: Array) -> Array:
    """Return dL/dy where y > 0 or NaN, else 0."""
    return array_module(y).where(y != 0, grad_output, grad_output.dtype.type(0))


def leaky_relu(x: Array, slope: float) -> Array:
    """Return x where x > 0, else slope x."""
    return array_module(x).where(x > 0, x, x * slope)


def leaky_relu_grad(grad_output: Array, x: Array, slope: float) -> Array:
    """Return dL/dy where x > 0, else slope dL/dy."""
    return array_module(x).where(x > 0, grad_output, grad_output * slope)


def elu(x: Array, alpha: float, scale: float, rate: float) -> Array:
    """Return scale x where x > 0, else scale alpha (exp(rate x) - 1)."""
    xp = array_module(x)
    return xp.where(x > 0, x, xp.expm1(xp.minimum(x, 0) * rate) * alpha) * scale


def elu_grad(grad_output: Array, x: Array, alpha: float, scale: float, rate: float) -> Array:
    """Return dL/dy times scale where x > 0, else times scale alpha rate exp(rate x)."""
    xp = array_module(x)
    slope = xp.exp(xp.minimum(x, 0) * rate) * (alpha * rate)
    return xp.where(x <= 0, grad_output * slope, grad_output) * scale


def hardtanh(x: Array, low: float, high: float) -> Array:
    """Return min(max(x, low), high)."""
    return array_module(x).clip(x, low, high)


def hardtanh_grad(grad_output: Array, x: Array, low: float, high: float) -> Array:
    """Return dL/dy where low < x < high, else 0."""
    outside = (x <= low) | (x >= high)
    return array_module(x).where(outside, grad_output.dtype.type(0), grad_output)


def hardsigmoid(x: Array) -> Array:
    """Return min(max(x + 3, 0), 6) / 6."""
    return array_module(x).clip(x + 3, 0, 6) / 6


def hardsigmoid_grad(grad_output: Array, x: Array) -> Array:
    """Return dL/dy / 6 where -3 < x < 3, else 0."""
    inside = (x > -3) & (x < 3)
    return array_module(x).where(inside, grad_output / 6, grad_output.dtype.type(0))


def hardswish(x: Array) -> Array:
    """Return x min(max(x + 3, 0), 6) / 6."""
    return x * array_module(x).clip(x + 3, 0, 6) / 6


def hardswish_grad(grad_output: Array, x: Array) -> Array:
    """Return dL/dy times 0 up to -3, x / 3 + 1 / 2 up to 3, then 1."""
    xp = array_module(x)
    above = xp.where(x < 3, grad_output * (x / 3 + 0.5), grad_output)
    return xp.where(x <= -3, grad_output.dtype.type(0), above)


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x))."""
    return activate(array_module(x).array(x), "sigmoid")


def sigmoid_grad(grad_output: Array, y: Array) -> Array:
    """Return dL/dy y (1 - y)."""
    return grad_output * (y * (1 - y))


def tanh(x: Array) -> Array:
    """Return tanh(x)."""
    return array_module(x).tanh(x)


def tanh_grad(grad_output: Array, y: Array) -> Array:
    """Return dL/dy (1 - y^2)."""
    return grad_output * (1 - y * y)


def softplus(x: Array, beta: float, threshold: float) -> Array:
    """Return log(1 + exp(beta x)) / beta, and x where beta x > threshold; nothing overflows."""
    xp, z = array_module(x), x * beta
    y = (xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))) / beta
    return xp.where(z > threshold, x, y)


def softplus_grad(grad_output: Array, x: Array, beta: float, threshold: float) -> Array:
    """Return dL/dy sigmoid(beta x), and dL/dy where beta x > threshold."""
    z = x * beta
    return array_module(x).where(z > threshold, grad_output, grad_output * sigmoid(z))


def logsigmoid(x: Array) -> Array:
    """Return -log(1 + exp(-x))."""
    return -softplus(-x, 1.0, math.inf)


def logsigmoid_grad(grad_output: Array, x: Array) -> Array:
    """Return dL/dy sigmoid(-x)."""
    return grad_output * sigmoid(-x)


def silu(x: Array) -> Array:
    """Return x sigmoid(x)."""
    return x * sigmoid(x)


def silu_grad(grad_output: Array, x: Array) -> Array:
    """Return dL/dy s (1 + x (1 - s)),  s = sigmoid(x)."""
    s = sigmoid(x)
    return grad_output * (s * (1 + x * (1 - s)))


def mish(x: Array) -> Array:
    """Return x tanh(softplus(x))."""
    return x * tanh(softplus(x, 1.0, math.inf))


def mish_grad(grad_output: Array, x: Array) -> Array:
    """Return dL/dy (t + x (1 - t^2) sigmoid(x)),  t = tanh(softplus(x))."""
    t = tanh(softplus(x, 1.0, math.inf))
    return grad_output * (t + x * (1 - t * t) * sigmoid(x))


def gelu(x: Array) -> Array:
    """Return x P,  P = (1 + erf(x / sqrt(2))) / 2: P that a standard normal number is below x."""
    return x * _normal(x)


def gelu_grad(grad_output: Array, x: Array) -> Array:
    """Return dL/dy (P + x p),  p = exp(-x^2 / 2) / sqrt(2 pi)."""
    xp = array_module(x)
    z = xp.clip(x, -40, 40)  # beyond, p is 0, and a square would overflow
    density = xp.exp(z * z / -2) / math.sqrt(2 * math.pi)
    return grad_output * (_normal(x) + x * density)


def gelu_tanh(x: Array) -> Array:
    """Return x s,  s = (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 = sigmoid(a x + b x^3)."""
    z = array_module(x).clip(x, -GELU_FAR, GELU_FAR)
    return x * sigmoid(z * (GELU_LINEAR + GELU_CUBIC * (z * z)))


def gelu_tanh_grad(grad_output: Array, x: Array) -> Array:
    """Return dL/dy (s + x s (1 - s) (a + 3 b x^2))."""
    z = array_module(x).clip(x, -GELU_FAR, GELU_FAR)
    s = sigmoid(z * (GELU_LINEAR + GELU_CUBIC * (z * z)))
    return grad_output * (s + z * (s * (1 - s)) * (GELU_LINEAR + 3 * GELU_CUBIC * (z * z)))


def _normal(x: Array) -> Array:
    y = erf_of(x * math.sqrt(0.5))
    y += 1
    y *= 0.5
    return y


FORMULAS: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "relu": (relu, relu_grad),
    "leaky_relu": (leaky_relu, leaky_relu_grad),
    "elu": (elu, elu_grad),
    "hardtanh": (hardtanh, hardtanh_grad),
    "hardsigmoid": (hardsigmoid, hardsigmoid_grad),
    "hardswish": (hardswish, hardswish_grad),
    "sigmoid": (sigmoid, sigmoid_grad),
    "tanh": (tanh, tanh_grad),
    "softplus": (softplus, softplus_grad),
    "logsigmoid": (logsigmoid, logsigmoid_grad),
    "silu": (silu, silu_grad),
    "mish": (mish, mish_grad),
    "gelu": (gelu, gelu_grad),
    "gelu_tanh": (gelu_tanh, gelu_tanh_grad),
}
