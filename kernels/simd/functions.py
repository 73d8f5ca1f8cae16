"""exp, log, erf and what is made of them, of a register, for formulas of loops.

Each brings its argument into a small range, where a short series is exact to the last bit or so,
and puts the result back together. Everything runs in registers, for all lanes alike: special values
are selected at the end, not branched to. Accuracy: 2 units in the last place for float32 (erf: 3),
1e-15 relative for float64. A result of `exp` below the smallest normal number is 0; apart from that
inf, nan, 0 and the sign of 0 come out as NumPy's do.

Sources: Cody, Waite (1980), "Software manual for the elementary functions" (ln 2 in two parts);
Tang (1989), "Table-driven implementation of the exponential function"; fdlibm's ``e_log.c`` (Sun,
1993) for f - s (f - R), which loses nothing near 1. The series are Taylor's, for they need no table
of constants: the best polynomials would save one product for float32, two for float64. erf is the
rational function that `error_function` fitted for float32, those of Cody (1969) for float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinymed.kernels.error_function import MIDDLE, NEAR, SINGLE, Coefficients
from tinymed.kernels.simd.vector import Code, Vector

__all__ = ["erf", "exp", "expm1", "log", "sigmoid", "softplus", "tanh"]

LOG2_E = 1 / math.log(2)
LN2_HIGH, LN2_LOW = 0.693145751953125, 1.42860682030941723212e-6  # the first has 20 bits
LIMITS = {size: np.finfo(f"f{size}") for size in (4, 8)}
# Terms that matter: at |r| = ln(2) / 2 for exp, at s = 0.1716, the largest, for log.
EXP_TERMS, LOG_TERMS = {4: 7, 8: 13}, {4: 4, 8: 9}
TANH_IS_ONE = {4: 9.5, 8: 19.5}  # from somewhere below on, rounded
EXPM1_IS_MINUS_ONE = {4: -18.0, 8: -38.0}


def exp(code: Code, x: Vector) -> Vector:
    """Return e^x = 2^n e^r, with n whole and |r| <= ln(2) / 2."""
    n = code.call("rint", x * LOG2_E)
    r = _remainder(code, x, n)
    powers = [1 / math.factorial(k) for k in range(EXP_TERMS[code.size] + 1)]
    y = code.scale_by_power_of_two(_series(code, r, powers), n)
    limits = LIMITS[code.size]
    highest, lowest = np.log(limits.max), np.nextafter(np.log(limits.tiny), limits.dtype.type(0))
    y = code.select(x > float(highest), math.inf, y)
    y = code.select(x < float(lowest), 0.0, y)
    return code.select(code.is_nan(x), x, y)


def sigmoid(code: Code, x: Vector) -> Vector:
    """Return 1 / (1 + e^-x), to full relative accuracy for x << 0 too."""
    return 1.0 / (exp(code, -x) + 1.0)


def expm1(code: Code, x: Vector) -> Vector:
    """Return e^x - 1, to full relative accuracy near 0 too."""
    lowest, highest = EXPM1_IS_MINUS_ONE[code.size], float(np.log(LIMITS[code.size].max))
    y = _expm1(code, code.maximum(x, lowest))
    y = code.select(x > highest, math.inf, code.call("copysign", y, x))
    return code.select(code.is_nan(x), x, y)


def tanh(code: Code, x: Vector) -> Vector:
    """Return e / (e + 2) with e = exp(2 |x|) - 1, and x's sign.

    No two numbers that are nearly the same are subtracted, so that small results are right too.
    """
    size, limit = code.call("fabs", x), TANH_IS_ONE[code.size]
    e = _expm1(code, code.select(size > limit, limit, size) * 2.0)
    return code.call("copysign", e / (e + 2.0), x)


def softplus(code: Code, x: Vector) -> Vector:
    """Return ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), without overflow."""
    e = exp(code, -code.call("fabs", x))
    above = e > math.sqrt(2) - 1  # there 1 + e = 2 (1 + f), and f is exact
    f = code.select(above, (e - 1.0) * 0.5, e)
    k = code.select(above, code.constant(1), code.constant(0))
    return code.maximum(x, 0) + _log_near_one(code, f, k)


def erf(code: Code, x: Vector) -> Vector:
    """Return 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    limit = 4.0 if code.size == 4 else 6.0  # from there on it is 1 to the last bit
    size = code.call("fabs", x)
    size = code.select(size > limit, limit, size)
    square = size * size
    if code.size == 4:
        y = size * _rational(code, square, SINGLE)
        y = code.select(y > 1.0, 1.0, y)
    else:
        far = 1.0 - exp(code, -square) * _rational(code, size, MIDDLE)
        y = code.select(size < 0.46875, size * _rational(code, square, NEAR), far)
    return code.call("copysign", code.select(size < limit, y, size / limit), x)


def log(code: Code, x: Vector) -> Vector:
    """Return k ln(2) + ln(1 + f), with x = 2^k (1 + f) and 1 + f between sqrt(1/2) and sqrt(2)."""
    limits = LIMITS[code.size]
    subnormal = x < float(limits.tiny)
    m, k = code.split_exponent(code.select(subnormal, x * 2.0**limits.nmant, x))
    k = code.select(subnormal, k - float(limits.nmant), k)
    y = _log_near_one(code, m - 1.0, k)
    y = code.select(x < math.inf, y, x)
    not_positive = code.select(x < 0.0, math.nan, x - math.inf)  # 0: -inf
    return code.select(x > 0.0, y, not_positive)


def _expm1(code: Code, x: Vector) -> Vector:
    """Return exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1), where neither is 0 or too large."""
    n = code.call("rint", x * LOG2_E)
    r = _remainder(code, x, n)
    powers = [1 / math.factorial(k) for k in range(1, EXP_TERMS[code.size] + 1)]
    half = code.scale_by_power_of_two(code.constant(0.5), n)  # 2^n itself may be too large
    return code.fma(half, r * _series(code, r, powers), half - 0.5) * 2.0


def _log_near_one(code: Code, f: Vector, k: Vector) -> Vector:
    """Return k ln(2) + ln(1 + f), 1 + f between sqrt(1/2) and sqrt(2).

    With s = f / (2 + f): ln(1 + f) = ln(1 + s) - ln(1 - s) = 2 s + s R = f - s (f - R),
    R = 2/3 s^2 + 2/5 s^4 + ...
    """
    s = f / (f + 2.0)
    thirds = [2 / (2 * i + 3) for i in range(LOG_TERMS[code.size])]
    rest = f - s * s * _series(code, s * s, thirds)
    return code.fma(k, LN2_HIGH, f - code.fma(k, -LN2_LOW, s * rest))


def _remainder(code: Code, x: Vector, n: Vector) -> Vector:
    """Return x - n ln(2): the first product and difference are exact, the second is small."""
    return code.fma(n, -LN2_LOW, code.fma(n, -LN2_HIGH, x))


def _series(code: Code, x: Vector, coefficients: Sequence[float]) -> Vector:
    """Return c_0 + c_1 x + c_2 x^2 + ... by Horner's rule."""
    *lower, last = coefficients
    total = code.constant(last)
    for coefficient in reversed(lower):
        total = code.fma(total, x, coefficient)
    return total


def _rational(code: Code, x: Vector, fraction: tuple[Coefficients, Coefficients]) -> Vector:
    """Return P(x) / Q(x); coefficients of the highest powers come first."""
    above, below = (_series(code, x, polynomial[::-1]) for polynomial in fraction)
    return above / below
