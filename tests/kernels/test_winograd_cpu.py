"""What the agreement test does not see of Winograd's convolution: its matrices, its borders."""

import ctypes
import mmap
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("numba")

from tinymed.kernels import conv, explain, use_backend
from tinymed.kernels.conv import numba_cpu_winograd as winograd
from tinymed.kernels.conv import reference
from tinymed.kernels.conv.winograd import TRANSFORMS
from tinymed.kernels.conv_pool import numba_cpu as conv_pool

ONE = (1, 1)


@pytest.mark.parametrize("m", TRANSFORMS)
def test_the_matrices_compute_a_correlation_exactly(m):
    b, g, a = (
        [[Fraction(value).limit_denominator(24) for value in row] for row in matrix]
        for matrix in TRANSFORMS[m]
    )
    rng = np.random.default_rng(m)
    d, w = (list(map(Fraction, rng.integers(-9, 9, n).tolist())) for n in (m + 2, 3))

    def times(matrix, x):
        return [sum(p * q for p, q in zip(row, x, strict=True)) for row in matrix]

    product = [p * q for p, q in zip(times(b, d), times(g, w), strict=True)]
    assert times(a, product) == [sum(w[t] * d[i + t] for t in range(3)) for i in range(m)]


@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_where_2x2_tiles_take_no_more_products_the_error_is_that_of_the_direct_sum(size):
    rng = np.random.default_rng(size)
    x, w = (rng.standard_normal(s) for s in ((9, 64, size, size), (16, 64, 3, 3)))
    given = (ONE, ONE, ONE, 1, None)
    expected = reference.forward(x.astype("f").astype("d"), w.astype("f").astype("d"), None, *given)
    found = winograd.forward(x.astype("f"), w.astype("f"), None, *given)
    assert abs(found - expected).max() < 1e-6 * abs(expected).max()


@pytest.mark.skipif(not hasattr(mmap, "PROT_READ"), reason="needs mprotect")
def test_nothing_beside_the_arrays_is_touched():
    """Arrays that begin or end where memory does: any access beyond kills the process."""
    libc, page, kept = ctypes.CDLL(None), mmap.PAGESIZE, []

    def guarded(array, at_end):
        size = -(-array.nbytes // page) * page
        memory = mmap.mmap(-1, size + 2 * page)
        kept.append(memory)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for wall in (start, start + page + size):
            assert libc.mprotect(ctypes.c_void_p(wall), page, 0) == 0
        offset = page + (size - array.nbytes if at_end else 0)
        copy = np.frombuffer(memory, array.dtype, array.size, offset).reshape(array.shape)
        copy[...] = array
        return copy

    rng = np.random.default_rng(0)
    for n, c, k, h, w in ((1, 3, 5, 7, 9), (2, 17, 9, 4, 34)):
        shapes = (n, c, h, w), (k, c, 3, 3), (k,), (n, k, h, w), (n, k, h // 2, w // 2)
        arrays = [rng.standard_normal(s).astype("f") for s in shapes]
        for at_end in (False, True):
            x, weight, bias, g, pooled = (guarded(a, at_end) for a in arrays)
            winograd.forward(x, weight, bias, ONE, ONE, ONE, 1, "relu")
            winograd.grad_input(g, weight, (h, w), ONE, ONE, ONE, 1)
            winograd.grad_weight(g, x, (3, 3), ONE, ONE, ONE, 1)
            _, winner = conv_pool.forward(x, weight, bias, ONE)
            conv_pool.grad_weight(pooled, guarded(winner, at_end), x, ONE)
            # two slices of 3x3x3 windows, of which one layer sees nothing but the padding
            cubes = guarded(np.repeat(weight[:, :, None], 3, 2), at_end)
            volumes, g = (guarded(np.stack([a, a], 2), at_end) for a in (x, g))
            given = (1, 1, 1), (1, 1, 1), (1, 1, 1), 1
            winograd.forward(volumes, cubes, bias, *given, None)
            winograd.grad_input(g, cubes, (2, h, w), *given)
            winograd.grad_weight(g, volumes, (3, 3, 3), *given)


@pytest.mark.parametrize(
    ("images", "channels", "size"),
    [(2, 8, (5, 5)), (64, 16, (25, 25)), (5, 70, (12, 12)), (2, 16, (9, 20, 20))],
)
def test_the_gradient_of_the_weight_has_the_error_it_states(images, channels, size):
    rng = np.random.default_rng(size[0])
    dy, x = (rng.standard_normal((images, channels, *size)).astype("f") for _ in range(2))
    one = (1,) * len(size)
    given = ((3,) * len(size), one, one, one, 1)
    expected = reference.grad_weight(dy.astype("d"), x.astype("d"), *given)
    found = winograd.grad_weight(dy, x, *given)
    assert abs(found - expected).max() < 2e-5 * abs(expected).max()


def test_images_of_any_width_share_a_row_of_zeros():
    """x is wider than dy, or narrower: what one leaves behind is no zero of the other."""
    for height, width, padding in ((9, 11, (1, 0)), (9, 3, (2, 4)), (3, 9, (0, 3))):
        x = np.ones((3, 8, height, width), "f")
        dy = np.ones((3, 8, height + 2 * padding[0] - 2, width + 2 * padding[1] - 2), "f")
        given = (dy, x, (3, 3), ONE, padding, ONE, 1)
        np.testing.assert_allclose(
            winograd.grad_weight(*given), reference.grad_weight(*given), rtol=1e-5, atol=1e-4
        )


def test_it_is_chosen_by_measured_rules():
    x, w = np.ones((4, 16, 12, 12), "f"), np.ones((16, 16, 3, 3), "f")
    given = (ONE, ONE, ONE, 1, None)
    assert "numba_cpu:winograd" in explain("conv.forward", x, w, None, *given)
    for small in ((x[:, :4], w[:, :4]), (x[:1, :, :6, :6], w), (x.astype("d"), w.astype("d"))):
        assert "winograd" not in explain("conv.forward", *small, None, *given)
    window = ((3, 3), ONE, ONE, ONE, 1)
    assert "numba_cpu:winograd" in explain("conv.grad_weight", x, x, *window)
    volumes, cubes = x.reshape(1, 16, 4, 12, 12), np.ones((16, 16, 3, 3, 3), "f")
    deep = ((1, 1, 1),) * 3
    assert "numba_cpu:winograd" in explain("conv.forward", volumes, cubes, None, *deep, 1, None)
    assert "numba_cpu:winograd" in explain("conv.grad_weight", volumes, volumes, (3,) * 3, *deep, 1)
    assert "winograd" not in explain("conv.forward", volumes, cubes[:, :, :1], None, *deep, 1, None)
    one = x.reshape(-1, 16, 1, 1)  # a tile of one position takes 36 products instead of 9
    for dy, seen in ((x[:, :4], x), (x, x[:, :4]), (x[:, :, :5, :6], x), (one, one)):
        assert "winograd" not in explain("conv.grad_weight", dy, seen, *window)
    assert "winograd" not in explain("conv.grad_weight", x, x, (3, 3), ONE, ONE, (2, 2), 1)
    with (
        use_backend("numba_cpu:winograd"),
        pytest.raises(LookupError, match="numba_cpu:winograd' cannot do"),
    ):
        conv.forward(x, w, None, (2, 2), ONE, ONE, 1, None)
