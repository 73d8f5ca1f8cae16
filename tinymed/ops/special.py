"""The error function, its relatives, and the arithmetic that computes them.

NumPy has none of them: rational approximations do, by array operations alone. What erf itself is
made of is in `kernels.error_function`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.error_function import MIDDLE, NEAR, Coefficients, erf_of, in_blocks, rational
from tinymed.ops.elementwise import Unary, clamp, exp
from tinymed.ops.promotion import floating

__all__ = ["erf", "erfc", "erfinv"]

# erfc(x) = exp(-x^2) (1 / sqrt(pi) - t P(t) / Q(t)) / x,  t = 1 / x^2, x >= 4
FAR: tuple[Coefficients, Coefficients] = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
     1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e0, 1.87295284992346047e0, 5.27905102951428412e-1,
     6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip
# Wichura (1988), AS 241: the normal quantile of (1 + y) / 2: y P(t) / Q(t), t = 0.425^2 - y^2 / 4
CENTRE: tuple[Coefficients, Coefficients] = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
     4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
     1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
     2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
     4.2313330701600911252e1, 1.0),
)  # fmt: skip
# ... and from r = sqrt(-log((1 - |y|) / 2)): P(r - 1.6) / Q(r - 1.6) up to 5, P(r - 5) / Q(r - 5)
FLANK: tuple[Coefficients, Coefficients] = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
     4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
     2.05319162663775882187e0, 1.0),
)  # fmt: skip
TAIL: tuple[Coefficients, Coefficients] = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
     5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1, 1.0),
)  # fmt: skip


def _erfc(x: Array) -> Array:
    """Return erfc to a few units in the last place, in the far tail too."""
    xp = array_module(x)
    x = x.astype(np.float64, copy=False)
    z = xp.clip(xp.abs(x), None, 28)  # erfc(28) is below the smallest number
    square = z * z
    near = 1 - x.clip(-1, 1) * rational(xp.minimum(square, 1), NEAR)
    coarse = xp.floor(z * 16) / 16  # its square is exact: exp(-z^2) keeps its digits
    decay = xp.exp(-coarse * coarse) * xp.exp(-(z - coarse) * (z + coarse))
    t = 1 / xp.maximum(square, 16)
    far = (1 / math.sqrt(math.pi) - t * rational(t, FAR)) / xp.maximum(z, 4)
    y = decay * xp.where(z <= 4, rational(z, MIDDLE), far)
    return xp.where(z <= 0.46875, near, xp.where(x < 0, 2 - y, y))


def _erfinv(y: Array) -> Array:
    """Return the normal quantile of (1 + y) / 2, divided by sqrt(2)."""
    xp = array_module(y)
    y = y.astype(np.float64, copy=False)
    inside = xp.where(xp.abs(y) < 1, y, 0.0)
    centre = inside * (rational(xp.maximum(0.180625 - inside * inside / 4, 0), CENTRE) / 2)
    r = xp.sqrt(-xp.log((1 - xp.abs(inside)) / 2))
    outer = xp.where(r <= 5, rational(r - 1.6, FLANK), rational(r - 5, TAIL))
    x = xp.where(xp.abs(inside) <= 0.85, centre, xp.copysign(outer, inside)) / math.sqrt(2)
    x = xp.where(xp.abs(y) == 1, xp.copysign(np.inf, y), x)
    return xp.where(xp.abs(y) <= 1, x, np.nan)


class Erf(Unary):
    """y = 2 / sqrt(pi) integral of exp(-t^2) from 0 to x;  dL/dx = 2 / sqrt(pi) exp(-x^2) dL/dy."""

    def forward(self, x: Array) -> Array:
        return erf_of(x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output * (bell(x) * (2 / math.sqrt(math.pi))),)


class Erfc(Unary):
    """y = 1 - erf(x), with all its digits where it is small;  dL/dx as of erf, negative."""

    def forward(self, x: Array) -> Array:
        return in_blocks(_erfc, x)

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output * (bell(x) * (-2 / math.sqrt(math.pi))),)


class ErfInv(Unary):
    """y = the number whose erf is x;  dL/dx = sqrt(pi) / 2 exp(y^2) dL/dy."""

    def forward(self, x: Array) -> Array:
        return in_blocks(_erfinv, x)

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        return (grad_output * (exp(output * output) * (math.sqrt(math.pi) / 2)),)


class NormalDistribution(Unary):
    """y = P(a standard normal number <= x);  dL/dx = exp(-x^2 / 2) / sqrt(2 pi) dL/dy."""

    def forward(self, x: Array) -> Array:
        y = erf_of(x * math.sqrt(0.5))
        y += 1
        y *= 0.5
        return y

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output * normal_density(x),)


def bell(x: Any) -> Any:
    """Return exp(-x^2); beyond 30, where it is 0, no square may overflow."""
    z = clamp(x, -30.0, 30.0)
    return exp(-(z * z))


def erf(x: Any) -> Any:
    """Return the error function.

    References
    ----------
    Cody (1969), "Rational Chebyshev approximations for the error function".
    """
    return Erf()(floating(x))


def erfc(x: Any) -> Any:
    """Return 1 - erf(x), accurate where it is small (erfc(10) = 2e-45)."""
    return Erfc()(floating(x))


def erfinv(x: Any) -> Any:
    """Return the inverse of `erf`: infinite at -1 and 1, NaN beyond.

    References
    ----------
    Wichura (1988), "Algorithm AS 241: the percentage points of the normal distribution".
    """
    return ErfInv()(floating(x))


def normal_distribution(x: Any) -> Any:
    """Return the distribution function of the standard normal, (1 + erf(x / sqrt(2))) / 2."""
    return NormalDistribution()(x)


def normal_density(x: Any) -> Any:
    """Return the density of the standard normal, exp(-x^2 / 2) / sqrt(2 pi)."""
    return bell(x * math.sqrt(0.5)) * (1 / math.sqrt(2 * math.pi))
