"""The engine: what backward and grad compute, what is recorded, and what they refuse."""

import threading
import time
from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.backpropagation import grad
from tinymed.creation import tensor, zeros
from tinymed.grad_mode import enable_grad, no_grad
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.tensor import Tensor


def leaf(*values: Any) -> Tensor:
    """A float64 leaf that wants a gradient."""
    return tensor(np.array(values, float), requires_grad=True)


# ------------------------------------------------------------------------------- long graphs


def test_a_chain_of_20_000_nodes() -> None:
    x = leaf(1.0, 2.0)
    y = x
    for _ in range(20_000):
        y = y * 1.0001
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1.0001**20_000, 1e-9)


@pytest.mark.parametrize("with_backward", [False, True])
def test_200_000_nodes_are_dropped_without_recursion(with_backward: bool) -> None:
    x = leaf(1.0)
    y = x
    for _ in range(200_000):
        y = -y
    if with_backward:
        y.backward()
        assert x.grad.item() == 1
    del y  # Python frees the chain node by node; a naive graph overflows the stack here


def test_a_wide_graph_is_walked_once_per_node() -> None:
    """Every node doubles the number of paths: 2^60 of them, 60 visits."""
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    start = time.perf_counter()
    y.backward()
    assert x.grad.item() == 2.0**60
    assert time.perf_counter() - start < 1


# --------------------------------------------------------------------------------- backward


def test_gradients_add_up_over_uses_and_calls() -> None:
    x = leaf(3.0)
    (x * x + 2 * x).backward()
    assert x.grad.item() == 2 * 3 + 2
    (x * 5).backward()
    assert x.grad.item() == 8 + 5


def test_a_leaf_is_its_own_derivative() -> None:
    x = leaf(3.0)
    x.backward()
    assert x.grad.tolist() == [1.0]
    x.backward(np.array([4.0]))
    assert x.grad.tolist() == [5.0]


def test_backward_with_weights() -> None:
    x = leaf([1.0, 2.0], [3.0, 4.0])
    weight = np.array([[1.0, 0.0], [2.0, -1.0]])
    for given in (weight, Tensor(weight)):
        x.grad = None
        (x * x).backward(given)
        np.testing.assert_array_equal(x.grad.numpy(), 2 * x.data * weight)
    np.testing.assert_array_equal(weight, [[1, 0], [2, -1]])


@pytest.mark.parametrize(
    ("gradient", "words"),
    [
        (None, r"the tensor \(2,\) is not a scalar; pass the gradient .* or call sum"),
        (np.ones(3), r"the gradient is \(3,\) float64, expected \(2,\) float64"),
        (np.ones((2, 1)), r"the gradient is \(2, 1\) float64, expected \(2,\)"),
        (np.ones(2, np.float32), r"the gradient is \(2,\) float32, expected \(2,\) float64"),
        (1.0, r"the gradient is float , expected \(2,\) float64"),
        ([1.0, 1.0], r"the gradient is list , expected \(2,\) float64"),
    ],
)
def test_a_gradient_that_does_not_fit(gradient: Any, words: str) -> None:
    y = leaf(1.0, 2.0) * 2
    for target in (y, leaf(1.0, 2.0)):
        with pytest.raises(RuntimeError, match=f"^backward: {words}"):
            target.backward(gradient)


def test_one_element_counts_as_a_scalar() -> None:
    x = leaf([[2.0]])
    (x * 3).backward()
    assert x.grad.tolist() == [[[3.0]]]


def test_a_constant_has_no_gradient() -> None:
    words = r"backward: the tensor \(1,\) float32 does not require a gradient"
    with pytest.raises(RuntimeError, match=words):
        tensor([1.0]).backward()
    with no_grad():
        y = leaf(1.0) * 2
    with pytest.raises(RuntimeError, match="or was made under no_grad"):
        y.backward()


def test_a_second_backward_names_the_tensor() -> None:
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    words = r"the tensor \(\) float64 made by Sum was freed .* retain_graph=True"
    with pytest.raises(RuntimeError, match=words):
        y.backward()


def test_what_is_shared_with_a_freed_graph() -> None:
    x = leaf(1.0, 2.0)
    shared = x * x
    shared.sum().backward()
    with pytest.raises(RuntimeError, match=r"\(2,\) float64 made by Multiply was freed"):
        shared.mean().backward()


def test_retain_graph() -> None:
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 18
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


def test_zero_size_and_no_axes() -> None:
    nothing = Tensor(np.zeros((0, 3)), requires_grad=True)
    (nothing * 2).sum().backward()
    assert nothing.grad.shape == (0, 3)
    single = tensor(np.array(2.0), requires_grad=True)
    (single * single).backward()
    assert single.grad.shape == ()
    assert single.grad.item() == 4
    assert isinstance(single.grad.data, np.ndarray)


def test_broadcasting_sums_the_gradient() -> None:
    row, column, number = (
        leaf(1.0, 2.0, 3.0),
        leaf([1.0], [2.0]),
        tensor(np.array(5.0), requires_grad=True),
    )
    ((row + column) * number).sum().backward()
    assert row.grad.tolist() == [10, 10, 10]
    assert column.grad.tolist() == [[15], [15]]
    assert number.grad.item() == 2 * 6 + 3 * 3


def test_a_read_only_gradient_becomes_a_writable_one() -> None:
    """The gradient of sum is a read-only view of one number; the leaf's is its own memory."""
    x = leaf(1.0, 2.0)
    x.sum().backward()
    x.grad.mul_(3)
    assert x.grad.tolist() == [3, 3]
    x.sum().backward()
    assert x.grad.tolist() == [4, 4]


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_share_no_memory(create_graph: bool) -> None:
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    given = np.ones(2)
    (a + b).backward(given, create_graph=create_graph)
    a.grad.mul_(2)
    assert b.grad.tolist() == [1, 1]
    assert given.tolist() == [1, 1]


def test_recorded_gradients_share_no_memory() -> None:
    a, b = leaf(1.0), leaf(2.0)
    y = a + b  # hands one gradient, a recorded one, to both
    (y * y).backward(create_graph=True)
    assert b.grad.requires_grad
    with no_grad():
        a.grad.zero_()
    assert b.grad.item() == 6


# ------------------------------------------------------------------------------------- grad


def test_grad_touches_no_leaf() -> None:
    x, y = leaf(2.0), leaf(3.0)
    to_x, to_y = grad(x * x * y, [x, y])
    assert (to_x.item(), to_y.item()) == (12, 4)
    assert x.grad is None
    assert y.grad is None
    assert not to_x.requires_grad


def test_grad_of_several_outputs() -> None:
    x = leaf(2.0)
    assert grad([x * x, 3 * x], x)[0].item() == 7
    weights = [np.array([10.0]), None]
    assert grad([x * x, 3 * x], x, weights)[0].item() == 43
    assert grad((x * x, x * x), x)[0].item() == 8
    with pytest.raises(ValueError, match="grad: 1 grad_outputs for 2 outputs"):
        grad([x * x, x], x, [None])


def test_grad_at_an_intermediate() -> None:
    x = leaf(2.0)
    y = x * x
    z = y * y * x
    to_y, to_x = grad(z, [y, x])
    assert to_y.item() == 2 * 4 * 2
    assert to_x.item() == 5 * 2.0**4
    y = x * x
    assert grad(y, y)[0].item() == 1


def test_grad_of_one_of_several_outputs() -> None:
    x = leaf([1.0, 5.0], [7.0, 2.0])
    values, _ = ops.max(x, 1)
    assert grad(values.sum(), x)[0].tolist() == [[0, 1], [1, 0]]
    values, _ = ops.max(x, 1)
    (to_values,) = grad((values * values).sum(), values)
    assert to_values.tolist() == [10, 14]


def test_unused_inputs() -> None:
    x, y = leaf(2.0), leaf(1.0, 2.0)
    with pytest.raises(
        RuntimeError, match=r"no output depends on the input \(2,\) float64; allow_un"
    ):
        grad(x * x, [x, y])
    to_x, to_y = grad(x * x, [x, y], allow_unused=True)
    assert to_x.item() == 4
    assert to_y is None
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        grad(x * x, tensor([1.0]))
    assert grad((), x, allow_unused=True) == (None,)


def test_only_ops_on_the_way_are_visited(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = leaf(2.0), leaf(3.0)
    aside = ops.exp(y)
    way = ops.tanh(x)
    monkeypatch.setattr(type(aside.grad_fn), "backward", lambda *_: pytest.fail("visited"))
    assert grad(aside * way, x, retain_graph=True)[0].item() != 0
    assert grad(aside * way, aside, retain_graph=True)[0].item() == np.tanh(2.0)
    with pytest.raises(BaseException, match="visited"):
        (aside * way).backward()


def test_grad_frees_unless_told_otherwise() -> None:
    x = leaf(2.0)
    y = x * x
    grad(y, x, retain_graph=True)
    grad(y, x)
    with pytest.raises(RuntimeError, match="freed"):
        grad(y, x, allow_unused=True)
    z = x * x
    grad(z, x, create_graph=True)
    grad(z, x)


# -------------------------------------------------------------------------- higher derivatives


def test_third_derivative() -> None:
    x = leaf(2.0)
    y = x**4
    (first,) = grad(y, x, create_graph=True)
    (second,) = grad(first, x, create_graph=True)
    (third,) = grad(second, x)
    assert [d.item() for d in (first, second, third)] == [32, 48, 48]
    assert third.requires_grad is False


def test_tanh_to_the_fourth_order() -> None:
    x = leaf(0.3)
    t = np.tanh(0.3)
    d = ops.tanh(x)
    found = []
    for order in range(4):
        (d,) = grad(d, x, create_graph=order < 3)
        found.append(d.item())
    exact = [
        1 - t**2,
        -2 * t * (1 - t**2),
        (1 - t**2) * (6 * t**2 - 2),
        8 * t * (1 - t**2) * (2 - 3 * t**2),
    ]
    np.testing.assert_allclose(found, exact, 1e-12)


def test_backward_of_a_gradient_penalty() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, -1.0)
    (to_x,) = grad((w * x * x).sum(), x, create_graph=True)
    (to_x * to_x).sum().backward()  # sum (2 w x)^2: by w, 8 w x^2; by x, 8 w^2 x
    assert w.grad.tolist() == [24, -32]
    assert x.grad.tolist() == [72, 16]


def test_a_recorded_gradient_on_the_leaf() -> None:
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad
    second = grad(x.grad, x, create_graph=True)[0]
    assert second.item() == 12
    (x * 1).backward()
    assert x.grad.item() == 13


def test_hessian_vector_product_of_a_small_network() -> None:
    random = np.random.default_rng(0)
    x, w1, w2 = (
        tensor(random.standard_normal(s), requires_grad=True) for s in ((3, 4), (5, 4), (2, 5))
    )

    def loss(x: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
        return ops.softmax(ops.linear(ops.linear(x, w1, activation="tanh"), w2), 1).log().mean()

    assert gradcheck(loss, [x, w1, w2])
    assert gradgradcheck(loss, [x, w1, w2])


def test_the_mode_inside_backward_follows_create_graph(leave_registry: None) -> None:
    from tinymed.autograd import Function
    from tinymed.grad_mode import MODE

    seen = []

    class Watching(Function):
        def forward(self, x: Any) -> Any:
            return x * 2

        def backward(self, grad_output: Any) -> Any:
            seen.append((MODE.enabled, isinstance(grad_output, Tensor)))
            return (grad_output * 2,)

    x = leaf(1.0)
    grad(Watching()(x), x, create_graph=True)
    with no_grad():
        grad(Watching()(x) if MODE.enabled else recorded(Watching(), x), x, create_graph=True)
    grad(Watching()(x), x)
    assert seen == [(True, True), (True, True), (False, False)]


def recorded(node: Any, x: Tensor) -> Tensor:
    with enable_grad():
        return node(x)


# ---------------------------------------------------------------------------------- recording


def test_no_grad_and_enable_grad() -> None:
    x = leaf(1.0)
    with no_grad():
        assert not (x * 2).requires_grad
        with enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert (x * 2).requires_grad


def test_modes_as_decorators() -> None:
    @no_grad()
    def constant(x: Tensor) -> Tensor:
        """Say so."""
        return x * 2

    @enable_grad()
    def variable(x: Tensor) -> Tensor:
        return x * 2

    x = leaf(1.0)
    assert not constant(x).requires_grad
    assert not constant(x).requires_grad
    assert constant.__doc__ == "Say so."
    with no_grad():
        assert variable(x).requires_grad


def test_modes_are_this_thread_s_own() -> None:
    x = leaf(1.0)
    found: list[bool] = []
    with no_grad():
        thread = threading.Thread(target=lambda: found.append((x * 2).requires_grad))
        thread.start()
        thread.join()
        assert not (x * 2).requires_grad
    assert found == [True]


def test_threads_walk_their_own_graphs() -> None:
    shared = leaf(*np.arange(50.0))
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(20):
                (g,) = grad((shared * shared * number).sum(), shared)
                np.testing.assert_array_equal(g.numpy(), 2 * number * shared.data)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_detach_cuts_the_graph() -> None:
    x = leaf(3.0)
    y = x.detach()
    assert np.shares_memory(x.data, y.data)
    assert not y.requires_grad
    (x * y).backward()
    assert x.grad.item() == 3


def test_what_is_recorded() -> None:
    x, c = leaf(1.0), tensor([1.0])
    assert x.is_leaf
    assert c.is_leaf
    assert (c * 2).is_leaf
    y = x * c
    assert not y.is_leaf
    assert type(y.grad_fn).__name__ == "Multiply"
    assert x.grad_fn is None
    assert not (x > 0).requires_grad
    assert not ops.argmax(x).requires_grad
    assert not ops.max(x, 0).indices.requires_grad


def test_settings_stay_readable_on_the_node() -> None:
    y = ops.conv2d(zeros(1, 1, 5, 5, requires_grad=True), zeros(1, 1, 2, 2), stride=(2, 1))
    assert y.grad_fn.stride == (2, 1)
