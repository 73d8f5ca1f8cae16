"""Activations and what goes back through them, of a register; `reference` has them in NumPy.

Where they are written differently the reason is speed, and NaN and infinities come out the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinymed.kernels.activation.reference import GELU_CUBIC, GELU_FAR, GELU_LINEAR
from tinymed.kernels.simd import functions
from tinymed.kernels.simd.functions import erf, exp, expm1
from tinymed.kernels.simd.vector import Code, Vector

__all__ = ["FORMULAS"]

# From here on exp(x) (exp(x) + 2) is the same number with 2 more, and mish(x) is x.
MISH_IS_X = {4: 10.0, 8: 20.0}


def relu(code: Code, x: Vector) -> Vector:
    """Return max(x, 0)."""
    return code.maximum(x, 0)


def relu_grad(code: Code, g: Vector, y: Vector) -> Vector:
    """Return dL/dy where y > 0 or NaN, else 0."""
    return code.select(code.compare("==", y, 0), 0, g)


def leaky_relu(code: Code, x: Vector, slope: Vector) -> Vector:
    """Return x where x > 0, else slope x."""
    return code.select(x > 0, x, x * slope)


def leaky_relu_grad(code: Code, g: Vector, x: Vector, slope: Vector) -> Vector:
    """Return dL/dy where x > 0, else slope dL/dy."""
    return code.select(x > 0, g, g * slope)


def elu(code: Code, x: Vector, alpha: Vector, scale: Vector, rate: Vector) -> Vector:
    """Return scale x where x > 0, else scale alpha (exp(rate x) - 1)."""
    low = expm1(code, _at_most(code, x, 0) * rate) * alpha
    return code.select(x > 0, x, low) * scale


def elu_grad(
    code: Code, g: Vector, x: Vector, alpha: Vector, scale: Vector, rate: Vector
) -> Vector:
    """Return dL/dy times scale where x > 0, else times scale alpha rate exp(rate x)."""
    slope = exp(code, _at_most(code, x, 0) * rate) * (alpha * rate)
    return code.select(code.compare("<=", x, 0), g * slope, g) * scale


def hardtanh(code: Code, x: Vector, low: Vector, high: Vector) -> Vector:
    """Return min(max(x, low), high)."""
    return _at_most(code, code.maximum(x, low), high)


def hardtanh_grad(code: Code, g: Vector, x: Vector, low: Vector, high: Vector) -> Vector:
    """Return dL/dy where low < x < high, else 0."""
    return code.select(code.compare("<=", x, low), 0, code.select(x >= high, 0, g))


def hardsigmoid(code: Code, x: Vector) -> Vector:
    """Return min(max(x + 3, 0), 6) / 6."""
    return hardtanh(code, x + 3, code.constant(0), code.constant(6)) * (1 / 6)


def hardsigmoid_grad(code: Code, g: Vector, x: Vector) -> Vector:
    """Return dL/dy / 6 where -3 < x < 3, else 0."""
    return code.select(x > -3, code.select(x < 3, g * (1 / 6), 0), 0)


def hardswish(code: Code, x: Vector) -> Vector:
    """Return x min(max(x + 3, 0), 6) / 6."""
    return x * hardtanh(code, x + 3, code.constant(0), code.constant(6)) * (1 / 6)


def hardswish_grad(code: Code, g: Vector, x: Vector) -> Vector:
    """Return dL/dy times 0 up to -3, x / 3 + 1 / 2 up to 3, then 1."""
    above = code.select(x < 3, g * code.fma(x, 1 / 3, 0.5), g)
    return code.select(code.compare("<=", x, -3), 0, above)


def sigmoid_grad(code: Code, g: Vector, y: Vector) -> Vector:
    """Return dL/dy y (1 - y)."""
    return g * (y * (1 - y))


def tanh_grad(code: Code, g: Vector, y: Vector) -> Vector:
    """Return dL/dy (1 - y^2)."""
    return g * (1 - y * y)


def softplus(code: Code, x: Vector, beta: Vector, threshold: Vector) -> Vector:
    """Return log(1 + exp(beta x)) / beta, and x where beta x > threshold."""
    z = x * beta
    return code.select(z > threshold, x, functions.softplus(code, z) / beta)


def softplus_grad(code: Code, g: Vector, x: Vector, beta: Vector, threshold: Vector) -> Vector:
    """Return dL/dy sigmoid(beta x), and dL/dy where beta x > threshold."""
    z = x * beta
    return code.select(z > threshold, g, g * functions.sigmoid(code, z))


def logsigmoid(code: Code, x: Vector) -> Vector:
    """Return -log(1 + exp(-x))."""
    return -functions.softplus(code, -x)


def logsigmoid_grad(code: Code, g: Vector, x: Vector) -> Vector:
    """Return dL/dy sigmoid(-x)."""
    return g * functions.sigmoid(code, -x)


def silu(code: Code, x: Vector) -> Vector:
    """Return x sigmoid(x)."""
    return x / (exp(code, -x) + 1)


def silu_grad(code: Code, g: Vector, x: Vector) -> Vector:
    """Return dL/dy s (1 + x (1 - s)),  s = sigmoid(x)."""
    s = functions.sigmoid(code, x)
    return g * (s * code.fma(x, 1 - s, 1))


def mish(code: Code, x: Vector) -> Vector:
    """Return x tanh(softplus(x)) = x n / (n + 2),  n = w (w + 2),  w = exp(x)."""
    w = exp(code, _at_most(code, x, MISH_IS_X[code.size]))
    n = w * (w + 2)
    return x * (n / (n + 2))


def mish_grad(code: Code, g: Vector, x: Vector) -> Vector:
    """Return dL/dy (t + x (1 - t^2) sigmoid(x)),  t = tanh(softplus(x))."""
    w = exp(code, _at_most(code, x, MISH_IS_X[code.size]))
    n = w * (w + 2)
    t = n / (n + 2)
    return g * code.fma(x * (1 - t * t), w / (w + 1), t)


def gelu(code: Code, x: Vector) -> Vector:
    """Return x P,  P = (1 + erf(x / sqrt(2))) / 2."""
    return x * _normal(code, x)


def gelu_grad(code: Code, g: Vector, x: Vector) -> Vector:
    """Return dL/dy (P + x p),  p = exp(-x^2 / 2) / sqrt(2 pi)."""
    density = exp(code, x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    return g * code.fma(x, density, _normal(code, x))


def gelu_tanh(code: Code, x: Vector) -> Vector:
    """Return x sigmoid(a x + b x^3)."""
    z = _at_most(code, code.maximum(x, -GELU_FAR), GELU_FAR)
    return x / (exp(code, -z * code.fma(z * z, GELU_CUBIC, GELU_LINEAR)) + 1)


def gelu_tanh_grad(code: Code, g: Vector, x: Vector) -> Vector:
    """Return dL/dy (s + x s (1 - s) (a + 3 b x^2)),  s = sigmoid(a x + b x^3)."""
    z = _at_most(code, code.maximum(x, -GELU_FAR), GELU_FAR)
    s = functions.sigmoid(code, z * code.fma(z * z, GELU_CUBIC, GELU_LINEAR))
    return g * code.fma(z * (s * (1 - s)), code.fma(z * z, 3 * GELU_CUBIC, GELU_LINEAR), s)


def _at_most(code: Code, x: Vector, limit: Vector | float) -> Vector:
    """Return the smaller of both, a NaN where x is one."""
    return code.select(x > limit, limit, x)


def _normal(code: Code, x: Vector) -> Vector:
    return code.fma(erf(code, x * math.sqrt(0.5)), 0.5, 0.5)


FORMULAS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "relu": (relu, relu_grad),
    "leaky_relu": (leaky_relu, leaky_relu_grad),
    "elu": (elu, elu_grad),
    "hardtanh": (hardtanh, hardtanh_grad),
    "hardsigmoid": (hardsigmoid, hardsigmoid_grad),
    "hardswish": (hardswish, hardswish_grad),
    "sigmoid": (functions.sigmoid, sigmoid_grad),
    "tanh": (functions.tanh, tanh_grad),
    "softplus": (softplus, softplus_grad),
    "logsigmoid": (logsigmoid, logsigmoid_grad),
    "silu": (silu, silu_grad),
    "mish": (mish, mish_grad),
    "gelu": (gelu, gelu_grad),
    "gelu_tanh": (gelu_tanh, gelu_tanh_grad),
}
