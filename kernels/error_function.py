"""The error function of arrays, and the approximations that it is made of.

NumPy has no erf, so it is built here from rational approximations, by array operations alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinymed.kernels.arrays import Array, array_module

__all__ = [
    "MIDDLE",
    "NEAR",
    "SINGLE",
    "Coefficients",
    "erf_of",
    "in_blocks",
    "rational",
]

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
    """Return ``function(x)``, of a block at a time on the host."""
    xp = array_module(x)
    flat = x.reshape(-1)
    y = xp.empty_like(flat)
    step = BLOCK if xp is np else max(flat.size, 1)
    for start in range(0, flat.size, step):
        y[start : start + step] = function(flat[start : start + step])
    return y.reshape(x.shape)


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
