"""Pooling against plain loops, in drawn geometries, and what it refuses."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import loops
from tinymed import ops
from tinymed.backpropagation import grad
from tinymed.creation import tensor
from tinymed.tensor import Tensor

MAX = {1: ops.max_pool1d, 2: ops.max_pool2d, 3: ops.max_pool3d}
AVG = {1: ops.avg_pool1d, 2: ops.avg_pool2d, 3: ops.avg_pool3d}
ADAPTIVE = {1: ops.adaptive_avg_pool1d, 2: ops.adaptive_avg_pool2d, 3: ops.adaptive_avg_pool3d}
Ints = tuple[int, ...]


@dataclass(frozen=True)
class Windows:
    """A batch and the windows over it."""

    x: Ints
    kernel: Ints
    stride: Ints
    padding: Ints
    dilation: Ints
    ceil: bool
    seed: int

    @property
    def axes(self) -> int:
        return len(self.kernel)

    def array(self, values: int = 5) -> np.ndarray:
        """Few different whole numbers, so that many are equal."""
        return np.random.default_rng(self.seed).integers(-values, values, self.x).astype(float)


@st.composite
def windows(draw: st.DrawFn, *, dilated: bool) -> Windows:
    axes = draw(st.integers(1, 3))
    kernel, stride, padding, dilation, size = [], [], [], [], []
    for _ in range(axes):
        kernel.append(draw(st.integers(1, 4 if axes < 3 else 2)))
        stride.append(draw(st.integers(1, 4)))
        padding.append(draw(st.integers(0, kernel[-1] // 2)))
        dilation.append(draw(st.integers(1, 3)) if dilated else 1)
        least = dilation[-1] * (kernel[-1] - 1) + 1 - 2 * padding[-1]
        size.append(max(1, least) + draw(st.integers(0, 5 if axes < 3 else 2)))
    return Windows(
        x=(draw(st.integers(0, 2)), draw(st.integers(1, 2)), *size),
        kernel=tuple(kernel),
        stride=tuple(stride),
        padding=tuple(padding),
        dilation=tuple(dilation),
        ceil=draw(st.booleans()),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@settings(max_examples=100, deadline=None)
@given(windows(dilated=True))
def test_max_equals_plain_loops(w: Windows) -> None:
    """Values, and the gradient: the first of equal elements takes it."""
    values = w.array()
    x = Tensor(np.where(values < -2, -np.inf, values), requires_grad=True)  # as low as the padding
    y = MAX[w.axes](x, w.kernel, w.stride, w.padding, w.dilation, w.ceil)
    expected, gradient = loops.max_pool(
        x.data, w.kernel, w.stride, w.padding, w.dilation, ceil=w.ceil
    )
    np.testing.assert_array_equal(y.data, expected)
    np.testing.assert_array_equal(grad(y, x, np.ones(y.shape))[0].data, gradient)


@settings(max_examples=100, deadline=None)
@given(windows(dilated=False), st.booleans(), st.sampled_from([None, 1, 7]))
def test_avg_equals_plain_loops(w: Windows, count_include_pad: bool, divisor: int | None) -> None:
    x = Tensor(w.array(), requires_grad=True)
    divisor = divisor if w.axes > 1 else None  # PyTorch has none in one dimension
    given = (count_include_pad,) if w.axes == 1 else (count_include_pad, divisor)
    y = AVG[w.axes](x, w.kernel, w.stride, w.padding, w.ceil, *given)
    same = {"ceil": w.ceil, "count_include_pad": count_include_pad, "divisor_override": divisor}
    expected = loops.avg_pool(x.data, w.kernel, w.stride, w.padding, **same)
    np.testing.assert_allclose(y.data, expected, 1e-13, 1e-13)
    g = np.random.default_rng(0).standard_normal(y.shape)
    product = (grad(y, x, g)[0].data * x.data).sum()  # linear: <g, A x> = <A^T g, x>
    np.testing.assert_allclose(product, (y.data * g).sum(), 1e-10, 1e-10)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 9)), min_size=1, max_size=3))
def test_adaptive_equals_means_of_stretches(sizes: list[tuple[int, int]]) -> None:
    spatial, out = tuple(s for s, _ in sizes), tuple(o for _, o in sizes)
    x = np.random.default_rng(0).standard_normal((2, 1, *spatial))
    expected = np.empty((2, 1, *out))
    for place in loops.places(out):
        stretch = tuple(
            slice(i * s // o, -(-(i + 1) * s // o))
            for i, s, o in zip(place, spatial, out, strict=True)
        )
        expected[(..., *place)] = x[(..., *stretch)].mean(axis=tuple(range(2, x.ndim)))
    np.testing.assert_allclose(ADAPTIVE[len(out)](x, out), expected, 1e-12, 1e-12)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
def test_max_of_integers(dtype: Any) -> None:
    x = np.array([[[3, 1, 2, 0, 5]]], dtype)
    y = ops.max_pool1d(x, 3, 2, 1)
    np.testing.assert_array_equal(y, np.array([[[3, 2, 5]]], dtype), strict=True)


def test_max_lets_nan_win_and_sends_it_the_gradient() -> None:
    x = tensor([[[1.0, np.nan, 9.0, 2.0, 3.0]]], requires_grad=True)
    y = ops.max_pool1d(x, 3, 2)
    np.testing.assert_array_equal(y.data, [[[np.nan, 9.0]]])
    y.backward(np.array([[[1, 10]]], np.float32))
    np.testing.assert_array_equal(x.grad.data, [[[0, 1, 10, 0, 0]]])


def test_max_sees_minus_infinity_as_a_number() -> None:
    x = np.full((1, 1, 4), -np.inf)
    np.testing.assert_array_equal(ops.max_pool1d(x, 2, 2, 1), np.full((1, 1, 3), -np.inf))


def test_a_window_of_more_than_256_taps() -> None:
    """The winner's number no longer fits into a byte."""
    x = Tensor(np.arange(400.0).reshape(1, 1, 20, 20), requires_grad=True)
    y = ops.max_pool2d(x, 20)
    assert y.item() == 399
    y.backward()
    assert x.grad.data[0, 0, 19, 19] == 1 == x.grad.data.sum()


def test_float32_stays_float32() -> None:
    x = np.ones((1, 1, 4, 4), np.float32)
    for y in (
        ops.max_pool2d(x, 2),
        ops.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        ops.adaptive_avg_pool2d(x, (3, None)),
    ):
        assert y.dtype == np.float32
        assert (y == 1).all()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_unbatched_input(axes: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, *[4] * axes))
    for pool in (MAX[axes], AVG[axes], ADAPTIVE[axes]):
        np.testing.assert_array_equal(pool(x, 2), pool(x[None], 2)[0])


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (
            ValueError,
            "max_pool2d: x .4, 4. must have 4 axes, or 3",
            lambda: ops.max_pool2d(np.ones((4, 4)), 2),
        ),
        (
            ValueError,
            "max_pool2d: x .* has nothing along a spatial axis",
            lambda: ops.max_pool2d(np.ones((1, 1, 0, 4)), 2),
        ),
        (
            ValueError,
            "window .5, 5. with dilation .1, 1. is larger than the input .4, 4.",
            lambda: ops.avg_pool2d(np.ones((1, 1, 4, 4)), 5),
        ),
        (
            ValueError,
            "avg_pool1d: padding=2 is more than half of kernel_size=3",
            lambda: ops.avg_pool1d(np.ones((1, 1, 4)), 3, padding=2),
        ),
        (
            ValueError,
            "max_pool1d: kernel_size=0 is not an integer >= 1",
            lambda: ops.max_pool1d(np.ones((1, 1, 4)), 0),
        ),
        (
            ValueError,
            "max_pool1d: kernel_size=2.0 is not",
            lambda: ops.max_pool1d(np.ones((1, 1, 4)), 2.0),
        ),
        (
            ValueError,
            "max_pool2d: stride=.1, 2, 3. is not",
            lambda: ops.max_pool2d(np.ones((1, 1, 4, 4)), 2, (1, 2, 3)),
        ),
        (
            ValueError,
            "avg_pool2d: divisor_override is 0",
            lambda: ops.avg_pool2d(np.ones((1, 1, 4, 4)), 2, divisor_override=0),
        ),
        (
            TypeError,
            "avg_pool2d: x is int64, expected a floating dtype",
            lambda: ops.avg_pool2d(np.ones((1, 1, 4, 4), np.int64), 2),
        ),
        (
            TypeError,
            "adaptive_avg_pool1d: x is int64",
            lambda: ops.adaptive_avg_pool1d(np.ones((1, 1, 4), np.int64), 2),
        ),
        (
            ValueError,
            "adaptive_avg_pool2d: output_size=.1, 2, 3. must hold 2 sizes",
            lambda: ops.adaptive_avg_pool2d(np.ones((1, 1, 4, 4)), (1, 2, 3)),
        ),
        (
            ValueError,
            "adaptive_avg_pool2d: output_size=.0, 0. is not",
            lambda: ops.adaptive_avg_pool2d(np.ones((1, 1, 4, 4)), 0),
        ),
        (
            TypeError,
            "unexpected keyword argument",
            lambda: ops.avg_pool2d(np.ones((1, 1, 4, 4)), 2, dilation=2),
        ),
    ],
)
def test_refuses(kind: type[Exception], words: str, call: Any) -> None:
    with pytest.raises(kind, match=words):
        call()
