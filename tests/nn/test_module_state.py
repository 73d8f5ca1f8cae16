"""Module: parameters and buffers in another dtype, saved, and loaded."""

import copy
from typing import Any

import numpy as np
import pytest

from tinymed import nn
from tinymed.creation import ones, zeros


def network() -> nn.Sequential:
    """Two names for one layer, and buffers."""
    shared = nn.Linear(2, 2)
    return nn.Sequential({"first": shared, "norm": nn.BatchNorm1d(2), "again": shared})


@pytest.mark.parametrize("how", [("to", "float64"), ("to", np.float64), ("double",)])
def test_to_float64_and_back(how: tuple[Any, ...]) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model(ones(3, 2)).sum().backward()
    parameter, state = model[0].weight, model.state_dict()
    assert getattr(model, how[0])(*how[1:]) is model
    assert model[0].weight is parameter
    for key, tensor in model.state_dict().items():
        assert tensor.dtype == ("int64" if "num_batches" in key else "float64")
        np.testing.assert_array_equal(tensor.data, state[key].data)
    assert parameter.grad.dtype == np.float64
    assert model(ones(3, 2, dtype=np.float64)).dtype == np.float64
    assert model.float()[0].weight.dtype == np.float32
    assert model.to("cpu", "float16")[1].running_var.dtype == np.float16


@pytest.mark.parametrize("module", [nn.ReLU(), nn.Linear(2, 1)], ids=["empty", "Linear"])
def test_to_what_makes_no_sense(module: nn.Module) -> None:
    with pytest.raises(TypeError, match="not floating"):
        module.to("int64")
    for target in ("gpu", "cpu:x", "float65"):
        with pytest.raises(ValueError, match=repr(target)):
            module.to(target)
    assert all(p.dtype == np.float32 for p in module.parameters())


def test_load_state_dict_copies() -> None:
    source, target = network().double(), network()
    parameter = target.first.weight
    missing, unexpected = target.load_state_dict(source.state_dict())
    assert missing == unexpected == []
    assert target.first.weight is parameter
    assert parameter.dtype == np.float32
    for key, tensor in target.state_dict().items():
        np.testing.assert_allclose(tensor.data, source.state_dict()[key].data, rtol=1e-6)
    source.first.weight.data += 1
    assert not np.allclose(parameter.data, source.first.weight.data)
    target.load_state_dict({key: tensor.data for key, tensor in source.state_dict().items()})
    np.testing.assert_allclose(parameter.data, source.first.weight.data, rtol=1e-6)


def test_one_error_lists_everything_and_nothing_is_written() -> None:
    target = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    before = copy.deepcopy(target.state_dict())
    state: dict[str, Any] = {key: tensor.data + 1 for key, tensor in before.items()}
    del state["0.bias"], state["1.running_mean"]
    state |= {"0.weight": np.zeros((3, 2)), "1.bias": np.zeros(2, int), "2.weight": np.zeros(1)}
    state["1.num_batches_tracked"] = np.array(1.5)
    with pytest.raises(RuntimeError) as caught:
        target.load_state_dict(state)
    message = str(caught.value)
    assert message.startswith("load_state_dict: the state does not fit Sequential: ")
    for words in (
        "0.bias is missing",
        "1.running_mean is missing",
        "2.weight is unexpected",
        "0.weight is (3, 2) float64, expected (2, 3) float32",
        "1.bias is (2,) int64, expected (2,) float32",
        "1.num_batches_tracked is () float64, expected () int64",
    ):
        assert words in message
    for key, tensor in target.state_dict().items():
        np.testing.assert_array_equal(tensor.data, before[key].data)


def test_load_state_dict_not_strict() -> None:
    target: Any = nn.Linear(2, 2)
    bias = target.bias.data.copy()
    found = target.load_state_dict({"weight": np.ones((2, 2)), "other": np.ones(1)}, strict=False)
    assert found == (["bias"], ["other"])
    assert found.missing_keys == ["bias"]
    np.testing.assert_array_equal(target.weight.data, np.ones((2, 2)))
    np.testing.assert_array_equal(target.bias.data, bias)
    with pytest.raises(RuntimeError, match=r"weight is \(1,\) float64, expected \(2, 2\)"):
        target.load_state_dict({"weight": np.ones(1)}, strict=False)


def test_load_state_dict_of_a_path() -> None:
    with pytest.raises(TypeError, match=r"str is not a dict of tensors; tinymed\.load"):
        nn.Linear(1, 1).load_state_dict("model.safetensors")  # type: ignore[arg-type]


def test_loading_is_a_write_the_engine_sees() -> None:
    layer = nn.Linear(2, 1)
    y = layer(ones(1, 2, requires_grad=True))
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(RuntimeError, match="overwritten in place after it was saved"):
        y.sum().backward()


def test_moves_as_code_for_pytorch_asks_for_them() -> None:
    layer = nn.Linear(2, 1)
    assert layer.to(device="cpu", dtype=np.float64).weight.dtype == np.float64
    assert layer.half().weight.dtype == np.float16
    assert layer.to(zeros(1)).bias.dtype == np.float32
    assert layer.cpu() is layer
