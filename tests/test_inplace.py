"""Writing in place: where it is noticed, where it is refused, where it may be done."""

from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.autograd import Writes, owner, wrote
from tinymed.backpropagation import grad
from tinymed.creation import tensor, zeros
from tinymed.grad_mode import no_grad
from tinymed.tensor import Tensor


def leaf(*values: Any) -> Tensor:
    return tensor(np.array(values, float), requires_grad=True)


OVERWRITTEN = r"the tensor \w+ \(2,\) float64, saved by \(2,\) float64 made by {}, was overwritten"


# ------------------------------------------------------------- writing what a gradient needs


def write_with_item(c: Tensor) -> None:
    c[0] = 5


def write_through_a_view(c: Tensor) -> None:
    c.reshape(2, 1)[1].fill_(5)


def write_through_detach(c: Tensor) -> None:
    c.detach().mul_(2)


def write_with_copy(c: Tensor) -> None:
    with no_grad():
        c.copy_(tensor(np.array([5.0, 6.0])))


def write_with_a_raw_array(c: Tensor) -> None:
    c.numpy()[:] = 5
    wrote(c.data)


def write_into_a_slice(c: Tensor) -> None:
    c[0:1].add_(3)


WRITES = [
    write_with_item,
    write_through_a_view,
    write_through_detach,
    write_with_copy,
    write_with_a_raw_array,
    write_into_a_slice,
]


@pytest.mark.parametrize("write", WRITES, ids=lambda w: w.__name__)
def test_a_saved_constant_was_overwritten(write: Any) -> None:
    x, c = leaf(1.0, 2.0), tensor(np.array([3.0, 4.0]))
    y = x * c
    write(c)
    with pytest.raises(RuntimeError, match=OVERWRITTEN.format("Multiply")):
        y.sum().backward()


@pytest.mark.parametrize("write", WRITES, ids=lambda w: w.__name__)
def test_the_base_of_a_saved_view_was_overwritten(write: Any) -> None:
    base = tensor(np.arange(4.0))
    x = leaf(1.0, 2.0)
    y = x * base[::2]
    write(base[:2])
    with pytest.raises(
        RuntimeError, match="overwritten in place after it was saved; write to a clone"
    ):
        y.sum().backward()


def test_a_saved_leaf_was_overwritten_as_an_optimizer_does() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    loss = (x * w).sum()
    with no_grad():
        w.sub_(0.1)
    with pytest.raises(RuntimeError, match=OVERWRITTEN.format("Multiply")) as error:
        loss.backward()
    assert "the tensor b (2,)" in str(error.value)


def test_a_saved_output_was_overwritten() -> None:
    y = ops.exp(leaf(1.0, 2.0))
    z = y.sum()
    with no_grad():
        y.zero_()
    with pytest.raises(RuntimeError, match=OVERWRITTEN.format("Exp")) as error:
        z.backward()
    assert "the tensor output" in str(error.value)


def test_an_index_was_overwritten() -> None:
    x, index = leaf(1.0, 2.0), tensor([0, 1])
    for y in (x[index], ops.take_along_dim(x, index, 0)):
        index[0] = 1
        with pytest.raises(RuntimeError, match=r"the tensor index .* overwritten"):
            y.sum().backward()


def test_a_condition_was_overwritten() -> None:
    x, chosen = leaf(1.0, 2.0), tensor([True, False])
    y = ops.where(chosen, x, 0.0)
    chosen.fill_(True)
    with pytest.raises(RuntimeError, match=r"the tensor condition .* overwritten"):
        y.sum().backward()


def test_running_statistics_are_written_too() -> None:
    mean, var = zeros(3), tensor([1.0, 1.0, 1.0])
    w = tensor(np.ones((2, 3), np.float32), requires_grad=True)
    y = w * var
    ops.batch_norm(tensor(np.eye(3, dtype=np.float32)), mean, var, training=True)
    with pytest.raises(RuntimeError, match="overwritten"):
        y.sum().backward()


def test_a_second_derivative_notices_it_too() -> None:
    x = leaf(2.0, 3.0)
    (first,) = grad((x * x * x).sum(), x, create_graph=True)
    with no_grad():
        x.mul_(2)
    with pytest.raises(RuntimeError, match="overwritten"):
        grad(first.sum(), x)


# --------------------------------------------------------------------------- harmless writes


def test_writes_that_change_nothing_for_the_gradient() -> None:
    x, c, other = leaf(1.0, 2.0), tensor(np.array([3.0, 4.0])), tensor(np.array([0.0, 0.0]))
    c.mul_(1)  # before it is saved
    y = x * c
    other.fill_(7)  # another array
    added = c * 1
    added.add_(5)  # a copy of it
    z = y + other
    other.zero_()  # an addition saves nothing
    with no_grad():
        z.zero_()  # nor does what follows
    z.sum().backward()
    assert x.grad.tolist() == [3, 4]


def test_a_failed_write_is_no_write() -> None:
    x, c = leaf(1.0, 2.0), tensor(np.array([3.0, 4.0]))
    y = x * c
    for wrong in (
        lambda: c.copy_(np.ones(3)),
        lambda: c.__setitem__(5, 1.0),
        lambda: c.add_(np.ones((2, 2))),
        lambda: c.add_("a"),
    ):
        with pytest.raises((ValueError, IndexError, TypeError)):
            wrong()
    y.sum().backward()
    assert x.grad.tolist() == [3, 4]


def test_a_new_array_in_the_place_of_an_old_one() -> None:
    """An id is used again; the entry of a dead array must not accuse its successor."""
    x = leaf(1.0, 2.0)
    for _ in range(100):
        c = tensor(np.array([3.0, 4.0]))
        c.add_(1)
        del c
        fresh = tensor(np.array([5.0, 6.0]))
        (g,) = grad((x * fresh).sum(), x)
        assert g.tolist() == [5, 6]


def test_the_owner_of_memory() -> None:
    base = np.arange(6.0)
    for view in (base, base[1:], base.reshape(2, 3).T[1:], base[::2][:1], base.view(np.int64)):
        assert owner(view) is base
    before = Writes.latest
    wrote(base[1:])
    assert Writes.at[id(base)] == Writes.latest > before


# ----------------------------------------------------------------------------- what is refused


IN_PLACE = {
    "add_": lambda x: x.add_(1),
    "sub_": lambda x: x.sub_(1),
    "mul_": lambda x: x.mul_(2),
    "div_": lambda x: x.div_(2),
    "clamp_": lambda x: x.clamp_(0, 1),
    "fill_": lambda x: x.fill_(1),
    "zero_": lambda x: x.zero_(),
    "copy_": lambda x: x.copy_(x.data),
    "x[i] = v": lambda x: x.__setitem__(0, 1.0),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_recorded_tensor_cannot_be_written(name: str) -> None:
    x = leaf(1.0, 2.0)
    for target in (x, x * 2, x[:1], x.reshape(2, 1)):
        words = "a tensor .* whose gradient is recorded cannot be written in place; .*no_grad"
        with pytest.raises(RuntimeError, match=words):
            IN_PLACE[name](target)
        assert (x.data == [1, 2]).all()
    with no_grad():
        IN_PLACE[name](x)
        IN_PLACE[name](x.detach())


@pytest.mark.parametrize("name", ["add_", "mul_", "copy_", "x[i] = v", "fill_"])
def test_a_recorded_value_cannot_be_written_into_a_constant(name: str) -> None:
    c, v = tensor(np.array([1.0, 2.0])), tensor(np.array(3.0), requires_grad=True)
    write = (lambda: c.__setitem__(0, v)) if name == "x[i] = v" else lambda: getattr(c, name)(v)
    with pytest.raises(RuntimeError, match="whose gradient is recorded"):
        write()
    assert c.tolist() == [1, 2]
    with no_grad():
        write()


def test_in_place_arithmetic() -> None:
    x = tensor(np.array([1.0, 2.0]))
    array = x.data
    assert x.add_(2, alpha=3) is x
    assert x.tolist() == [7, 8]
    assert x.sub_(np.array([1.0, 2.0]), alpha=2).tolist() == [5, 4]
    assert x.mul_(tensor(2)).tolist() == [10, 8]
    assert x.div_(4).tolist() == [2.5, 2]
    assert x.clamp_(max=2.25).tolist() == [2.25, 2]
    assert x.clamp_(tensor(np.array([3.0, 0.0]))).tolist() == [3, 2]
    x[0] = tensor(9)
    x[tensor([False, True])] = 7.0
    assert x.data is array
    assert array.tolist() == [9, 7]
    x[...] = x[[1, 0]]
    assert array.tolist() == [7, 9]
    assert x.fill_(3).copy_([1, 2]).zero_().tolist() == [0, 0]


@pytest.mark.parametrize(
    ("dtype", "call"),
    [
        ("int64", lambda x: x.add_(0.5)),
        ("int64", lambda x: x.mul_(tensor([0.5]))),
        ("int64", lambda x: x.div_(2)),
        ("int32", lambda x: x.clamp_(0.5, 1.5)),
        ("bool", lambda x: x.add_(1)),
        ("bool", lambda x: x.mul_(0.5)),
    ],
)
def test_a_result_that_the_dtype_cannot_hold(dtype: str, call: Any) -> None:
    x = tensor(np.ones(2, dtype))
    with pytest.raises(
        TypeError, match=f"_: the result is .*, which a tensor of {dtype} cannot hold"
    ):
        call(x)
    assert (x.data == 1).all()


def test_results_that_the_dtype_can_hold() -> None:
    assert tensor(np.ones(2, np.float16)).add_(np.ones(2)).dtype == np.float16
    assert tensor(np.ones(2, np.int32)).add_(np.ones(2, np.int64)).dtype == np.int32
    assert tensor(np.ones(2, bool)).mul_(tensor([True, False])).tolist() == [True, False]


def test_a_view_that_shares_elements_is_not_written() -> None:
    x = tensor([1.0, 2.0]).expand(3, 2)
    for write in (lambda: x.add_(1), lambda: x.zero_(), lambda: x.__setitem__(0, 1.0)):
        with pytest.raises(RuntimeError, match=r"read-only view, as expand makes; clone\(\) it"):
            write()
    assert x.clone().add_(1).tolist() == [[2, 3]] * 3


def test_augmented_assignment_under_no_grad_writes_into_the_parameter() -> None:
    """`w -= lr * w.grad` must change w itself, not rebind the name to a constant."""
    w = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    same, memory = w, w.data
    (w * w).sum().backward()
    with no_grad():
        w -= 0.5 * w.grad
        w += 1.0
        w *= 4.0
        w /= 2.0
    assert w is same
    assert w.data is memory
    assert w.requires_grad
    assert w.data.tolist() == [2.0, 2.0]


def test_augmented_assignment_of_what_is_recorded_makes_a_new_tensor() -> None:
    w = Tensor(np.array([3.0]), requires_grad=True)
    total = zero = Tensor(np.zeros(1))
    total += w * w
    total *= 2.0
    total -= w
    total /= 2.0
    total.sum().backward()
    assert zero.data.tolist() == [0.0]
    assert w.grad.data.tolist() == [5.5]


def test_augmented_assignment_of_a_recorded_leaf_is_refused() -> None:
    w = Tensor(np.array([3.0]), requires_grad=True)
    with pytest.raises(RuntimeError, match="no_grad"):
        w -= 1.0


# ---------------------------------------------------------------------- filling and drawing


def test_masked_fill_in_place() -> None:
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.masked_fill_(tensor([True, False]), -np.inf) is x
    assert x.tolist() == [[-np.inf, 2.0], [-np.inf, 4.0]]
    with pytest.raises(RuntimeError, match=r"masked_fill_: .* cannot be written in place"):
        leaf(1, 2).masked_fill_(tensor([True, False]), 0)


def test_draws_in_place() -> None:
    x = zeros(20000)
    assert x.uniform_(-1, 3, generator=np.random.default_rng(0)) is x
    assert (x.data.min() >= -1, x.data.max() < 3) == (True, True)
    assert abs(x.data.mean() - 1) < 0.05
    x.normal_(5, 0.1, generator=np.random.default_rng(0))
    assert abs(x.data.mean() - 5) < 0.01
    assert abs(x.data.std() - 0.1) < 0.01
    with no_grad():
        assert leaf(1, 2).normal_().requires_grad
    with pytest.raises(TypeError, match="uniform_: random numbers do not fit a tensor of int64"):
        zeros(2).long().uniform_()
    with pytest.raises(RuntimeError, match=r"normal_: .* cannot be written in place"):
        leaf(1, 2).normal_()
