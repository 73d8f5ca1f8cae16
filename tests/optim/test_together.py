"""Parameters are changed together, in one call of a kernel, as if each had its own optimizer."""

from typing import Any

import numpy as np
import pytest

from tinymed import nn, optim
from tinymed.kernels import optimizer as kernels
from tinymed.optim import clip_grad_norm_
from tinymed.row_gradient import RowGradient
from tinymed.tensor import Tensor

WAYS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {"weight_decay": 0.1}),
    ("Adam", {"amsgrad": True, "maximize": True}),
    ("AdamW", {}),
    ("Adamax", {"weight_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RMSprop", {"momentum": 0.9, "centered": True}),
    ("RMSprop", {"weight_decay": 0.1}),
    ("Adagrad", {"lr_decay": 0.1}),
    ("Adadelta", {"weight_decay": 0.1}),
]


def parameters() -> list[nn.Parameter]:
    """Return float32 and float64, small and in pieces, with and without axes, transposed."""
    draw = np.random.default_rng(0).standard_normal
    arrays = [draw((3, 5)), draw(()), draw((40, 901)), draw((7, 4)).T, draw(9), draw((2, 3, 4))]
    kinds = ["f4", "f4", "f4", "f4", "f8", "f8"]
    return [nn.Parameter(np.asarray(a).astype(k)) for a, k in zip(arrays, kinds, strict=True)]


def give_gradients(params: list[nn.Parameter], step: int) -> None:
    """Set gradients; none for some parameters at some steps, so that their steps differ."""
    for number, param in enumerate(params):
        draw = np.random.default_rng((step, number)).standard_normal(param.shape)
        missing = (number, step) in {(0, 0), (1, 2), (4, 1), (5, 1)}
        param.grad = None if missing else Tensor(np.asarray(draw).astype(param.dtype))


@pytest.mark.parametrize(("kind", "settings"), WAYS)
def test_together_is_each_alone(kind: str, settings: dict[str, Any]) -> None:
    """One of the parameters gets other memory on the way, as loading weights by hand may do."""
    one, each = parameters(), parameters()
    together = getattr(optim, kind)(one, **settings)
    alone = [getattr(optim, kind)([param], **settings) for param in each]
    for step in range(5):
        for params in (one, each):
            give_gradients(params, step)
            if step == 3:
                params[2].data = params[2].data * 0.5
        together.step()
        for optimizer in alone:
            optimizer.step()
    for number, (a, b) in enumerate(zip(one, each, strict=True)):
        np.testing.assert_array_equal(a.data, b.data)
        assert set(together.state[number]) == set(alone[number].state[0])
        for name, value in together.state[number].items():
            np.testing.assert_array_equal(value, alone[number].state[0][name])


def test_one_call_of_the_kernel_for_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[tuple[int, ...]]] = []
    adam = kernels.adam

    def spy(params: list[Any], *others: Any) -> None:
        calls.append([param.shape for param in params])
        adam(params, *others)

    monkeypatch.setattr(optim.Adam, "kernel", staticmethod(spy))
    params = parameters()
    optimizer = optim.Adam([{"params": params[:5]}, {"params": params[5:], "lr": 0.1}])
    give_gradients(params, 9)
    optimizer.step()
    assert calls == [[(3, 5), (), (40, 901), (4, 7)], [(9,)], [(2, 3, 4)]]
    calls.clear()
    params[1].grad = None
    optimizer.step()
    params[1].grad = Tensor(np.float32(1.0))
    optimizer.step()  # the one that stayed behind is in a call of its own
    assert [len(call) for call in calls] == [3, 1, 1, 3, 1, 1, 1]


def test_groups_without_parameters_count_for_nothing() -> None:
    first, last = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(3))
    optimizer = optim.SGD([{"params": [first]}, {"params": []}, {"params": [last]}], momentum=0.9)
    last.grad = Tensor(np.ones(3))
    optimizer.step()
    assert set(optimizer.state) == {1}


def test_rows_beside_dense_gradients() -> None:
    table, other = nn.Parameter(np.ones((5, 2), "f4")), nn.Parameter(np.ones(3, "f4"))
    table.grad = RowGradient(np.array([1, 3]), np.full((2, 2), 0.5, "f4"), (5, 2))
    other.grad = Tensor(np.full(3, 2.0, "f4"))
    optim.SGD([table, other], lr=0.5).step()
    np.testing.assert_array_equal(table.data[:, 0], [1, 0.75, 1, 0.75, 1])
    np.testing.assert_array_equal(other.data, [0, 0, 0])


def test_gradients_that_are_views() -> None:
    """Transposed, and one number for all: as `expand` and `T` leave them."""
    params = [nn.Parameter(np.ones((2, 3), "f4")) for _ in range(2)]
    turned = np.arange(6, dtype="f4").reshape(3, 2).T
    params[0].grad, params[1].grad = Tensor(turned), Tensor(np.broadcast_to(np.float32(2), (2, 3)))
    optim.SGD(params, lr=1.0).step()
    np.testing.assert_array_equal(params[0].data, 1 - turned)
    np.testing.assert_array_equal(params[1].data, np.full((2, 3), -1))


def test_clipped_before_the_step() -> None:
    params = [nn.Parameter(np.zeros(1)), nn.Parameter(np.zeros(1))]
    params[0].grad, params[1].grad = Tensor(np.array([30.0])), Tensor(np.array([40.0]))
    assert clip_grad_norm_(params, 5.0) == 50
    optim.SGD(params, lr=1.0).step()
    np.testing.assert_allclose([p.data[0] for p in params], [-3.0, -4.0], rtol=1e-6)


def test_two_parameters_on_the_same_memory() -> None:
    """Each takes its step, one after the other."""
    memory = np.zeros(100_000, np.float32)
    params = [nn.Parameter(memory), nn.Parameter(memory)]
    for param in params:
        param.grad = Tensor(np.ones(memory.shape, np.float32))
    optim.SGD(params, lr=1.0).step()
    assert (memory == -2).all()
