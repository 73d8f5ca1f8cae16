"""gradcheck and gradgradcheck find what is wrong, and only that."""

from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.autograd import Function
from tinymed.creation import tensor
from tinymed.gradcheck import DIRECTIONS, FULL, gradcheck, gradgradcheck
from tinymed.tensor import Tensor

pytestmark = pytest.mark.usefixtures("leave_registry")


def leaf(values: Any) -> Tensor:
    return tensor(np.array(values, float), requires_grad=True)


class ScaledSquare(Function):
    """y = x^2 with a derivative that is wrong by a factor where it is asked to be."""

    def __init__(self, wrong: Any = 1.0):
        self.wrong = wrong

    def forward(self, x: Any) -> Any:
        return x * x

    def backward(self, grad_output: Any, x: Any) -> Any:
        return (grad_output * 2 * x * self.wrong,)


class Detached(ScaledSquare):
    """The first derivative is right, but made of arrays: nothing leads to the second."""

    def backward(self, grad_output: Any, x: Any) -> Any:
        if isinstance(grad_output, Tensor):
            return (grad_output * 2 * x.detach(),)
        return (grad_output * 2 * x,)


for name in ("ScaledSquare", "Detached"):
    del Function.registry[name]


def test_right_derivatives_pass() -> None:
    assert gradcheck(lambda x: ScaledSquare()(x), [leaf([1.0, -2.0])]) is True
    assert gradgradcheck(lambda x: ScaledSquare()(x), [leaf([1.0, -2.0])]) is True
    assert gradcheck(lambda x: ScaledSquare()(x), [leaf(3.0)])
    assert gradcheck(lambda x: ScaledSquare()(x), [leaf(np.zeros((0, 2)))])
    assert gradcheck(lambda x: (ScaledSquare()(x), ops.exp(x)), [leaf([1.0])])


def test_one_wrong_element_of_a_small_input_is_named() -> None:
    wrong = np.ones((2, 3))
    wrong[1, 2] = 1.01
    x = leaf(np.arange(1.0, 7.0).reshape(2, 3))
    words = r"gradcheck: input 0 \(2, 3\), element \(1, 2\): the gradient is [-\d.]+, finite"
    with pytest.raises(AssertionError, match=words):
        gradcheck(lambda x: ScaledSquare(wrong)(x), [x])


def test_one_wrong_element_of_a_large_input_is_found() -> None:
    size = FULL + 1
    wrong = np.ones(size)
    wrong[100] = 1.5
    x = leaf(np.linspace(1, 2, size))
    assert gradcheck(lambda x: ScaledSquare()(x), [x])
    with pytest.raises(AssertionError, match=r"input 0 \(201,\), random direction \d"):
        gradcheck(lambda x: ScaledSquare(wrong)(x), [x])


def test_large_inputs_are_checked_along_a_few_directions() -> None:
    calls = []

    def counted(x: Tensor) -> Tensor:
        calls.append(1)
        return x * x

    gradcheck(counted, [leaf(np.ones(FULL + 1))])
    assert len(calls) == 1 + 2 * DIRECTIONS


def test_the_second_input_is_named() -> None:
    with pytest.raises(AssertionError, match=r"gradcheck: input 1 \(1,\)"):
        gradcheck(lambda x, y: x + ScaledSquare(2.0)(y), [leaf([1.0]), leaf([1.0])])


def test_a_missing_gradient_is_wrong_unless_it_is_zero() -> None:
    with pytest.raises(AssertionError, match="the gradient is 0, finite differences give"):
        gradcheck(lambda x, y: x * y.detach(), [leaf([2.0]), leaf([3.0])])
    assert gradcheck(lambda x, y: x * 2, [leaf([2.0]), leaf([3.0])])


def test_a_second_derivative_that_is_missing() -> None:
    x = leaf([1.0, 2.0])
    assert gradcheck(lambda x: Detached()(x), [x])
    with pytest.raises(AssertionError, match="gradcheck: input 0"):
        gradgradcheck(lambda x: Detached()(x), [x])


def test_nan_is_never_right() -> None:
    with np.errstate(invalid="ignore"), pytest.raises(AssertionError, match="nan"):
        gradcheck(lambda x: ScaledSquare(np.nan)(x), [leaf([1.0])])


def test_tolerances() -> None:
    slightly = lambda x: ScaledSquare(1.001)(x)  # noqa: E731
    with pytest.raises(AssertionError):
        gradcheck(slightly, [leaf([1.0])])
    assert gradcheck(slightly, [leaf([1.0])], rtol=0.01)
    assert gradcheck(slightly, [leaf([1.0])], atol=0.1)
    with pytest.raises(AssertionError):  # the step is far too large for a cube
        gradcheck(lambda x: x**3, [leaf([1.0])], eps=0.5)


def test_inputs_it_cannot_check() -> None:
    with pytest.raises(ValueError, match="gradcheck: no input requires a gradient"):
        gradcheck(lambda x: x, [tensor([1.0])])
    with pytest.raises(ValueError, match="gradcheck: input 1 is float32, expected float64"):
        gradcheck(lambda x, y: x * y, [leaf([1.0]), tensor([1.0], requires_grad=True)])
    assert gradcheck(lambda x, c: x * c, [leaf([1.0]), tensor([2.0])])  # a constant may be
    assert gradcheck(lambda x, n: x * n, [leaf([1.0]), 3])


def test_it_leaves_inputs_and_leaves_alone() -> None:
    x = leaf([1.0, 2.0])
    gradcheck(lambda x: x * x, [x])
    gradgradcheck(lambda x: x * x, [x])
    assert x.tolist() == [1, 2]
    assert x.grad is None


def test_a_generator_decides_the_weights() -> None:
    draws = []
    for _ in range(2):
        generator = np.random.default_rng(5)
        gradcheck(lambda x: x * x, [leaf([1.0])], generator=generator)
        draws.append(generator.random())
    assert draws[0] == draws[1] != np.random.default_rng(5).random()
