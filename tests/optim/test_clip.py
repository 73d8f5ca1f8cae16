"""Clipping gradients: limits, odd norms, and what is not a number."""

import math
from typing import Any

import numpy as np
import pytest

from tinymed.nn import Parameter
from tinymed.optim import clip_grad_norm_, clip_grad_value_, get_total_norm
from tinymed.row_gradient import RowGradient
from tinymed.tensor import Tensor


def with_gradients(*gradients: Any) -> list[Parameter]:
    """Return parameters with these gradients; None for one without."""
    made = []
    for gradient in gradients:
        array = np.zeros(1) if gradient is None else np.asarray(gradient, np.float64)
        param = Parameter(np.zeros_like(array))
        param.grad = None if gradient is None else Tensor(array)
        made.append(param)
    return made


@pytest.mark.parametrize(
    ("p", "norm"),
    [(1, 7.0), (2, 5.0), (math.inf, 4.0), ("inf", 4.0), (0.5, (math.sqrt(3) + 2.0) ** 2)],
)
def test_the_norm_of_all_gradients_together(p: float, norm: float) -> None:
    params = with_gradients([3.0, 0.0], None, [[-4.0]])
    assert clip_grad_norm_(params, 1.0, p) == pytest.approx(norm)
    shrunk = 1.0 / (norm + 1e-6)
    np.testing.assert_allclose(params[0].grad.data, [3.0 * shrunk, 0.0])
    np.testing.assert_allclose(params[2].grad.data, [[-4.0 * shrunk]])
    assert params[1].grad is None
    assert clip_grad_norm_(params, 1.0, p) == pytest.approx(1.0, abs=2e-6)


def test_below_the_limit_no_bit_changes() -> None:
    params = with_gradients([3.0, 4.0])
    before = params[0].grad.data.copy()
    assert clip_grad_norm_(params[0], 5.1) == 5.0
    np.testing.assert_array_equal(params[0].grad.data, before)


def test_nothing_to_clip() -> None:
    for p in (1, 2, math.inf):
        assert clip_grad_norm_(with_gradients(None), 1.0, p) == 0.0
        assert clip_grad_norm_([], 1.0, p) == 0.0
        assert clip_grad_norm_(with_gradients(np.zeros((0, 3))), 1.0, p) == 0.0


def test_parameters_may_come_from_a_generator() -> None:
    params = with_gradients([3.0], [4.0])
    assert clip_grad_norm_(iter(params), 0.0) == 5.0
    assert all((p.grad.data == 0).all() for p in params)


def test_float32_gradients_are_added_up_in_float64() -> None:
    """Squares of 1e30 overflow in float32."""
    param = Parameter(np.zeros(3, np.float32))
    param.grad = Tensor(np.full(3, 1e30, np.float32))
    assert clip_grad_norm_(param, 1.0) == pytest.approx(math.sqrt(3) * 1e30, rel=1e-6)
    assert param.grad.dtype == np.float32
    np.testing.assert_allclose(param.grad.data, np.full(3, 1 / math.sqrt(3)), rtol=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("p", [1, 2, math.inf])
@pytest.mark.parametrize("place", [0, 1])
def test_a_gradient_that_is_not_finite(bad: float, p: float, place: int) -> None:
    gradients = [[1.0, 2.0], [3.0, 4.0]]
    gradients[place][1] = bad
    params = with_gradients(*gradients)
    with pytest.raises(RuntimeError, match=f"the norm of the gradients is {bad}"):
        clip_grad_norm_(params, 1.0, p, error_if_nonfinite=True)
    np.testing.assert_array_equal(params[0].grad.data, gradients[0])
    with np.errstate(invalid="ignore"):  # 0 * inf
        norm = clip_grad_norm_(with_gradients(*gradients), 1.0, p)
    assert math.isnan(norm) if math.isnan(bad) else norm == math.inf


@pytest.mark.parametrize("p", [0, -1, math.nan])
def test_a_norm_that_is_none(p: float) -> None:
    with pytest.raises(ValueError, match=r"norm_type=.* is not positive"):
        clip_grad_norm_(with_gradients([1.0]), 1.0, p)


@pytest.mark.parametrize("limit", [-1.0, math.nan])
def test_a_limit_that_is_none(limit: float) -> None:
    """A negative one would turn every gradient round."""
    with pytest.raises(ValueError, match=r"max_norm=.* is not >= 0"):
        clip_grad_norm_(with_gradients([1.0]), limit)


def test_clipping_is_a_write_the_engine_sees() -> None:
    params = with_gradients([3.0, 4.0])
    gradient = params[0].grad.requires_grad_()
    loss = (gradient * gradient).sum()
    clip_grad_norm_(params, 1.0)
    with pytest.raises(RuntimeError, match="overwritten in place"):
        loss.backward()


# ------------------------------------------------------------------------------------- by element


def test_values_are_limited_on_both_sides() -> None:
    params = with_gradients([3.0, -0.5, math.inf, math.nan], None, [[-4.0]], 2.0)
    held = params[0].grad
    clip_grad_value_(iter(params), 1.5)
    assert params[0].grad is held
    np.testing.assert_array_equal(held.data, [1.5, -0.5, 1.5, math.nan])
    assert params[2].grad.tolist() == [[-1.5]]
    assert params[3].grad.tolist() == 1.5
    clip_grad_value_(params[2], 0)
    assert params[2].grad.tolist() == [[0]]


@pytest.mark.parametrize("limit", [-1.0, math.nan])
def test_a_limit_of_values_that_is_none(limit: float) -> None:
    with pytest.raises(ValueError, match=r"clip_value=.* is not >= 0"):
        clip_grad_value_(with_gradients([1.0]), limit)


def test_clipping_values_is_a_write_the_engine_sees() -> None:
    params = with_gradients([3.0, 4.0])
    gradient = params[0].grad.requires_grad_()
    loss = (gradient * gradient).sum()
    clip_grad_value_(params, 1.0)
    with pytest.raises(RuntimeError, match="overwritten in place"):
        loss.backward()


# ------------------------------------------------------------------------------------ all together


def test_total_norm() -> None:
    gradients = [p.grad for p in with_gradients([3.0, 0.0], [[-4.0]])]
    assert get_total_norm(gradients) == get_total_norm(iter(gradients)) == 5.0
    assert get_total_norm(gradients, 1) == 7.0
    assert get_total_norm(gradients, math.inf) == 4.0
    assert get_total_norm(gradients[0]) == 3.0
    assert get_total_norm([]) == 0.0
    bad = [Tensor(np.array([math.nan, 1.0]))]
    assert math.isnan(get_total_norm(bad))
    with pytest.raises(RuntimeError, match="get_total_norm: the norm of the gradients is nan"):
        get_total_norm(bad, error_if_nonfinite=True)
    with pytest.raises(ValueError, match=r"get_total_norm: norm_type=0\.0 is not positive"):
        get_total_norm(gradients, 0)


@pytest.mark.parametrize("p", [1.0, 2.0, math.inf])
def test_rows_are_clipped_like_the_dense_gradient(p: float) -> None:
    """Rows that are not there are 0: they add nothing to a norm, and nothing is to be limited."""
    values = np.array([[3.0, -1.0], [0.5, 2.0]])
    rows = RowGradient(np.array([1, 3]), values.copy(), (5, 2))
    one, other = with_gradients([2.0], [1.0])
    dense = with_gradients([2.0], rows.to_dense())
    one.grad, other.grad = Tensor(np.array([2.0])), rows
    assert get_total_norm(rows, p) == get_total_norm(dense[1].grad, p)
    assert clip_grad_norm_([one, other], 1.0, p) == clip_grad_norm_(dense, 1.0, p)
    assert other.grad is rows
    np.testing.assert_array_equal(rows.to_dense(), dense[1].grad.data)
    clip_grad_value_([one, other], 0.1)
    clip_grad_value_(dense, 0.1)
    np.testing.assert_array_equal(rows.to_dense(), dense[1].grad.data)
    rows.values[0, 0] = math.nan
    with pytest.raises(RuntimeError, match="is nan"):
        clip_grad_norm_([one, other], 1.0, p, error_if_nonfinite=True)
