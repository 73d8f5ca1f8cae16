"""What the agreement test does not see of convolution: geometries nobody thought of, NaN, inf.

The oracle is the reference, in float64.
"""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from tinymed.kernels import conv
from tinymed.kernels.conv import reference
from tinymed.kernels.conv.cases import Layer

DIRECT, SMALL_MAPS = "numba_cpu:direct", "numba_cpu:small_maps"


@st.composite
def layers(draw: Any) -> Layer:
    """Return a convolution of 1 to 3 dimensions that has at least one position."""
    axes = draw(st.integers(1, 3))
    most = (40, 12, 6)[axes - 1]

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel, dilation, padding = each(1, (7, 4, 3)[axes - 1]), each(1, 3), each(0, 3)
    size = tuple(
        max(s, d * (k - 1) + 1 - 2 * p)
        for s, d, k, p in zip(each(1, most), dilation, kernel, padding, strict=True)
    )
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    c, k = (groups * draw(st.sampled_from([1, 2, 3, 9, 17])) for _ in range(2))
    shape = (draw(st.sampled_from([1, 2, 5, 17])), c, *size)
    return Layer(shape, k, kernel, each(1, 4), padding, dilation, groups)


def arrays(layer: Layer, seed: int = 0) -> tuple[Any, Any, Any, Any]:
    rng = np.random.default_rng(seed)
    shapes = layer.shape, layer.weight(), (layer.k,), (layer.shape[0], layer.k, *layer.out())
    x, weight, bias, dy = (rng.standard_normal(shape) for shape in shapes)
    return x, weight, bias, dy


def assert_agrees(layer: Layer, implementation: str, dtype: Any) -> None:
    x, weight, bias, dy = (array.astype(dtype) for array in arrays(layer))
    geometry = (*layer.settings(), layer.groups)
    positions = layer.shape[0] * math.prod(layer.out())
    taps = math.prod(layer.kernel)
    for name, terms, arguments in (
        ("forward", taps * layer.weight()[1], (x, weight, bias, *geometry, "relu")),
        ("grad_input", taps * layer.k, (dy, weight, layer.shape[2:], *geometry)),
        ("grad_weight", positions, (dy, x, layer.kernel, *geometry)),
    ):
        exact = getattr(reference, name)(*(_exactly(given) for given in arguments))
        result = getattr(conv, name).load(implementation)(*arguments)
        assert result.dtype == dtype
        allowed = 16 * math.sqrt(1 + terms) * np.finfo(dtype).eps * (1 + np.abs(exact).max())
        np.testing.assert_allclose(result, exact, rtol=0, atol=allowed, err_msg=f"{name} {layer}")


def _exactly(given: Any) -> Any:
    return given.astype(np.float64) if isinstance(given, np.ndarray) else given


@settings(max_examples=30, deadline=None)
@given(layers())
def test_direct_is_right_in_any_geometry(layer: Layer) -> None:
    assert_agrees(layer, DIRECT, np.float32)


@st.composite
def dense_windows(draw: Any) -> Layer:
    """Return 3x3 windows of one channel: any padding, several registers and blocks of lines."""
    results, channels = draw(st.sampled_from([(1, 1), (1, 17), (3, 2)]))
    padding = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    size = (draw(st.integers(3, 40)), draw(st.sampled_from([3, 14, 15, 16, 17, 28, 33, 64, 600])))
    shape = (draw(st.sampled_from([1, 2, 9])), channels, *size)
    return Layer(shape, channels * results, (3, 3), 1, padding, groups=channels)


@settings(max_examples=15, deadline=None)
@given(dense_windows())
def test_dense_windows_are_right_at_every_edge(layer: Layer) -> None:
    assert_agrees(layer, DIRECT, np.float32)


@settings(max_examples=20, deadline=None)
@given(layers().filter(lambda layer: layer.groups == 1))
def test_small_maps_are_right_in_any_geometry(layer: Layer) -> None:
    assert_agrees(layer, SMALL_MAPS, np.float32)


# One row of a tile, and just enough steps that the registers of weights laid out side by side
# reach past their block: what is behind it must not be written.
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 2, 16, 17, 18, 33, 34])
@pytest.mark.parametrize("groups", [1, 3])
def test_blocks_of_one_row_keep_to_their_place(channels: int, groups: int, dtype: Any) -> None:
    layer = Layer((2, channels * groups, 6), groups, (1,), groups=groups)
    assert_agrees(layer, DIRECT, dtype)
    assert_agrees(layer._replace(kernel=(3,)), DIRECT, dtype)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "layer",
    [
        Layer((2, 3, 7, 9), 4, (3, 3), padding=1),
        Layer((1, 9, 20), 1, (5,), stride=2, padding=2),
        Layer((2, 4, 8, 19), 4, (3, 3), padding=1, groups=4),
        Layer((2, 4, 9, 8), 4, (3, 3), stride=2, padding=1, groups=4),
    ],
    ids=str,
)
def test_nan_and_inf_are_where_the_reference_has_them(layer: Layer, value: float) -> None:
    x, weight, bias, dy = arrays(layer)
    geometry = (*layer.settings(), layer.groups)
    x[-1, 0, ..., 2] = value
    dy[0, -1, ..., 1] = value
    for name, arguments in (
        ("forward", (x, weight, bias, *geometry, None)),
        ("grad_input", (dy, weight, layer.shape[2:], *geometry)),
    ):
        with np.errstate(invalid="ignore"):
            exact = getattr(reference, name)(*arguments)
        result = getattr(conv, name).load(DIRECT)(*arguments)
        np.testing.assert_allclose(result, exact, rtol=1e-9, atol=1e-9, err_msg=name)


def test_a_tap_in_the_padding_of_a_small_map_is_no_product() -> None:
    x, weight = np.ones((17, 1, 1, 1)), np.full((1, 1, 3, 3), np.inf)
    weight[0, 0, 1, 1] = 2
    y = conv.forward.load(SMALL_MAPS)(x, weight, None, (1, 1), (1, 1), (1, 1), 1, None)
    np.testing.assert_array_equal(y, np.full((17, 1, 1, 1), 2.0))


@pytest.mark.parametrize(
    ("shape", "stride", "chosen"),
    [
        ((32, 64, 2, 2), 1, SMALL_MAPS),
        ((32, 64, 7, 7), 2, SMALL_MAPS),
        ((32, 64, 7, 7), 1, "numba_cpu:winograd"),
        ((1, 64, 7, 7), 2, DIRECT),
        ((32, 64, 28, 28), 2, DIRECT),
    ],
)
def test_small_maps_run_where_they_pay(shape: Any, stride: int, chosen: str) -> None:
    x, weight = np.zeros(shape, np.float32), np.zeros((64, 64, 3, 3), np.float32)
    rule = conv.forward.choose((x, weight, None, (stride,) * 2, (1, 1), (1, 1), 1, None), None)
    assert rule.implementation == chosen
