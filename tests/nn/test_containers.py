"""Sequential and ModuleList: order, names, slices, and what they refuse."""

from typing import Any

import numpy as np
import pytest

from tinymed import nn
from tinymed.tensor import ones, tensor


class Times(nn.Module):
    """y = factor x, to see in which order layers run."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Any) -> Any:
        return x * self.factor + 1


def factors(container: Any) -> list[float]:
    return [module.factor for module in container]


def test_layers_run_in_order() -> None:
    assert nn.Sequential(Times(2), Times(3))(ones(1)).item() == 10.0
    assert nn.Sequential(Times(3), Times(2))(ones(1)).item() == 9.0
    assert nn.Sequential()(ones(1)).item() == 1.0


def test_names() -> None:
    numbered = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    assert list(numbered.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    named = nn.Sequential({"conv": nn.Linear(1, 1, bias=False), "out": nn.Linear(1, 1, bias=False)})
    assert list(named.state_dict()) == ["conv.weight", "out.weight"]
    assert named.conv is named[0]
    listed = nn.ModuleList([nn.Linear(1, 1, bias=False)])
    assert list(listed.state_dict()) == ["0.weight"]


@pytest.mark.parametrize("kind", [nn.Sequential, nn.ModuleList])
def test_indices_and_slices(kind: Any) -> None:
    modules = [Times(factor) for factor in (2, 3, 5, 7)]
    container: Any = kind(*modules) if kind is nn.Sequential else kind(modules)
    assert len(container) == 4
    assert container[-1] is modules[3]
    assert container[np.int64(1)] is modules[1]
    for bad in (4, -5):
        with pytest.raises(IndexError, match=rf"{kind.__name__}: index {bad} is out of range"):
            container[bad]
    part = container[1:3]
    assert type(part) is kind
    assert factors(part) == [3, 5]
    assert part[0] is modules[1]
    assert factors(container[::-2]) == [7, 3]


def test_slices_keep_names_as_in_pytorch() -> None:
    network = nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in range(3)))
    part = network[1:]
    assert list(part.state_dict()) == ["1.weight", "2.weight"]
    assert list(nn.ModuleList(network)[1:].state_dict()) == ["0.weight", "1.weight"]
    with pytest.raises(KeyError, match="the name '2' is taken"):
        part.append(nn.ReLU())
    assert list(part.state_dict()) == ["1.weight", "2.weight"]


def test_a_subclass_can_be_sliced() -> None:
    class Block(nn.Sequential):
        def __init__(self, size: int) -> None:
            super().__init__(nn.Linear(size, size), nn.ReLU())

    assert [type(module).__name__ for module in Block(2)[:1]] == ["Linear"]


def test_append_and_extend() -> None:
    container = nn.Sequential(Times(2)).append(Times(3))
    assert container(ones(1)).item() == 10.0
    listed = nn.ModuleList().append(Times(2)).extend(Times(factor) for factor in (3, 5))
    assert factors(listed) == [2, 3, 5]
    assert [name for name, _ in listed.named_children()] == ["0", "1", "2"]


def test_what_is_not_a_module() -> None:
    others: list[Any] = [lambda x: x, None, nn.ReLU, [nn.ReLU()], ones(1)]
    for bad in others:
        with pytest.raises(TypeError, match="is not a Module"):
            nn.Sequential(nn.ReLU(), bad)
        with pytest.raises(TypeError, match="is not a Module"):
            nn.ModuleList([bad])
    with pytest.raises(TypeError, match="is not a Module"):
        nn.Sequential({"a": others[-1]})
    with pytest.raises(KeyError, match="the name 'append' is taken"):
        nn.Sequential({"append": nn.ReLU()})


def test_a_list_is_not_called() -> None:
    with pytest.raises(NotImplementedError, match="ModuleList has no forward"):
        nn.ModuleList([nn.ReLU()])(ones(1))


def test_gradients_reach_a_list() -> None:
    listed = nn.ModuleList(nn.Linear(1, 1) for _ in range(2))
    x = tensor([[2.0]])
    for layer in listed:
        x = layer(x)
    x.sum().backward()
    assert all(p.grad is not None for p in listed.parameters())
    assert len(list(listed.parameters())) == 4
