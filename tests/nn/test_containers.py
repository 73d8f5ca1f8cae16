"""Containers: order, names, slices, and what they refuse."""

from typing import Any

import numpy as np
import pytest

from tinymed import nn
from tinymed.creation import ones, tensor


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


# ------------------------------------------------------------------------- changed afterwards


@pytest.mark.parametrize("kind", [nn.Sequential, nn.ModuleList])
def test_entries_replaced_and_taken_out(kind: Any) -> None:
    modules = [Times(factor) for factor in (2, 3, 5, 7)]
    container: Any = kind(*modules) if kind is nn.Sequential else kind(modules)
    container[-1] = Times(11)
    assert factors(container) == [2, 3, 5, 11]
    del container[0]
    assert [name for name, _ in container.named_children()] == ["0", "1", "2"]
    assert container.pop(1).factor == 5
    container.insert(1, Times(13)).insert(-9, Times(1))
    container += [Times(17)]
    assert factors(container) == [1, 3, 13, 11, 17]
    assert [name for name, _ in container.named_children()] == ["0", "1", "2", "3", "4"]
    del container[1:3]
    both = container + kind([Times(4)] if kind is nn.ModuleList else Times(4))
    assert type(both) is kind
    assert factors(both) == [1, 11, 17, 4]
    assert factors(container) == [1, 11, 17]
    for change in (
        lambda: container.pop(3),
        lambda: container.__delitem__(-4),
        lambda: container.__setitem__(3, Times(1)),
    ):
        with pytest.raises(IndexError, match="is out of range for 3 entries"):
            change()
    for wrong in (lambda: container.insert(0, 3), lambda: container.__setitem__(0, None)):
        with pytest.raises(TypeError, match="is not a Module"):
            wrong()


# ----------------------------------------------------------------------------- modules by name


def linear() -> nn.Linear:
    return nn.Linear(1, 1, bias=False)


def test_a_dictionary_of_modules() -> None:
    heads = nn.ModuleDict({"mass": linear(), "age": nn.ReLU()})
    assert list(heads) == list(heads.keys()) == ["mass", "age"]
    assert list(heads.state_dict()) == ["mass.weight"]
    assert heads["mass"] is heads.mass
    assert ("mass" in heads, "none" in heads, len(heads)) == (True, False, 2)
    assert [type(m).__name__ for m in heads.values()] == ["Linear", "ReLU"]
    heads["age"] = linear()
    heads.update([("sex", linear())])
    heads.update(nn.ModuleDict({"mass": nn.Tanh()}))
    assert list(heads.state_dict()) == ["age.weight", "sex.weight"]
    assert len(list(heads.parameters())) == 2
    assert heads.pop("sex").in_features == 1
    del heads["mass"]
    assert [name for name, _ in heads.items()] == ["age"]
    heads.clear()
    assert len(heads) == 0
    assert "ModuleDict" in repr(nn.ModuleDict({"a": nn.ReLU()}))


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (KeyError, "ModuleDict: no 'b', there is 'a'", lambda d: d["b"]),
        (KeyError, "no 'b'", lambda d: d.pop("b")),
        (KeyError, "no 'b'", lambda d: d.__delitem__("b")),
        (KeyError, "the name 'keys' is taken", lambda d: d.update({"keys": nn.ReLU()})),
        (KeyError, "'a.b' is not a name without dots", lambda d: d.update({"a.b": nn.ReLU()})),
        (TypeError, "'b' is int, not a Module", lambda d: d.update({"b": 3})),
        (TypeError, "the name 3 is int, not str", lambda d: d.update({3: nn.ReLU()})),
        (TypeError, "int is neither a mapping nor", lambda d: d.update(3)),
        (ValueError, r"\(name, entry\) pairs are expected", lambda d: d.update([("b",)])),
        (NotImplementedError, "ModuleDict has no forward", lambda d: d(1)),
    ],
)
def test_what_a_dictionary_refuses(kind: type[Exception], words: str, call: Any) -> None:
    with pytest.raises(kind, match=words):
        call(nn.ModuleDict({"a": nn.ReLU()}))


# ---------------------------------------------------------------------------------- parameters


def test_a_list_of_parameters() -> None:
    first = nn.Parameter(np.zeros(2))
    listed = nn.ParameterList([first, ones(3)])
    assert list(listed.state_dict()) == ["0", "1"]
    assert listed[0] is first
    assert type(listed[-1]) is nn.Parameter
    assert listed[1].requires_grad
    listed.append(ones(1)).extend([ones(4)])
    listed += (p for p in [ones(5)])
    assert [p.numel() for p in listed] == [2, 3, 1, 4, 5]
    listed[-2] = ones(7)
    assert [p.numel() for p in listed[1:4]] == [3, 1, 7]
    assert type(listed[:2]) is nn.ParameterList
    assert len(list(listed.parameters())) == len(listed) == 5
    assert repr(nn.ParameterList([ones(2, 3)])) == "ParameterList((2, 3))"
    with pytest.raises(IndexError, match="ParameterList: index 5 is out of range for 5 entries"):
        listed[5]
    for bad in ("x", 3, np.ones(2)):
        with pytest.raises(TypeError, match="is not a Parameter or a Tensor"):
            listed.append(bad)
    for bad in (3, ones(2)):
        with pytest.raises(TypeError, match="is not an iterable of parameters"):
            listed.extend(bad)


def test_a_dictionary_of_parameters() -> None:
    named = nn.ParameterDict({"b": ones(2), "a": nn.Parameter(np.zeros(1))})
    assert list(named.state_dict()) == ["a", "b"]  # a plain dict is sorted, as in PyTorch
    named.update([("d", ones(4)), ("c", ones(3))])
    assert list(named) == ["a", "b", "d", "c"]
    assert list(reversed(named)) == ["c", "d", "b", "a"]
    assert type(named["b"]) is nn.Parameter
    assert named.get("z", 5) == 5
    assert named.setdefault("z", ones(1)) is named["z"]
    assert named.setdefault("z", ones(2)).numel() == 1
    assert named.popitem()[0] == "z"
    assert named.pop("c").numel() == 3
    both = named | nn.ParameterDict([("b", ones(9))])
    assert (both["b"].numel(), named["b"].numel()) == (9, 2)
    named |= both
    assert named["b"] is both["b"]
    assert named.copy()["a"] is named["a"]
    assert list(named.fromkeys(["x", "y"], ones(1))) == ["x", "y"]
    assert {name: p.numel() for name, p in named.items()} == {"a": 1, "b": 9, "d": 4}
    assert len(list(named.parameters())) == 3
    with pytest.raises(KeyError, match="ParameterDict: no 'q', there is 'a', 'b', 'd'"):
        named["q"]
    with pytest.raises(TypeError, match="ParameterDict: the name 1 is int, not str"):
        named[1] = ones(1)  # type: ignore[index]
    with pytest.raises(TypeError, match="str is not a Parameter or a Tensor"):
        named["s"] = "text"
    with pytest.raises(KeyError, match="the name 'update' is taken"):
        named["update"] = ones(1)
