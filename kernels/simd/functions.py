"""exp, log, tanh and sigmoid of a register, for formulas of loops.

Each brings its argument into a small range, where a short series is exact to the last bit or so,
and puts the result back together. Everything runs in registers, for all lanes alike: special values
are selected at the end, not branched to. Accuracy: 2 units in the last place for float32, 1e-15
relative for float64. A result of `exp` below the smallest normal number is 0; apart from that inf,
nan, 0 and the sign of 0 come out as NumPy's do.

Sources: Cody, Waite (1980), "Software manual for the elementary functions" (ln 2 in two parts);
Tang (1989), "Table-driven implementation of the exponential function"; fdlibm's ``e_log.c`` (Sun,
1993) for f - s (f - R), which loses nothing near 1. The series are Taylor's, for they need no table
of constants: the best polynomials would save one product for float32, two for float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinymed.kernels.simd.vector import Code, Vector

__all__ = ["exp", "log", "sigmoid", "tanh"]

LOG2_E = 1 / math.log(2)
LN2_HIGH, LN2_LOW = 0.693145751953125, 1.42860682030941723212e-6  # the first has 20 bits
LIMITS = {size: np.finfo(f"f{size}") for size in (4, 8)}
# Terms that matter: at |r| = ln(2) / 2 for exp, at s = 0.1716, the largest, for log.
EXP_TERMS, LOG_TERMS = {4: 7, 8: 13}, {4: 4, 8: 9}
TANH_IS_ONE = {4: 9.5, 8: 19.5}  # from somewhere below on, rounded


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


def tanh(code: Code, x: Vector) -> Vector:
    """Return e / (e + 2) with e = exp(2 |x|) - 1 = 2^n (exp(r) - 1) + (2^n - 1), and x's sign.

    No two numbers that are nearly the same are subtracted, so that small results are right too.
    """
    size, limit = code.call("fabs", x), TANH_IS_ONE[code.size]
    twice = code.select(size > limit, limit, size) * 2.0
    n = code.call("rint", twice * LOG2_E)
    r = _remainder(code, twice, n)
    powers = [1 / math.factorial(k) for k in range(1, EXP_TERMS[code.size] + 1)]
    scale = code.scale_by_power_of_two(code.constant(1), n)
    e = code.fma(scale, r * _series(code, r, powers), scale - 1.0)
    return code.call("copysign", e / (e + 2.0), x)


def log(code: Code, x: Vector) -> Vector:
    """Return k ln(2) + ln(1 + f), with x = 2^k (1 + f) and 1 + f between sqrt(1/2) and sqrt(2).

    With s = f / (2 + f): ln(1 + f) = ln(1 + s) - ln(1 - s) = 2 s + s R = f - s (f - R),
    R = 2/3 s^2 + 2/5 s^4 + ...
    """
    limits = LIMITS[code.size]
    subnormal = x < float(limits.tiny)
    m, k = code.split_exponent(code.select(subnormal, x * 2.0**limits.nmant, x))
    k = code.select(subnormal, k - float(limits.nmant), k)
    f = m - 1.0
    s = f / (f + 2.0)
    thirds = [2 / (2 * i + 3) for i in range(LOG_TERMS[code.size])]
    rest = f - s * s * _series(code, s * s, thirds)
    y = code.fma(k, LN2_HIGH, f - code.fma(k, -LN2_LOW, s * rest))
    y = code.select(x < math.inf, y, x)
    not_positive = code.select(x < 0.0, math.nan, x - math.inf)  # 0: -inf
    return code.select(x > 0.0, y, not_positive)


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
