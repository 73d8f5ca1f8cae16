"""Hooks on leaves and in between: they see the whole gradient, may replace it, and go away."""

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from tinymed.backpropagation import grad
from tinymed.creation import tensor
from tinymed.grad_mode import no_grad
from tinymed.tensor import Tensor


def leaf(*values: Any) -> Tensor:
    return tensor(np.array(values, float), requires_grad=True)


def test_a_hook_sees_the_whole_gradient_once() -> None:
    seen: list[Any] = []
    x = leaf(2.0)
    y = x * 3
    x.register_hook(lambda g: seen.append(("x", g.tolist())))
    y.register_hook(lambda g: seen.append(("y", g.tolist())))
    (y + y * y + x).backward()
    assert seen == [("y", [13.0]), ("x", [40.0])]
    assert x.grad.tolist() == [40]


def test_a_hook_replaces_the_gradient() -> None:
    x = leaf(1.0, 2.0)
    y = x * 3
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: -g)
    (y * np.array([1.0, 2.0])).sum().backward()
    assert x.grad.tolist() == [-30, -60]


def test_hooks_run_in_order() -> None:
    x = leaf(1.0)
    x.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: g * 10)
    x.backward()
    assert x.grad.tolist() == [20]


def test_removing_a_hook() -> None:
    x = leaf(1.0)
    y = x * 1
    removes = [x.register_hook(lambda g: g * 2), y.register_hook(lambda g: g * 3)]
    y.backward(retain_graph=True)
    for remove in removes:
        remove()
        remove()  # a second time does nothing
    y.backward()
    assert x.grad.tolist() == [6 + 1]


def test_a_hook_may_remove_itself() -> None:
    x = leaf(1.0)
    remove = x.register_hook(lambda g: remove())
    other: list[Any] = []
    x.register_hook(other.append)
    x.backward()
    x.backward()
    assert len(other) == 2


@pytest.mark.parametrize("on_leaf", [True, False])
@pytest.mark.parametrize(
    ("returned", "kind", "words"),
    [
        (
            tensor(np.ones(3)),
            ValueError,
            r"hook: returned a gradient \(3,\) float64, expected \(2,\) float64",
        ),
        (
            tensor([1.0, 1.0]),
            ValueError,
            r"hook: returned a gradient \(2,\) float32, expected \(2,\) float64",
        ),
        (np.ones(2), TypeError, "hook: returned ndarray, expected a Tensor or None"),
        (1.0, TypeError, "hook: returned float"),
    ],
)
def test_a_hook_that_returns_what_does_not_fit(
    on_leaf: bool, returned: Any, kind: type[Exception], words: str
) -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    (x if on_leaf else y).register_hook(lambda g: returned)
    with pytest.raises(kind, match=words):
        y.sum().backward()


def test_hooks_under_grad() -> None:
    x = leaf(1.0)
    y = x * 3
    x.register_hook(lambda g: g * 2)
    y.register_hook(lambda g: g * 5)
    to_y, to_x = grad(y * 1, [y, x])
    assert (to_y.item(), to_x.item()) == (5, 30)
    assert x.grad is None


def test_hooks_are_recorded_under_create_graph() -> None:
    x = leaf(3.0)
    y = x * x
    y.register_hook(lambda g: g * x)
    (first,) = grad(y, x, create_graph=True)  # 2 x * x
    assert first.item() == 18
    assert grad(first, x)[0].item() == 12


def test_no_hook_where_no_gradient_goes() -> None:
    for constant in (tensor([1.0]), leaf(1.0).detach()):
        with pytest.raises(
            RuntimeError, match="register_hook: the tensor does not require a gradient"
        ):
            constant.register_hook(print)
        with pytest.raises(
            RuntimeError, match="retain_grad: the tensor does not require a gradient"
        ):
            constant.retain_grad()


def test_retain_grad() -> None:
    x = leaf(2.0)
    y = x * 3
    y.retain_grad()
    y.retain_grad()  # a second time changes nothing
    x.retain_grad()  # nor on a leaf
    (y * y).backward(retain_graph=True)
    assert y.grad.tolist() == [12]
    (y * y).backward()
    assert y.grad.tolist() == [24]
    assert x.grad.tolist() == [72]


def test_retain_grad_sees_what_hooks_made() -> None:
    y = leaf(2.0) * 3
    y.retain_grad()
    y.register_hook(lambda g: g * 100)
    y.backward()
    assert y.grad.tolist() == [100]


def test_retained_gradients_share_no_memory() -> None:
    a, b = leaf(1.0) * 2, leaf(2.0) * 2
    a.retain_grad()
    b.retain_grad()
    (a + b).backward()
    a.grad.mul_(5)
    assert b.grad.tolist() == [1]


def test_hooks_keep_nothing_alive() -> None:
    gc.collect()
    gc.disable()
    try:
        y = leaf(2.0) * 3
        z = y * y
        y.retain_grad()
        y.register_hook(lambda g: g)
        gone = weakref.ref(y)
        del y
        assert gone() is None
        z.backward()  # the hook runs, the tensor it was for is gone
    finally:
        gc.enable()


def test_hooks_under_no_grad_are_not_recorded() -> None:
    x = leaf(3.0)
    seen: list[bool] = []
    x.register_hook(lambda g: seen.append((g * x).requires_grad))
    (x * x).backward()
    with no_grad():
        x.backward()
    assert seen == [False, False]


def test_the_handle_removes_it_as_in_pytorch() -> None:
    x = tensor([1.0], requires_grad=True)
    handle = x.register_hook(lambda gradient: gradient * 2)
    handle.remove()
    handle.remove()  # once more does nothing
    assert grad((x * 3).sum(), x)[0].item() == 3
