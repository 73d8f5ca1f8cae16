"""The reference kernels in float32 against their definitions in float64.

The definitions are written here from the formulas, not with the package; how far float32 may lie
from them is said in `tests.rounding` alone.
"""

from typing import Any

import numpy as np
import pytest

from tests import loops
from tests.rounding import assert_rounded
from tinymed.kernels import conv, matmul, normalization, optimizer, pooling, softmax, use_backend

Ints = tuple[int, ...]


@pytest.fixture(autouse=True)
def on_the_reference() -> Any:
    with use_backend("reference"):
        yield


def both(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an array in float32, and the same numbers in float64."""
    single = array.astype(np.float32)
    return single, single.astype(np.float64)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


ACTIVATIONS: dict[str | None, Any] = {
    None: lambda y: y,
    "relu": lambda y: np.maximum(y, 0),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("features", [1, 7, 300, 5000])
@pytest.mark.parametrize("with_bias", [False, True])
def test_linear(activation: str | None, features: int, with_bias: bool) -> None:
    (x, x64), (w, w64) = both(normal(5, features)), both(normal(3, features) / features**0.5)
    b, b64 = both(normal(3))
    y = matmul.linear(x, w, b if with_bias else None, activation)
    exact = x64 @ w64.T + (b64 if with_bias else 0)
    scale = np.sqrt(x64**2 @ (w64**2).T + b64**2) + 1  # 1 for the activation, which adds its own
    assert y.dtype == np.float32
    assert_rounded(y, ACTIVATIONS[activation](exact), terms=features + 1, scale=scale)


CONVOLUTIONS: dict[str, tuple[Ints, Ints, Ints, Ints, Ints, int]] = {
    "1d": ((2, 3, 50), (4, 3, 5), (2,), (2,), (1,), 1),
    "2d": ((2, 4, 9, 8), (6, 2, 3, 2), (2, 1), (1, 2), (1, 2), 2),
    "depthwise": ((1, 5, 7, 7), (5, 1, 3, 3), (1, 1), (1, 1), (1, 1), 5),
    "3d": ((1, 2, 5, 4, 6), (3, 2, 2, 3, 2), (1, 2, 1), (0, 1, 1), (2, 1, 1), 1),
    "stride that does not divide": ((1, 1, 8, 8), (2, 1, 3, 3), (3, 3), (0, 0), (1, 1), 1),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution_and_its_gradients(name: str) -> None:
    shape, kernel, *settings = CONVOLUTIONS[name]
    (x, x64), (w, w64), (b, b64) = (
        both(normal(*shape)),
        both(normal(*kernel)),
        both(normal(kernel[0])),
    )
    exact = loops.conv(x64, w64, *settings)
    scale = np.sqrt(loops.conv(x64**2, w64**2, *settings))
    column = b64.reshape(-1, *[1] * len(settings[0]))
    y = conv.forward(x, w, b, *settings, None)
    taps = int(np.prod(kernel[1:]))
    assert_rounded(y, exact + column, terms=taps, scale=scale + abs(column))
    g, g64 = both(normal(*exact.shape, seed=1))
    to_x, to_w = np.zeros(shape), np.zeros(kernel)
    scale_x, scale_w = np.zeros(shape), np.zeros(kernel)
    for at, source, tap in loops.conv_products(shape, kernel, *settings):
        to_x[source] += g64[at] * w64[tap]
        scale_x[source] += (g64[at] * w64[tap]) ** 2
        to_w[tap] += g64[at] * x64[source]
        scale_w[tap] += (g64[at] * x64[source]) ** 2
    found = conv.grad_input(g, w, shape[2:], *settings)
    assert_rounded(found, to_x, terms=taps * kernel[0], scale=np.sqrt(scale_x))
    found = conv.grad_weight(g, x, kernel[2:], *settings)
    assert_rounded(found, to_w, terms=g[:, 0].size, scale=np.sqrt(scale_w))


def test_gradients_of_fewer_positions_than_there_is_room_for() -> None:
    """What was not reached gets zero: the transposed convolution with much output_padding."""
    (g, g64), (w, w64), (x, x64) = (
        both(normal(2, 3, 4)),
        both(normal(3, 2, 2)),
        both(normal(2, 2, 10)),
    )
    settings = (1,), (1,), (4,), 1
    to_x, to_w = np.zeros(x.shape), np.zeros(w.shape)
    for n, k, c, o, t in loops.places((2, 3, 2, 4, 2)):
        if (at := o + 4 * t - 1) >= 0:
            to_x[n, c, at] += g64[n, k, o] * w64[k, c, t]
            to_w[k, c, t] += g64[n, k, o] * x64[n, c, at]
    found = conv.grad_input(g, w, (10,), *settings)
    assert (found[..., 7:] == 0).all()
    assert_rounded(found, to_x, terms=6, scale=np.full(x.shape, 6.0))
    found = conv.grad_weight(g, x, (2,), *settings)
    assert_rounded(found, to_w, terms=8, scale=np.full(w.shape, 8.0))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_convolution_with_activation(activation: str | None) -> None:
    settings = (1, 1), (1, 1), (1, 1), 1
    (x, x64), (w, w64) = both(normal(2, 3, 5, 5)), both(normal(4, 3, 3, 3))
    exact = ACTIVATIONS[activation](loops.conv(x64, w64, *settings))
    scale = np.sqrt(loops.conv(x64**2, w64**2, *settings)) + 1
    assert_rounded(conv.forward(x, w, None, *settings, activation), exact, terms=27, scale=scale)


def test_max_pooling_is_exact() -> None:
    geometry = (3, 2), (2, 1), (1, 1), (1, 2)
    x, x64 = both(normal(2, 3, 8, 9))
    expected, gradient = loops.max_pool(x64, *geometry, ceil=False)
    y, winner = pooling.max_forward(x, *geometry, expected.shape[2:])
    np.testing.assert_array_equal(y, expected.astype(np.float32), strict=True)
    assert winner.dtype == np.uint8
    ones = np.ones_like(y)
    to_x = pooling.max_grad_input(ones, winner, x.shape[2:], *geometry)
    np.testing.assert_array_equal(to_x, gradient.astype(np.float32), strict=True)
    np.testing.assert_array_equal(pooling.max_gather(x, winner, *geometry), y, strict=True)


@pytest.mark.parametrize("count_include_pad", [False, True])
def test_average_pooling(count_include_pad: bool) -> None:
    kernel, stride, padding = (4, 3), (2, 2), (2, 1)
    x, x64 = both(normal(2, 3, 9, 8))
    same = {"ceil": False, "count_include_pad": count_include_pad}
    exact = loops.avg_pool(x64, kernel, stride, padding, divisor_override=None, **same)
    sums = loops.avg_pool(x64, kernel, stride, padding, divisor_override=1, **same)
    scale = np.sqrt(loops.avg_pool(x64**2, kernel, stride, padding, divisor_override=1, **same))
    divisor = np.broadcast_to(np.round(sums / exact), exact.shape)[0, 0].astype(np.float32)
    y = pooling.avg_forward(x, kernel, stride, padding, exact.shape[2:], divisor)
    assert_rounded(y, exact, terms=12, scale=scale)
    g, g64 = both(normal(*exact.shape, seed=1))
    to_x = pooling.avg_grad_input(g, x.shape[2:], kernel, stride, padding, divisor)
    expected = np.zeros(x.shape)
    for at, inside, _ in loops.windows(x.shape[2:], kernel, stride, padding, (1, 1), ceil=False):
        for place in inside:
            expected[(..., *place)] += g64[(..., *at)] / divisor[at]
    assert_rounded(to_x, expected, terms=4, scale=np.sqrt(4) * abs(g64).max())


@pytest.mark.parametrize("spatial", [(), (6,), (4, 3)])
@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm(spatial: Ints, affine: bool) -> None:
    x, x64 = both(normal(8, 3, *spatial) * 4 + 2)
    (w, w64), (b, b64) = both(normal(3)), both(normal(3, seed=1))
    w64, b64 = (w64, b64) if affine else (np.ones(3), np.zeros(3))
    y, mean, variance = normalization.batch_norm(x, *((w, b) if affine else (None, None)), 1e-5)
    each = [x64[:, c].ravel() for c in range(3)]
    count = each[0].size
    spread = np.array([np.sqrt((v**2).sum()) for v in each])
    assert_rounded(mean, np.array([v.mean() for v in each]), terms=count, scale=spread)
    exact_variance = np.array([v.var() for v in each])
    assert_rounded(variance, exact_variance, terms=count, scale=exact_variance)
    over = (0, *range(2, x.ndim))
    columns = [
        a.reshape(-1, *[1] * len(spatial)) for a in (w64, b64, x64.mean(over), exact_variance)
    ]
    z = (x64 - columns[2]) / np.sqrt(columns[3] + 1e-5)
    assert_rounded(
        y, z * columns[0] + columns[1], terms=count, scale=abs(columns[0]) + abs(columns[1])
    )
    g, g64 = both(normal(*x.shape, seed=2))
    found = normalization.batch_norm_grad(g, x, w if affine else None, mean, variance, 1e-5)
    means = [a.mean(over, keepdims=True) for a in (g64, g64 * z)]
    to_x = columns[0] / np.sqrt(columns[3] + 1e-5) * (g64 - means[0] - z * means[1])
    assert_rounded(found[0], to_x, terms=count, scale=abs(columns[0]) * np.ones(x.shape))
    assert_rounded(
        found[1], (g64 * z).sum(over), terms=count, scale=np.sqrt(((g64 * z) ** 2).sum(over))
    )
    assert_rounded(found[2], g64.sum(over), terms=count, scale=np.sqrt((g64**2).sum(over)))


@pytest.mark.parametrize("classes", [1, 2, 1000])
def test_cross_entropy(classes: int) -> None:
    x, x64 = both(normal(6, classes) * 5)
    target = np.random.default_rng(0).integers(0, classes, 6)
    rows = np.arange(6)
    exact = np.log(np.exp(x64).sum(axis=1)) - x64[rows, target]
    assert_rounded(softmax.cross_entropy(x, target), exact, terms=classes, scale=abs(x64).max())
    g, g64 = both(normal(6))
    share = np.exp(x64) / np.exp(x64).sum(axis=1, keepdims=True)
    share[rows, target] -= 1
    assert_rounded(
        softmax.cross_entropy_grad(g, x, target),
        share * g64[:, None],
        terms=classes,
        scale=np.abs(g64[:, None]),
    )


def test_cross_entropy_of_far_logits_is_exact() -> None:
    x = np.array([[1e4, 0, -1e4]], np.float32)
    assert softmax.cross_entropy(x, np.array([2])).tolist() == [2e4]
    assert softmax.cross_entropy_grad(np.ones(1, "f4"), x, np.array([2])).tolist() == [[1, 0, -1]]


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("dampening", [0.0, 0.3])
def test_sgd_with_momentum(nesterov: bool, dampening: float) -> None:
    p, p64 = both(normal(20))
    buffer, v64 = np.zeros(20, np.float32), np.zeros(20)
    for step in range(5):
        g, g64 = both(normal(20, seed=step))
        optimizer.sgd([p], [g], [buffer], 0.1, 0.9, dampening, nesterov, step == 0, 0.0)
        v64 = g64 if step == 0 else 0.9 * v64 + (1 - dampening) * g64
        p64 -= 0.1 * (g64 + 0.9 * v64 if nesterov else v64)
    assert_rounded(p, p64, terms=15, scale=np.ones(20))
    assert_rounded(buffer, v64, terms=15, scale=np.ones(20))


def test_plain_sgd() -> None:
    p, p64 = both(normal(20))
    g, g64 = both(normal(20, seed=1))
    optimizer.sgd([p], [g], None, 0.5, 0.0, 0.0, False, True, 0.0)
    assert_rounded(p, p64 - 0.5 * g64, terms=2, scale=abs(p64) + abs(g64))


@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam(amsgrad: bool) -> None:
    p, p64 = both(normal(20))
    m, v, m64, v64, most = (np.zeros(20, dtype) for dtype in ("f4", "f4", "f8", "f8", "f8"))
    largest = [np.zeros(20, np.float32)] if amsgrad else None
    for step in range(1, 6):
        g, g64 = both(normal(20, seed=step) / step**2)
        optimizer.adam([p], [g], [m], [v], step, 0.1, 0.9, 0.99, 1e-8, largest, 0.0, False)
        m64 = 0.9 * m64 + 0.1 * g64
        v64 = 0.99 * v64 + 0.01 * g64**2
        most = np.maximum(most, v64)
        second = most if amsgrad else v64
        p64 -= 0.1 * (m64 / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    assert_rounded(p, p64, terms=25, scale=np.ones(20))


def test_a_kernel_leaves_its_inputs_alone() -> None:
    """All but the optimizers', whose point it is to write."""
    arrays = [normal(2, 2, 4, 4), normal(2, 2, 3, 3), normal(2), normal(2, 2, 2, 2)]
    before = [a.copy() for a in arrays]
    x, w, b, g = arrays
    settings = (1, 1), (0, 0), (1, 1), 1
    conv.forward(x, w, b, *settings, "sigmoid")
    conv.grad_input(g, w, (4, 4), *settings)
    conv.grad_weight(g, x, (3, 3), *settings)
    matmul.linear(x[0, 0], w[0, 0, :1].repeat(2, 1)[:, :4], None, "sigmoid")
    y, mean, variance = normalization.batch_norm(x, b, b, 1e-5)
    normalization.batch_norm_grad(y, x, b, mean, variance, 1e-5)
    pooling.max_forward(x, (2, 2), (2, 2), (0, 0), (1, 1), (2, 2))
    pooling.avg_forward(x, (2, 2), (2, 2), (0, 0), (2, 2), 4)
    softmax.cross_entropy_grad(b, x[0, 0, :2], np.array([0, 1]))
    for a, original in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, original)
