"""Products, running sums and norms against plain loops: zeros, infinities, lengths, rounding."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tests.rounding import assert_rounded
from tinymed import ops
from tinymed.backpropagation import grad
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.tensor import Tensor

inf, nan = np.inf, np.nan
SMALL = arrays(
    np.float64,
    array_shapes(max_dims=2, max_side=5),
    elements=st.sampled_from([0.0, 0.0, 1.0, -2.0, 0.5, 3.0]),
)


def gradient(function: Any, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    leaf = Tensor(x, requires_grad=True)
    return grad(function(leaf), [leaf], [Tensor(weight)])[0].numpy()


@given(SMALL)
def test_gradient_of_a_product_leaves_one_out(x: np.ndarray) -> None:
    weight = np.arange(1.0, x[..., 0].size + 1).reshape(x.shape[:-1])
    expected = [np.delete(x, i, -1).prod(-1) * weight for i in range(x.shape[-1])]
    found = gradient(lambda t: ops.prod(t, -1), x, weight)
    np.testing.assert_array_equal(found, np.stack(expected, -1))


@given(SMALL)
def test_gradient_of_running_products_leaves_one_out(x: np.ndarray) -> None:
    weight = np.arange(1.0, x.size + 1).reshape(x.shape)
    expected = np.zeros_like(x)
    for i in range(x.shape[-1]):
        for j in range(i, x.shape[-1]):
            rest = np.delete(x[..., : j + 1], i, -1).prod(-1)
            expected[..., i] += weight[..., j] * rest
    np.testing.assert_array_equal(gradient(lambda t: ops.cumprod(t, -1), x, weight), expected)


@pytest.mark.parametrize("zeros", [[], [2], [0, 3], [0, 1, 2, 3]])
def test_products_have_all_derivatives_at_zeros(zeros: list[int]) -> None:
    x = np.array([2.0, -1.5, 0.5, 3.0])
    x[zeros] = 0
    leaf = [Tensor(x, requires_grad=True)]
    assert gradcheck(lambda t: ops.prod(t), leaf)
    assert gradgradcheck(lambda t: ops.prod(t), leaf)
    assert gradgradcheck(lambda t: ops.cumprod(t, 0), leaf)


def test_gradients_of_infinite_products_are_exact() -> None:
    assert gradient(ops.prod, np.array([inf, 2.0]), np.array(1.0)).tolist() == [2, inf]


@given(SMALL, st.booleans())
def test_running_extremes_by_loops(x: np.ndarray, largest: bool) -> None:
    op, better = (ops.cummax, np.greater_equal) if largest else (ops.cummin, np.less_equal)
    values, indices = op(x, -1)
    for row, value, index in zip(
        x.reshape(-1, x.shape[-1]),
        values.reshape(-1, x.shape[-1]),
        indices.reshape(-1, x.shape[-1]),
        strict=True,
    ):
        best = 0
        for i, element in enumerate(row):
            best = i if better(element, row[best]) else best
            assert (value[i], index[i]) == (row[best], best)


def test_logcumsumexp_of_a_long_row() -> None:
    x = np.random.default_rng(0).standard_normal(5000) * 30
    expected = np.logaddexp.accumulate(x)
    np.testing.assert_allclose(ops.logcumsumexp(x, 0), expected, 1e-13)
    weight = np.random.default_rng(1).standard_normal(5000)
    found = gradient(lambda t: ops.logcumsumexp(t, 0), x, weight)
    some = range(0, 5000, 997)
    exact = [(weight[i:] * np.exp(x[i] - expected[i:])).sum() for i in some]
    np.testing.assert_allclose(found[some], exact, 1e-9, 1e-12)


def test_running_sums_of_float16_are_added_up_in_float32() -> None:
    x = np.full(3000, 1.001, np.float16)
    assert_rounded(ops.cumsum(x, 0), np.cumsum(x.astype(float)))


def test_sums_keep_the_dtype_that_is_asked_for() -> None:
    for op in (ops.sum, ops.prod, ops.nansum):
        assert op(np.ones(3, bool), dtype="int32").dtype == np.int32
    assert ops.cumsum(np.ones(3, np.int64), 0, dtype="uint8").dtype == np.uint8


# ------------------------------------------------------------------------------------------ norms


@given(
    arrays(
        np.float64, array_shapes(max_dims=3, max_side=4), elements=st.floats(-100, 100, width=16)
    ),
    st.sampled_from([2, 1, 3, 0.5, inf, -inf, 0, -1]),
)
def test_norms_equal_numpy(x: np.ndarray, p: float) -> None:
    with np.errstate(divide="ignore"):
        expected = np.linalg.norm(x.reshape(-1), p)
        rows = np.linalg.norm(x, p, axis=-1, keepdims=True)
    np.testing.assert_allclose(ops.norm(x, p), expected, 1e-10)
    np.testing.assert_allclose(ops.vector_norm(x, p, -1, keepdim=True), rows, 1e-10)


def test_norm_of_float16_does_not_overflow() -> None:
    assert ops.norm(np.full(4, 300, np.float16)) == 600


def test_gradients_of_norms_where_they_have_none() -> None:
    zeros = np.zeros(3)
    for p in (2, 1, 0.5, 3, inf):
        assert not gradient(lambda t, p=p: ops.norm(t, p), zeros, np.array(1.0)).any()
    ties = gradient(lambda t: ops.norm(t, inf), np.array([3.0, -3.0, 1.0]), np.array(1.0))
    assert ties.tolist() == [0.5, -0.5, 0]


def test_renorm() -> None:
    x = np.array([[3.0, 4.0], [0.3, 0.4]])
    np.testing.assert_allclose(ops.renorm(x, 2, 0, 1.0), [[0.6, 0.8], [0.3, 0.4]], 1e-7)


# ------------------------------------------------------------------------- what is made of others

GENERATOR = np.random.default_rng(5)
A, B, C, V = (GENERATOR.standard_normal(s) for s in ((3, 4), (4, 3), (3, 3), (4,)))
COMPOSED: dict[str, tuple[Any, tuple[np.ndarray, ...]]] = {
    "nansum": (lambda x: ops.nansum(x, 1), (A,)),
    "nanmean": (lambda x: ops.nanmean(x, 0), (np.where(A > 1, nan, A),)),
    "var_mean": (lambda x: ops.var_mean(x, 1), (A,)),
    "std_mean": (lambda x: ops.std_mean(x, (0, 1)), (A,)),
    "amax": (lambda x: ops.amax(x, (0, 1)), (A,)),
    "aminmax": (lambda x: ops.aminmax(x, dim=1), (A,)),
    "median": (lambda x: ops.median(x, 1).values, (A,)),
    "topk": (lambda x: ops.topk(x, 2, 0).values, (A,)),
    "kthvalue": (lambda x: ops.kthvalue(x, 2, 0).values, (A,)),
    "quantile": (lambda x, q: ops.quantile(x, q, 1), (A, np.array([0.13, 0.71]))),
    "nanquantile": (lambda x: ops.nanquantile(x, 0.4, 1), (np.where(A > 1, nan, A),)),
    "normalize": (lambda x: ops.normalize(x, 3.0), (A,)),
    "renorm": (lambda x: ops.renorm(x, 2, 0, 1.5), (A,)),
    "cosine_similarity": (lambda x, y: ops.cosine_similarity(x, y), (A, B.T)),
    "cdist": (lambda x, y: ops.cdist(x, y, 1.5), (A, B.T[:2])),
    "cross": (lambda x, y: ops.cross(x, y, -1), (B, C[:1].repeat(4, 0))),
    "kron": (ops.kron, (A[:2, :2], C[:2])),
    "inner": (ops.inner, (A, V)),
    "outer": (ops.outer, (V, V[:3])),
    "addmm": (lambda x, a, b: ops.addmm(x, a, b, beta=0.5, alpha=2.0), (C[0], A, B)),
    "addbmm": (lambda x, a, b: ops.addbmm(x, a, b), (C, A[None, :, :2], B[None, :2])),
    "addr": (lambda x, a, b: ops.addr(x, a, b, beta=2.0), (A, C[0], V)),
    "matrix_power": (lambda x: ops.matrix_power(x, 3), (C,)),
    "trace": (ops.trace, (C,)),
    "tensordot": (lambda a, b: ops.tensordot(a, b, 1), (A, B)),
    "cov": (ops.cov, (A,)),
    "corrcoef": (ops.corrcoef, (A[:2],)),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_gradients(name: str) -> None:
    function, inputs = COMPOSED[name]
    leaves = [Tensor(np.array(x), requires_grad=True) for x in inputs]

    def without_missing(*xs: Any) -> Any:
        y = function(*(ops.where(ops.isnan(x), nan, x) for x in xs))
        return tuple(y) if isinstance(y, tuple) else y

    if any(np.isnan(x).any() for x in inputs):  # differences of NaN are none
        found = gradient(function, inputs[0], np.ones(function(inputs[0]).shape))
        assert np.isfinite(found).all()
        assert not found[np.isnan(inputs[0])].any()
        return
    assert gradcheck(without_missing, leaves)
    assert gradgradcheck(without_missing, leaves)


@pytest.mark.parametrize("p", [2.0, 1.0, inf, 0.5, 3.0, 0.0])
def test_distances_by_loops(p: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in blocks of one row: the same values, the same gradients."""
    a, b = GENERATOR.standard_normal((2, 5, 3)), GENERATOR.standard_normal((4, 3))
    b[1] = a[0, 2]  # one distance of 0
    expected = [[[np.linalg.norm(x - y, p) for y in b] for x in batch] for batch in a]
    np.testing.assert_allclose(ops.cdist(a, b, p), expected, 1e-13)
    leaves = [Tensor(x, requires_grad=True) for x in (a, b)]
    whole = grad(ops.cdist(*leaves, p).sum(), leaves)
    assert all(np.isfinite(g.numpy()).all() for g in whole)
    monkeypatch.setattr("tinymed.ops.distance.BLOCK", 1)
    np.testing.assert_array_equal(ops.cdist(a, b, p), ops.cdist(*leaves, p).detach().numpy())
    for one, other in zip(grad(ops.cdist(*leaves, p).sum(), leaves), whole, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), 1e-12, 1e-14)


def test_close_points_keep_their_digits() -> None:
    """|a|^2 + |b|^2 - 2 a b, a matrix product, would give 0 or 0.03 here."""
    a = np.float32([[1000.0, 1000.0]])
    np.testing.assert_allclose(ops.cdist(a, a + np.float32(0.015625)), [[0.015625 * math.sqrt(2)]])


def test_weights_of_observations_equal_numpy() -> None:
    often, much = np.array([1, 2, 0, 3]), np.array([0.5, 1.0, 2.0, 0.25])
    for some in ({"fweights": often}, {"aweights": much}, {"fweights": often, "aweights": much}):
        np.testing.assert_allclose(ops.cov(A, **some), np.cov(A, **some), 1e-12)
    np.testing.assert_allclose(ops.corrcoef(A), np.corrcoef(A), 1e-12)


def test_beta_of_0_ignores_what_is_there() -> None:
    x = np.full((2, 2), nan)
    one = np.ones((2, 2))
    assert ops.addmm(x, one, one, beta=0).tolist() == [[2, 2], [2, 2]]
    assert ops.addmm(one, x, one, alpha=0).tolist() == [[1, 1], [1, 1]]
    assert ops.addmm(x, x, one, beta=0, alpha=0).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (ValueError, r"mm: x \(3, 4\) and mat2 \(4,\) must have 2 and 2 axes", lambda: ops.mm(
            A, V)),
        (ValueError, r"bmm: x \(2, 3, 4\) and mat2 \(3, 4, 3\) differ", lambda: ops.bmm(
            np.ones((2, 3, 4)), np.ones((3, 4, 3)))),
        (TypeError, "dot: tensor is float32 but x is float64", lambda: ops.dot(V, V.astype("f4"))),
        (ValueError, r"x \(5,\) cannot be repeated to \(3, 3\)", lambda: ops.addmm(
            np.ones(5), A, B)),
        (TypeError, "addmm: beta=0.5 and alpha=1 must be integers", lambda: ops.addmm(
            *[np.ones((2, 2), int)] * 3, beta=0.5)),
        (ValueError, r"trace: x \(4,\) is not a matrix", lambda: ops.trace(V)),
        (NotImplementedError, "matrix_power: n=-1 is not implemented", lambda: ops.matrix_power(
            C, -1)),
        (ValueError, r"cross: x \(3, 4\) and other \(3, 4\) must have length 3 along dim=1",
            lambda: ops.cross(A, A, dim=1)),
        (NotImplementedError, "norm: p='nuc' is not implemented", lambda: ops.norm(A, "nuc")),
        (ValueError, r"norm: x \(0,\) has no elements along dim=None, and p=inf", lambda: ops.norm(
            np.zeros(0), inf)),
        (TypeError, "norm: x is int64, expected a floating dtype", lambda: ops.norm(np.arange(3))),
        (ValueError, r"cdist: x1 \(3, 4\) and x2 \(4, 3\) must be", lambda: ops.cdist(A, B)),
        (ValueError, "cdist: a result .* is too large", lambda: ops.cdist(
            *[np.broadcast_to(A[:1], (2**20, 4))] * 2)),
        (ValueError, "cdist: p=-1 is negative", lambda: ops.cdist(A, A, -1)),
        (ValueError, "cosine_similarity: .* do not broadcast", lambda: ops.cosine_similarity(A, B)),
        (ValueError, r"cov: x \(2, 2, 2\) has more than 2 axes", lambda: ops.cov(
            np.ones((2, 2, 2)))),
        (ValueError, "cov: fweights holds negative weights", lambda: ops.cov(
            A, fweights=np.array([1, -1, 0, 1]))),
        (ValueError, "renorm: p=0 must be above 0", lambda: ops.renorm(A, 0, 0, 1.0)),
        (IndexError, r"amax: x \(0, 2\) has no elements along dim=\(0,\)", lambda: ops.amax(
            np.zeros((0, 2)), (0,))),
        (TypeError, "integer", lambda: ops.prod(A, (0, 1))),
        (IndexError, "cumsum: dim 2 is out of range for 2 axes", lambda: ops.cumsum(A, 2)),
    ],
)  # fmt: skip
def test_refuses(kind: type[Exception], words: str, call: Any) -> None:
    with pytest.raises(kind, match=words):
        call()
