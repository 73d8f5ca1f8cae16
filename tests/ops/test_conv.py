"""Convolution against seven plain loops, and the laws it keeps in every geometry.

Whole numbers in float64: every sum is exact, so results must be equal, not close.
"""

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

CONV = {1: ops.conv1d, 2: ops.conv2d, 3: ops.conv3d}
Ints = tuple[int, ...]


@dataclass(frozen=True)
class Geometry:
    """Shapes that fit each other, and settings."""

    x: Ints
    weight: Ints
    stride: Ints
    padding: Ints
    dilation: Ints
    groups: int
    seed: int

    @property
    def settings(self) -> tuple[Ints, Ints, Ints, int]:
        return self.stride, self.padding, self.dilation, self.groups

    @property
    def axes(self) -> int:
        return len(self.stride)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(self.seed)
        return tuple(random.integers(-3, 4, s).astype(float) for s in (self.x, self.weight))

    def __call__(self, x: Any, weight: Any, bias: Any = None, activation: Any = None) -> Any:
        return CONV[self.axes](x, weight, bias, *self.settings, activation)


@st.composite
def geometries(draw: st.DrawFn, axes: int | None = None) -> Geometry:
    """Draw any geometry: even windows, rests that the stride leaves, padding wider than needed."""
    axes = draw(st.integers(1, 3)) if axes is None else axes
    most = {1: 6, 2: 4, 3: 2}[axes]

    def each(low: int, high: int) -> Ints:
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel, padding, dilation = each(1, 3 if axes < 3 else 2), each(0, 2), each(1, 2)
    groups, channels, rows = (
        draw(st.integers(1, 3)),
        draw(st.integers(1, 2)),
        draw(st.integers(1, 2)),
    )
    least = (d * (k - 1) + 1 - 2 * p for k, p, d in zip(kernel, padding, dilation, strict=True))
    size = tuple(max(1, n) + extra for n, extra in zip(least, each(0, most), strict=True))
    return Geometry(
        x=(draw(st.integers(0, 2)), groups * channels, *size),
        weight=(groups * rows, channels, *kernel),
        stride=each(1, 3),
        padding=padding,
        dilation=dilation,
        groups=groups,
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@settings(max_examples=60, deadline=None)
@given(geometries())
def test_equals_plain_loops(geometry: Geometry) -> None:
    x, weight = geometry.arrays()
    np.testing.assert_array_equal(geometry(x, weight), loops.conv(x, weight, *geometry.settings))


@settings(max_examples=40, deadline=None)
@given(geometries())
def test_gradients_equal_plain_loops(geometry: Geometry) -> None:
    """Each product w x in y[i] sends g[i] w to x and g[i] x to w."""
    x, weight = (tensor(a, requires_grad=True) for a in geometry.arrays())
    bias = tensor(np.zeros(len(weight)), requires_grad=True)
    y = geometry(x, weight, bias)
    g = np.random.default_rng(geometry.seed).integers(-3, 4, y.shape).astype(float)
    grad_x, grad_weight = np.zeros(x.shape), np.zeros(weight.shape)
    for to, source, tap in loops.conv_products(x.shape, weight.shape, *geometry.settings):
        grad_x[source] += g[to] * weight.data[tap]
        grad_weight[tap] += g[to] * x.data[source]
    y.backward(g)
    np.testing.assert_array_equal(x.grad.numpy(), grad_x)
    np.testing.assert_array_equal(weight.grad.numpy(), grad_weight)
    np.testing.assert_array_equal(bias.grad.numpy(), g.sum(axis=(0, *range(2, g.ndim))))


@settings(max_examples=40, deadline=None)
@given(geometries())
def test_adjointness(geometry: Geometry) -> None:
    """<conv(x, w), g> = <x, grad_input(g, w)> = <w, grad_weight(g, x)>."""
    x, weight = (Tensor(a, requires_grad=True) for a in geometry.arrays())
    y = geometry(x, weight)
    g = np.random.default_rng(1).integers(-3, 4, y.shape).astype(float)
    to_x, to_weight = grad(y, [x, weight], g)
    product = (y.data * g).sum()
    assert (x.data * to_x.data).sum() == product
    assert (weight.data * to_weight.data).sum() == product


@settings(max_examples=30, deadline=None)
@given(geometries())
def test_linearity(geometry: Geometry) -> None:
    x, weight = geometry.arrays()
    other_x, other_weight = x[::-1] + 1, weight[::-1] - 2
    np.testing.assert_array_equal(
        geometry(2 * x - 3 * other_x, weight),
        2 * geometry(x, weight) - 3 * geometry(other_x, weight),
    )
    np.testing.assert_array_equal(
        geometry(x, weight + 4 * other_weight), geometry(x, weight) + 4 * geometry(x, other_weight)
    )


@settings(max_examples=30, deadline=None)
@given(geometries(), st.integers(1, 2))
def test_shift_equivariance(geometry: Geometry, by: int) -> None:
    """An input moved by a stride gives an output moved by one, where neither meets an edge."""
    x, weight = geometry.arrays()
    wide = np.pad(x, [(0, 0), (0, 0), *((3 * s * by, 3 * s * by) for s in geometry.stride)])
    moved = np.roll(wide, [by * s for s in geometry.stride], axis=tuple(range(2, x.ndim)))
    axes = tuple(range(2, x.ndim))
    expected = np.roll(geometry(wide, weight), by, axis=axes)
    inner = (..., *(slice(by, -by) for _ in axes))
    found = geometry(moved, weight)
    if all(n > 2 * by for n in found.shape[2:]):
        np.testing.assert_array_equal(found[inner], expected[inner])


@settings(max_examples=40, deadline=None)
@given(geometries())
def test_same_keeps_lengths(geometry: Geometry) -> None:
    """Zeros on both sides, one more after than before where their number is odd."""
    x, weight = geometry.arrays()
    reach = [d * (k - 1) for k, d in zip(weight.shape[2:], geometry.dilation, strict=True)]
    wide = np.pad(x, [(0, 0), (0, 0), *((r // 2, r - r // 2) for r in reach)])
    ones, none = (1,) * geometry.axes, (0,) * geometry.axes
    expected = loops.conv(wide, weight, ones, none, geometry.dilation, geometry.groups)
    assert expected.shape[2:] == x.shape[2:]
    settings = None, 1, "same", geometry.dilation, geometry.groups
    np.testing.assert_array_equal(CONV[geometry.axes](x, weight, *settings), expected)


@settings(max_examples=25, deadline=None)
@given(geometries(), st.sampled_from(["relu", "tanh", "sigmoid", None]))
def test_bias_and_activation_are_what_stands_after(
    geometry: Geometry, activation: str | None
) -> None:
    x, weight = (tensor(a, requires_grad=True) for a in geometry.arrays())
    bias = tensor(np.arange(len(weight)) - 1.0, requires_grad=True)
    fused = geometry(x, weight, bias, activation)
    after = geometry(x, weight) + ops.reshape(bias, (-1, *[1] * geometry.axes))
    if activation is not None:
        after = getattr(ops, activation)(after)
    np.testing.assert_allclose(fused.data, after.data, 1e-14, 1e-14)
    g = np.cos(np.arange(fused.numel())).reshape(fused.shape)
    for a, b in zip(
        grad(fused, [x, weight, bias], g), grad(after, [x, weight, bias], g), strict=True
    ):
        np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-12, 1e-12)


def test_groups_are_independent_convolutions() -> None:
    random = np.random.default_rng(0)
    x, weight = random.integers(-3, 4, (2, 6, 5)) * 1.0, random.integers(-3, 4, (4, 3, 2)) * 1.0
    halves = [ops.conv1d(x[:, i : i + 3], weight[j : j + 2]) for i, j in ((0, 0), (3, 2))]
    np.testing.assert_array_equal(ops.conv1d(x, weight, groups=2), np.concatenate(halves, axis=1))


def test_a_large_batch_is_cut_into_blocks_that_fit_together() -> None:
    """Blocks of 2^20 columns; a batch of three blocks equals its images one by one."""
    random = np.random.default_rng(0)
    x = random.integers(-2, 3, (5, 8, 64, 64)).astype(np.float32)
    weight = random.integers(-2, 3, (2, 8, 3, 3)).astype(np.float32)
    y = ops.conv2d(Tensor(x, requires_grad=True), Tensor(weight, requires_grad=True), padding=1)
    single = np.concatenate([ops.conv2d(x[i : i + 1], weight, padding=1) for i in range(5)])
    np.testing.assert_array_equal(y.data, single)
    g = random.integers(-2, 3, y.shape).astype(np.float32)
    to_x, to_weight = y.grad_fn.backward(g, x, weight)[:2]
    parts = []
    for i in range(5):
        one = ops.conv2d(Tensor(x[i : i + 1], True), Tensor(weight, True), padding=1)
        parts.append(one.grad_fn.backward(g[i : i + 1], x[i : i + 1], weight))
    np.testing.assert_array_equal(to_x, np.concatenate([p[0] for p in parts]))
    np.testing.assert_array_equal(to_weight, sum(p[1] for p in parts))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_unbatched_input(axes: int) -> None:
    x, weight = np.arange(2.0 * 3**axes).reshape(2, *[3] * axes), np.ones((3, 2, *[2] * axes))
    np.testing.assert_array_equal(CONV[axes](x, weight), CONV[axes](x[None], weight)[0])


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_one_number_stands_for_all_axes(axes: int) -> None:
    x, weight = np.arange(2.0 * 6**axes).reshape(1, 2, *[6] * axes), np.ones((2, 1, *[2] * axes))
    each = (2,) * axes
    np.testing.assert_array_equal(
        CONV[axes](x, weight, None, 2, 2, 2, 2), CONV[axes](x, weight, None, each, each, each, 2)
    )


def refused(kind: type[Exception], words: str, x: Ints, weight: Ints, **settings: Any) -> Any:
    return pytest.param(kind, words, x, weight, settings, id=words[:40])


@pytest.mark.parametrize(
    ("kind", "words", "x", "weight", "named"),
    [
        refused(
            ValueError,
            r"x has 3 channels \(2, 3, 8, 8\) .* CT slices need x\[:, None\]",
            (2, 3, 8, 8),
            (8, 1, 3, 3),
        ),
        refused(
            ValueError,
            r"x has 4 channels .* expects 2 \(groups=2\)",
            (1, 4, 5, 5),
            (2, 1, 3, 3),
            groups=2,
        ),
        refused(
            ValueError,
            r"3 output channels cannot be divided into groups=2",
            (1, 4, 5, 5),
            (3, 2, 3, 3),
            groups=2,
        ),
        refused(ValueError, r"must have 4 axes: \(N, C, \*spatial\)", (5, 5), (1, 1, 3, 3)),
        refused(ValueError, r"weight \(1, 1, 3\) must have 4 axes", (1, 1, 5, 5), (1, 1, 3)),
        refused(
            ValueError,
            r"kernel \(3, 3\) with dilation \(2, 2\) is larger than the input \(4, 4\)",
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            dilation=2,
        ),
        refused(
            ValueError,
            r"stride=0 is not an integer >= 1, or 2 of them",
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            stride=0,
        ),
        refused(
            ValueError, r"stride=1.5 is not an integer", (1, 1, 4, 4), (1, 1, 3, 3), stride=1.5
        ),
        refused(
            ValueError, r"padding=\(1, 1, 1\) is not", (1, 1, 4, 4), (1, 1, 3, 3), padding=(1, 1, 1)
        ),
        refused(
            ValueError, r"padding=-1 is not an integer >= 0", (1, 1, 4, 4), (1, 1, 3, 3), padding=-1
        ),
        refused(ValueError, r"dilation=True is not", (1, 1, 4, 4), (1, 1, 3, 3), dilation=True),
        refused(
            ValueError, r"groups=0 is not an integer >= 1", (1, 1, 4, 4), (1, 1, 3, 3), groups=0
        ),
        refused(
            ValueError,
            r"padding='same' needs stride 1, not \(2, 1\)",
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            padding="same",
            stride=(2, 1),
        ),
        refused(
            ValueError,
            r"padding='full' is not 'same', 'valid' or integers",
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            padding="full",
        ),
        refused(ValueError, r"must have 4 axes", (5, 5), (1, 1, 3, 3), padding="same"),
        refused(
            ValueError, r"x \(1, 1, 0, 4\) .* nothing along", (1, 1, 0, 4), (1, 1, 1, 1), padding=1
        ),
        refused(ValueError, r"weight \(1, 1, 1, 0\) has nothing", (1, 1, 4, 4), (1, 1, 1, 0)),
        refused(ValueError, r"0 output channels", (1, 1, 4, 4), (0, 1, 3, 3)),
        *(
            refused(
                ValueError,
                rf"{setting}=1099511627776 is too large",
                (1, 1, 4, 4),
                (1, 1, 3, 3),
                **{setting: 2**40},
            )
            for setting in ("stride", "padding", "dilation")
        ),
        refused(
            ValueError,
            r"a result \(1, 1, 1073741828, 1073741828\) of .* elements is too large",
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            padding=2**29,
        ),
        refused(ValueError, r"groups=True is not", (1, 1, 4, 4), (1, 1, 3, 3), groups=True),
        refused(
            ValueError,
            r"activation='gelu' is not one of None, 'relu'",
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            activation="gelu",
        ),
        refused(
            ValueError,
            r"bias \(2,\) does not fit weight \(1, 1, 3, 3\)",
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            bias=np.ones(2),
        ),
        refused(
            ValueError,
            r"bias \(\) does not fit weight",
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            bias=np.ones(()),
        ),
        refused(
            TypeError,
            r"weight is float32 but x is float64; cast x to float32",
            (1, 1, 4, 4),
            (1, 1, 3, 3),
            dtype=np.float32,
        ),
    ],
)
def test_refuses(
    kind: type[Exception], words: str, x: Ints, weight: Ints, named: dict[str, Any]
) -> None:
    dtype = named.pop("dtype", np.float64)
    with pytest.raises(kind, match=f"^conv2d: .*{words}"):
        ops.conv2d(np.ones(x), np.ones(weight, dtype), **named)


def test_nothing_is_computed_before_the_shapes_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinymed.kernels.conv.forward", lambda *_: pytest.fail("it was computed"))
    with pytest.raises(ValueError, match="channels"):
        ops.conv2d(np.ones((1, 2, 4, 4)), np.ones((1, 3, 3, 3)))
