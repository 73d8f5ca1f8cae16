"""The error function, its relatives, and the arithmetic that computes them.

NumPy has no erf, so it is built here from rational approximations, by array operations alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.elementwise import Unary, clamp, exp
from tinymed.ops.promotion import floating

__all__ = ["erf", "erfc", "erfinv"]

BLOCK = 1 << 13  # elements that go through all steps of an approximation while the cache holds them
Coefficients = tuple[float, ...]  # of a polynomial, the highest power first

# erf(x) = x P(x^2) / Q(x^2), |x| <= 4, to 3e-8: fitted for float32 by reweighted least squares.
SINGLE: tuple[Coefficients, Coefficients] = (
    (1.9866861e-06, 2.84541532e-04, 3.88286254e-03, 5.31002364e-02, 1.93535808e-01, 1.12837914),
    (3.74178875e-05, 1.18542873e-03, 1.52063049e-02, 1.15345916e-01, 5.04849203e-01, 1.0),
)
# Cody (1969): erf(x) = x P(x^2) / Q(x^2), |x| <= 0.46875
NEAR: tuple[Coefficients, Coefficients] = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2,
     3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
     2.84423683343917062e3),
)  # fmt: skip
# erfc(x) = exp(-x^2) P(x) / Q(x), 0.46875 <= x <= 4
MIDDLE: tuple[Coefficients, Coefficients] = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0,
     6.61191906371416295e1, 2.98635138197400131e2, 8.81952221241769090e2,
     1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3,
     3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
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


def polynomial(t: Array, coefficients: Coefficients) -> Array:
    """Return the polynomial at ``t``, an array with axes, by Horner's rule in place."""
    y = t * coefficients[0]
    y += coefficients[1]
    for coefficient in coefficients[2:]:
        y *= t
        y += coefficient
    return y


def rational(t: Array, fraction: tuple[Coefficients, Coefficients]) -> Array:
    """Return P(t) / Q(t)."""
    y = polynomial(t, fraction[0])
    y /= polynomial(t, fraction[1])
    return y


def in_blocks(function: Callable[[Array], Array], x: Array) -> Array:
    """Return ``function(x)`` in the dtype of ``x``; float16 goes through float32."""
    xp = array_module(x)
    flat = x.reshape(-1).astype(x.dtype if x.dtype == np.float64 else np.float32, copy=False)
    y = xp.empty_like(flat)
    step = BLOCK if xp is np else max(flat.size, 1)
    for start in range(0, flat.size, step):
        y[start : start + step] = function(flat[start : start + step])
    return y.reshape(x.shape).astype(x.dtype, copy=False)


def erf_of(x: Array) -> Array:
    """Return erf of an array: to 2e-16 in float64, to 3 units in the last place in float32."""
    return in_blocks(_erf_double if x.dtype == np.float64 else _erf_single, x)


def _erf_single(x: Array) -> Array:
    xp = array_module(x)
    z = xp.clip(x, -4, 4)
    y = xp.clip(z * rational(z * z, SINGLE), -1, 1)
    return xp.where(xp.abs(z) < 4, y, z / 4)  # 1 to the last bit from 4 on; NaN stays


def _erf_double(x: Array) -> Array:
    xp = array_module(x)
    z = xp.clip(x, -6, 6)  # erf(6) = 1 - 2e-17
    square = z * z
    # MIDDLE serves beyond 4 too: what is taken from 1 there is 1e-8, so 8 digits of it are enough
    far = 1 - xp.exp(-square) * rational(xp.abs(z), MIDDLE)
    return xp.where(square < 0.46875**2, z * rational(square, NEAR), xp.copysign(far, z))


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
        density = bell(x * math.sqrt(0.5)) * (1 / math.sqrt(2 * math.pi))
        return (grad_output * density,)


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
