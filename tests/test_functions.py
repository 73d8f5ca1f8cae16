"""Ops of one's own: what a `Function` must say, what is kept alive, and what is refused."""

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.autograd import Function
from tinymed.backpropagation import grad
from tinymed.creation import tensor
from tinymed.grad_mode import no_grad
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.tensor import Tensor

pytestmark = pytest.mark.usefixtures("leave_registry")


def leaf(*values: Any) -> Tensor:
    return tensor(np.array(values, float), requires_grad=True)


class Passing(Function):
    """y = x, with what ``answer`` makes of the gradient: the ways to get a backward wrong."""

    def __init__(self, answer: Any):
        self.answer = answer

    def forward(self, *inputs: Any) -> Any:
        return inputs[0] * 1

    def backward(self, grad_output: Any) -> Any:
        return self.answer(grad_output)


del Function.registry["Passing"]  # other tests define their ops inside the fixture


# ---------------------------------------------------------------------------- writing an op


def test_an_op_of_one_s_own() -> None:
    class Cube(Function):
        """y = x^3;  dL/dx = 3 x^2 dL/dy."""

        def output_shape(self, x: Any) -> Any:
            return x

        def forward(self, x: Any) -> Any:
            return x * x * x

        def backward(self, grad_output: Any, x: Any) -> Any:
            return (grad_output * 3 * x * x,)

    assert Function.registry["Cube"] is Cube
    x = leaf(1.0, -2.0)
    assert gradcheck(lambda x: Cube()(x), [x])
    assert gradgradcheck(lambda x: Cube()(x), [x])
    np.testing.assert_array_equal(Cube()(x.data), x.data**3)


class Split(Function):
    """a, b, c = x, x^2, the sign of x as integers: two outputs that can be differentiated."""

    def forward(self, x: Any) -> Any:
        return x * 1, x * x, np.sign(x).astype(np.int64)

    def backward(self, grad_output: Any, x: Any) -> Any:
        Split.seen.append([g is not None for g in grad_output])
        first, second, _ = grad_output
        total = 0 * x if first is None else first
        return (total if second is None else total + second * x * 2,)

    seen: list[list[bool]] = []


del Function.registry["Split"]


@pytest.mark.parametrize(("used", "expected"), [((0,), 1), ((1,), 6), ((0, 1), 7)])
def test_several_outputs(used: tuple[int, ...], expected: float) -> None:
    """Outputs that nobody used come in as None."""
    Split.seen.clear()
    x = leaf(3.0)
    outputs = Split()(x)
    assert [y.requires_grad for y in outputs] == [True, True, False]
    sum((outputs[i].sum() for i in used), start=tensor(np.array(0.0))).backward()
    assert Split.seen == [[i in used for i in range(3)]]
    assert x.grad.item() == expected
    assert gradcheck(lambda x: tuple(Split()(x)[i] for i in used), [x])
    assert gradgradcheck(lambda x: tuple(Split()(x)[i] for i in used), [x])


def test_integers_carry_no_gradient(leave_registry: None) -> None:
    class Rounded(Function):
        def forward(self, x: Any) -> Any:
            return np.round(x).astype(np.int64)

        def backward(self, grad_output: Any) -> Any:
            return (grad_output,)

    assert not Rounded()(leaf(1.2)).requires_grad


def test_families_and_ops_without_derivative() -> None:
    class Family(Function):
        """No forward: not an op."""

    class Constant(Family):
        differentiable = False

        def forward(self, x: Any) -> Any:
            return x > 0

    assert "Family" not in Function.registry
    assert "Constant" in Function.registry
    assert not Constant()(leaf(1.0)).requires_grad


def test_backward_names_what_it_needs() -> None:
    words = (
        r"Wrong\.backward asks for \['z'\]; it may name inputs of forward \['x', 'y'\] or 'output'"
    )
    with pytest.raises(TypeError, match=words):

        class Wrong(Function):
            def forward(self, x: Any, y: Any) -> Any:
                return x

            def backward(self, grad_output: Any, z: Any) -> Any:
                return (grad_output, None)

    with pytest.raises(TypeError, match="Missing: no backward; write one, or set differentiable"):

        class Missing(Function):
            def forward(self, x: Any) -> Any:
                return x


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda g: (g[:1],), r"returned a gradient \(1,\) float64 for an input \(2,\) float64"),
        (lambda g: (g.sum(),), r"returned a gradient \(\) float64 for an input \(2,\)"),
        (
            lambda g: (g.astype(np.float32),),
            r"returned a gradient \(2,\) float32 for an input \(2,\) fl",
        ),
        (
            lambda g: (g, g),
            "returned 2 gradients, expected a tuple of 1, one for each input of forward",
        ),
        (lambda g: (), "returned 0 gradients, expected a tuple of 1"),
        (lambda g: g, "returned ndarray, expected a tuple of 1"),
        (lambda g: None, "returned NoneType, expected a tuple of 1"),
        (lambda g: [g], "returned list, expected a tuple of 1"),
        (lambda g: (1.0,), "returned a gradient of float"),
    ],
)
def test_a_backward_that_is_wrong(answer: Any, words: str) -> None:
    with pytest.raises(RuntimeError, match=rf"^Passing\.backward: {words}"):
        Passing(answer)(leaf(1.0, 2.0)).sum().backward()


def test_none_stands_for_zero() -> None:
    x, y = leaf(1.0), leaf(2.0)
    (Passing(lambda g: (None,))(x) + x * y).backward()
    assert x.grad.item() == 2
    with pytest.raises(RuntimeError, match="no output depends"):
        grad(Passing(lambda g: (None,))(x), x)


def test_a_gradient_for_a_constant_goes_nowhere() -> None:
    x, c = leaf(1.0), tensor(np.array([2.0]))
    Passing(lambda g: (g, g * 7))(x, c).backward()
    assert x.grad.item() == 1
    assert c.grad is None


def test_a_node_is_called_once() -> None:
    node = Passing(lambda g: (g,))
    x = leaf(1.0)
    node(x)
    with pytest.raises(RuntimeError, match="Passing: a node is called once; make another one"):
        node(x)
    plain = Passing(lambda g: (g,))
    assert plain(np.ones(1)) == plain(np.ones(1))  # nothing is recorded: nothing can be mixed up


def test_a_shape_error_is_worded_by_output_shape() -> None:
    class Rows(Function):
        def output_shape(self, x: Any, y: Any) -> Any:
            if y is None:
                raise ValueError("rows: y is missing")
            if x != y:
                raise ValueError(f"rows: {x} and {y} differ")

        def forward(self, x: Any, y: Any) -> Any:
            raise ValueError("numpy's own words")

        def backward(self, grad_output: Any) -> Any:
            return (grad_output, None)

    with pytest.raises(ValueError, match=r"rows: \(1,\) and \(2,\) differ"):
        Rows()(np.ones(1), np.ones(2))
    with pytest.raises(ValueError, match="rows: y is missing"):
        Rows()(np.ones(1), None)
    with pytest.raises(ValueError, match="numpy's own words"):
        Rows()(np.ones(1), np.ones(1))

    class Unsaid(Function):
        forward = Rows.forward
        backward = Rows.backward

    with pytest.raises(ValueError, match="numpy's own words"):
        Unsaid()(np.ones(1), np.ones(2))


# --------------------------------------------------------------------------------- memory


@pytest.fixture
def no_collector() -> Any:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("with_backward", [False, True])
def test_a_dropped_graph_leaves_nothing_behind(with_backward: bool) -> None:
    x = tensor(np.ones((2, 3, 4, 4)), requires_grad=True)
    w = tensor(np.ones((2, 3, 2, 2)), requires_grad=True)

    def step() -> list[weakref.ref[Any]]:
        y = ops.max_pool2d(ops.conv2d(x, w, activation="relu"), 2)
        y.register_hook(lambda g: g * 2)
        y.retain_grad()
        z = ops.cross_entropy(ops.flatten(y, 1), tensor([0, 1]))
        nodes = [y.grad_fn, z.grad_fn, y, z]
        if with_backward:
            z.backward()
        return [weakref.ref(node) for node in nodes]

    step()  # may compile kernels, and compilers leave much behind
    gc.collect()
    x.grad = w.grad = None
    assert [reference() for reference in step()] == [None] * 4
    x.grad = w.grad = None
    step()
    before = len(gc.get_objects())
    for _ in range(20):
        x.grad = w.grad = None
        step()
    assert len(gc.get_objects()) - before < 20
    assert gc.collect() == 0 or not with_backward


@pytest.mark.usefixtures("no_collector")
def test_what_backward_does_not_name_is_freed() -> None:
    """x + 1 needs nothing of its input, exp keeps its output: the sum in between dies at once."""
    x = leaf(1.0, 2.0)
    between = x + 1
    array = weakref.ref(between.data)
    y = ops.exp(between)
    assert array() is not None
    del between
    assert array() is None
    kept = weakref.ref(y.data)
    z = y + 1
    del y
    assert kept() is not None  # exp's backward names it
    z.sum().backward()
    assert kept() is None  # and needs it no longer, though z still holds the nodes
    assert z.grad_fn is not None


@pytest.mark.usefixtures("no_collector")
def test_backward_frees_as_it_goes() -> None:
    alive: list[int] = []
    x = leaf(*np.ones(4))
    arrays = []
    y = x
    for _ in range(5):
        y = ops.exp(y * 0.1)
        arrays.append(weakref.ref(y.data))
        y.register_hook(lambda g: alive.append(sum(a() is not None for a in arrays)))
    total = y.sum()
    del y
    total.backward()
    assert alive == [5, 4, 3, 2, 1]


@pytest.mark.usefixtures("no_collector")
def test_masks_and_indices_are_freed_too() -> None:
    x = tensor(np.ones((1, 1, 4)), requires_grad=True)
    y = ops.max_pool1d(x, 2)
    winner = weakref.ref(y.grad_fn.kept("winner"))
    y.sum().backward()
    assert winner() is None


def test_no_grad_keeps_nothing() -> None:
    x = leaf(1.0, 2.0)
    with no_grad():
        y = ops.exp(x)
    assert y.grad_fn is None
    array = weakref.ref(y.data)
    z = y * 2
    del y
    assert array() is None
    assert not z.requires_grad
