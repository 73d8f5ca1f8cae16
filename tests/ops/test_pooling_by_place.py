"""Pooling that says where, unpooling, adaptive and fractional windows, p-norms: plain loops."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import loops
from tests.ops.test_pooling import MAX, Ints, Windows, windows
from tinymed import ops
from tinymed.backpropagation import grad
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.random import manual_seed
from tinymed.tensor import Tensor

ADAPTIVE = {1: ops.adaptive_max_pool1d, 2: ops.adaptive_max_pool2d, 3: ops.adaptive_max_pool3d}
UNPOOL = {1: ops.max_unpool1d, 2: ops.max_unpool2d, 3: ops.max_unpool3d}
LP = {1: ops.lp_pool1d, 2: ops.lp_pool2d, 3: ops.lp_pool3d}
FRACTIONAL = {2: ops.fractional_max_pool2d, 3: ops.fractional_max_pool3d}


@settings(max_examples=60, deadline=None)
@given(windows(dilated=True))
def test_indices_name_the_first_of_the_largest(w: Windows) -> None:
    """They count the places that the gradient of plain loops goes to, and y stands there."""
    x = Tensor(w.array(), requires_grad=True)
    y, index = MAX[w.axes](x, w.kernel, w.stride, w.padding, w.dilation, w.ceil, True)
    geometry = w.kernel, w.stride, w.padding, w.dilation
    expected, gradient = loops.max_pool(x.data, *geometry, ceil=w.ceil)
    np.testing.assert_array_equal(y.data, expected)
    assert index.dtype == np.int64
    found = np.zeros((*w.x[:2], int(np.prod(w.x[2:]))))
    for n, c in loops.places(w.x[:2]):
        for at, value in zip(index.data[n, c].ravel(), expected[n, c].ravel(), strict=True):
            if value > -np.inf:  # a dilated window may step over all of the input
                found[n, c, at] += 1
                assert x.data[n, c].ravel()[at] == value
    np.testing.assert_array_equal(found.reshape(x.shape), gradient)
    np.testing.assert_array_equal(grad(y, x, np.ones(y.shape))[0].data, gradient)


@settings(max_examples=60, deadline=None)
@given(windows(dilated=False))
def test_unpooling_puts_back_what_pooling_took(w: Windows) -> None:
    """Zeros but where the largest stood; the gradient is read there."""
    x = w.array()
    y, index = MAX[w.axes](x, w.kernel, w.stride, w.padding, 1, w.ceil, True)
    leaf = Tensor(y, requires_grad=True)
    usual = [
        (n - 1) * s + k - 2 * p
        for n, s, k, p in zip(y.shape[2:], w.stride, w.kernel, w.padding, strict=True)
    ]
    lengths = zip(usual, w.x[2:], w.stride, strict=True)
    if not all(abs(n - m) < s for n, m, s in lengths):
        with pytest.raises(ValueError, match=r"output_size=.* must lie less than a stride"):
            UNPOOL[w.axes](leaf, index, w.kernel, w.stride, w.padding, x.shape)
        return
    back = UNPOOL[w.axes](leaf, index, w.kernel, w.stride, w.padding, x.shape)
    expected = np.zeros((*x.shape[:2], int(np.prod(x.shape[2:]))))
    for place in loops.places(index.shape):
        expected[*place[:2], index[place]] = y[place]
    np.testing.assert_array_equal(back.data, expected.reshape(x.shape))
    g = np.random.default_rng(w.seed).standard_normal(x.shape)
    found = grad(back, leaf, g)[0].data
    flat = g.reshape(expected.shape)
    for place in loops.places(index.shape):
        assert found[place] == flat[*place[:2], index[place]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 7)), min_size=1, max_size=3),
    st.integers(0, 2),
    st.booleans(),
)
def test_adaptive_max_equals_plain_loops(
    sizes: list[tuple[int, int]], images: int, missing: bool
) -> None:
    spatial, out = tuple(s for s, _ in sizes), tuple(o for _, o in sizes)
    x = np.random.default_rng(0).integers(-3, 4, (images, 2, *spatial)) * 1.0
    x = np.where(x == 3, np.nan if missing else 3, x)
    covered = [[list(range(i * s // o, -(-(i + 1) * s // o))) for i in range(o)] for s, o in sizes]
    y, index = ADAPTIVE[len(out)](x, out, return_indices=True)
    expected, places = loops.max_in(x, covered)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(index, places, strict=True)
    np.testing.assert_array_equal(ADAPTIVE[len(out)](x, out), expected)


@st.composite
def fractions(draw: st.DrawFn) -> tuple[Ints, Ints, Ints]:
    """Lengths of x, windows that fit, and how many of them."""
    size = tuple(draw(st.integers(1, 7)) for _ in range(draw(st.integers(2, 3))))
    kernel = tuple(draw(st.integers(1, n)) for n in size)
    out = tuple(draw(st.integers(1, n - k + 1)) for n, k in zip(size, kernel, strict=True))
    return size, kernel, out


@settings(max_examples=60, deadline=None)
@given(fractions(), st.integers(0, 2**32 - 1))
def test_fractional_max_equals_its_formula(drawn: tuple[Ints, Ints, Ints], seed: int) -> None:
    """Windows begin at floor((i + u) a) - floor(u a), the last ends with the axis."""
    size, kernel, out = drawn
    random = np.random.default_rng(seed)
    x, samples = random.standard_normal((2, 2, *size)), random.random((2, 2, len(size)))
    y, index = FRACTIONAL[len(size)](x, kernel, out, None, True, samples)
    for n, c in loops.places((2, 2)):
        u = samples[n, c][::-1] if len(size) == 2 else samples[n, c]
        covered = []
        for axis, (length, k, o) in enumerate(zip(size, kernel, out, strict=True)):
            step = (length - k) / (o - 1) if o > 1 else 0
            begin = [int((i + u[axis]) * step) - int(u[axis] * step) for i in range(o - 1)]
            covered.append([list(range(b, b + k)) for b in [*begin, length - k]])
        expected, places = loops.max_in(x[n : n + 1, c : c + 1], covered)
        np.testing.assert_array_equal(y[n, c], expected[0, 0])
        np.testing.assert_array_equal(index[n, c], places[0, 0])


def test_fractional_windows_are_drawn() -> None:
    """From the generator, for each image and channel; steps of 2 and 3 make 39 in 16."""
    x = np.broadcast_to(np.arange(40.0), (50, 20, 3, 40)).copy()
    first, again, other = (
        ops.fractional_max_pool2d(x, 1, (1, 17), generator=np.random.default_rng(seed))
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    manual_seed(3)
    drawn = ops.fractional_max_pool2d(x, 1, (1, 17))
    manual_seed(3)
    np.testing.assert_array_equal(ops.fractional_max_pool2d(x, 1, (1, 17)), drawn)
    steps = np.diff(first[:, :, 0])
    assert set(steps.ravel()) <= {2.0, 3.0}
    assert (first[..., 0] == 0).all()
    assert (first[..., -1] == 39).all()
    assert len(np.unique(first.reshape(1000, 17), axis=0)) > 5


@pytest.mark.parametrize("p", [1, 2, 3, 0.5, -1, np.inf, -np.inf])
@settings(max_examples=15, deadline=None)
@given(w=windows(dilated=False))
def test_lp_equals_plain_loops(p: float, w: Windows) -> None:
    """What a window that reaches over the edge sees is scaled up to a whole window."""
    x = abs(w.array()) + 1
    none, ones = (0,) * w.axes, (1,) * w.axes
    found = list(loops.windows(w.x[2:], w.kernel, w.stride, none, ones, ceil=w.ceil))
    if not found:
        with pytest.raises(ValueError, match="is larger than the input"):
            LP[w.axes](x, p, w.kernel, w.stride, w.ceil)
        return
    y = LP[w.axes](x, p, w.kernel, w.stride, w.ceil)
    assert y[0:1, 0].size == len(found) * min(1, len(x))
    for position, inside, _ in found:
        for n, c in loops.places(w.x[:2]):
            seen = np.array([x[n, c, *at] for at in inside])
            if np.isinf(p):
                expected = seen.max() if p > 0 else seen.min()
            else:
                expected = ((seen**p).mean() * np.prod(w.kernel)) ** (1 / p)
            np.testing.assert_allclose(y[n, c, *position], expected, 1e-12)


SAMPLES = np.random.default_rng(0).random((1, 2, 2))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ops.max_pool1d(x, 2, return_indices=True)[0],
        lambda x: ops.max_unpool1d(x, np.array([[[1, 0, 9, 4, 6, 3], [7, 8, 2, 5, 1, 0]]]), 2),
        lambda x: ops.adaptive_max_pool1d(x, 4),
        lambda x: ops.fractional_max_pool2d(x.reshape(1, 2, 2, 3), 1, 2, _random_samples=SAMPLES),
        lambda x: ops.lp_pool1d(x * x, 3, 2),
        lambda x: ops.lp_pool1d(x, 2, 3, 1, True),
        lambda x: ops.conv1d(x, np.ones((1, 2, 2)), padding="same"),
    ],
)
def test_second_derivatives(call: Any) -> None:
    """Of what is composed of ops: the ops themselves are in the registry."""
    values = np.linspace(-2.2, 2, 12)
    x = Tensor(np.random.default_rng(3).permutation(values).reshape(1, 2, 6), requires_grad=True)
    assert gradcheck(call, (x,))
    assert gradgradcheck(call, (x,))


def square(*shape: int) -> np.ndarray:
    return np.ones(shape)


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (TypeError, "max_pool1d: x is bool", lambda: ops.max_pool1d(square(1, 1, 4) > 0, 2)),
        (
            TypeError,
            "avg_pool2d: divisor_override=2.5 is not an integer",
            lambda: ops.avg_pool2d(square(1, 1, 4, 4), 2, divisor_override=2.5),
        ),
        (
            ValueError,
            "avg_pool1d: kernel_size=1099511627776 is too large",
            lambda: ops.avg_pool1d(square(1, 1, 4), 2**40, padding=2**39),
        ),
        (
            ValueError,
            "max_pool3d: a result .* elements is too large",
            lambda: ops.max_pool3d(square(1, 1, 1, 1, 1), 2**20, padding=2**19),
        ),
        (
            ValueError,
            "max_pool1d: a result .* elements is too large",
            lambda: ops.max_pool1d(square(2, 1, 4), 2, 2**39, 0, 2**39, True),
        ),
        (
            ValueError,
            "adaptive_max_pool2d: output_size=.1099511627776, 1. is too large",
            lambda: ops.adaptive_max_pool2d(square(1, 1, 4, 4), (2**40, 1)),
        ),
        (
            ValueError,
            "adaptive_avg_pool2d: a result .* elements is too large",
            lambda: ops.adaptive_avg_pool2d(square(1, 1, 4, 4), 2**20),
        ),
        (
            ValueError,
            "adaptive_max_pool1d: output_size=.0,. is not an integer >= 1",
            lambda: ops.adaptive_max_pool1d(square(1, 1, 4), 0),
        ),
        (
            TypeError,
            "adaptive_max_pool1d: x is int64, expected a floating dtype",
            lambda: ops.adaptive_max_pool1d(square(1, 1, 4).astype(int), 2),
        ),
        (
            IndexError,
            "max_unpool1d: index 8 is out of range for an output .8,. of 8 places",
            lambda: ops.max_unpool1d(square(1, 1, 2), np.array([[[0, 8]]]), 4),
        ),
        (
            IndexError,
            "max_unpool2d: index -1 is out of range",
            lambda: ops.max_unpool2d(square(1, 1, 1, 2), np.array([[[[-1, 0]]]]), 2),
        ),
        (
            ValueError,
            "max_unpool1d: x .1, 1, 2. and indices .1, 1, 1. differ in shape",
            lambda: ops.max_unpool1d(square(1, 1, 2), np.array([[[0]]]), 4),
        ),
        (
            TypeError,
            "max_unpool1d: indices are int32, expected int64",
            lambda: ops.max_unpool1d(square(1, 1, 1), np.array([[[0]]], np.int32), 4),
        ),
        (
            TypeError,
            "max_unpool1d: indices are list, expected int64",
            lambda: ops.max_unpool1d(square(1, 1, 1), [[[0]]], 4),
        ),
        (
            ValueError,
            "max_unpool2d: output_size=.4,. must hold 2 sizes, or 4",
            lambda: ops.max_unpool2d(
                square(1, 1, 1, 1), np.zeros((1, 1, 1, 1), int), 4, output_size=4
            ),
        ),
        (
            ValueError,
            "adaptive_max_pool2d: output_size=.1.5, 1.5. is not an integer",
            lambda: ops.adaptive_max_pool2d(square(1, 1, 4, 4), 1.5),
        ),
        (
            TypeError,
            "max_unpool1d: x is int64, expected a floating dtype",
            lambda: ops.max_unpool1d(np.array([[[0]]]), np.array([[[0]]]), 4),
        ),
        (
            ValueError,
            "max_unpool1d: output_size=.12,. must lie less than a stride .4,. from .8,.",
            lambda: ops.max_unpool1d(square(1, 1, 2), np.array([[[0, 1]]]), 4, output_size=(12,)),
        ),
        (
            ValueError,
            "max_unpool1d: output_size=.1, 12. must hold 1 sizes, or 3",
            lambda: ops.max_unpool1d(square(1, 1, 2), np.array([[[0, 1]]]), 4, output_size=(1, 12)),
        ),
        (
            ValueError,
            "max_unpool1d: a result .* elements is too large",
            lambda: ops.max_unpool1d(square(1, 1, 9), np.zeros((1, 1, 9), int), 2, 2**38),
        ),
        (
            ValueError,
            "max_unpool1d: padding .1,. leaves nothing of 2, .0,.",
            lambda: ops.max_unpool1d(square(1, 1, 1), np.array([[[0]]]), 2, padding=1),
        ),
        (
            ValueError,
            "lp_pool1d: norm_type=0 is not a number other than 0",
            lambda: ops.lp_pool1d(square(1, 1, 4), 0, 2),
        ),
        (
            TypeError,
            "lp_pool2d: x is int64, expected a floating dtype",
            lambda: ops.lp_pool2d(square(1, 1, 4, 4).astype(int), 2, 2),
        ),
        (
            ValueError,
            "fractional_max_pool2d: output_size or output_ratio is needed",
            lambda: ops.fractional_max_pool2d(square(1, 1, 4, 4), 2),
        ),
        (
            ValueError,
            "fractional_max_pool2d: output_ratio=1.5 is not a number in .0, 1.",
            lambda: ops.fractional_max_pool2d(square(1, 1, 4, 4), 2, output_ratio=1.5),
        ),
        (
            ValueError,
            "fractional_max_pool2d: .4, 4. windows .2, 2. do not fit into x .1, 1, 4, 4.",
            lambda: ops.fractional_max_pool2d(square(1, 1, 4, 4), 2, 4),
        ),
        (
            ValueError,
            "fractional_max_pool2d: _random_samples .1, 1, 3. must be .1, 1, 2.",
            lambda: ops.fractional_max_pool2d(
                square(1, 1, 4, 4), 2, 2, _random_samples=np.zeros((1, 1, 3))
            ),
        ),
        (
            ValueError,
            "fractional_max_pool2d: _random_samples must lie in .0, 1.",
            lambda: ops.fractional_max_pool2d(
                square(1, 1, 4, 4), 2, 2, _random_samples=np.full((1, 1, 2), -0.5)
            ),
        ),
        (
            TypeError,
            "fractional_max_pool2d: _random_samples are float32 but x is float64",
            lambda: ops.fractional_max_pool2d(
                square(1, 1, 4, 4), 2, 2, _random_samples=np.zeros((1, 1, 2), np.float32)
            ),
        ),
        (
            ValueError,
            "fractional_max_pool2d: output_size=1099511627776 is too large",
            lambda: ops.fractional_max_pool2d(square(1, 1, 4, 4), 2, 2**40),
        ),
    ],
)
def test_refuses(kind: type[Exception], words: str, call: Any) -> None:
    with pytest.raises(kind, match=f"^{words}"):
        call()
