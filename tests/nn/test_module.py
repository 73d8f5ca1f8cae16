"""Module: how attributes are registered and found, how it runs and what it shows."""

import copy
import math
from typing import Any

import numpy as np
import pytest

import tinymed
from tinymed import nn
from tinymed.creation import ones, zeros
from tinymed.kernels.registry import use_backend
from tinymed.tensor import Tensor


class Scale(nn.Module):
    """y = factor x + shift, with a count that is not saved."""

    def __init__(self, size: int = 3) -> None:
        super().__init__()
        self.factor = nn.Parameter(np.full(size, 2.0, np.float32))
        self.register_parameter("shift", None)
        self.register_buffer("mean", zeros(size))
        self.register_buffer("count", Tensor(np.array(4)), persistent=False)

    def forward(self, x: Any) -> Any:
        y = x * self.factor
        return y if self.shift is None else y + self.shift


class Network(nn.Module):
    """Two branches that share a layer, and a list."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.second = nn.Sequential(nn.ReLU(), Scale(2))
        self.again = self.first
        self.tail = nn.ModuleList([nn.Linear(2, 1, bias=False)])
        self.tied = self.first.weight

    def forward(self, x: Any) -> Any:
        return self.tail[0](self.again(self.second(self.first(x))))


def names(pairs: Any) -> list[str]:
    return [name for name, _ in pairs]


# ------------------------------------------------------------------------------------- attributes


def test_before_init() -> None:
    class Early(nn.Module):
        def __init__(self, how: str) -> None:
            if how == "attribute":
                self.size = 3
            elif how == "parameter":
                self.register_parameter("weight", None)
            else:
                self.register_buffer("weight", None)

    for how, name in (("attribute", "size"), ("parameter", "weight"), ("buffer", "weight")):
        with pytest.raises(
            AttributeError, match=rf"Early: call super\(\).__init__\(\) before setting {name}"
        ):
            Early(how)


def test_what_is_registered() -> None:
    scale = Scale()
    scale.note = "plain"
    scale.constant = zeros(3)  # a Tensor that is neither trained nor saved
    assert names(scale.named_parameters()) == ["factor"]
    assert names(scale.named_buffers()) == ["mean", "count"]
    assert scale.shift is None
    assert list(scale.state_dict()) == ["factor", "mean"]
    with pytest.raises(AttributeError, match="Scale has no attribute 'missing'"):
        _ = scale.missing


def test_replacing_keeps_the_place() -> None:
    layer: Any = nn.Linear(3, 2)
    layer.weight = nn.Parameter(np.zeros((2, 3), np.float32))
    assert names(layer.named_parameters()) == ["weight", "bias"]
    assert (layer(ones(1, 3)).data == layer.bias.data).all()
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    setattr(network, "1", nn.Tanh())
    assert [type(module).__name__ for module in network] == ["Linear", "Tanh", "Linear"]


def test_a_name_changes_its_kind() -> None:
    scale: Any = Scale()
    scale.shift = nn.Parameter(np.ones(3, np.float32))
    assert names(scale.named_parameters()) == ["factor", "shift"]
    scale.shift = None
    assert scale.shift is None
    assert names(scale.named_parameters()) == ["factor"]
    scale.count = nn.Parameter(np.ones(1))  # what was a buffer that is not saved
    assert names(scale.named_buffers()) == ["mean"]
    assert "count" in scale.state_dict()
    scale.factor = nn.Identity()
    assert names(scale.named_parameters()) == ["count"]
    assert names(scale.named_children()) == ["factor"]
    scale.plain = 3
    scale.plain = nn.Parameter(np.ones(1))
    assert names(scale.named_parameters()) == ["count", "plain"]
    assert "plain" not in vars(scale)


def test_what_cannot_be_put_where_a_tensor_was() -> None:
    scale = Scale()
    for name, value in (("factor", ones(3)), ("factor", 2.0), ("shift", 1.0), ("mean", [0.0])):
        with pytest.raises(TypeError, match=rf"Scale\.{name}: cannot put .* delete it first"):
            setattr(scale, name, value)
    scale.mean = ones(3)
    assert (scale.state_dict()["mean"].data == 1).all()


def test_deleting() -> None:
    scale: Any = Scale()
    del scale.factor
    del scale.count
    scale.factor = 3.0
    assert list(scale.parameters()) == []
    assert vars(scale)["factor"] == 3.0
    scale.register_buffer("count", zeros(1))
    assert list(scale.state_dict()) == ["mean", "count"]
    scale.register_buffer("count", zeros(1), persistent=False)
    assert list(scale.state_dict()) == ["mean"]
    scale.register_buffer("count", zeros(1))
    assert list(scale.state_dict()) == ["mean", "count"]
    with pytest.raises(AttributeError, match="missing"):
        del scale.missing


@pytest.mark.parametrize("register", ["register_parameter", "register_buffer", "add_module"])
@pytest.mark.parametrize("name", ["a.b", "", 3, "forward", "factor", "mean", "child", "plain"])
def test_names_that_cannot_be_registered(register: str, name: Any) -> None:
    """Except that a method may replace what it has registered itself."""
    scale = Scale()
    scale.child, scale.plain = nn.ReLU(), 1
    own = {"register_parameter": "factor", "register_buffer": "mean", "add_module": "child"}
    if own[register] == name:
        getattr(scale, register)(name, None)
        return
    with pytest.raises(KeyError, match=r"is taken|is not a name without dots"):
        getattr(scale, register)(name, None)


def test_values_that_cannot_be_registered() -> None:
    scale: Any = Scale()
    with pytest.raises(TypeError, match=r"Scale\.new: Tensor is not a Parameter"):
        scale.register_parameter("new", ones(1))
    with pytest.raises(TypeError, match=r"Scale\.new: ndarray is not a Tensor"):
        scale.register_buffer("new", np.ones(1))
    with pytest.raises(TypeError, match=r"Scale\.new: function is not a Module"):
        scale.add_module("new", lambda x: x)
    with pytest.raises(TypeError, match=r"CrossEntropyLoss\.weight: list is not a Tensor"):
        nn.CrossEntropyLoss([1.0, 2.0])  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------ looking in


def test_paths() -> None:
    network = Network()
    assert names(network.named_modules()) == [
        *("", "first", "second", "second.0", "second.1", "tail", "tail.0"),
    ]
    assert names(network.named_children()) == ["first", "second", "again", "tail"]
    assert len(list(network.modules())) == 7
    expected = ["tied", "first.bias", "second.1.factor", "tail.0.weight"]
    assert names(network.named_parameters()) == expected
    assert len(list(network.parameters())) == 4
    assert names(network.named_parameters("net")) == [f"net.{name}" for name in expected]
    assert names(network.named_buffers()) == ["second.1.mean", "second.1.count"]
    assert names(network.named_modules("net"))[:2] == ["net", "net.first"]


def test_state_dict_names_what_is_shared_twice() -> None:
    """As PyTorch does, so that its files load as they are."""
    state = Network().state_dict()
    assert list(state) == [
        *("tied", "first.weight", "first.bias", "second.1.factor", "second.1.mean"),
        *("again.weight", "again.bias", "tail.0.weight"),
    ]
    assert state["tied"].data is state["again.weight"].data


def test_shared_gradients_add_up() -> None:
    layer = nn.Linear(2, 2, bias=False).double()
    x = Tensor(np.array([[1.0, 2.0]]))
    nn.Sequential(layer, layer)(x).sum().backward()
    w, total = layer.weight.data, np.ones((2, 2))  # y = sum(W W x)
    expected = np.outer([1, 1], w @ x.data[0]) + np.outer(w.T @ [1, 1], x.data[0])
    np.testing.assert_allclose(layer.weight.grad.data, expected * total)


def test_apply_visits_the_inner_ones_first() -> None:
    seen: list[str] = []
    network = nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh())
    assert network.apply(lambda module: seen.append(type(module).__name__)) is network
    assert seen == ["ReLU", "Sequential", "Tanh", "Sequential"]


def test_train_and_eval_reach_everything() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.BatchNorm1d(2)))
    assert network.training
    assert network.eval() is network
    assert [module.training for module in network.modules()] == [False] * 4
    assert network[1].train() is network[1]
    assert [module.training for module in network.modules()] == [False, False, True, True]


def test_requires_grad_and_zero_grad() -> None:
    layer = nn.Linear(2, 1)
    layer(ones(1, 2)).sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
    kept = layer.weight.grad
    layer.zero_grad(set_to_none=False)
    assert (kept.data == 1).all()
    assert all((p.grad.data == 0).all() for p in layer.parameters())
    layer.zero_grad()
    assert all(p.grad is None for p in layer.parameters())
    assert layer.requires_grad_(False) is layer
    assert not layer(ones(1, 2)).requires_grad
    assert layer.requires_grad_()(ones(1, 2)).requires_grad


def test_a_copy_shares_nothing() -> None:
    network = Network()
    network(ones(1, 2)).sum().backward()
    twin = copy.deepcopy(network)
    assert list(twin.state_dict()) == list(network.state_dict())
    assert twin.tied is twin.first.weight
    assert twin.first is twin.again
    twin.first.weight.data += 1
    assert not np.array_equal(network.tied.data, twin.tied.data)
    before = network.tied.grad.data.copy()
    twin(ones(1, 2)).sum().backward()
    np.testing.assert_array_equal(network.tied.grad.data, before)


# --------------------------------------------------------------------------------------- running


def test_hooks() -> None:
    layer, seen = nn.Identity(), []
    remove = [
        layer.register_forward_pre_hook(lambda m, inputs: seen.append(("pre", inputs[0].item()))),
        layer.register_forward_pre_hook(lambda m, inputs: inputs[0] + 1),
        layer.register_forward_pre_hook(lambda m, inputs: (inputs[0] * 2,)),
        layer.register_forward_hook(lambda m, inputs, y: seen.append(("hook", inputs[0].item()))),
        layer.register_forward_hook(lambda m, inputs, y: y * 10),
    ]
    assert layer(ones(1)).item() == 40.0
    assert seen == [("pre", 1.0), ("hook", 4.0)]
    remove[1]()
    remove[1]()
    assert layer(ones(1)).item() == 20.0
    for each in remove:
        each()
    assert layer(ones(1)).item() == 1.0
    assert len(seen) == 4


def test_a_hook_may_remove_itself() -> None:
    layer, seen = nn.Identity(), []

    def once(module: nn.Module, inputs: Any, output: Any) -> None:
        seen.append(1)
        remove()

    def once_before(module: nn.Module, inputs: Any) -> None:
        seen.append(0)
        remove_before()

    remove_before = layer.register_forward_pre_hook(once_before)
    remove = layer.register_forward_hook(once)
    layer.register_forward_hook(lambda m, inputs, y: seen.append(2))
    layer(ones(1))
    layer(ones(1))
    assert seen == [0, 1, 2, 2]


def test_forward_may_have_names() -> None:
    class Add(nn.Module):
        def forward(self, x: Any, *, amount: float) -> Any:
            return x + amount

    assert Add()(ones(1), amount=2.0).item() == 3.0
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(ones(1))


def test_a_model_on_a_named_backend() -> None:
    """Forward and backward use it; a name that no kernel has is an error, not a replacement."""
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, activation="relu"), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2)
    )
    x = tinymed.random.default_generator().standard_normal((3, 1, 6, 6)).astype(np.float32)
    target = Tensor(np.array([0, 1, 1]))
    found = []
    for backend in (None, "reference"):
        model.zero_grad()
        if backend is None:
            loss = nn.CrossEntropyLoss()(model(Tensor(x)), target)
            loss.backward()
        else:
            with use_backend(backend):
                loss = nn.CrossEntropyLoss()(model(Tensor(x)), target)
            loss.backward()
        found.append([loss.item(), *(p.grad.data for p in model.parameters())])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    with use_backend("nowhere"), pytest.raises(LookupError, match="no 'nowhere' implementation"):
        model(Tensor(x))


# ---------------------------------------------------------------------------------------- showing


def test_repr() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 8, (3, 1), stride=2, padding=1, bias=False, activation="relu"),
        nn.Sequential(nn.BatchNorm2d(8), nn.Dropout(0.25)),
        nn.Linear(4, 2, bias=False),
    )
    assert repr(network) == (
        "Sequential(\n"
        "  (0): Conv2d(1, 8, kernel_size=(3, 1), stride=(2, 2), padding=(1, 1), bias=False, "
        "activation='relu')\n"
        "  (1): Sequential(\n"
        "    (0): BatchNorm2d(8, eps=1e-05, momentum=0.1)\n"
        "    (1): Dropout(p=0.25)\n"
        "  )\n"
        "  (2): Linear(4, 2, bias=False)\n"
        ")"
    )
    assert repr(nn.Conv1d(2, 4, 3, groups=2, dilation=2)) == (
        "Conv1d(2, 4, kernel_size=(3,), dilation=(2,), groups=2)"
    )
    assert repr(nn.MaxPool2d(3, ceil_mode=True)) == (
        "MaxPool2d(kernel_size=3, stride=3, padding=0, dilation=1, return_indices=False, "
        "ceil_mode=True)"
    )
    assert repr(nn.Softmax(dim=1)) == "Softmax(dim=1)"
    assert repr(nn.Flatten()) == "Flatten(start_dim=1, end_dim=-1)"


def test_a_parameter_is_a_tensor_on_the_same_memory() -> None:
    array = np.ones(2)
    parameter = nn.Parameter(Tensor(array))
    assert parameter.data is array
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert not nn.Parameter(array, requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="only floating dtypes have gradients"):
        nn.Parameter(np.ones(2, int))
    assert math.isclose((parameter * 2).sum().item(), 4.0)


def test_the_handle_of_a_hook_removes_it_as_in_pytorch() -> None:
    layer = nn.Identity()
    handle = layer.register_forward_hook(lambda module, inputs, output: output + 1)
    x = ones(1)
    assert layer(x).item() == 2
    handle.remove()
    assert layer(x).item() == 1
