"""Averages of weights against their formulas, and the context that lends them to a model."""

from typing import Any

import numpy as np
import pytest

from tinymed import nn, optim
from tinymed.creation import ones
from tinymed.serialization import load, load_tree, save, save_tree
from tinymed.tensor import Tensor


def model(seed: int = 0) -> nn.Module:
    generator = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(3, 2, generator=generator), nn.BatchNorm1d(2)).double()


def walk(changing: nn.Module, averaged: Any, steps: int = 6) -> dict[str, np.ndarray]:
    """Move all tensors at random, average after each move, and return where they have been."""
    generator, places = np.random.default_rng(1), []
    for _ in range(steps):
        for tensor in (*changing.parameters(), *changing.buffers()):
            move = generator.standard_normal(tensor.shape)
            tensor.data[...] += move.astype(tensor.dtype) + (tensor.dtype.kind != "f")
        averaged.update_parameters(changing)
        places.append({key: value.data.copy() for key, value in changing.state_dict().items()})
    return {key: np.stack([place[key] for place in places]) for key in places[0]}


def expected(path: np.ndarray, decay: float | None) -> np.ndarray:
    """The mean of all places, or the moving average from the first one."""
    if decay is None:
        return path.mean(axis=0)
    average = path[0]
    for place in path[1:]:
        average = decay * average + (1 - decay) * place
    return average


@pytest.mark.parametrize("decay", [None, 0.0, 0.7, 1.0])
@pytest.mark.parametrize("use_buffers", [False, True])
def test_averages(decay: float | None, use_buffers: bool) -> None:
    changing = model()
    function = optim.get_swa_avg_fn() if decay is None else optim.get_ema_avg_fn(decay)
    averaged = optim.AveragedModel(changing, avg_fn=function, use_buffers=use_buffers)
    path = walk(changing, averaged)
    state = averaged.module.state_dict()
    names = {name for name, _ in changing.named_parameters()}
    for key, places in path.items():
        mean = key in names or (use_buffers and places.dtype.kind == "f")
        wanted = expected(places, decay) if mean else places[-1]
        np.testing.assert_allclose(state[key].data, wanted, rtol=1e-12, err_msg=key)
        assert state[key].dtype == places.dtype
    assert averaged.n_averaged == 6


def test_the_mean_unless_told_otherwise() -> None:
    changing = model()
    averaged = optim.AveragedModel(changing)
    path = walk(changing, averaged)["0.weight"]
    np.testing.assert_allclose(averaged.module[0].weight.data, path.mean(axis=0))


def test_the_copy_is_its_own() -> None:
    changing = model()
    changing(ones(4, 3, dtype="float64")).sum().backward()
    averaged = optim.AveragedModel(changing)
    assert all(p.grad is None for p in averaged.module.parameters())
    before = averaged.module[0].weight.data.copy()
    changing[0].weight.data += 1
    np.testing.assert_array_equal(averaged.module[0].weight.data, before)
    averaged.module.eval()
    x = ones(4, 3, dtype="float64")
    np.testing.assert_array_equal(averaged(x).data, averaged.module(x).data)


def test_in_place_of_the_model() -> None:
    changing = model()
    averaged = optim.AveragedModel(changing)
    walk(changing, averaged)
    own = {key: value.data for key, value in changing.state_dict().items()}
    mean = {key: value.data for key, value in averaged.module.state_dict().items()}
    with averaged.in_place_of(changing):
        assert all(value.data is mean[key] for key, value in changing.state_dict().items())
    with pytest.raises(KeyError), averaged.in_place_of(changing):
        raise KeyError
    assert all(value.data is own[key] for key, value in changing.state_dict().items())
    assert all(value.data is mean[key] for key, value in averaged.module.state_dict().items())


@pytest.mark.parametrize("form", ["tree", "file"])
def test_state(form: str, tmp_path: Any) -> None:
    changing = model()
    averaged = optim.AveragedModel(changing)
    walk(changing, averaged, 3)
    path = tmp_path / "average.safetensors"
    if form == "tree":
        save_tree(averaged.state_dict(), path)
        state = load_tree(path)
    else:
        save(averaged.state_dict(), path)
        state = load(path)
    assert set(state) == {"n_averaged", *(f"module.{key}" for key in changing.state_dict())}
    other = optim.AveragedModel(model(5))
    other.load_state_dict(state)
    for one in (averaged, other):
        walk(changing, one, 1)
        changing[0].weight.data -= 1  # whatever it is, both see the same
        changing[0].weight.data += 1
    assert other.n_averaged == averaged.n_averaged == 4
    with pytest.raises(RuntimeError, match="does not fit"):
        other.load_state_dict({"n_averaged": 1, "module.0.weight": np.ones((2, 3))})
    assert other.n_averaged == 4


def test_models_that_differ() -> None:
    averaged = optim.AveragedModel(model())
    words = r"AveragedModel: 0\.bias is \(5,\) in the model, \(2,\) in the average"
    with pytest.raises(ValueError, match=words):
        averaged.update_parameters(nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)))
    with pytest.raises(ValueError, match=r"1\.bias is absent in the model"):
        averaged.update_parameters(nn.Sequential(nn.Linear(3, 2)))
    with (
        pytest.raises(ValueError, match="absent"),
        averaged.in_place_of(nn.Sequential(nn.Linear(3, 2))),
    ):
        pass


@pytest.mark.parametrize("decay", [-0.1, 1.1, float("nan")])
def test_a_decay_that_is_none(decay: float) -> None:
    with pytest.raises(ValueError, match=r"get_ema_avg_fn: decay=.* is not in \[0, 1\]"):
        optim.get_ema_avg_fn(decay)


def test_an_update_is_a_write_the_engine_sees() -> None:
    changing = model()
    averaged = optim.AveragedModel(changing)
    weight = averaged.module[0].weight
    loss = (weight * Tensor(np.ones((2, 3)), requires_grad=True)).sum()
    averaged.update_parameters(changing)
    with pytest.raises(RuntimeError, match="overwritten in place"):
        loss.backward()
