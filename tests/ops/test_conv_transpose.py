"""Transposed convolution against plain loops, and as the adjoint of convolution.

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
TRANSPOSED = {1: ops.conv_transpose1d, 2: ops.conv_transpose2d, 3: ops.conv_transpose3d}
Ints = tuple[int, ...]


@dataclass(frozen=True)
class Geometry:
    """Shapes that fit each other, and settings."""

    x: Ints
    weight: Ints
    stride: Ints
    padding: Ints
    output_padding: Ints
    dilation: Ints
    groups: int
    seed: int

    @property
    def axes(self) -> int:
        return len(self.stride)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(self.seed)
        return tuple(random.integers(-3, 4, s).astype(float) for s in (self.x, self.weight))

    def __call__(self, x: Any, weight: Any, bias: Any = None, activation: Any = None) -> Any:
        settings = self.stride, self.padding, self.output_padding, self.groups, self.dilation
        return TRANSPOSED[self.axes](x, weight, bias, *settings, activation)

    def conv(self, y: Any, weight: Any) -> Any:
        return CONV[self.axes](
            y, weight, None, self.stride, self.padding, self.dilation, self.groups
        )


@st.composite
def geometries(draw: st.DrawFn, *, invertible: bool = False) -> Geometry:
    """Draw any geometry with something left, also output_padding of several strides.

    ``invertible``: with output_padding below the stride, so that a convolution leads back.
    """
    axes = draw(st.integers(1, 3))
    most = {1: 5, 2: 3, 3: 2}[axes]
    size, kernel, stride, padding, dilation, more = [], [], [], [], [], []
    for _ in range(axes):
        size.append(draw(st.integers(1, most)))
        kernel.append(draw(st.integers(1, 3 if axes < 3 else 2)))
        stride.append(draw(st.integers(1, 3)))
        dilation.append(draw(st.integers(1, 3)))
        limit = stride[-1] if invertible else max(stride[-1], dilation[-1])
        more.append(draw(st.integers(0, limit - 1)))
        full = (size[-1] - 1) * stride[-1] + dilation[-1] * (kernel[-1] - 1) + 1 + more[-1]
        padding.append(draw(st.integers(0, min(2, (full - 1) // 2))))
    groups = draw(st.integers(1, 3))
    each = draw(st.integers(1, 2))
    return Geometry(
        x=(draw(st.integers(0, 2)), groups * each, *size),
        weight=(groups * each, draw(st.integers(1, 2)), *kernel),
        stride=tuple(stride),
        padding=tuple(padding),
        output_padding=tuple(more),
        dilation=tuple(dilation),
        groups=groups,
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@settings(max_examples=60, deadline=None)
@given(geometries())
def test_equals_plain_loops(geometry: Geometry) -> None:
    x, weight = geometry.arrays()
    expected = loops.conv_transpose(
        x,
        weight,
        geometry.stride,
        geometry.padding,
        geometry.output_padding,
        geometry.dilation,
        geometry.groups,
    )
    np.testing.assert_array_equal(geometry(x, weight), expected)


@settings(max_examples=60, deadline=None)
@given(geometries(invertible=True))
def test_is_the_adjoint_of_convolution(geometry: Geometry) -> None:
    """<conv(y, w), x> = <y, conv_transpose(x, w)>: y of the transposed shape, x of the conv's."""
    x, weight = geometry.arrays()
    transposed = geometry(x, weight)
    y = np.random.default_rng(1).integers(-3, 4, transposed.shape).astype(float)
    back = geometry.conv(y, weight)
    assert back.shape == x.shape
    assert (back * x).sum() == (y * transposed).sum()


@settings(max_examples=60, deadline=None)
@given(geometries())
def test_gradients_are_adjoint(geometry: Geometry) -> None:
    """Linear in x and in w: <y, g> = <x, dL/dx> = <w, dL/dw>; and dL/db sums g."""
    x, weight = (Tensor(a, requires_grad=True) for a in geometry.arrays())
    bias = tensor(np.zeros(geometry.weight[1] * geometry.groups), requires_grad=True)
    y = geometry(x, weight, bias)
    g = np.random.default_rng(1).integers(-3, 4, y.shape).astype(float)
    to_x, to_weight, to_bias = grad(y, [x, weight, bias], g)
    product = (y.data * g).sum()
    assert (x.data * to_x.data).sum() == product
    assert (weight.data * to_weight.data).sum() == product
    np.testing.assert_array_equal(to_bias.data, g.sum(axis=(0, *range(2, g.ndim))))


@settings(max_examples=25, deadline=None)
@given(geometries())
def test_the_gradient_of_x_equals_plain_loops(geometry: Geometry) -> None:
    """One place of x at a time: its gradient is what it adds to y, weighted with g."""
    x, weight = geometry.arrays()
    leaf = Tensor(x, requires_grad=True)
    y = geometry(leaf, weight)
    g = np.random.default_rng(2).integers(-3, 4, y.shape).astype(float)
    found = grad(y, leaf, g)[0].data
    for place in list(loops.places(x.shape))[:6]:
        one = np.zeros_like(x)
        one[place] = 1
        assert found[place] == (geometry(one, weight) * g).sum()


@settings(max_examples=25, deadline=None)
@given(geometries(), st.sampled_from(["relu", "tanh", "sigmoid", None]))
def test_bias_and_activation_are_what_stands_after(
    geometry: Geometry, activation: str | None
) -> None:
    x, weight = (tensor(a, requires_grad=True) for a in geometry.arrays())
    channels = geometry.weight[1] * geometry.groups
    bias = tensor(np.arange(channels) - 1.0, requires_grad=True)
    fused = geometry(x, weight, bias, activation)
    after = geometry(x, weight) + ops.reshape(bias, (-1, *[1] * geometry.axes))
    if activation is not None:
        after = getattr(ops, activation)(after)
    np.testing.assert_allclose(fused.data, after.data, 1e-14, 1e-14)
    g = np.cos(np.arange(fused.numel())).reshape(fused.shape)
    inputs = [x, weight, bias]
    for a, b in zip(grad(fused, inputs, g), grad(after, inputs, g), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-12, 1e-12)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_unbatched_input(axes: int) -> None:
    x, weight = np.arange(2.0 * 3**axes).reshape(2, *[3] * axes), np.ones((2, 3, *[2] * axes))
    op = TRANSPOSED[axes]
    np.testing.assert_array_equal(op(x, weight), op(x[None], weight)[0])


def test_groups_are_independent() -> None:
    random = np.random.default_rng(0)
    x, weight = random.integers(-3, 4, (2, 4, 5)) * 1.0, random.integers(-3, 4, (4, 3, 2)) * 1.0
    halves = [ops.conv_transpose1d(x[:, i : i + 2], weight[i : i + 2]) for i in (0, 2)]
    found = ops.conv_transpose1d(x, weight, groups=2)
    np.testing.assert_array_equal(found, np.concatenate(halves, axis=1))


def test_memory_of_its_own() -> None:
    """The bias is added in place: to the result, never to what came in."""
    x, weight, bias = np.ones((1, 1, 1)), np.ones((1, 1, 1)), np.ones(1)
    assert ops.conv_transpose1d(x, weight, bias).item() == 2
    assert x.item() == weight.item() == bias.item() == 1


def refused(kind: type[Exception], words: str, x: Ints, weight: Ints, **settings: Any) -> Any:
    return pytest.param(kind, words, x, weight, settings, id=words[:40])


PLAIN = (1, 2, 4, 4), (2, 1, 3, 3)


@pytest.mark.parametrize(
    ("kind", "words", "x", "weight", "named"),
    [
        refused(
            ValueError,
            r"x has 3 channels \(1, 3, 4, 4\) but weight \(2, 1, 3, 3\) expects 2",
            (1, 3, 4, 4),
            (2, 1, 3, 3),
        ),
        refused(
            ValueError, r"x \(1, 3, 4, 4\) cannot be divided into groups=2", (1, 3, 4, 4),
            (3, 1, 3, 3), groups=2,
        ),
        refused(ValueError, r"must have 4 axes: \(N, C, \*spatial\)", (4, 4), (1, 1, 3, 3)),
        refused(ValueError, r"weight \(2, 1, 3\) must have 4 axes", (1, 2, 4, 4), (2, 1, 3)),
        refused(ValueError, r"or it or weight .* is empty", (1, 2, 0, 4), (2, 1, 3, 3)),
        refused(
            ValueError, r"bias \(1,\) does not fit weight .*groups=2; \(2,\) is expected", *PLAIN,
            bias=np.ones(1), groups=2,
        ),
        refused(ValueError, r"output_padding=\(2, 2\) must be less than stride \(2, 2\)", *PLAIN,
                stride=2, output_padding=2),
        refused(ValueError, r"padding \(3, 3\) takes away all but \(0, 0\)", *PLAIN, padding=3),
        refused(ValueError, r"padding='same' is not an integer >= 0", *PLAIN, padding="same"),
        refused(ValueError, r"stride=\(1, 1, 1\) is not", *PLAIN, stride=(1, 1, 1)),
        refused(ValueError, r"groups=0 is not an integer >= 1", *PLAIN, groups=0),
        refused(ValueError, r"output_padding=-1 is not", *PLAIN, output_padding=-1),
        refused(ValueError, r"activation='gelu' is not one of", *PLAIN, activation="gelu"),
        refused(TypeError, r"weight is float32 but x is float64", *PLAIN, dtype=np.float32),
        *(
            refused(ValueError, rf"{name}=1099511627776 is too large", *PLAIN, **{name: 2**40})
            for name in ("stride", "padding", "dilation", "output_padding")
        ),
        refused(ValueError, r"a result .* elements is too large", *PLAIN, stride=2**30),
    ],
)  # fmt: skip
def test_refuses(
    kind: type[Exception], words: str, x: Ints, weight: Ints, named: dict[str, Any]
) -> None:
    dtype = named.pop("dtype", np.float64)
    with pytest.raises(kind, match=f"^conv_transpose2d: .*{words}"):
        ops.conv_transpose2d(np.ones(x), np.ones(weight, dtype), **named)
