"""The vector functions against NumPy in a wider type, over the whole range of numbers."""

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd import functions
from tinymed.kernels.simd.loops import elementwise

LIMITS = {"float32": 2e-7, "float64": 8e-16}  # relative: 1.7 and 3.6 units in the last place
TINY = ("erf", "expm1", "tanh")  # are near x near 0
DEFINITIONS = {  # of what NumPy does not have
    "erf": np.vectorize(math.erf, [float]),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(x, 0),
}


def loop(name: str) -> Any:
    run = elementwise(getattr(functions, name))

    @compiled
    def apply(y: Any, x: Any) -> None:
        run(((y, 0),), ((x, 0),), x.size, ())

    return apply


LOOPS = {name: loop(name) for name in functions.__all__}


def found(name: str, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    LOOPS[name](y, x)
    return y


def exact(name: str, x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64 if x.dtype == np.float32 else np.longdouble)
    with np.errstate(all="ignore"):
        return DEFINITIONS.get(name, getattr(np, name, None))(wide)


def dense(name: str, dtype: str) -> np.ndarray:
    """Return arguments from the smallest to the largest numbers, and many between."""
    limits = np.finfo(dtype)
    sizes = np.exp2(np.linspace(limits.minexp - limits.nmant, limits.maxexp, 40_001)[:-1])
    middle = np.linspace(0, 120 if dtype == "float32" else 800, 40_001)
    near_one = 1 + np.linspace(-1, 1, 4001) * 1e-3
    x = np.concatenate([sizes, middle, near_one])
    return (x if name == "log" else np.concatenate([x, -x])).astype(dtype)


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("name", functions.__all__)
def test_accuracy(name: str, dtype: str) -> None:
    x = dense(name, dtype)
    y, expected = found(name, x), exact(name, x)
    limits = np.finfo(dtype)
    finite = abs(expected) <= float(limits.max)
    beyond = np.where(np.isnan(expected), np.nan, np.copysign(np.inf, expected))[~finite]
    np.testing.assert_array_equal(y[~finite], beyond)
    normal = finite & (abs(expected) >= float(limits.tiny) * (1 + 1e-5))
    error = abs(y[normal] - expected[normal]) / abs(expected[normal])
    limit = LIMITS[dtype] * (2 if name == "erf" else 1)
    assert error.max() < limit, x[normal][error.argmax()]
    # Below the smallest normal number: right or 0; some are as x there, and must not vanish.
    small = finite & ~normal
    accuracy = float(limits.smallest_subnormal if name in TINY else limits.tiny)
    assert abs(y[small] - expected[small]).max(initial=0) <= accuracy * (1 + 1e-5)
    assert normal.sum() > 40_000


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("name", functions.__all__)
def test_special_values(name: str, dtype: str) -> None:
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1.0, -1.0, -1e-30], dtype)
    odd = np.array([0x7FC00001, 0xFFC12345], np.uint32).view(np.float32)  # NaN with a payload
    x = np.concatenate([x, odd.astype(dtype)])
    y, expected = found(name, x), exact(name, x)
    np.testing.assert_allclose(y, expected.astype(dtype), LIMITS[dtype])
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(y[known]), np.signbit(expected[known]))


@pytest.mark.parametrize("name", functions.__all__)
def test_each_place_of_a_row_gives_the_same(name: str) -> None:
    """Whole registers, the masked rest, every lane."""
    value = np.float32(0.7)
    for n in range(40):
        y = found(name, np.full(n, value))
        np.testing.assert_array_equal(y, np.full(n, found(name, np.full(1, value))[0]))
