"""`detect_anomaly`: the first NaN or infinity, and all that helps to find where it came from."""

import math
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinymed import nn, ops
from tinymed.anomaly import LAYERS, WATCH, detect_anomaly
from tinymed.autograd import Function
from tinymed.backpropagation import grad
from tinymed.creation import tensor
from tinymed.errors import AnomalyError
from tinymed.grad_mode import no_grad
from tinymed.tensor import Tensor

pytestmark = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning"
)  # NumPy's own, of 0 / 0 and log(0)
nan, inf = math.nan, math.inf
FILE = Path(__file__)


def line_of(words: str) -> str:
    """Return ``file:line`` of the only line of this file that ends with a comment ``words``."""
    found = [
        i for i, text in enumerate(FILE.read_text().splitlines(), 1) if text.endswith(f"# {words}")
    ]
    assert len(found) == 1
    return f"{FILE}:{found[0]}"


def message(call: Any, **settings: Any) -> str:
    with detect_anomaly(**settings), pytest.raises(AnomalyError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize(
    ("call", "op", "found"),
    [
        (lambda: ops.log(tensor([1.0, -1.0])), "Log", "nan"),
        (lambda: ops.log(tensor([1.0, 0.0])), "Log", "-inf"),
        (lambda: ops.exp(tensor([1.0, 1000.0])), "Exp", "inf"),
        (lambda: tensor([0.0]) / 0, "Divide", "nan"),
        (lambda: ops.exp(np.array([1000.0])), "Exp", "inf"),
        (lambda: ops.max(tensor([nan, 1.0]), 0), "ExtremeAlong", "nan"),
    ],
)
def test_forward_names_op_and_value(call: Any, op: str, found: str) -> None:
    assert message(call).startswith(f"{op}: made {found} (")


def test_forward_tells_shapes_ranges_and_the_line() -> None:
    x = tensor([[0.5, 2.0, 3.0], [1.0, -4.0, 9.0]])

    def call() -> None:
        ops.log(x * 2)  # forward

    assert message(call) == (
        "Log: made nan (2, 3) float32 [0 to 2.89, has nan] from (2, 3) float32 [-8 to 18]; "
        f"called at {line_of('forward')}"
    )


def test_inputs_that_were_not_finite_already() -> None:
    text = message(lambda: tensor([nan, 1.0]) * 2)
    assert "Multiply: made nan (2,) float32 [2 to 2, has nan]" in text
    assert "from (2,) float32 [1 to 1, has nan], 2" in text
    assert "[no finite value, has inf]" in message(lambda: tensor([inf]) * 2)


def test_backward_names_op_gradient_inputs_and_the_line() -> None:
    x = tensor([4.0, 0.0], requires_grad=True)
    with detect_anomaly():
        y = ops.sqrt(x)  # recorded here
        total = y.sum()
        with pytest.raises(AnomalyError) as caught:
            total.backward()
    assert str(caught.value) == (
        "Sqrt.backward: made inf (2,) float32 [0.25 to 0.25, has inf] from the gradient "
        "(2,) float32 [1 to 1]; its inputs were (2,) float32 [0 to 4]; "
        f"called at {line_of('recorded here')}"
    )
    assert x.grad is None


def test_under_grad_and_create_graph() -> None:
    x = tensor([0.0], requires_grad=True)
    with detect_anomaly():
        y = ops.sqrt(x)
        for create_graph in (False, True):
            with pytest.raises(AnomalyError, match=r"^Sqrt\.backward|^Divide: made inf"):
                grad(y, x, create_graph=create_graph, retain_graph=True)


def test_a_forward_outside_is_unknown() -> None:
    y = ops.sqrt(tensor([0.0], requires_grad=True))
    text = message(y.sum().backward)
    assert "Sqrt.backward: made inf" in text
    assert "its inputs were ?; called at unknown: forward ran outside detect_anomaly" in text


def test_the_layer_s_path() -> None:
    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return ops.sqrt(x)  # in a layer

    net = nn.Sequential(nn.ReLU(), nn.Sequential(nn.ReLU(), nn.ReLU(), Root()))
    x = tensor([0.0], requires_grad=True)
    text = message(lambda: net(x).sum().backward())
    assert text.startswith("Sqrt.backward: made inf")
    assert f", in layer 1.2; called at {line_of('in a layer')}" in text
    assert LAYERS.running == []


def test_infinities_may_be_meant() -> None:
    mask = tensor([0.0, -inf])
    with detect_anomaly(infinity=False):
        assert ops.softmax(tensor([1.0, 2.0]) + mask, 0).tolist() == [1, 0]
        with pytest.raises(AnomalyError, match="Subtract: made nan"):
            mask - mask
    assert "Add: made -inf" in message(lambda: mask + 1)


def test_what_is_not_a_float_is_no_anomaly() -> None:
    with detect_anomaly():
        x = tensor([1, 2])
        assert (x * 2).tolist() == [2, 4]
        assert ops.isnan(tensor([nan])).item()
        assert (tensor([nan]) == 1).item() is False
        assert ops.sum(Tensor(np.zeros((0, 2)))).item() == 0


def test_blocks_restore_what_was() -> None:
    bad = tensor([0.0])
    with detect_anomaly():
        with detect_anomaly(infinity=False):
            ops.log(bad)
            assert (WATCH.on, WATCH.infinity) == (True, False)
        assert (WATCH.on, WATCH.infinity) == (True, True)
        with pytest.raises(AnomalyError):
            ops.log(bad)
    assert (WATCH.on, WATCH.infinity) == (False, True)
    assert ops.log(bad).item() == -inf
    with pytest.raises(ZeroDivisionError), detect_anomaly():
        raise ZeroDivisionError
    assert not WATCH.on


def test_as_a_decorator() -> None:
    @detect_anomaly()
    def call() -> None:
        ops.log(tensor([0.0]))

    with pytest.raises(AnomalyError):
        call()
    assert not WATCH.on


def test_it_watches_this_thread_only() -> None:
    found: list[Any] = []
    with detect_anomaly():
        thread = threading.Thread(target=lambda: found.append(ops.log(tensor([0.0])).item()))
        thread.start()
        thread.join()
    assert found == [-inf]


def test_it_changes_no_value() -> None:
    def results() -> list[Any]:
        x = tensor([[0.3, -1.0], [2.0, 0.7]], requires_grad=True)
        y = ops.cross_entropy(ops.linear(x, x, activation="tanh"), tensor([0, 1]))
        y.backward()
        return [y.tolist(), x.grad.tolist()]

    plain = results()
    with detect_anomaly():
        assert results() == plain


def test_nothing_is_kept_where_nothing_is_recorded() -> None:
    with detect_anomaly(), no_grad():
        assert ops.exp(tensor([1.0], requires_grad=True)).grad_fn is None


def test_an_op_of_one_s_own(leave_registry: None) -> None:
    class Broken(Function):
        def forward(self, x: Any) -> Any:
            return x * 1

        def backward(self, grad_output: Any) -> Any:
            return (grad_output * nan,)

    def call() -> None:
        Broken()(tensor([1.0], requires_grad=True)).backward()  # broken

    text = message(call)
    assert text.startswith("Broken.backward: made nan (1,) float32 [no finite value, has nan]")
    assert text.endswith(line_of("broken"))


def test_the_line_is_the_user_s_even_deep_inside() -> None:
    """cross_entropy calls other ops; the line is where cross_entropy was called."""

    def call() -> None:
        ops.mse_loss(tensor([inf]), tensor([inf]))  # deep

    assert re.search(r"called at (.*)$", message(call)).group(1) == line_of("deep")
