"""Rotation, zoom, shift and flip: a dot moves where the docstrings say, and plain loops agree."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed.data import flip, rotate, shift, zoom

Array = np.ndarray
TRANSFORMS: dict[str, Callable[..., Array]] = {
    "rotate": lambda image, **more: rotate(image, 20.0, **more),
    "zoom": lambda image, **more: zoom(image, 1.2, **more),
    "shift": lambda image, **more: shift(image, (1.3, -0.4), **more),
}


def dot(shape: tuple[int, ...], *at: int) -> Array:
    image = np.zeros(shape)
    image[at] = 1
    return image


def bilinear(image: Array, rows: Array, columns: Array) -> Array:
    """Interpolate at (rows, columns), the border repeated: one pixel after the other."""
    height, width = image.shape
    result = np.empty(rows.shape)
    for at in np.ndindex(rows.shape):
        r, c = np.clip(rows[at], 0, height - 1), np.clip(columns[at], 0, width - 1)
        r0, c0 = min(int(r), height - 2), min(int(c), width - 2)
        above = image[r0, c0] * (c0 + 1 - c) + image[r0, c0 + 1] * (c - c0)
        below = image[r0 + 1, c0] * (c0 + 1 - c) + image[r0 + 1, c0 + 1] * (c - c0)
        result[at] = above * (r0 + 1 - r) + below * (r - r0)
    return result


@pytest.mark.parametrize("size", [9, 8])
def test_rotation_is_counter_clockwise_as_rot90(size: int) -> None:
    image = np.random.default_rng(0).random((size, size))
    for turns in range(-4, 5):
        np.testing.assert_array_equal(rotate(image, 90 * turns), np.rot90(image, turns))
        # not a single pixel falls outside by rounding
        np.testing.assert_array_equal(
            rotate(image, 90 * turns, mode="constant", fill=-1), np.rot90(image, turns)
        )


def test_a_dot_on_the_right_goes_up() -> None:
    turned = rotate(dot((9, 9), 4, 7), 45)
    assert np.unravel_index(turned.argmax(), turned.shape) == (2, 6)


def test_planes_of_a_volume() -> None:
    volume = np.random.default_rng(0).random((7, 7, 7))
    for axes in ((0, 1), (1, 0), (0, 2), (2, 1), (-1, -3)):
        np.testing.assert_array_equal(rotate(volume, 90, axes=axes), np.rot90(volume, 1, axes))
    assert rotate(volume, 33, axes=(0, 1)).flags.c_contiguous


def test_zoom_moves_a_dot_from_the_centre() -> None:
    image = dot((13, 13), 6, 8) + dot((13, 13), 5, 6)
    larger = zoom(image, 2)
    assert larger[6, 10] == larger[4, 6] == 1
    assert larger.sum() == 8  # each dot covers four times the area
    smaller = zoom(dot((13, 13), 6, 12), 0.5)
    assert smaller[6, 9] == 1
    inside = zoom(np.ones((8, 8)), 0.5, mode="constant", fill=-1)
    np.testing.assert_array_equal(inside[2:6, 2:6], 1)
    np.testing.assert_array_equal(inside[[0, 1, 6, 7]], -1)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_zoom_keeps_channels_apart(dims: int) -> None:
    image = np.random.default_rng(0).random((3, 4, 5, 6))
    zoomed = zoom(image, 1.3, spatial_dims=dims)
    lead = image.shape[: 4 - dims]
    for at in np.ndindex(lead):
        np.testing.assert_array_equal(zoomed[at], zoom(image[at], 1.3, spatial_dims=dims))


def test_shift_moves_a_dot_down_and_to_the_left() -> None:
    np.testing.assert_array_equal(shift(dot((6, 7), 2, 4), (2, -1)), dot((6, 7), 4, 3))
    volume = shift(dot((5, 5, 5), 1, 2, 3), (1, 2, -3))
    np.testing.assert_array_equal(volume, dot((5, 5, 5), 2, 4, 0))
    np.testing.assert_array_equal(shift([0.0, 4.0, 0.0], [0.25]), [0, 3, 1])


def test_flip() -> None:
    image = np.arange(12).reshape(2, 2, 3)
    np.testing.assert_array_equal(flip(image), image[..., ::-1])
    np.testing.assert_array_equal(flip(image, 1), image[:, ::-1])
    np.testing.assert_array_equal(flip(image, (0, -1)), image[::-1, :, ::-1])
    assert not np.shares_memory(flip(image), image)


@settings(deadline=None)
@given(
    st.floats(-400, 400),
    st.tuples(st.integers(2, 8), st.integers(2, 8)),
    st.integers(0, 99),
)
def test_rotation_against_plain_loops(degrees: float, shape: tuple[int, int], seed: int) -> None:
    image = np.random.default_rng(seed).random(shape)
    turn = np.exp(-1j * np.deg2rad(degrees))  # back, in the plane x to the right, y up
    rows, columns = np.indices(shape)
    middle_r, middle_c = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    source = ((columns - middle_c) - 1j * (rows - middle_r)) * turn
    expected = bilinear(image, middle_r - source.imag, middle_c + source.real)
    np.testing.assert_allclose(rotate(image, degrees), expected, atol=1e-10)


@settings(deadline=None)
@given(st.floats(0.2, 5), st.floats(-9, 9), st.integers(2, 8), st.integers(2, 8))
def test_zoom_and_shift_against_plain_loops(
    factor: float, pixels: float, height: int, width: int
) -> None:
    image = np.random.default_rng(0).random((height, width))
    rows, columns = np.indices(image.shape)
    r, c = (height - 1) / 2, (width - 1) / 2
    expected = bilinear(image, r + (rows - r) / factor, c + (columns - c) / factor)
    np.testing.assert_allclose(zoom(image, factor), expected, atol=1e-10)
    expected = bilinear(image, rows - pixels, columns + pixels / 3)
    np.testing.assert_allclose(shift(image, (pixels, -pixels / 3)), expected, atol=1e-10)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "uint8", "int16", "uint16", "int64", ">f4", ">i2"]
)
def test_dtypes_are_kept_and_integers_rounded(name: str, dtype: str) -> None:
    image = (100 * np.random.default_rng(0).random((8, 9))).astype(dtype)
    moved = TRANSFORMS[name](image)
    exact = TRANSFORMS[name](image.astype("float64"))
    assert moved.dtype == image.dtype
    assert moved.shape == image.shape
    tolerance = 0.5 + 1e-4 if image.dtype.kind in "iu" else 100 * np.finfo(image.dtype).eps
    assert np.abs(moved.astype("float64") - exact).max() <= tolerance


def test_splines_that_overshoot_are_clipped() -> None:
    edge = np.zeros((8, 8), np.uint8)
    edge[:, 4:] = 255
    exact = shift(edge.astype(float), (0, 0.5), order=3)
    assert exact.min() < -5
    assert exact.max() > 260
    moved = shift(edge, (0, 0.5), order=3)
    np.testing.assert_allclose(moved, np.clip(exact, 0, 255), atol=0.5001)


def test_order_0_takes_the_nearest_pixel() -> None:
    labels = np.array([[0, 7, 3, 250]], np.uint8)
    assert set(rotate(np.repeat(labels, 4, 0), 30, order=0).ravel()) <= {0, 7, 3, 250}
    assert shift(labels, (0, 0.4), order=0).tolist() == labels.tolist()
    assert shift(labels > 5, (0, 1), order=0).tolist() == [[False, False, True, False]]


def test_what_stands_outside() -> None:
    row = np.array([[1.0, 2.0, 3.0]])
    assert shift(row, (0, 2)).tolist() == [[1, 1, 1]]
    assert shift(row, (0, 2), mode="constant").tolist() == [[0, 0, 1]]
    assert shift(row, (0, 2), mode="constant", fill=-1000).tolist() == [[-1000, -1000, 1]]
    assert shift(row, (0, 2), mode="reflect").tolist() == [[2, 1, 1]]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_inputs_are_not_changed_and_may_be_views(name: str) -> None:
    base = np.random.default_rng(0).random((3, 16, 16)).astype("f4")
    view = base.transpose(0, 2, 1)[:, ::2, ::-1]
    before = base.copy()
    base.flags.writeable = False
    moved = TRANSFORMS[name](view)
    np.testing.assert_array_equal(base, before)
    np.testing.assert_array_equal(moved, TRANSFORMS[name](view.copy()))
    assert moved.flags.writeable
    assert moved.flags.c_contiguous


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize(
    ("image", "more", "kind", "message"),
    [
        (np.ones((4, 4)), {"order": 6}, ValueError, "order is 6, a spline order 0 to 5"),
        (np.ones((4, 4)), {"order": -1}, ValueError, "order is -1"),
        (np.ones((4, 4)), {"order": 1.5}, ValueError, "order is 1.5"),
        (np.ones((4, 4)), {"mode": "edge"}, ValueError, "mode is 'edge', one of constant"),
        (np.ones((4, 4)), {"fill": 0}, ValueError, "fill=0 with mode 'nearest'"),
        (np.ones((4, 4)), {"mode": "constant", "fill": np.nan}, ValueError, "fill is nan"),
        (np.ones(4), {}, ValueError, r"shape \(4,\), pixels over at least 2"),
        (np.ones((4, 0)), {}, ValueError, r"shape \(4, 0\)"),
        (np.ones((4, 4), bool), {}, TypeError, "boolean image and order=1.*use order=0"),
        (np.ones((4, 4), complex), {}, TypeError, "dtype complex128"),
        (np.ones((4, 4), object), {}, TypeError, "dtype object"),
        (np.full((4, 4), 2**60), {}, ValueError, r"1152921504606846976 in int64, at most 2\*\*53"),
    ],
)
def test_images_and_settings_that_cannot_be(
    name: str, image: Array, more: dict, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=f"^{name}: .*{message}"):
        TRANSFORMS[name](image, **more)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda x: rotate(x, np.nan), ValueError, "degrees is nan, a finite number"),
        (lambda x: rotate(x, "90"), TypeError, "degrees is '90', a number"),
        (lambda x: rotate(x, 9, axes=(0, 2)), IndexError, "rotate: dim 2 is out of range"),
        (lambda x: rotate(x, 9, axes=(1, -1)), ValueError, "names an axis twice"),
        (lambda x: rotate(x, 9, axes=(0,)), ValueError, r"axes are \(0,\), two expected"),
        (lambda x: zoom(x, 0), ValueError, "factor is 0, a number above 0"),
        (lambda x: zoom(x, -1), ValueError, "factor is -1"),
        (lambda x: zoom(x, np.inf), ValueError, "factor is inf"),
        (lambda x: zoom(x, 2, spatial_dims=4), ValueError, "spatial_dims is 4, one of"),
        (lambda x: zoom(x, 2, spatial_dims=3), ValueError, r"shape \(4, 4\).*at least 3"),
        (lambda x: shift(x, (1, np.inf)), ValueError, "pixels is inf"),
        (lambda x: shift(x, (1, 2, 3)), ValueError, r"shape \(4, 4\).*at least 3"),
        (lambda x: shift(x, ()), ValueError, r"pixels is \(\), one number for each"),
        (lambda x: shift(x, 3), ValueError, r"pixels is 3, one number for each"),
        (lambda x: shift(x, (1, None)), TypeError, "pixels is None, a number"),
        (lambda x: flip(x, 2), IndexError, "flip: dim 2 is out of range"),
        (lambda x: flip(x, (0, 0)), ValueError, "names an axis twice"),
    ],
)
def test_amounts_that_cannot_be(
    call: Callable[[Array], Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        call(np.ones((4, 4)))


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"pip install tinymed\[medical\]"):
        rotate(np.ones((4, 4)), 10)
