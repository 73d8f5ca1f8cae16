"""Elementwise ops beyond what PyTorch's answers show: digits, warnings, randomness, errors."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinymed import nn, ops
from tinymed.backpropagation import grad
from tinymed.ops.elementwise import LARGE, select
from tinymed.ops.special import normal_distribution
from tinymed.tensor import Tensor

nan, inf = math.nan, math.inf
GRID = np.concatenate([np.linspace(-7, 7, 2001), np.linspace(-0.5, 0.5, 501), [1e-300, 1e300]])


def exact(function: Callable[[float], float], x: np.ndarray) -> np.ndarray:
    return np.array([function(float(v)) for v in x])


# ------------------------------------------------------------------------------- error function


def test_erf_to_the_last_digits() -> None:
    np.testing.assert_allclose(ops.erf(GRID), exact(math.erf, GRID), 1e-15, 0)
    x = np.linspace(-5, 5, 5001).astype(np.float32)
    np.testing.assert_allclose(ops.erf(x), exact(math.erf, x), 4 * 2**-23, 0)
    assert abs(ops.erf(x)).max() == 1
    np.testing.assert_allclose(ops.erf(x.astype(np.float16)), exact(math.erf, x), 0, 2e-3)


def test_erfc_keeps_its_digits_in_the_tail() -> None:
    x = np.linspace(-7, 26.5, 3001)
    np.testing.assert_allclose(ops.erfc(x), exact(math.erfc, x), 1e-15, 0)
    assert ops.erfc(np.array([28.0, inf, -inf, 0.0])).tolist() == [0, 0, 2, 1]
    x = np.linspace(-3, 9, 501).astype(np.float32)
    np.testing.assert_allclose(ops.erfc(x), exact(math.erfc, x), 2**-23, 0)


def test_erfinv_is_the_inverse() -> None:
    x = np.concatenate([np.linspace(-3, 3, 1201), [1e-300, -1e-9, 0.0]])
    slope = 2 / math.sqrt(math.pi) * np.exp(-x * x)
    error = ops.erfinv(exact(math.erf, x)) - x
    assert (abs(error) <= 4e-16 * (abs(x) + 1 / slope)).all()
    tail = 1 - np.logspace(-16, -1, 200)
    np.testing.assert_allclose(exact(math.erfc, ops.erfinv(tail)), 1 - tail, 1e-13)
    assert str(ops.erfinv(np.array([1.0, -1.0, 1.1, nan])).tolist()) == "[inf, -inf, nan, nan]"


def test_normal_distribution() -> None:
    expected = exact(lambda x: math.erfc(-x / math.sqrt(2)) / 2, GRID[:-1])
    np.testing.assert_allclose(normal_distribution(GRID[:-1]), expected, 0, 1e-15)
    far = normal_distribution(np.array([-1e6, -6.0, 6.0, 1e6], np.float32))
    assert far.tolist() == [0, 0, 1, 1]  # so that gelu(-1e6) is 0 and not -0.1


# -------------------------------------------------------------------------------------- select


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u1", "i4", "i8", "?"])
def test_select_is_where(dtype: str) -> None:
    generator = np.random.default_rng(0)
    shape = (LARGE // 8, 8)
    a, b = (generator.integers(-3, 3, shape).astype(dtype) for _ in range(2))
    if dtype[0] == "f":
        a[::3], b[::5], a[::7], b[::7] = nan, inf, -inf, -0.0
    mask = generator.random(shape) < 0.5
    for left, right in (
        (a, b),
        (a, 0),
        (0, b),
        (a[:1], b),
        (a, b[:, :1]),
        (a[::-1], b.T[:, :, None][..., 0].T),
    ):
        with np.errstate(all="ignore"):
            found, expected = select(mask, left, right), np.where(mask, left, right)
        np.testing.assert_array_equal(found, expected, strict=True)
        if dtype[0] == "f":
            np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_the_gradient_of_relu_is_chosen_not_multiplied() -> None:
    x = Tensor(np.tile([-1.0, 0.0, 2.0, nan], LARGE), requires_grad=True)
    weight = np.tile([inf, nan, -inf, 3.0], LARGE)
    (found,) = grad(ops.relu(x), x, weight)
    np.testing.assert_array_equal(found.numpy(), np.tile([0, 0, -inf, 3], LARGE))


# ------------------------------------------------------------------------------------ warnings

QUIET = (
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus",
    "softsign", "hardtanh", "hardsigmoid", "hardswish", "logsigmoid", "tanhshrink", "softshrink",
    "hardshrink", "rrelu", "sigmoid", "tanh", "erf", "erfc", "atan", "asinh", "abs", "sign",
    "floor", "round", "nan_to_num", "deg2rad",
)  # fmt: skip


@pytest.mark.parametrize("name", [*QUIET, "gelu tanh"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_large_numbers_give_no_warnings_and_finite_derivatives(name: str, dtype: str) -> None:
    """Warnings are errors here, so an overflow on a branch that is not taken would show."""
    limit = float(np.finfo(dtype).max) / 64
    x = Tensor(np.array([-limit, -200.0, -30, -0.5, 0, 0.5, 30, 200, limit], dtype), True)
    op, *kind = name.split()
    y = getattr(ops, op)(x, *kind)
    assert np.isfinite(y.data).all()
    if y.requires_grad:
        (first,) = grad(y, x, np.ones_like(y.data), create_graph=True)
        assert np.isfinite(first.data).all()
        if first.requires_grad:
            (second,) = grad(first, x, np.ones_like(y.data), allow_unused=True)
            assert second is None or np.isfinite(second.data).all()


def test_hypot_and_atan2_do_not_overflow() -> None:
    a, b = (Tensor(np.array([v, 1e-200]), requires_grad=True) for v in (3e200, 4e200))
    np.testing.assert_allclose(ops.hypot(a, b).data, [5e200, math.sqrt(2) * 1e-200])
    found = grad(ops.atan2(a, b), [a, b], np.ones(2))
    np.testing.assert_allclose(found[0].numpy(), [4 / 25 * 1e-200, 0.5e200])
    np.testing.assert_allclose(found[1].numpy(), [-3 / 25 * 1e-200, -0.5e200])


# ----------------------------------------------------------------------------------- by meaning


def test_rounding_beyond_the_digits_of_a_dtype() -> None:
    assert ops.round(np.array([100.0], np.float16), decimals=3).tolist() == [100]
    assert ops.round(np.array([1e300]), decimals=20).tolist() == [1e300]


def test_quotients_and_remainders_agree_with_python() -> None:
    a = np.array([7, 7, -7, -7, 6, -6, 0])
    b = np.array([2, -2, 2, -2, 3, 3, 5])
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    for dtype in (np.int64, np.float64):
        left, right = a.astype(dtype), b.astype(dtype)
        assert ops.floor_divide(left, right).tolist() == [p // q for p, q in pairs]
        assert ops.remainder(left, right).tolist() == [p % q for p, q in pairs]
        assert ops.div(left, right, rounding_mode="trunc").tolist() == [
            int(p / q) for p, q in pairs
        ]
        assert ops.fmod(left, right).tolist() == [math.fmod(p, q) for p, q in pairs]
        assert ops.floor_divide(left, right).dtype == ops.fmod(left, right).dtype == dtype


def test_rrelu_draws_in_training_only() -> None:
    x = -np.ones((50, 40))
    layer = nn.RReLU(0.2, 0.4, generator=np.random.default_rng(1))
    slopes = -layer(Tensor(x)).numpy()
    assert slopes.min() >= 0.2
    assert slopes.max() <= 0.4
    assert slopes.std() == pytest.approx(0.2 / math.sqrt(12), rel=0.05)
    np.testing.assert_array_equal(
        slopes, -ops.rrelu(x, 0.2, 0.4, training=True, generator=np.random.default_rng(1))
    )
    np.testing.assert_allclose(layer.eval()(Tensor(x)).numpy(), -0.3)
    leaf = Tensor(x, requires_grad=True)
    y = ops.rrelu(leaf, training=True)
    np.testing.assert_array_equal(grad(y, leaf, np.ones_like(x))[0].numpy(), -y.data)
    assert ops.rrelu(np.ones(3), training=True).tolist() == [1, 1, 1]


def test_isclose_counts_unsigned_numbers_from_both_sides() -> None:
    """1 - 2 is 255 in uint8."""
    a, b = np.array([1, 2, 9], np.uint8), np.array([2, 1, 1], np.uint8)
    assert ops.isclose(a, b, rtol=0, atol=1).tolist() == [True, True, False]
    assert ops.isclose(np.array([inf, inf]), np.array([inf, -inf])).tolist() == [True, False]
    assert ops.isclose(1.0, np.array([1.0, 2.0])).tolist() == [True, False]


def test_layers_show_their_settings() -> None:
    assert repr(nn.LeakyReLU(0.2)) == "LeakyReLU(negative_slope=0.2)"
    assert repr(nn.Hardtanh(-2.0, 2.0)) == "Hardtanh(min_val=-2.0, max_val=2.0)"
    assert repr(nn.PReLU(3)) == "PReLU(num_parameters=3)"
    assert repr(nn.SiLU()) == "SiLU()"
    assert nn.PReLU(2, init=0.5).weight.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (TypeError, "gelu: x is int64, expected a floating dtype", lambda: ops.gelu(np.arange(3))),
        (TypeError, "softmax: x is int64, expected", lambda: ops.softmax(np.arange(3), 0)),
        (TypeError, "frac: x is int64", lambda: ops.frac(np.arange(3))),
        (TypeError, "floor: x is bool, expected numbers", lambda: ops.floor(np.ones(2, bool))),
        (TypeError, "hypot: x is int64", lambda: ops.hypot(np.arange(3), 2)),
        (
            TypeError,
            "lerp: b is float32 but a is float64",
            lambda: ops.lerp(np.ones(2), np.ones(2, np.float32), 0.5),
        ),
        (
            TypeError,
            "bitwise_left_shift: the input is float64, expected integers",
            lambda: ops.bitwise_left_shift(np.ones(2), 1),
        ),
        (
            ValueError,
            r"atan2: shapes \(2,\) and \(3,\) do not broadcast",
            lambda: ops.atan2(np.ones(2), np.ones(3)),
        ),
        (
            ValueError,
            r"prelu: weight \(2,\) is neither one nor one for each of the 3 channels of x \(4, 3\)",
            lambda: ops.prelu(np.ones((4, 3)), np.ones(2)),
        ),
        (
            ValueError,
            r"glu: x \(2, 3\) has no two halves along dim -1",
            lambda: ops.glu(np.ones((2, 3))),
        ),
        (IndexError, "glu: dim 2 is out of range for 2 axes", lambda: ops.glu(np.ones((2, 2)), 2)),
        (
            ValueError,
            "gelu: approximate='erf' is not one of 'none', 'tanh'",
            lambda: ops.gelu(np.ones(2), "erf"),
        ),
        (
            ValueError,
            "divide: rounding_mode='down' is not one of None, 'trunc', 'floor'",
            lambda: ops.div(np.ones(2), 2, rounding_mode="down"),
        ),
        (ValueError, "logit: eps=0.7 is not in", lambda: ops.logit(np.ones(2), 0.7)),
        (ValueError, "softplus: beta is 0", lambda: ops.softplus(np.ones(2), 0.0)),
        (ValueError, "softshrink: lambd=-1 must not be", lambda: ops.softshrink(np.ones(2), -1)),
        (
            ValueError,
            "hardtanh: min_val=1 is above max_val=0",
            lambda: ops.hardtanh(np.ones(2), 1, 0),
        ),
        (
            ValueError,
            "rrelu: lower=0.5 is above upper=0.1",
            lambda: ops.rrelu(np.ones(2), 0.5, 0.1),
        ),
        (
            ValueError,
            "isclose: rtol=-1 and atol=1e-08 must not",
            lambda: ops.isclose(1.0, np.ones(2), -1),
        ),
        (ZeroDivisionError, "celu: alpha is 0", lambda: ops.celu(np.ones(2), 0)),
        (
            ZeroDivisionError,
            "remainder: the divisor holds integer zeros",
            lambda: ops.remainder(np.arange(3), np.arange(3)),
        ),
        (ValueError, r"Softmax2d: x \(2, 3\) expected as", lambda: nn.Softmax2d()(np.ones((2, 3)))),
        (ValueError, "PReLU: num_parameters", lambda: nn.PReLU(0)),
        (TypeError, "ELU: inplace=1 is not a bool", lambda: nn.ELU(1.0, 1)),
    ],
)
def test_errors(kind: type[Exception], words: str, call: Callable[[], Any]) -> None:
    with pytest.raises(kind, match=words):
        call()
